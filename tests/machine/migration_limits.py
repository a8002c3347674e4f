# SPDX-License-Identifier: MIT
"""Migration with too little of something: shadow pages, memory, bandwidth, time. It arrives all the
same, or ends with one line that says what was missing."""

from arrival import SMALL, arrives
from expected import COMPLETED, DONE, at_least, at_most
from machinetests import Failure, Test

REFUSED = r"^warning: migration: [1-9]\d* splits were refused"

# --- tables: what cannot be split stays huge, correct and tracked ---

TESTS = [
    # Not one of L2's pages can be split; some, but not all.
    arrives("enospc-at-once", "max_shadow_pages=64", "",
            {"split.enospc": at_least(50), "split.nested.1g": 0, "split.nested.2m": 0,
             "split.tdp.2m": at_least(512), "source.stats.fault_split_nested": at_least(1)},
            warns=[REFUSED]),
    arrives("enospc", "max_shadow_pages=300", "np=aliased-split",
            {"split.enospc": at_least(100), "split.nested.1g": at_least(1),
             "split.nested.2m": at_least(100), "split.tdp.2m": at_least(512),
             "source.stats.mmu_recycled": at_least(1)}, warns=[REFUSED]),
    # Memory for most of the tables; for few. Both trees are split side by side, the 1G pages first.
    arrives("enomem-nested", "l0_mem=4M", "",
            {"split.enomem": at_least(50), "split.tdp.1g": 1, "split.tdp.2m": at_least(300),
             "split.nested.1g": 1, "split.nested.2m": at_least(100)}, warns=[REFUSED]),
    arrives("enomem-tdp", "l0_mem=1M", "",
            {"split.enomem": at_least(200), "split.tdp.1g": 1, "split.tdp.2m": at_most(511),
             "split.nested.2m": at_most(511)}, warns=[REFUSED]),
]

# --- memory pressure: what is cold is given back before anybody has to wait ---

TESTS += [
    arrives("pressure", "l0_mem=4700K", "",
            {"source.stats.mmu_reclaimed": at_least(20), "split.enomem": 0, "split.tdp.1g": 1,
             "split.tdp.2m": at_least(500), "split.nested.2m": at_least(500)}),
]

# --- time and bandwidth ---

WRITER = "np=2m writes=100"  # a whole working set of 4 MiB again and again
SLOW = "mem=512M max_bandwidth=8 "

TESTS += [
    # It writes more than half of what a round sends: held back, until the rest fits.
    arrives("throttled", SLOW + "downtime_limit=300", WRITER,
            {"ram.total": 512 << 20, "cpu-throttle-percentage": at_least(20),
             "expected-downtime": at_most(300), "ram.dirty-sync-count": at_most(29)}),
    # Its rest fits as it is.
    arrives("downtime-limit", SLOW + "downtime_limit=5000", WRITER,
            {"ram.total": 512 << 20, "cpu-throttle-percentage": 0, "ram.dirty-sync-count": 2,
             "expected-downtime": at_most(5000)}),
    # It never does, and nobody holds it back.
    arrives("max-rounds", SLOW + "downtime_limit=1 auto_converge=off max_rounds=4", WRITER,
            {"ram.total": 512 << 20, "cpu-throttle-percentage": 0, "ram.dirty-sync-count": 5}),
    Test("migrate-unverified", cmdline="audit=on verify=off", l1_cmdline=SMALL,
         expect=[r"^migration: the destination runs; its memory was not compared",
                 r"^\[twin\] " + DONE],
         result={**COMPLETED, "verified": False, "verify-time": at_most(500)}, timeout=150),
]


# --- so little that not even what L1 touches can be mapped ---

def survives(name, l0_mem):
    """Memory runs out anywhere: the guests arrive, or one line says what ended them."""

    def check(output, result):
        if result["status"] == "completed":
            good = result["verified"] is True and result["exit-status"] == 0
        else:
            good = any("memory" in result.get(key, "") for key in ("error-desc", "guest-error"))
        if not good or result["leaks"] or result["audit"]["errors"]:
            raise Failure("neither arrived nor said what was missing")

    return Test("migrate-" + name, cmdline="audit=on linger=1000 l0_mem=" + l0_mem,
                l1_cmdline=SMALL + "passes=60", status=(0, 1), check=check,
                result={"leaks": 0, "audit.errors": 0}, timeout=150)


TESTS += [survives("l0-mem-" + size, size) for size in ("256K", "128K", "64K")]
