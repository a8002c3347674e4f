# SPDX-License-Identifier: MIT
"""The stack arrives: at every instant, from every kind of nested table, with every way to log and
to split. A small working set keeps each run short; the audit looks at the tables all the while."""

from arrival import arrives
from expected import at_least

TESTS = []

# --- instants ---

for instant in ("l2", "l1", "transition", "event", "gif0", "halted"):
    TESTS.append(arrives(
        "at-" + instant, "switchover=" + instant, "hlt=l0" if instant == "halted" else "",
        {"switchover": instant, "l2-active-at-switchover": instant not in ("l1", "gif0")}))

TESTS += [
    arrives("at-any", "switchover=any"),
    # An event at nearly each exit, with the stack that it is delivered on taken away each time.
    arrives("events", "switchover=event", "np=aliased inject=1 evict=1",
            {"switchover": "event", "source.stats.irq_injections": at_least(1000)}),
]

# --- L1's nested tables ---

# In 512 MiB: no 1G pages. 64 pages of L2's are mapped lazily, by 4K.
SMALL_VM = "mem=512M "
IN_SMALL_VM = {"ram.total": 512 << 20, "split.tdp.1g": 0, "split.tdp.2m": at_least(16),
               "split.nested.1g": 0}

TESTS += [
    arrives("np-4k", SMALL_VM, "np=4k", {**IN_SMALL_VM, "split.nested.2m": 0}),
    arrives("np-2m", SMALL_VM, "np=2m", {**IN_SMALL_VM, "split.nested.2m": at_least(120)}),
    arrives("np-1g", "", "np=1g", {"split.tdp.1g": 1, "split.tdp.2m": at_least(512),
                                   "split.nested.1g": 1, "split.nested.2m": at_least(512)}),
    # Two rmap entries for each gfn: descriptors, and a 1G leaf that is split twice.
    arrives("np-aliased", "", "np=aliased",
            {"split.nested.1g": 2, "split.nested.2m": at_least(600),
             "source.stats.rmap_descs": at_least(400)}),
    # A third time through smaller and lesser entries: the split that owes a flush.
    arrives("np-aliased-split", "", "np=aliased-split",
            {"split.nested.1g": 2, "split.nested.2m": at_least(600),
             "source.stats.rmap_descs": at_least(400)}),
]

# --- L0's own leaves ---

TESTS += [
    arrives("huge-2m", "huge=2m", "", {"split.tdp.1g": 0, "split.tdp.2m": at_least(16),
                                       "split.nested.1g": 0, "split.nested.2m": at_least(60)}),
    arrives("huge-4k", "huge=4k", "", {"split.tdp.1g": 0, "split.tdp.2m": 0,
                                       "split.nested.1g": 0, "split.nested.2m": 0}),
    arrives("nx-huge-pages", "nx_huge_pages=on", "", {"split.nested.2m": at_least(512)}),
]

# --- logging and splitting ---

# Where nothing is split ahead the guest's writes do it.
LAZY = {"split.tdp.1g": 0, "split.tdp.2m": 0, "split.nested.1g": 0, "split.nested.2m": 0,
        "source.stats.fault_split_tdp": at_least(1), "source.stats.fault_split_nested": at_least(10)}
# How each tracker shows that it was at work, and the other one was not.
TRACKERS = {"dbit": {"source.stats.dirty_tables_scanned": at_least(500),
                     "source.stats.dirty_tables_skipped": at_least(500)},
            "wp": {"source.stats.dirty_faults": at_least(500),
                   "source.stats.dirty_tables_scanned": 0}}

for tracker, shows in TRACKERS.items():
    word = "dirty=" + tracker
    TESTS += [
        arrives(tracker, word, "", shows),
        arrives(tracker + "-initially-all-set", word + " dirty_mode=initially-all-set",
                "np=aliased-split",
                {"split.tdp.1g": 1, "split.tdp.2m": at_least(512), "split.nested.1g": 2,
                 "split.nested.2m": at_least(600), **shows}),
        arrives(tracker + "-no-eager-split", word + " eager_page_split=off", "np=aliased", LAZY),
        arrives(tracker + "-no-eager-split-all-set",
                word + " eager_page_split=off dirty_mode=initially-all-set", "np=aliased-split",
                {"split.tdp.2m": 0, "split.nested.2m": 0,
                 "source.stats.fault_split_nested": at_least(10)}),
    ]
