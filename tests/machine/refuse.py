# SPDX-License-Identifier: MIT
"""Bad machines, bad parameters, bad guests: one clear line each, and an end that says failure."""

import os
import struct

import expected
from machinetests import Test


def elf_with_memory(size):
    """A Multiboot 1 kernel whose only segment wants `size` bytes: as an ELF32 file."""
    header = struct.pack("<III", 0x1BADB002, 0, -0x1BADB002 & 0xFFFFFFFF)
    code = header + b"\xf4" * 20
    ident = b"\x7fELF\x01\x01\x01" + b"\0" * 9
    elf = ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x10000C, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, 84, 0x100000, 0x100000, len(code), size, 7, 4096)
    return elf + segment + code


def module(name, content):
    """Written beside the ISO, when the test runs."""

    def make(top):
        path = os.path.join(top, name)
        with open(path, "wb") as f:
            f.write(content)
        return path

    return make


def refused(name, line, **options):
    """One line says why, on the console and in the result; no guest has run."""
    return Test("refuse-" + name, expect=["^error: .*" + line], reject=[r"^\[L1\] L1"], status=1,
                timeout=60, **options)


TESTS = [
    refused("no-svm", "neither AMD SVM nor Intel VMX", cpu="max,-svm",
            result=expected.failed("neither AMD SVM")),
    refused("small-machine", "too little memory", memory="512M"),
    refused("tiny-machine", "too little memory", memory="16M"),
    refused("unknown-parameter", '"frobnicate" is not known; there are: .*loglevel.*migrate',
            cmdline="frobnicate=1"),
    refused("malformed-parameter", "is not of the form name=value", cmdline="mem"),
    refused("wrong-number", "mem=lots is wrong; it takes", cmdline="mem=lots"),
    refused("number-out-of-range", "mem=1 is wrong", cmdline="mem=1"),
    refused("no-module", "no guest: the boot loader passed no module", l1=None,
            result=expected.failed("no module")),
    refused("no-kernel", "it has no Multiboot 1 header", l1=os.path.abspath("LICENSE"),
            result=expected.failed("Multiboot")),
    refused("empty-kernel", "cannot start the kernel", l1=module("empty", b"")),
    refused("cut-kernel", "it is cut short", l1=module("cut", elf_with_memory(4096)[:100])),
    refused("big-kernel", "it wants .* bytes at 0x100000, and the VM has", cmdline="mem=64M",
            l1=module("big", elf_with_memory(1 << 30))),
]
