# SPDX-License-Identifier: MIT
"""The vm-entry checks of nested VMX: each of them left out."""

CONTROLS, GUEST = "test_vmx_check_controls", "test_vmx_check_guest"
FILES = {"vmx/nested_check.c": CONTROLS, "vmx/nested_check_host.c": CONTROLS,
         "vmx/nested_check_guest.c": GUEST, "vmx/nested_check_segments.c": GUEST}

MUTANTS = [
    mutant("vmx-check-qualification", "vmx/nested_check_guest.c",
           "*qualification = ENTRY_FAIL_PDPTE;", "", GUEST),
    mutant("vmx-check-controls-not-active", "vmx/nested_check_internal.h",
           "v->proc_controls & VMX_PROC_SECONDARY ? v->proc_controls_2 : 0",
           "v->proc_controls_2", CONTROLS),
    mutant("vmx-check-must-be-one", "vmx/nested_check_internal.h",
           "((u32)allowed & ~control) ||", "", CONTROLS),
    mutant("vmx-check-list-end", "vmx/nested_check.c",
           "|| vmx_physical_bad(address + (u64)count * 16 - 1, l)", "", CONTROLS),
]
for file, test in FILES.items():
    MUTANTS += each("vmx-check", file, r"\bREFUSE\(([^;]*?)(\"[^\"]*\"\);)", r"REFUSE(0, \2", test)
