# SPDX-License-Identifier: MIT
"""The tests that boot an emulator. Each tests/machine/*.py has a list TESTS of Test(...)."""

import glob
import json
import os
import re
import runpy
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "scripts"))
import iso
import machines
import runner
import screen
from result import Result

# What no run may say, whatever else it tests: our own bugs, and what the MMU's audit finds.
NEVER = [r"assertion failed", r"\bpanic\b(?!=)", r"\baudit: .*", r"audit .*\d+ errors", r"\d+ leaks found"]

# Two runs of one build with these agree to the instruction.
ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01T00:00:00,clock=vm", "-seed",
          "1"]
ICOUNT_CPU = "max,+svm,-rdrand"


class Failure(Exception):
    pass


class Test:
    """One boot.

    machine     where: see scripts/machines.py
    cmdline     boot parameters; `exit=` is added, unless stays is set
    l1          the module's file, below the build folder, or None for no module at all; an
                absolute path is taken as it is; a function gets the run's folder and makes one
    l1_cmdline  its command line
    modules     further modules: (name, file, command line)
    expect      regular expressions that the output must hold, in this order
    reject      those that it must not hold, beside NEVER
    panics      this run is meant to end in a panic: NEVER is not looked for
    result      what the RESULT line's JSON must hold: "a.path.in.it": a value, or a function of it
                that is true when all is well; "?a.path": the same, or there is no such thing
    status      the exit status of the run (0: success, n: failure number n), or all that it may be
    timeout     seconds
    talk        (regex, text) pairs: when the first is seen, the second is typed
    screen      for a machine without a serial port: regular expressions that the screen must show,
                in this order; the machine then has no serial port and stays when it is done
    icount      count instructions: deterministic, slower
    check       a function(output, result dictionary or None) that raises Failure
    memory, cpu, smp, extra   as scripts/machines.py has them
    """

    def __init__(self, name, machine="qemu-svm", cmdline="", l1="guests/l1.elf", l1_cmdline="",
                 modules=(), expect=(), reject=(), panics=False, result=None, status=0, timeout=90,
                 talk=(), screen=None, icount=False, check=None, memory=None, cpu=None, smp=None,
                 extra=()):
        self.name, self.machine, self.cmdline = name, machine, cmdline
        self.l1, self.l1_cmdline, self.modules = l1, l1_cmdline, modules
        self.expect, self.reject = list(expect), list(reject) + ([] if panics else NEVER)
        self.result, self.status, self.timeout = result, status, timeout
        self.talk, self.screen, self.check = list(talk), screen, check
        self.options = {key: value for key, value in
                        (("memory", memory), ("cpu", cpu), ("smp", smp)) if value is not None}
        if icount:
            self.options.setdefault("cpu", ICOUNT_CPU)
            extra = list(extra) + ICOUNT
        if extra:
            self.options["extra"] = list(extra)
        self.build = None

    @property
    def targets(self):
        files = ["cleave.elf"] + [f for _, f, _ in self.all_modules() if isinstance(f, str)]
        return [os.path.join(self.build, f) for f in files if not os.path.isabs(f)]

    def all_modules(self):
        return ([("l1.elf", self.l1, self.l1_cmdline)] if self.l1 else []) + list(self.modules)

    def make_iso(self, top):
        modules = [(name, f(top) if callable(f) else os.path.join(self.build, f), words)
                   for name, f, words in self.all_modules()]
        words = self.cmdline
        if not self.screen and "exit=" not in words:
            words = machines.exit_word(self.machine) + " " + words
        return iso.mkiso(os.path.join(top, "cleave.iso"), os.path.join(self.build, "cleave.elf"),
                         words, modules)

    def run(self):
        with tempfile.TemporaryDirectory(prefix="cleave-test-") as top:
            path = self.make_iso(top)
            output = ""
            try:
                output = self.boot_screen(path, top) if self.screen else self.boot_serial(path)
                self.judge(output)
            except Failure as e:
                said = e.args[1] if len(e.args) > 1 else output
                return Result(0, 1, said + "\n-- " + e.args[0])
            return Result(1, 0, output)

    def boot_serial(self, path):
        talk = list(self.talk)
        seen = 0
        with runner.Run(self.machine, path, **self.options) as run:

            def answer(_):
                nonlocal seen
                text = run.output.decode("utf-8", "replace")
                while talk:
                    found = re.compile(talk[0][0]).search(text, seen)
                    if not found:
                        return
                    seen = found.end()
                    run.send(talk.pop(0)[1])

            status, why = run.follow(self.timeout, answer)
            output = run.output.decode("utf-8", "replace").replace("\r", "")
        if status not in (self.status if isinstance(self.status, tuple) else (self.status,)):
            raise Failure("the run ended with %d, not %s%s" %
                          (status, self.status, ": " + why if why else ""), output)
        if talk:
            raise Failure("never saw /%s/ to answer it" % talk[0][0], output)
        return output

    def boot_screen(self, path, top):
        """Looks at the screen again and again: lines may have scrolled away by the end."""
        deadline = time.monotonic() + self.timeout
        seen = []
        with runner.Run(self.machine, path, qmp=True, serial=None, vga="std",
                        **self.options) as run:
            while time.monotonic() < deadline and run.process.poll() is None:
                for line in screen.lines(run.qmp, os.path.join(top, "screen.ppm")):
                    if line not in seen:
                        seen.append(line)
                text = "\n".join(seen)
                if find_in_order(self.screen, text) is None:
                    return text
                time.sleep(0.3)
        raise Failure("the screen never showed /%s/" % find_in_order(self.screen, text), text)

    def judge(self, output):
        missing = find_in_order(self.expect, output)
        if missing is not None:
            raise Failure("missing (in this order): /%s/" % missing)
        for pattern in self.reject:
            found = re.search(pattern, output, re.MULTILINE | re.IGNORECASE)
            if found:
                raise Failure("not wanted: /%s/ in '%s'" % (pattern, found.group(0)))
        result = result_line(output)
        if self.result and result is None:
            raise Failure("no RESULT line")
        for path, wanted in (self.result or {}).items():
            compare(result, path, wanted)
        if self.check:
            self.check(output, result)


