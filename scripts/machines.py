# SPDX-License-Identifier: MIT
"""The machines that Cleave runs on: how each emulator is started, and what its end means.

How an image ends a run (boot parameter `exit=`, which the runner adds):
  exit=qemu   writes a byte v to port 0xf4: 0x10 is success, 0x20 + n is failure number n.
              QEMU then ends with status (v << 1) | 1.
  exit=bochs  writes 'D' to port 0x8900 on success, and "Shutdown" to it on failure.
"""

import os
import shutil

MACHINES = ("qemu-svm", "qemu-uefi", "qemu-usb", "qemu-usb-uefi", "qemu-kvm", "bochs-svm",
            "bochs-vmx")

# What a run's exit status is when the image did not choose one.
TIMED_OUT = 124
NO_VERDICT = 125

# The backends that this image has, by their names in /proc/cpuinfo: `auto` takes the hardware
# only where it would get to run a guest.
BACKENDS = ("svm",)

OVMF_DIR = "/usr/share/OVMF"
BOCHS_BIOS = "/usr/share/bochs/BIOS-bochs-latest"
BOCHS_VGABIOS = "/usr/share/vgabios/vgabios.bin"
BOCHS_CPUS = {"bochs-svm": "ryzen", "bochs-vmx": "corei7_skylake_x"}


class MachineError(Exception):
    pass


def nested_kvm():
    """Which of vmx/svm this host's KVM offers to its guests; None where there is none."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return None
    with open("/proc/cpuinfo") as f:
        flags = next((line for line in f if line.startswith("flags")), "").split()
    for flag, module in (("svm", "kvm_amd"), ("vmx", "kvm_intel")):
        try:
            with open("/sys/module/%s/parameters/nested" % module) as f:
                if flag in flags and f.read().strip() in ("1", "Y"):
                    return flag
        except OSError:
            pass
    return None


def resolve(machine):
    """`auto` becomes the best that this host has; an unknown name is refused."""
    if machine == "auto":
        return "qemu-kvm" if nested_kvm() in BACKENDS else "qemu-svm"
    if machine not in MACHINES:
        raise MachineError("no machine '%s'; there are: auto %s" % (machine, " ".join(MACHINES)))
    if machine == "qemu-kvm" and nested_kvm() is None:
        raise MachineError("qemu-kvm needs a /dev/kvm that offers nested vmx or svm; "
                           "use MACHINE=qemu-svm")
    return machine


def exit_word(machine):
    return "exit=bochs" if machine.startswith("bochs") else "exit=qemu"


def ovmf(workdir):
    """UEFI's code, and a copy of its variables, which it writes."""
    for suffix in ("", "_4M"):
        code = "%s/OVMF_CODE%s.fd" % (OVMF_DIR, suffix)
        if os.path.exists(code):
            variables = os.path.join(workdir, "vars.fd")
            shutil.copy("%s/OVMF_VARS%s.fd" % (OVMF_DIR, suffix), variables)
            return ["-drive", "if=pflash,format=raw,readonly=on,file=" + code,
                    "-drive", "if=pflash,format=raw,file=" + variables]
    raise MachineError("no UEFI firmware in %s: `make deps` installs it" % OVMF_DIR)


def qemu_command(machine, iso, workdir, serial="stdio", vga=None, memory="6G", cpu=None,
                 smp=1, extra=()):
    """serial None means: the machine has no serial port. UEFI gets a screen unasked, for without
    one GRUB complains."""
    kvm = machine == "qemu-kvm"
    vga = vga or ("std" if machine.endswith("uefi") else "none")
    cmd = ["qemu-system-x86_64", "-accel", "kvm" if kvm else "tcg",
           "-cpu", cpu or ("host" if kvm else "max,+svm"), "-m", memory, "-smp", str(smp),
           "-nodefaults", "-vga", vga, "-display", "none", "-no-reboot",
           "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]
    if serial:
        cmd += ["-serial", serial]
    if machine.endswith("uefi"):
        cmd += ovmf(workdir)
    if "usb" in machine:
        cmd += ["-device", "qemu-xhci",
                "-drive", "if=none,id=stick,format=raw,snapshot=on,file=" + iso,
                "-device", "usb-storage,drive=stick,bootindex=0"]
    else:
        cmd += ["-cdrom", iso]
    return cmd + list(extra)


def bochs_command(machine, iso, workdir, serial_file, memory="4G", smp=1):
    """Bochs holds up to 2 GiB itself and swaps the rest. Its start takes 2 s with 2G, 6 s with 4G
    and 30 s with 8G, for it names every swapped block and compares each name with all others."""
    rc = os.path.join(workdir, "bochsrc")
    for path in (BOCHS_BIOS, BOCHS_VGABIOS):
        if not os.path.exists(path):
            raise MachineError("no %s: `make deps` installs it" % path)
    megabytes = int(memory[:-1]) * {"G": 1024, "M": 1}[memory[-1]]
    with open(rc, "w") as f:
        f.write("""config_interface: textconfig
display_library: term
romimage: file=%s, options=fastboot
vgaromimage: file=%s
memory: guest=%d, host=%d
cpu: model=%s, count=%d, ips=20000000, reset_on_triple_fault=0, mwait_is_nop=1, ignore_bad_msrs=1
clock: sync=none, time0=946681200
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="%s", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=%s
port_e9_hack: enabled=1
log: %s/bochs.log
debugger_log: -
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
plugin_ctrl: speaker=0
""" % (BOCHS_BIOS, BOCHS_VGABIOS, megabytes, min(megabytes, 2048),
       BOCHS_CPUS[machine], smp, iso, serial_file, workdir))
    # The debugger waits at its prompt: 'c' starts, 'q' answers the break that ends the run.
    commands = os.path.join(workdir, "run.rc")
    with open(commands, "w") as f:
        f.write("c\nq\n")
    return ["bochs", "-q", "-f", rc, "-rc", commands]


def verdict(machine, status):
    """An emulator's exit status -> (the run's exit status, why; None when all went well)."""
    if machine.startswith("bochs"):
        if status == 0:
            return 0, None
        return 1, "the run failed (Bochs ended with status %d)" % status
    if status == 33:
        return 0, None
    if status >= 65 and status % 2 == 1:
        number = (status - 65) // 2
        return max(number, 1), "the image reported failure %d" % number
    if status == 0:
        return NO_VERDICT, "the machine was reset or powered off before the run was over"
    return NO_VERDICT, "%s ended with status %d" % (machine, status)
