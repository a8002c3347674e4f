# SPDX-License-Identifier: MIT
"""What bounds the MMU's tables while guests run: NX huge pages split and recovered, memory given back."""

from expected import CLEAN, DONE, at_least
from machinetests import Test

L2_DONE = r"^\[L1\] L2: all pages verified: "

# L1 and L2 execute, so what they execute is split; a tenth of a second later it is recovered.
RECOVERY = ("audit=on migrate=off nx_huge_pages=on nx_huge_pages_recovery_ratio=%d "
            "nx_huge_pages_recovery_period_ms=100")

TESTS = [
    # How often depends on how long the machine takes, so: at all, in both trees.
    Test("nx-recovery", cmdline=RECOVERY % 1, l1_cmdline="passes=24",
         expect=[L2_DONE, r"^\[L1\] " + DONE],
         result={**CLEAN, "stats.nx_recovered": at_least(2),
                 "stats.mmu_shadow_zapped": at_least(1)}),
    # Nothing is recovered, so all that was split is split at the end.
    Test("nx-no-recovery", cmdline=RECOVERY % 0, l1_cmdline="passes=8",
         expect=[L2_DONE, r"^\[L1\] " + DONE],
         result={**CLEAN, "stats.nx_recovered": 0, "stats.nx_lpage_splits": at_least(2)}),
]
