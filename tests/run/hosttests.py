# SPDX-License-Identifier: MIT
"""The host's tests: cmocka programs, of which each check counts, and fuzzers with a budget."""

import glob
import os
import re
import subprocess
import tempfile

import hostmk
from result import Result

ENVIRONMENT = {
    "CMOCKA_MESSAGE_OUTPUT": "TAP",
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def run_program(command, timeout):
    """(status or None on a timeout, output). The output goes by a file: a child that outlives
    the program cannot keep us waiting."""
    with tempfile.TemporaryFile() as out:
        try:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=subprocess.STDOUT, timeout=timeout,
                                    env=dict(os.environ, **ENVIRONMENT)).returncode
        except subprocess.TimeoutExpired:
            status = None
        out.seek(0)
        return status, out.read().decode("utf-8", "replace")


class HostTest:
    def __init__(self, build, source):
        with open(source) as f:
            text = f.read()
        self.name = os.path.basename(source)[:-2]
        self.binary = os.path.join(build, "host", self.name)
        self.targets = [self.binary]
        self.timeout = float(hostmk.setting(text, "timeout", "120"))
        self.text = text

    def run(self):
        """TAP: `1..N`, then a line for each; what was planned and not reported has failed."""
        status, output = run_program([self.binary], self.timeout)
        passed = len(re.findall(r"^ok \d+", output, re.MULTILINE))
        failed = len(re.findall(r"^not ok \d+", output, re.MULTILINE))
        planned = sum(map(int, re.findall(r"^1\.\.(\d+)", output, re.MULTILINE)))
        failed += max(planned - passed - failed, 0)
        if status is None:
            output += "\nno end after %g s" % self.timeout
        elif status < 0:
            output += "\nkilled by signal %d" % -status
        if status != 0 and failed == 0:
            failed = 1
        return Result(passed, failed, output)


class Fuzzer(HostTest):
    def __init__(self, build, source, seconds=None):
        super().__init__(build, source)
        self.artifacts = os.path.join(build, "logs", self.name + "-")
        self.corpus = os.path.join(build, "corpus", self.name)
        self.seeds = os.path.join("tests", "host", "corpus", self.name)
        self.seconds = seconds
        self.timeout = seconds + 60 if seconds else self.timeout

    def run(self):
        os.makedirs(os.path.dirname(self.artifacts), exist_ok=True)
        command = [self.binary, "-timeout=25", "-artifact_prefix=" + self.artifacts]
        command += hostmk.setting(self.text, "options").split()
        if self.seconds:
            os.makedirs(self.corpus, exist_ok=True)
            command += ["-max_total_time=%d" % self.seconds, self.corpus]
        else:
            command += ["-seed=1", "-runs=" + hostmk.setting(self.text, "runs", "10000")]
        if os.path.isdir(self.seeds):
            command.append(self.seeds)
        status, output = run_program(command, self.timeout)
        if status is None:
            output += "\nno end after %g s" % self.timeout
        return Result(int(status == 0), int(status != 0), output)


def tests(build):
    return ([HostTest(build, s) for s in sorted(glob.glob("tests/host/test_*.c"))] +
            [Fuzzer(build, s) for s in sorted(glob.glob("tests/host/fuzz_*.c"))])


def fuzzers(build, seconds):
    return [Fuzzer(build, s, seconds) for s in sorted(glob.glob("tests/host/fuzz_*.c"))]
