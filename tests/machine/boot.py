# SPDX-License-Identifier: MIT
"""The main job, from each way to start a PC: BIOS and UEFI, CD and USB stick, serial port or not."""

import expected
from machinetests import Test

TESTS = [
    Test("main-" + machine, machine=machine,
         expect=expected.STORY + [r"^\[twin\] " + expected.DONE, r"^RESULT \{"],
         reject=[r"^(warning|error): "], result=expected.MIGRATED, timeout=180)
    for machine in ("qemu-svm", "qemu-uefi", "qemu-usb", "qemu-usb-uefi")
]

# No serial port at all: the screen tells it, as VGA text and in a framebuffer.
TESTS += [
    Test("screen-" + machine, machine=machine, screen=expected.SCREEN, timeout=180)
    for machine in ("qemu-svm", "qemu-uefi")
]
