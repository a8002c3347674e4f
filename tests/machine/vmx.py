# SPDX-License-Identifier: MIT
"""The VMX backend: a guest that virtualizes nothing runs, takes its exits and is migrated."""

import expected
from machinetests import Test

PLAIN = "guests/plain.elf"
VMX = {"machine": "bochs-vmx", "memory": "512M"}

# Little memory: hashing it is what takes long in Bochs.
MOVED = {**expected.COMPLETED, "ram.total": 80 << 20, "verified": True}


def plain(name, words, story, result, **options):
    """The guest checks what it gets of each kind of exit, and dies when that is wrong."""
    return Test(name, l1=PLAIN, cmdline="mem=80M " + words, expect=story, result=result,
                reject=[r"L1: FAILED"], timeout=120, **options)


def exits(*kinds):
    """The source took exits of each kind."""
    return {"source.exits." + kind: expected.at_least(1) for kind in kinds}


TESTS = [
    # Stopped while an event is on its way: its stack is protected by the dirty log.
    plain("plain-vmx", "dirty=wp switchover=event audit=on",
          [r"^virtualization: Intel VMX, 65536 tags, nested pages up to 1G",
           r"^\[L1\] plain: 1024 pages", r"^migration: .* with an event half delivered",
           r"^\[twin\] plain: migrated", r"^\[twin\] plain: done"],
          {**MOVED, **exits("host_interrupt", "cpuid", "halt", "io", "msr", "hypercall",
                            "page_fault", "exception", "virtualization", "irq_window", "xsetbv",
                            "ignored")}, **VMX),
    # The dirty bits of the EPT tables tell what to send: no faults for that.
    plain("plain-vmx-dbit", "dirty=dbit switchover=l1",
          [r"^migration: the source is stopped in L1", r"^\[twin\] plain: done"],
          {**MOVED, "source.stats.dirty_faults": 0}, **VMX),
    # The processor holds L0's interrupts back while the guest's are off: its timer must not.
    plain("plain-vmx-spin", "switchover=l1",
          [r"^\[L1\] plain: spinning", r"^migration: the source is stopped in L1",
           r"^twin ended: it ended itself with status 0"],
          MOVED, l1_cmdline="test=spin passes=16777216", **VMX),
    plain("plain-vmx-triple-fault", "migrate=off",
          [r"^\[L1\] plain: a triple fault", r"^error: L1 ended: it shut down: triple fault"],
          {"guest-error": expected.holds("triple fault"), "leaks": 0},
          l1_cmdline="test=triplefault", status=1, **VMX),
    # L1 is offered no VMX yet, and says so.
    Test("l1-vmx", cmdline="mem=80M migrate=off", expect=[r"^\[L1\] L1: FAILED: .* neither SVM nor VMX"],
         result={"exit-status": 1, "leaks": 0}, status=1, timeout=60, **VMX),
    # The same guest on the other backend.
    plain("plain-svm", "dirty=wp switchover=event audit=on",
          [r"^virtualization: AMD SVM", r"^migration: .* with an event half delivered",
           r"^\[twin\] plain: done"], MOVED),
]
