# SPDX-License-Identifier: MIT
"""Migration that does not come to its end: cancelled in each phase, a stream that suffers, an
instant that does not come, no room. The source runs on and finds everything right."""

import re

from expected import DONE, at_least, holds
from machinetests import Failure, Test

SMALL_VM = "mem=512M "
L1 = "wmem=4M np=2m passes=%d"


def one_error(output, result):
    """One clear line, the same as in the result."""
    errors = re.findall(r"^error: (.*)$", output, re.MULTILINE)
    if errors != ["migration: failed: %s; the source runs on" % result["error-desc"]]:
        raise Failure("not one clear line: %s" % errors)


def stays(name, cmdline, status, why, code, passes=100, l1_cmdline="", **options):
    return Test("migrate-" + name, cmdline=SMALL_VM + "audit=on linger=60000 " + cmdline,
                l1_cmdline=L1 % passes + " " + l1_cmdline, status=code,
                expect=[r"the source runs on$", r"^\[L1\] " + DONE, r"^L1 ran on after",
                        r"^L1 ended: it ended itself with status 0"],
                reject=[r"^\[twin\]"],
                result={"status": status, "?error-desc": holds(why), "verified": False,
                        "source-runs": True, "exit-status": 0, "leaks": 0, "audit.errors": 0,
                        "audit.runs": at_least(2)}, timeout=150, **options)


def cancelled(phase, **options):
    return stays("cancel-" + phase, "cancel=" + phase, "cancelled", "cancelled", 0, **options)


def fails(name, cmdline, why, **options):
    return stays(name, cmdline, "failed", why, 1, check=one_error, **options)


TESTS = [cancelled(phase) for phase in ("setup", "active", "device")]

TESTS += [
    fails("stream-cut", "stream=cut", "(cut)"),
    fails("stream-alter", "stream=alter", "(checksum)"),
    fails("stream-reorder", "stream=reorder", "(reordered)"),
    fails("stream-newer", "stream=newer", "(newer)"),
    # At the very beginning, and so late that the source stands still already.
    fails("stream-cut-first", "stream=cut stream_at=0", "(cut)"),
    fails("stream-alter-first", "stream=alter stream_at=0", "("),
    fails("instant-never", "switchover=halted switchover_timeout=300", "instant", passes=100),
    # Room for one VM only.
    fails("no-room", "mem=3G", "destination: "),
]
