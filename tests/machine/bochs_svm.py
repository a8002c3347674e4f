# SPDX-License-Identifier: MIT
"""SVM on Bochs: another implementation of the architecture looks at the same backend."""

import expected
from machinetests import Test

SVM = {"machine": "bochs-svm", "memory": "512M", "timeout": 90}
# 2M pages only: a 1G page would need 2 GiB in each of the twins.
L1 = "np=2m l2mem=16M wmem=2M "


def moved(name, words, l1_words="", said="nested paging 2m", **wanted):
    """The main job: L1 and its L2 go on elsewhere, and find all as it was."""
    return Test(name, cmdline="mem=144M audit=on " + words, l1_cmdline=L1 + l1_words,
                expect=[r"^\[L1\] L1: hypervisor on AMD SVM, " + said, r"^\[twin\] L1: done, all"],
                reject=[r"FAILED:"],
                result={"status": "completed", "verified": True, "leaks": 0, "audit.errors": 0,
                        **wanted}, **SVM)


def hostile(name):
    return Test("bochs-svm-hostile-" + name, l1="guests/hostile.elf", l1_cmdline="test=" + name,
                cmdline="mem=128M migrate=off audit=on",
                expect=[r"^\[L1\] HOSTILE %s: [1-9]\d* checks, 0 failed" % name],
                reject=[r"^\[L1\] HOSTILE .*FAILED:"],
                result={"leaks": 0, "audit.errors": 0, "audit.runs": expected.at_least(1)}, **SVM)


TESTS = [
    moved("bochs-svm-l2", "switchover=l2 dirty=wp"),
    moved("bochs-svm-dbit", "switchover=l2 dirty=dbit", **{"source.stats.dirty_faults": 0}),
    moved("bochs-svm-shadow", "switchover=l1", "shadow=on", "shadow paging 2m"),
] + [hostile(name) for name in (
    # Not vmcb-edit: a guest's triple fault ends Bochs, and is no SHUTDOWN exit there.
    "bad-vmcb", "npt-edit", "npt-build", "selfmap", "vmcb-fuzz", "msr", "instructions")]
