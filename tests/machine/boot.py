# SPDX-License-Identifier: MIT
"""The main job, from each way to start a PC: BIOS and UEFI, CD and USB stick, serial port or not."""

import story

TESTS = [
    Test("main-" + machine, machine=machine, expect=story.EXPECT + [r"^RESULT \{"],
         result=story.migrated, timeout=180)
    for machine in ("qemu-svm", "qemu-uefi", "qemu-usb", "qemu-usb-uefi")
]

# No serial port at all: the screen tells it, as VGA text and in a framebuffer.
TESTS += [
    Test("screen-" + machine, machine=machine, screen=story.SCREEN, timeout=180)
    for machine in ("qemu-svm", "qemu-uefi")
]
