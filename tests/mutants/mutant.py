# SPDX-License-Identifier: MIT
"""What a mutant is, and the lists of them: each tests/mutants/*_mutants.py has a list MUTANTS."""

import collections
import glob
import os
import re
import runpy

HERE = os.path.dirname(os.path.abspath(__file__))

Mutant = collections.namedtuple("Mutant", "name file old new tests kind")


class Stale(Exception):
    """The list does not fit the sources any more."""


def mutant(name, file, old, new, tests, kind="host"):
    """One change of the sources that tests must notice.

    old     what the file holds, exactly once. Blanks stand for any white space, so that neither
            indentation nor line breaks matter
    new     what to put there; \\g<0> is the old text
    tests   the tests that may notice it, by their names, the likeliest first
    kind    host or machine: which tests these are
    """
    return Mutant(name, file, old, new, tests.split(), kind)


def pattern(text):
    return re.compile(r"\s+".join(re.escape(word) for word in text.split()))


def mutated(m, source):
    """@source with @m's change in it."""
    found = pattern(m.old).findall(source)
    if len(found) != 1:
        raise Stale("%s: '%s' is %d times in %s, not once" % (m.name, m.old, len(found), m.file))
    return pattern(m.old).sub(lambda match: m.new.replace("\\g<0>", match.group(0)), source)


def blocks(file, begin):
    """What begins with @begin at a line's start, up to the first `}` there: functions, tables."""
    with open(file) as f:
        source = f.read()
    found = re.findall(r"^(?:%s).*?^\}" % begin, source, re.MULTILINE | re.DOTALL)
    if not found:
        raise Stale("%s: nothing begins with '%s'" % (file, begin))
    return found


FUNCTION = r"(?:static )?[a-z][^\n;={]*\([^;={]*\)\n\{"


def each(prefix, file, regex, new, tests, begin=FUNCTION, name=None):
    """A mutant for each match of @regex in the blocks of @file that begin so, named by group @name
    of the match or the last one. A block's text up to the match is part of the old text: it
    occurs once."""
    mutants = []
    for text in blocks(file, begin):
        for found in re.finditer(regex, text, re.MULTILINE | re.DOTALL):
            words = re.findall("[a-z0-9]+", found.group(name or found.re.groups).lower())[:6]
            start, end = found.span()
            mutants.append(mutant("-".join([prefix] + words), file, text[:end],
                                  text[:start] + found.expand(new), tests))
    if not mutants:
        raise Stale("%s: no /%s/" % (file, regex))
    names = [m.name for m in mutants]
    return [m._replace(name="%s-%d" % (m.name, names[:i].count(m.name) + 1))
            if names.count(m.name) > 1 else m for i, m in enumerate(mutants)]


def all_mutants():
    found = []
    for path in sorted(glob.glob(os.path.join(HERE, "*_mutants.py"))):
        found += runpy.run_path(path, {"mutant": mutant, "each": each})["MUTANTS"]
    names = [m.name for m in found]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        raise Stale("two mutants share a name: " + " ".join(sorted(twice)))
    return found
