# SPDX-License-Identifier: MIT
"""An unmodified Linux with KVM as L1: guests/linux/ drives /dev/kvm and checks what its L2s do."""

from expected import COMPLETED, at_least
from machinetests import Test

LINUX = {"l1": "linux/vmlinuz", "modules": [("initrd", "linux/initrd.gz", "")], "timeout": 240}
WORDS = "console=ttyS0 quiet nokaslr panic=-1"
STORY = [r"^\[L1\] LINUX: .* kvm_amd", r"^\[L1\] KVM: three L2s"]

TESTS = [
    # Moved while one of its L2s runs; its log has no complaint afterwards, its clocks agree.
    Test("linux-kvm", cmdline="mem=512M migrate_after=120000 audit=on", l1_cmdline=WORDS,
         expect=STORY + [r"^migration: the source is stopped in L2",
                         r"^migration: the destination runs; memory and state are verified",
                         r"^\[twin\] KVM: migrated", r"^\[twin\] KVM: all \d+ rounds of three L2s",
                         r"^\[twin\] LINUX: ended with status 0"],
         reject=[r"KVM: FAILED", r"unstable", r"Call Trace", r"MTRR"],
         result={**COMPLETED, "ram.total": 512 << 20, "ram.duplicate": at_least(0), "verified": True,
                 "source.stats.nested_run": at_least(1000), "leaks": 0}, **LINUX),
    # KVM shadows its guests' memory itself.
    Test("linux-kvm-no-npt", cmdline="mem=512M migrate_after=120000", l1_cmdline=WORDS + " kvm_npt=0",
         expect=STORY + [r"^migration: the destination runs", r"^\[twin\] LINUX: ended with status 0"],
         reject=[r"KVM: FAILED", r"unstable", r"Call Trace", r"MTRR"],
         result={"status": "completed", "verified": True, "leaks": 0}, **LINUX),
]
