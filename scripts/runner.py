# SPDX-License-Identifier: MIT
"""One run of one machine: starts the emulator, follows its serial port, ends it in time."""

import json
import os
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time

import machines

# Firmware and GRUB move the cursor and clear the screen: noise in a log and on a terminal. The
# second pattern is such a sequence whose end has not arrived yet.
ESCAPE = re.compile(rb"\x1b(\[[0-9;?=]*[A-Za-z]|c)")
ESCAPE_BEGUN = re.compile(rb"\x1b(\[[0-9;?=]*)?$")


class Qmp:
    """QEMU's control socket: a screendump, memory as the machine sees it."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 10
        while True:
            try:
                self.sock.connect(path)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self.file = self.sock.makefile("rw")
        self.file.readline()
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            line = self.file.readline()
            if not line:
                raise OSError("QEMU closed its control socket")
            answer = json.loads(line)
            if "error" in answer:
                raise OSError("QMP %s: %s" % (name, answer["error"]["desc"]))
            if "return" in answer:
                return answer["return"]

    def memory(self, address, size):
        fd, path = tempfile.mkstemp(prefix="cleave-mem-")
        os.close(fd)
        try:
            self.command("pmemsave", val=address, size=size, filename=path)
            with open(path, "rb") as f:
                return f.read()
        finally:
            os.unlink(path)

    def text_screen(self):
        """The 80x25 VGA text screen as 25 lines."""
        cells = self.memory(0xB8000, 80 * 25 * 2)[::2].decode("cp437")
        return [cells[row * 80:row * 80 + 80].rstrip() for row in range(25)]

    def screendump(self, path):
        """Writes the screen as a PPM file; returns (width, height, pixels as RGB bytes)."""
        self.command("screendump", filename=path)
        with open(path, "rb") as f:
            magic, size, depth, pixels = f.read().split(b"\n", 3)
        if magic != b"P6" or depth != b"255":
            raise OSError("unexpected picture format")
        width, height = map(int, size.split())
        return width, height, pixels


class Run:
    """Starts on construction; use it as a context manager so that nothing is left behind."""

    def __init__(self, machine, iso, qmp=False, interactive=False, **options):
        self.machine = machine
        self.workdir = tempfile.mkdtemp(prefix="cleave-run-")
        self.bochs = machine.startswith("bochs")
        self.qmp = None
        self.output = b""
        self.held = b""
        try:
            self._start(iso, qmp, interactive, options)
        except BaseException:
            shutil.rmtree(self.workdir, ignore_errors=True)
            raise

    def _start(self, iso, qmp, interactive, options):
        env = dict(os.environ, TERM=os.environ.get("TERM") or "vt100")
        self.errors = open(os.path.join(self.workdir, "stderr"), "w+")
        if self.bochs:
            serial = os.path.join(self.workdir, "serial.txt")
            open(serial, "w").close()
            command = machines.bochs_command(self.machine, iso, self.workdir, serial, **options)
            self.serial = open(serial, "rb")
            stdin, stdout = subprocess.DEVNULL, subprocess.DEVNULL
        else:
            socket_path = os.path.join(self.workdir, "qmp")
            if qmp:
                options["extra"] = list(options.get("extra", ())) + [
                    "-qmp", "unix:%s,server=on,wait=off" % socket_path]
            command = machines.qemu_command(self.machine, iso, self.workdir, **options)
            stdin, stdout = None if interactive else subprocess.PIPE, subprocess.PIPE
        self.command = command
        try:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=stdout,
                                            stderr=self.errors, env=env)
        except FileNotFoundError:
            raise machines.MachineError("no %s: `make deps` installs it" % command[0])
        if not self.bochs:
            self.serial = self.process.stdout
            if qmp:
                self.qmp = Qmp(socket_path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.workdir, ignore_errors=True)

    def read(self, seconds):
        """What the serial port said within so many seconds; b"" if nothing did, None at the end."""
        if self.bochs:
            ended = self.process.poll() is not None
            data = self.serial.read()
            if not data and ended:
                return None
            if not data:
                time.sleep(min(seconds, 0.05))
        else:
            if not select.select([self.serial], [], [], seconds)[0]:
                return b""
            data = os.read(self.serial.fileno(), 65536)
            if not data:
                return None
        data = ESCAPE.sub(b"", self.held + data)
        begun = ESCAPE_BEGUN.search(data)
        self.held = begun.group(0) if begun else b""
        data = data[:len(data) - len(self.held)]
        self.output += data
        return data

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def finish(self, timeout):
        """After the output's end: (exit status, why or None). Kills what does not end."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return machines.TIMED_OUT, "time limit reached"
        status, why = machines.verdict(self.machine, status)
        if why:
            self.errors.seek(0)
            said = [l for l in self.errors.read().splitlines() if l.strip()]
            why += "".join("\n" + line for line in said[-3:])
        return status, why

    def follow(self, timeout, on_data=lambda data: None):
        """Reads until the end or the time limit (seconds): (exit status, why or None)."""
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return self.finish(0)
            data = self.read(min(left, 0.2))
            if data is None:
                return self.finish(max(left, 0))
            if data:
                on_data(data)
