# SPDX-License-Identifier: MIT
"""A migration that must go well, whatever it is made of."""

from expected import AUDITED, COMPLETED, DONE
from machinetests import Test

SMALL = "wmem=4M "


def arrives(name, cmdline="", l1_cmdline="", result=None, warns=(), says=(), **options):
    """L1 and L2 find everything right where they arrive. @result: beside what always holds.
    @warns: the warnings that there must be; without any there may be none. @says: what must be
    said before."""
    wanted = {**COMPLETED, **AUDITED, "verified": True, "split.enospc": 0, "split.enomem": 0,
              **(result or {})}
    return Test("migrate-" + name, cmdline="audit=on " + cmdline, l1_cmdline=SMALL + l1_cmdline,
                expect=[*says, *warns, r"^migration: the destination runs; memory and state are verified",
                        r"^\[twin\] L1: migrated, ", r"^\[twin\] " + DONE],
                reject=[r"^error: "] + ([] if warns else [r"^warning: "]),
                result=wanted, timeout=150, **options)
