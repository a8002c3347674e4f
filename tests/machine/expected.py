# SPDX-License-Identifier: MIT
"""What a run must have said and what its RESULT line must hold, for all tests that migrate."""

import re

# The main job's story, in this order, on a serial port.
STORY = [
    r"^Cleave, a hypervisor",
    r"^virtualization: ",
    r"^\[L1\] L1: hypervisor on ",
    r"^\[L1\] L2: hello from 64-bit mode",
    r"^migration: dirty logging is on after .* split of L1's memory: [1-9]",
    r"^migration: round 1: ",
    r"^migration: the source is stopped ",
    r"^migration: the destination runs; memory and state are verified",
    r"^\[twin\] L2: all pages verified after migration: ",
]

# On a screen: its lines are cut at its width, and they scroll away.
SCREEN = [r"Cleave, a hypervisor", r"virtualization: ", r"L2: hello", r"RESULT \{"]

# What L2's and L1's last words are when they have found everything right.
DONE = r"L1: done, all \d+ checks hold"


def wanted(text, function):
    """A predicate that says in a failure what it wanted."""
    function.__doc__ = text
    return function


def at_least(n):
    return wanted("at least %s" % n, lambda v: v >= n)


def at_most(n):
    return wanted("at most %s" % n, lambda v: v <= n)


def holds(text):
    return wanted("'%s' in it" % text, lambda v: text in v)


# One VM's end: nothing leaked, and every audit that was made found nothing.
CLEAN = {"leaks": 0, "?audit.errors": 0, "?audit.runs": at_least(1)}

# QEMU's query-migrate, after a migration that went well.
COMPLETED = {
    "status": "completed",
    "exit-status": 0,
    "total-time": at_least(1),
    "setup-time": at_least(0),
    "downtime": at_least(0),
    "ram.transferred": at_least(1),
    "ram.remaining": 0,
    "ram.total": 2 << 30,
    "ram.duplicate": at_least(1),
    "ram.normal": at_least(1),
    "ram.normal-bytes": at_least(4096),
    "ram.dirty-pages-rate": at_least(0),
    "ram.mbps": at_least(0),
    "ram.dirty-sync-count": at_least(2),
    "ram.page-size": 4096,
    **CLEAN,
    **{re.sub(r"^(\??)", r"\1source.", path): value for path, value in CLEAN.items()},
}

# The main job: verified while L2 ran, with huge pages of each size split in both trees.
MIGRATED = {
    **COMPLETED,
    "verified": True,
    "l2-active-at-switchover": True,
    "split.tdp.1g": at_least(1),
    "split.tdp.2m": at_least(512),
    "split.nested.1g": at_least(1),
    "split.nested.2m": at_least(512),
    "split.enospc": 0,
    "split.enomem": 0,
}

# Every audit of the source: after the split, after logging, in between and at its end.
AUDITED = {"audit.errors": 0, "source.audit.errors": 0, "source.audit.runs": at_least(3)}


def failed(why):
    """A run that ends before it began: one reason, in the result as well."""
    return {"status": "failed", "error-desc": holds(why)}
