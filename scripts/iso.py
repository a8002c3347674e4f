# SPDX-License-Identifier: MIT
"""Makes the bootable image: one file that is a CD for BIOS and UEFI and, written to a USB stick
or given to a machine as a raw disk, boots there as well."""

import os
import shutil
import subprocess
import tempfile

# Only what booting needs is copied, for speed: GRUB's whole module tree is some 7 MB. The list
# holds for both platforms; the drivers for the CD come inside the core image. grub-mkrescue's
# own start-up script loads every partition module and complains of those that it misses.
GRUB_MODULES = ["multiboot2", "multiboot", "normal", "iso9660", "serial", "test", "all_video"]
GRUB_MODULES += ["part_" + p for p in ("acorn", "amiga", "apple", "bsd", "dfly", "dvh", "gpt",
                                       "msdos", "plan", "sun", "sunpc")]


class IsoError(Exception):
    pass


def grub_quote(words):
    """GRUB's shell splits and expands like a POSIX one: single quotes keep a word whole."""
    return " ".join("'" + w.replace("'", "'\\''") + "'" for w in words.split())


def grub_cfg(cmdline, modules, loader):
    """The serial port may be missing: `serial` fails then, and the screen alone is used. UEFI has
    no text screen, so there GRUB's video drivers set up a framebuffer. BIOS stays in text mode;
    `multiboot2` itself sets gfxpayload from the image's header, so ours comes after it."""
    lines = ["set timeout=0",
             "if serial --unit=0 --speed=115200; then terminal_output console serial; fi",
             "if test $grub_platform = efi; then insmod all_video; fi",
             loader + " /boot/cleave.elf " + grub_quote(cmdline),
             "if test $grub_platform = pc; then set gfxpayload=text; fi"]
    for name, _, words in modules:
        lines.append("module2 /boot/%s %s" % (name, grub_quote(words)))
    lines.append("boot")
    return "\n".join(lines) + "\n"


def mkiso(out, image, cmdline="", modules=(), loader="multiboot2"):
    """Writes `out`. modules: (name in the ISO, path, command line) each. loader: GRUB's command for
    the image. Returns `out`."""
    with tempfile.TemporaryDirectory(prefix="cleave-iso-") as top:
        grub = os.path.join(top, "boot", "grub")
        os.makedirs(grub)
        try:
            shutil.copy(image, os.path.join(top, "boot", "cleave.elf"))
            for name, path, _ in modules:
                shutil.copy(path, os.path.join(top, "boot", name))
        except OSError as e:
            raise IsoError("cannot read %s: %s" % (e.filename, e.strerror))
        with open(os.path.join(grub, "grub.cfg"), "w") as f:
            f.write(grub_cfg(cmdline, modules, loader))
        cmd = ["grub-mkrescue", "-o", out, "--install-modules=" + " ".join(GRUB_MODULES),
               "--fonts=", "--locales=", "--themes=", top]
        run = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode != 0:
            raise IsoError("grub-mkrescue failed:\n" + run.stdout)
    return out
