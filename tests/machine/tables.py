# SPDX-License-Identifier: MIT
"""L1 builds nested tables that L2 uses (guests/hostile_build.c): every change counts, and what it
costs grows with the table and not with its square."""

from machinetests import Test


def few(n):
    return n < 100


def many(n):
    return n > 500


TESTS = [
    # Two times 512 entries and some. Each caught write that dropped the whole table made it 1376.
    Test("tables-in-use", l1="guests/hostile.elf", l1_cmdline="test=npt-build",
         cmdline="migrate=off audit=on",
         expect=[r"^\[L1\] HOSTILE npt-build: [1-9]\d* checks, 0 failed"],
         reject=[r"^\[L1\] HOSTILE .*FAILED:"],
         result={"leaks": 0, "audit.errors": 0, "stats.mmu_shadow_zapped": few,
                 "stats.pf_emulate": many, "stats.mmu_flooded": 1}),
]