class Bare(Test):
    """A guest by itself in Bochs, nothing of ours underneath: what it expects is what Bochs does."""

    @property
    def targets(self):
        return [os.path.join(self.build, self.l1)]

    def make_iso(self, top):
        return iso.mkiso(os.path.join(top, "bare.iso"), os.path.join(self.build, self.l1),
                         self.l1_cmdline, loader="multiboot")


def find_in_order(patterns, text):
    """None when all occur, each after the one before; else the first that does not."""
    at = 0
    for pattern in patterns:
        found = re.compile(pattern, re.MULTILINE).search(text, at)
        if not found:
            return pattern
        at = found.end()
    return None


def compare(result, path, wanted):
    """Raises Failure when the value at @path is not what is wanted."""
    value = result
    for name in path.lstrip("?").split("."):
        if not isinstance(value, dict) or name not in value:
            if path.startswith("?"):
                return
            raise Failure("RESULT has no %s" % path)
        value = value[name]
    # 1 == True in Python, and not in JSON.
    good = wanted(value) if callable(wanted) else (value == wanted and
                                                   isinstance(value, bool) ==
                                                   isinstance(wanted, bool))
    if not good:
        raise Failure("RESULT: %s is %r, wanted %s" % (path, value, getattr(
            wanted, "__doc__", None) if callable(wanted) else repr(wanted)))


def result_line(output):
    found = re.findall(r"^RESULT (\{.*\})$", output, re.MULTILINE)
    if not found:
        return None
    if len(found) > 1:
        raise Failure("more than one RESULT line")
    try:
        return json.loads(found[0])
    except ValueError as e:
        raise Failure("the RESULT line is no JSON: %s" % e)


def tests(build):
    found = []
    sys.path.insert(0, os.path.join(TOP, "tests", "machine"))
    for path in sorted(glob.glob(os.path.join(TOP, "tests", "machine", "*.py"))):
        found += runpy.run_path(path).get("TESTS", [])
    for test in found:
        test.build = build
    names = [t.name for t in found]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        raise ValueError("two machine tests share a name: " + " ".join(sorted(twice)))
    return found
