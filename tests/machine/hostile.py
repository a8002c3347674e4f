# SPDX-License-Identifier: MIT
"""Guest hypervisors that misbehave (guests/hostile*.c): the architecture's answer for each, L0 and
its other memory untouched."""

from expected import at_least
from machinetests import Test


def hostile(name, status=0, expect=(), result=None, **options):
    return Test("hostile-" + name, l1="guests/hostile.elf", l1_cmdline="test=" + name, status=status,
                cmdline="migrate=off audit=on", expect=expect, reject=[r"^\[L1\] HOSTILE .*FAILED:"],
                timeout=120,
                result=result or {"leaks": 0, "audit.errors": 0, "audit.runs": at_least(1)},
                **options)


def answers(name):
    return hostile(name, expect=[r"^\[L1\] HOSTILE %s: [1-9]\d* checks, 0 failed" % name])


TESTS = [answers(name) for name in (
    "bad-vmcb", "npt-outside", "npt-edit", "vmcb-edit", "vmcb-fuzz", "selfmap", "outside-memory",
    "msr", "instructions", "vmload-bad", "svm-off")]

# These end the VM, with a line that says why; L0 goes on to its own end.
TESTS += [
    hostile("triplefault", status=1, expect=[r"HOSTILE triplefault: now", r"^error: .*triple fault",
                                             r"^RESULT \{"]),
    hostile("halt", status=1, expect=[r"HOSTILE halt: now", r"^error: .*halt", r"^RESULT \{"]),
    Test("l1-unknown-option", l1_cmdline="frobnicate=1", status=1,
         expect=[r"^\[L1\] .*unknown option 'frobnicate=1'; known: np="]),
]
