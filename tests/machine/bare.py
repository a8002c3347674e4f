# SPDX-License-Identifier: MIT
"""The guests by themselves in Bochs: what they expect of VMX and SVM is what the processor does."""

from machinetests import Bare

DONE = r"^L1: done, all [1-9]\d* checks hold"


def l1(name, machine, said, words):
    return Bare(name, machine=machine, memory="512M", l1_cmdline="np=2m l2mem=16M wmem=2M " + words,
                expect=[r"^L1: hypervisor on " + said, r"injected again [1-9]", DONE], timeout=60)


TESTS = [
    Bare("bare-vmxcheck", machine="bochs-vmx", memory="512M", l1="guests/vmxcheck.elf",
         expect=[r"^VMXCHECK all: 2\d\d\d checks, 0 failed"], reject=[r"FAILED:"], timeout=60),
    Bare("bare-vmx-lost", machine="bochs-vmx", memory="512M", l1="guests/vmxcheck.elf", status=1,
         l1_cmdline="test=lost", expect=[r"^VMXCHECK lost: now"], reject=[r"FAILED:"], timeout=60),
    l1("bare-l1-vmx", "bochs-vmx", "Intel VMX, nested paging 2m", ""),
    l1("bare-l1-vmx-shadow", "bochs-vmx", "Intel VMX, shadow paging 2m", "shadow=on evict=5"),
    l1("bare-l1-vmx-no-ad", "bochs-vmx", "Intel VMX, nested paging 2m", "ad=off hlt=l0"),
    l1("bare-l1-svm", "bochs-svm", "AMD SVM, nested paging 2m", ""),
]
