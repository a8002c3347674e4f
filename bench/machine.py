# SPDX-License-Identifier: MIT
"""The machine on which instructions are counted, and what is booted there: QEMU with -icount, whose
time-stamp counter moves on by one with each instruction, so that two runs agree to the digit."""

import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "scripts"))
import iso
import runner

MACHINE = "qemu-svm"
CPU = "max,+svm,-rdrand"
EXTRA = ["-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01T00:00:00,clock=vm", "-seed", "1"]
TIMEOUT = 600

# name: (Cleave's words, the bench guest's words). Of each dirty-logging boot, its name comes before
# the names that the guest prints.
BOOTS = {
    "exits": ("", "test=exits"),
    "nested": ("", "test=nested"),
    "memory": ("mem=1088M huge=4k", "test=memory"),
    "l1_2m_eager": ("mem=256M huge=2m", "test=dirty"),
    "l1_2m_lazy": ("mem=256M huge=2m eager_page_split=off", "test=dirty"),
    "l1_1g_eager": ("mem=1G huge=1g", "test=dirty"),
    "l1_4k": ("mem=256M huge=4k", "test=dirty"),
    "l2_2m_eager": ("mem=272M huge=2m", "test=dirty l2=2m"),
    "l2_2m_lazy": ("mem=272M huge=2m eager_page_split=off", "test=dirty l2=2m"),
    "l2_4k": ("mem=272M huge=2m", "test=dirty l2=4k"),
}

# The main job. QEMU's helper for VMRUN leaves exception_index set when it has delivered an external
# interrupt that was injected; if an -icount slice ends before the next exit, it is delivered once
# more. So no interrupt is injected here.
MIGRATION = ("exit=qemu", "inject=0 hlt=none")


class BenchError(Exception):
    pass


def trackers():
    """The dirty trackers that this image knows, the default one first."""
    with open(os.path.join(TOP, "kernel", "params.h")) as f:
        return re.findall(r"W\(dirty, (\w+)\)", f.read()) or ["wp"]


def is_dirty(boot):
    return "test=dirty" in BOOTS[boot][1]


def words(boot, tracker=None):
    cleave, guest = BOOTS[boot]
    tracker = "dirty=" + tracker if tracker else ""
    return " ".join(["exit=qemu bench=on migrate=off", cleave, tracker]), guest


def make_iso(build, workdir, cleave, guest, kernel="bench.elf"):
    """The same files give the same number of instructions in firmware and boot loader as well."""
    os.environ.setdefault("SOURCE_DATE_EPOCH", "1704067200")
    path = os.path.join(workdir, "bench.iso")
    return iso.mkiso(path, os.path.join(build, "cleave.elf"), cleave,
                     [("l1.elf", os.path.join(build, "guests", kernel), guest)])


def run(path):
    """Boots it; returns what the serial port said."""
    with runner.Run(MACHINE, path, cpu=CPU, extra=EXTRA) as r:
        status, why = r.follow(TIMEOUT)
        text = r.output.decode(errors="replace")
    if status != 0:
        raise BenchError("%s; it said last:\n%s" % (why or "status %d" % status,
                                                    "\n".join(text.splitlines()[-12:])))
    return text
