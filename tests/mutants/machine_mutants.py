# SPDX-License-Identifier: MIT
"""Bugs of code that only runs on a machine: what L1 is told of an exit, whose an exit is, and what
of the platform moves."""

MOVES = "migrate-at-l2"
EDITS = "hostile-vmcb-edit"


def machine(*args):
    return mutant(*args, kind="machine")


MUTANTS = [
    machine("exit-without-info-2", "svm/nested_exit.c", "to->exit_info_2 = info2;", "(void)info2;",
            MOVES),
    machine("exit-without-the-event", "svm/nested_exit.c",
            "to->exit_int_info = svm_event_encode(&svm->vcpu.pending);", "to->exit_int_info = 0;",
            "migrate-at-event " + MOVES),
    machine("exit-of-ports-kept-from-l1", "svm/nested_exit.c",
            "return svm_iopm_wants(word, exit->io.port, exit->io.size);",
            "return svm_iopm_wants(word, exit->io.port, exit->io.size) && !exit;",
            EDITS),
    machine("entry-without-l1s-intercepts", "svm/nested_enter.c",
            "c->intercepts[i] = svm_intercepts[i] | c12->intercepts[i];",
            "c->intercepts[i] = svm_intercepts[i];", EDITS),
    machine("entry-without-l1s-interrupt", "svm/nested_enter.c",
            "if (event & SVM_EVENT_VALID) svm_event_decode(&vcpu->pending, event);", "(void)event;",
            MOVES),
    machine("timer-not-saved", "devices/platform.c", "testdev_save(&p->testdev, state);",
            "(void)p;", MOVES),
]
