# SPDX-License-Identifier: MIT
"""L1's nested tables in each format that L1's own paging may have: a 32-bit L1 with entries of 4
bytes, with 4M pages beside them, with PAE; a 64-bit one with five levels. Each stack is moved while
L2 runs."""

from arrival import arrives
from expected import at_least
from machinetests import Test

IN_512M = {"ram.total": 512 << 20, "split.tdp.1g": 0, "split.tdp.2m": at_least(16),
           "split.nested.1g": 0, "l2-active-at-switchover": True}


def legacy(mode, np, result):
    """A 32-bit L1 and L2. What L1 says tells that it is in that mode."""
    return arrives("npt-%s-%s" % (mode, np), "mem=512M ", "npt=%s np=%s wmem=2M" % (mode, np),
                   {**IN_512M, **result}, l1="guests/l1-32.elf", says=[
                       r"^\[L1\] L1: hypervisor .* %s, .* nested tables \(%s\)" % (np, mode),
                       r"^\[L1\] L2: hello from 32-bit mode"])


TESTS = [
    legacy("32", "4k", {"split.nested.2m": 0}),
    # A page of 4M makes two of our entries.
    legacy("pse", "2m", {"split.nested.2m": at_least(60)}),
    legacy("pse", "aliased-split", {"split.nested.2m": at_least(40),
                                    "source.stats.rmap_descs": at_least(100)}),
    legacy("pae", "2m", {"split.nested.2m": at_least(120)}),
    legacy("pae", "aliased-split", {"split.nested.2m": at_least(80),
                                    "source.stats.rmap_descs": at_least(100)}),
]

# --- five levels; the processor's own tables under them have four ---

LA57 = "guests/l1-la57.elf"

TESTS += [
    # Leaves of each size.
    arrives("npt-5-level", "", "wmem=2M", {"split.tdp.1g": 1, "split.nested.1g": 1,
                                          "split.nested.2m": at_least(512),
                                          "l2-active-at-switchover": True},
            l1=LA57, says=[r"^\[L1\] L1: hypervisor .* nested tables \(5-level\)"]),
    Test("npt-5-level-missing", l1=LA57, cpu="max,+svm,-la57", cmdline="migrate=off", status=1,
         expect=[r"^\[L1\] L1: FAILED: this processor has no paging of 5 levels"]),
]

# --- no nested paging: L1 shadows by itself, and L0 has nothing to shadow ---

SHADOWED = {**IN_512M, "split.nested.2m": 0, "source.stats.nested_pages_4k": 0,
            "source.stats.mmu_shadow_pages": 0, "source.exits.exception": at_least(20)}

TESTS += [
    arrives("shadow-paging", "mem=512M ", "np=2m shadow=on wmem=2M", SHADOWED,
            says=[r"^\[L1\] L1: hypervisor .* shadow paging 2m,"]),
    arrives("shadow-paging-pae", "mem=512M ", "npt=pae np=aliased-split shadow=on wmem=2M",
            SHADOWED, l1="guests/l1-32.elf",
            says=[r"^\[L1\] L1: hypervisor .* shadow paging aliased-split,"]),
]

# --- what L1 sees of its tables: bits, errors, edits; in one mode after the other ---

TESTS.append(Test(
    "npt-modes", l1="guests/modes.elf", cmdline="mem=512M migrate=off audit=on",
    expect=[r"^\[L1\] MODES %s: [1-9]\d* checks, 0 failed" % mode
            for mode in ("32", "pse", "pae", "4-level", "5-level")] +
    [r"^\[L1\] MODES: [1-9]\d* checks, 0 failed"],
    reject=[r"^\[L1\] MODES .*FAILED:"], timeout=60,
    result={"leaks": 0, "audit.errors": 0, "audit.runs": at_least(1), "stats.pf_emulate": at_least(500),
            "stats.nested_pf_reflected": at_least(200)}))
