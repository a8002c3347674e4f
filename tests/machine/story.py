# SPDX-License-Identifier: MIT
"""What the main job must have said, for every test that runs it."""

# In this order, on a serial port.
EXPECT = [
    r"^Cleave, a hypervisor",
    r"^virtualization: ",
    r"^\[L1\] L1: hypervisor on ",
    r"^\[L1\] L2: hello from 64-bit mode",
]

# On a screen: its lines are cut at its width, and they scroll away.
SCREEN = [r"Cleave, a hypervisor", r"virtualization: ", r"L2: hello", r"RESULT \{"]

RAM_NAMES = ("transferred", "remaining", "total", "duplicate", "normal", "normal-bytes",
             "dirty-pages-rate", "mbps", "dirty-sync-count", "page-size")


def migrated(result):
    """QEMU's query-migrate, and what Cleave adds: the check of the copy and the splits."""
    split = result["split"]
    return (result["status"] == "completed" and result["verified"] is True and
            result["l2-active-at-switchover"] is True and
            result["downtime"] >= 0 and result["total-time"] > 0 and
            all(name in result["ram"] for name in RAM_NAMES) and
            all(split[mmu][size] > 0 for mmu in ("tdp", "nested") for size in ("1g", "2m")))


def failed(why):
    """A run that ends before it began: one reason, in the result as well."""
    return lambda result: result["status"] == "failed" and why in result["error-desc"]
