# SPDX-License-Identifier: MIT
"""The VMX backend: its choice of controls, exits and events, registers in and out, flushes."""

PROBE = "test_probe"
EXITS = "test_vmx_exits"
EVENTS = "test_vmx_events"
BOTH = "test_vmx_exits test_vmx_events"
STATE = "test_vmx_state"
CR = "test_vmx_cr"
VPID = "test_vmx_vpid"
FIELDS = "test_vmx_fields"

MUTANTS = []

# What the processor must have.
MUTANTS += each("vmx-needs-no", "vmx/probe.c", r"^\t\{(VMX_\w+), LACKS[^\n]*\},", "", PROBE,
                begin="static const struct need ")
MUTANTS += each("vmx-needs-no", "vmx/probe.c", r"^\t\{(VMX_EPT_\w+|VMX_VPID_\w+)[^\n]*\},", "",
                PROBE, begin=r"\} ept_vpid_needs")
MUTANTS += [
    mutant("vmx-control-must-be-1-ignored", "vmx/probe.c", "(wanted | (u32)capability)",
           "(wanted)", PROBE),
    mutant("vmx-control-may-not-be-1-ignored", "vmx/probe.c",
           "& (u32)(capability >> 32); } static u32 adjust", "; } static u32 adjust", PROBE),
    mutant("vmx-windows-open-from-the-start", "vmx/probe.c", ", 0) & ~PROC_WINDOWS,", ", 0),",
           PROBE),
    mutant("vmx-firmware-ignored", "vmx/probe.c", "if (f->feature_control & FEATURE_CONTROL_LOCK",
           "if (false && f->feature_control & FEATURE_CONTROL_LOCK", PROBE),
    mutant("vmx-unwanted-exits-taken", "vmx/probe.c", "if (!why && (u32)f->proc & PROC_UNWANTED)",
           "if (false)", PROBE),
    mutant("vmx-ept-without-ad", "vmx/probe.c", "? eptp | VMX_EPTP_AD : eptp", "? eptp : eptp",
           PROBE),
    mutant("vmx-timer-rate-unmasked", "vmx/probe.c", "f->misc & VMX_MISC_TIMER_RATE",
           "f->misc & 63", PROBE),
]

# The fields.
MUTANTS += [
    mutant("vmx-field-of-another-width", "lib/vmcs_fields.def",
           "VMCS_FIELD(guest_efer, 0x2806, W64,", "VMCS_FIELD(guest_efer, 0x2806, W32,", FIELDS),
    mutant("vmx-field-twice", "lib/vmcs_fields.def", "VMCS_FIELD(guest_rip, 0x681e,",
           "VMCS_FIELD(guest_rip, 0x681c,", FIELDS),
    mutant("vmx-field-cut-short", "vmx/fields.c", "case VMCS_W32: return sizeof(u32);",
           "case VMCS_W32: return sizeof(u16);", FIELDS),
]

# Exits.
MUTANTS += each("vmx-exit-decoded-without", "vmx/run.c",
                r"^\texit->((?:io|fault|exception)\.\w+) =([^;]*);", r"(void)(\2);", EXITS,
                begin=r"static void decode_(?:io|fault|exception)\(", name=1)
for kind in ("CPUID", "HLT", "INVD", "VMCALL", "VMXON", "VMLAUNCH", "CR_ACCESS", "TIMER",
             "WBINVD", "RDPMC", "MWAIT", "TRIPLE_FAULT", "NMI_WINDOW"):
    MUTANTS.append(mutant("vmx-exit-unknown-" + kind.lower().replace("_", "-"), "vmx/run.c",
                          "[VMX_EXIT_%s] =" % kind, "[VMX_EXIT_SIPI] =", EXITS))
MUTANTS += [
    mutant("vmx-fault-granted-as-absent", "vmx/run.c", "(q & VMX_EPTV_GRANTED ? PFERR_P : 0)",
           "(q & VMX_EPTV_READ ? PFERR_P : 0)", EXITS),
    mutant("vmx-fault-final-without-linear", "vmx/run.c", "if (q & VMX_EPTV_LINEAR)", "if (true)",
           EXITS),
    mutant("vmx-fault-has-a-length", "vmx/run.c", "case EXIT_IGNORE: return true;",
           "case EXIT_IGNORE: case EXIT_FAULT: return true;", EXITS),
    mutant("vmx-db-keeps-gd", "vmx/run.c", "if (q & VMX_DEBUG_BD)", "if (false)", EXITS),
    mutant("vmx-db-forgets-dr6", "vmx/run.c",
           "q & (VMX_DEBUG_BREAKPOINTS | VMX_DEBUG_BD | VMX_DEBUG_BS)", "0", EXITS),
    mutant("vmx-icebp-is-a-fault", "vmx/run.c", "if ((info & VMX_EVENT_TYPE) == VMX_EVENT_ICEBP)",
           "if (false)", EXITS),
    mutant("vmx-xsetbv-by-users", "vmx/run.c", "if (vmx_cpl()) {", "if (false) {", EXITS),
    mutant("vmx-failed-entry-is-an-exit", "vmx/run.c",
           "reason & VMX_EXIT_FAILED ? EXIT_ENTRY_FAILED : EXIT_OTHER", "EXIT_OTHER", EXITS),
    mutant("vmx-refused-entry-unseen", "vmx/run.c", "if (unlikely(!entered))", "if (false)",
           EXITS),
    mutant("vmx-launched-twice", "vmx/run.c", "vmx->vmcs->launched = true;", "", EXITS),
    mutant("vmx-copy-not-brought-up-to-date", "vmx/run.c",
           "vmx->vcpu.rip = vmcs->rip = vmcs_read(VMCS_guest_rip);",
           "vmx->vcpu.rip = vmcs_read(VMCS_guest_rip);", EXITS),
    mutant("vmx-step-not-pending", "vmx/run.c",
           "if (vmx->vcpu.rflags & RFLAGS_TF) pending |= VMX_DEBUG_BS;", "", EXITS),
    mutant("vmx-step-always-pending", "vmx/run.c",
           "if (unlikely(vmx->interruptibility & VMX_BLOCK_SHADOW))", "if (true)", EXITS),
    mutant("vmx-skip-keeps-the-shadow", "vmx/skip.c",
           "vmx->interruptibility &= ~(u32)VMX_BLOCK_SHADOW;", "", EXITS),
    mutant("vmx-skip-ends-nmi-blocking", "vmx/skip.c",
           "vmx->interruptibility &= ~(u32)VMX_BLOCK_SHADOW;", "vmx->interruptibility = 0;",
           EXITS),
    mutant("vmx-skip-does-not-wrap", "vmx/skip.c", "if (unlikely(wraps(vmx)))", "if (false)",
           EXITS),
    mutant("vmx-skip-without-trap", "vmx/skip.c", "if (unlikely(vcpu->rflags & RFLAGS_TF)) {",
           "if (false) {", EXITS),
]
MUTANTS += each("vmx-entry-without", "vmx/run.c", r"^\tTO_VMCS\(vmcs->(\w+),[^;]*;", "", EXITS,
                begin=r"static void registers_to_vmcs\(")

# Events.
MUTANTS += [
    mutant("vmx-event-is-never-soft", "vmx/intr.c",
           "if (type >= VMX_EVENT_SOFT_INTR) e->insn_len = insn_len;", "(void)insn_len;", EVENTS),
    mutant("vmx-event-loses-its-error", "vmx/intr.c", "e->error = error; } if (type",
           "} if (type", EVENTS),
    mutant("vmx-soft-event-injected", "vmx/intr.c", "if (e.insn_len) return;", "", EVENTS),
    mutant("vmx-error-pushed-in-real-mode", "vmx/intr.c", "e.has_error = pushes_errors();", "",
           EVENTS),
    mutant("vmx-nmi-blocks-itself", "vmx/intr.c",
           "if (vmx->vcpu.pending.type == EVENT_NMI) vmx->interruptibility &= ~(u32)VMX_BLOCK_NMI;",
           "", EVENTS),
    mutant("vmx-nmi-injected-while-blocked", "vmx/intr.c", "e.type == EVENT_NMI && nmi_blocked(vmx)",
           "false && nmi_blocked(vmx)", EVENTS),
    mutant("vmx-both-windows", "vmx/intr.c", "if (vcpu->pending.type != EVENT_NMI)", "if (true)",
           EVENTS),
    mutant("vmx-window-left-open", "vmx/intr.c", "if (e.type == EVENT_INTR) vmx->proc &=",
           "if (false) vmx->proc &=", EVENTS),
    mutant("vmx-window-never-closed", "vmx/run.c",
           "vmx->proc &= ~(u32)(VMX_PROC_INTR_WINDOW | VMX_PROC_NMI_WINDOW);", "", EVENTS),
    mutant("vmx-interrupt-in-a-shadow", "vmx/intr.c",
           "!(to_vmx(vcpu)->interruptibility & VMX_BLOCK_SHADOW)", "true", EVENTS),
    mutant("vmx-interrupt-on-an-event", "vmx/intr.c", "vcpu->pending.type == EVENT_NONE &&", "",
           EVENTS),
    mutant("vmx-iret-unblocks-for-good", "vmx/run.c",
           "restore_nmi_blocking(vmx, q & VMX_EPTV_NMI_UNBLOCK);", "", EVENTS),
    mutant("vmx-iret-unblocks-for-good-2", "vmx/run.c", "if (vector != EXC_DF)", "if (false)",
           EVENTS),
    mutant("vmx-iret-of-a-double-fault", "vmx/run.c", "if (vector != EXC_DF)", "", EVENTS),
    mutant("vmx-iret-during-delivery", "vmx/run.c",
           "if (unblocked && vmx->vcpu.pending.type == EVENT_NONE)", "if (unblocked)", EVENTS),
    mutant("vmx-cut-short-forgotten", "vmx/run.c", "if (unlikely(info & VMX_EVENT_VALID))",
           "if (false)", EVENTS),
    mutant("vmx-double-fault-missed", "vmx/intr.c", ".vector = on_top ? EXC_DF : vector,",
           ".vector = vector,", EVENTS),
]
MUTANTS += each("vmx-event-unchecked", "vmx/intr.c", r"if \(([^;{]*?)\)\s+return -EINVAL;", ";",
                EVENTS, begin=r"int vmx_event_check\(")

# Registers: out of the VMCS, and back in.
for function in ("fields_get", "fields_set", "vmx_get_state", "set_checked", "vmcs_set"):
    short = function.replace("vmx_", "").replace("_", "-").replace("checked", "state")
    MUTANTS += each("vmx-" + short + "-forgets", "vmx/state.c",
                    r"^\t(\(*[\w *]*(?:state|v|vcpu|vmx|vmcs)\)?(?:\)?->[\w.]+)+(?:\)\[[^\]]*\])?)"
                    r"\s+=\s+([^;]*);",
                    r"(void)(\2);", STATE + " " + CR, begin=r"(?:static )?void %s\(" % function,
                    name=1)
for function in ("segments_get", "segments_set"):
    MUTANTS += each("vmx-%s-forgets" % function.replace("_", "-"), "vmx/state.c",
                    r"^\tSEG_[GS]ET\(state, v, (\w+),[^;]*;", ";", STATE,
                    begin=r"static void %s\(" % function)
for function in ("check_kept", "check_loaded"):
    MUTANTS += each("vmx-registers-unchecked", "vmx/state.c",
                    r"(?<!check\()((?:!vmx_canonical\()?state->\w+\)?"
                    r"(?: (?:>|!=|>>|&) ~?[\w.]+)?)(?=\)?(?: \|\||\)\n))", "false", STATE,
                    begin=r"static int %s\(" % function)
MUTANTS += [
    mutant("vmx-guest-state-unchecked", "vmx/state.c",
           "|| vmx_check_guest(v, &vmx_host.limits, &qualification)", "|| (qualification = 0)",
           STATE),
    mutant("vmx-event-unchecked-by-state", "vmx/state.c", "return vmx_event_check(&state->pending);",
           "return 0;", STATE),
    mutant("vmx-state-set-although-refused", "vmx/state.c", "if (!err) set_checked(",
           "if (err || !err) set_checked(", STATE),
    mutant("vmx-unusable-is-present", "vmx/state.c",
           "return attrib & ATTRIB_P ? ar : ar | (u32)VMX_AR_UNUSABLE;", "return ar;", STATE),
    mutant("vmx-sti-without-if", "vmx/state.c", "mov_ss || !(state->rflags & RFLAGS_IF)",
           "mov_ss", STATE),
    mutant("vmx-pdptes-unread", "vmx/state.c", "v->guest_pdpte0 = pdptes[0];", "", STATE),
    mutant("vmx-pdptes-unchecked", "vmx/cr.c", "if (!vmx_pdpte_valid(pdptes[i], &vmx_host.limits))",
           "if (false)", CR),
]

# Control registers.
MUTANTS += [
    mutant("vmx-cr0-caches-off", "vmx/cr.c", "(cr0 & ~(CR0_CD | CR0_NW)) | CR0_ET | fixed",
           "cr0 | CR0_ET | fixed", CR),
    mutant("vmx-cr0-without-ne", "vmx/cr.c", "| CR0_ET | fixed;", "| CR0_ET;", CR),
    mutant("vmx-cr0-shadow-only", "vmx/cr.c",
           "(vmcs_read(VMCS_cr0_shadow) & mask) | (vmcs_read(VMCS_guest_cr0) & ~mask)",
           "vmcs_read(VMCS_cr0_shadow) | (mask & 0)", CR),
    mutant("vmx-cr0-upper-half", "vmx/cr.c", "if (cr0 >> 32 ||", "if (", CR),
    mutant("vmx-cr0-pg-without-pe", "vmx/cr.c", "(cr0 & CR0_PG && !(cr0 & CR0_PE)) ||", "", CR),
    mutant("vmx-cr0-nw-without-cd", "vmx/cr.c", "|| (cr0 & CR0_NW && !(cr0 & CR0_CD))) return",
           ") return", CR),
    mutant("vmx-long-mode-without-pae", "vmx/cr.c", "!(vmx_cr4() & CR4_PAE) ||", "", CR),
    mutant("vmx-long-mode-by-64-bit-code", "vmx/cr.c",
           "|| vmcs_read(VMCS_guest_cs_ar) & VMX_AR_L);", ");", CR),
    mutant("vmx-long-mode-left-by-64-bit-code", "vmx/cr.c", "return vmx_code_is_64bit(); }",
           "return false; }", CR),
    mutant("vmx-long-mode-without-lma", "vmx/cr.c", "on ? efer | EFER_LMA :", "on ? efer :", CR),
    mutant("vmx-long-mode-not-told", "vmx/cr.c", "on ? entry | VMX_ENTRY_IA32E :", "on ? entry :",
           CR),
    mutant("vmx-long-mode-with-a-16-bit-tss", "vmx/cr.c", "if (on) vmcs_write(VMCS_guest_tr_ar",
           "if (!on) vmcs_write(VMCS_guest_tr_ar", CR),
    mutant("vmx-cr0-keeps-pdptes", "vmx/cr.c", "!(efer & EFER_LME) && load_pdptes(vmx))",
           "!(efer & EFER_LME) && false)", CR),
    mutant("vmx-cr0-flushes-nothing", "vmx/cr.c", "vmx->vpid->linear_stale = true;", "", CR),
    mutant("vmx-cr0-without-shadow", "vmx/cr.c", "vmcs_write(VMCS_cr0_shadow, cr0);", "", CR),
    mutant("vmx-cr-of-32-bit-code-is-wide", "vmx/cr.c", "value = (u32)value;", "", CR),
]

# One translation too few flushed.
MUTANTS += [
    mutant("vpid-wraps-without-a-flush", "vmx/vpid.c", "vmx_invvpid(VMX_INVVPID_ALL, 0);", "", VPID),
    mutant("vpid-wraps-in-the-same-generation", "vmx/vpid.c", "cpu->vpid_generation++;", "", VPID),
    mutant("vpid-one-too-many", "vmx/vpid.c", "cpu->vpid_next >= vmx_host.vpids",
           "cpu->vpid_next > vmx_host.vpids", VPID),
    mutant("vpid-of-another-generation", "vmx/vpid.c",
           "v->generation != cpu->vpid_generation ||", "!v->generation ||", VPID),
    mutant("vpid-of-another-cpu", "vmx/vpid.c", "|| &vmx_cpus[v->cpu] != cpu", "", VPID),
    mutant("vpid-new-number-old-tables", "vmx/vpid.c", "stale = true;", "", VPID),
    mutant("vpid-stale-not-flushed", "vmx/vpid.c", "if (unlikely(stale))", "if (false)", VPID),
    mutant("vpid-linear-stale-not-flushed", "vmx/vpid.c", "else if (unlikely(linear_stale))",
           "else if (false)", VPID),
    mutant("vpid-linear-stale-for-ever", "vmx/vpid.c", "v->linear_stale = false;", "", VPID),
    mutant("vpid-not-written", "vmx/vpid.c", "vmcs_write(VMCS_vpid, v->number);", "", VPID),
]

# Registers that no VMCS holds.
for function in ("vmx_cpu_save", "vmx_cpu_take"):
    MUTANTS += each(function.replace("_", "-"), "vmx/fpu.c",
                    r"^\t+(r->[^=\n]*= [^\n]*|write_\w+\([^\n]*|wrmsr\([^\n]*|fpu_\w+\([^\n]*);\n",
                    "\t;\n", "test_vmx_fpu", begin=r"void %s\(" % function)
MUTANTS += [
    mutant("vmx-cpu-saved-by-another", "vmx/fpu.c", "if (this_vmx_cpu()->owner != vmx) return;", "",
           "test_vmx_fpu"),
    mutant("vmx-cpu-taken-without-a-release", "vmx/fpu.c",
           "if (cpu->owner) vmx_cpu_release(cpu->owner);", "", "test_vmx_fpu"),
    mutant("vmx-cr2-in-the-registers", "vmx/fpu.c", "write_cr2(cr2); else vmx->regs.cr2 = cr2;",
           "write_cr2(cr2); else write_cr2(cr2);", "test_vmx_fpu"),
]

# The instructions by which L1 manages its VMCSs.
INSN = "test_vmx_insn test_vmx_operand"
MUTANTS += each("vmx-insn-unchecked", "vmx/nested_insn.c",
                r"\tif \(([^;]*?)\)\n\t+return (fault|fail|fail_invalid)\(",
                r"\tif (false && (\1))\n\t\treturn \2(", INSN, name=1)
MUTANTS += [
    mutant("vmx-insn-in-compatibility-mode", "vmx/nested_insn.c",
           "|| (long_mode && !vmx_code_is_64bit());", "|| (long_mode && false);", INSN),
    mutant("vmx-insn-in-virtual-8086-mode", "vmx/nested_insn.c", "|| vmx->vcpu.rflags & RFLAGS_VM",
           "", INSN),
    mutant("vmx-insn-keeps-flags", "vmx/nested_insn.c",
           "(vmx->vcpu.rflags & ~RFLAGS_ARITH) | flags", "vmx->vcpu.rflags | flags", INSN),
    mutant("vmx-insn-error-unwritten", "vmx/nested_insn.c", "&error, sizeof(error));",
           "&error, 0);", INSN),
    mutant("vmx-vmclear-keeps-the-current", "vmx/nested_insn.c",
           "if (pointer == vmx->nested.current)", "if (false)", INSN),
    mutant("vmx-vmclear-clears-nothing", "vmx/nested_insn.c", "&clear, sizeof(clear));",
           "&clear, 0);", INSN),
    mutant("vmx-vmxoff-keeps-the-current", "vmx/nested_insn.c",
           "vmx->nested.vmxon_pointer = VMCS12_NONE; vmx->nested.current = VMCS12_NONE;",
           "vmx->nested.vmxon_pointer = VMCS12_NONE;", INSN),
    mutant("vmx-high-half-is-the-low-one", "vmx/nested_insn.c",
           "+ half * (u32)sizeof(u32);", "+ 0 * half;", INSN),
    mutant("vmx-high-half-is-whole", "vmx/nested_insn.c",
           "*size = half ? sizeof(u32) : vmcs_field_size(f);", "*size = vmcs_field_size(f);", INSN),
    mutant("vmx-field-high-of-any", "vmx/fields.c", "|| (high && f->width != VMCS_W64)", "", INSN),
    mutant("vmx-field-of-l0", "vmx/fields.c", "return f->offset < 0 || (high",
           "return (high", INSN),
    mutant("vmx-vmread-of-32-bit-code-is-wide", "vmx/nested_insn.c",
           "if (operand_size() == sizeof(u32)) value = (u32)value; if (info", "if (info", INSN),
    mutant("vmx-operand-second-page-last", "vmx/operand.c",
           "return err ? err : copy(vmx, linear, buf, first, write);",
           "return copy(vmx, linear, buf, first, write) ?: err;", INSN),
    mutant("vmx-operand-not-canonical", "vmx/operand.c",
           "return vmx_canonical(*linear) && vmx_canonical(*linear + size - 1) ?",
           "return true ?", INSN),
    mutant("vmx-operand-not-canonical-at-its-end", "vmx/operand.c",
           "&& vmx_canonical(*linear + size - 1)", "", INSN),
    mutant("vmx-operand-of-ss-is-gp", "vmx/operand.c", "segment == SEG_SS ? EXC_SS : EXC_GP",
           "EXC_GP", INSN),
    mutant("vmx-operand-address-size", "vmx/operand.c", "return offset & masks[", "return masks[0] & masks[",
           INSN),
    mutant("vmx-operand-without-index", "vmx/operand.c", "if (!(info & INFO_NO_INDEX))",
           "if (false)", INSN),
    mutant("vmx-operand-without-base", "vmx/operand.c", "if (!(info & INFO_NO_BASE))", "if (false)",
           INSN),
    mutant("vmx-operand-limit", "vmx/operand.c", "return last > limit;", "return false;", INSN),
    mutant("vmx-operand-limit-downwards", "vmx/operand.c", "return offset <= limit ||",
           "return false ||", INSN),
    mutant("vmx-operand-limit-of-16-bits", "vmx/operand.c",
           "rights & VMX_AR_DB ? 0xffffffff : 0xffff", "0xffffffff", INSN),
    mutant("vmx-operand-unusable", "vmx/operand.c", "if (rights & VMX_AR_UNUSABLE ||", "if (",
           INSN),
    mutant("vmx-operand-written-to-code", "vmx/operand.c", "(write && (code || !read_write)) ||",
           "(write && !read_write) ||", INSN),
    mutant("vmx-operand-read-from-execute-only", "vmx/operand.c", "(code && !read_write) ||", "",
           INSN),
]

OFFER = "test_vmx_offer"
MUTANTS += [
    mutant("vmx-offer-what-the-processor-has", "vmx/offer.c",
           "(offered & (u32)(capability >> 32))", "(u32)(capability >> 32)", OFFER),
    mutant("vmx-offer-what-it-has-not", "vmx/offer.c",
           "(offered & (u32)(capability >> 32))", "offered", OFFER),
    mutant("vmx-offer-without-its-musts", "vmx/offer.c", "u32 must = default1 | (u32)capability;",
           "u32 must = default1;", OFFER),
    mutant("vmx-offer-plain-is-true", "vmx/offer.c", "l->proc | PROC_PLAIN1", "l->proc", OFFER),
    mutant("vmx-offer-rdtscp-always", "vmx/offer.c", "(f->rdtscp ? 0 : VMX_PROC2_RDTSCP)", "0",
           OFFER),
    mutant("vmx-offer-misc-of-the-processor", "vmx/offer.c", "f->misc & MISC_OFFERED", "f->misc",
           OFFER),
    mutant("vmx-offer-functions", "vmx/offer.c", ">= ARRAY_SIZE(values)) return",
           "> ARRAY_SIZE(values)) return", OFFER),
    mutant("vmx-vmxe-cleared-in-operation", "vmx/cr.c",
           "vmx_operation_forbids(vmx, cr4, vmx_host.limits.cr4_fixed0)", "false", CR),
    mutant("vmx-paging-left-in-operation", "vmx/cr.c",
           "vmx_operation_forbids(vmx, cr0, vmx_host.limits.cr0_fixed0)", "false", CR),
    mutant("vmx-paging-left-without-an-exit", "vmx/cr.c", "~vmx_host.cr0_owned | fixed)",
           "~vmx_host.cr0_owned)", CR),
    mutant("vmx-shadow-of-cr0-is-old", "vmx/cr.c", "vmcs_write(VMCS_cr0_shadow, vmx_cr0());", "",
           CR),
    mutant("vmx-pae-left-in-long-mode", "vmx/cr.c", "|| (efer & EFER_LMA && !(cr4 & CR4_PAE))", "",
           CR),
    mutant("vmx-cr4-without-pdptes", "vmx/cr.c",
           "changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP) && load_pdptes(vmx)", "false", CR),
]

INV = "test_vmx_inv"
TAGS = "test_vmx_l1_tags"
MUTANTS += [
    mutant("vmx-inv-type-wide", "vmx/nested_inv.c", "type > VMX_INVVPID_KEEP_GLOBAL ||", "", INV),
    mutant("vmx-inv-type-of-none", "vmx/nested_inv.c",
           "|| !(vmx_host.limits.ept_vpid & BIT(first + type))", "", INV),
    mutant("vmx-invept-any-pointer", "vmx/nested_inv.c",
           "&& vmx_check_ept_pointer(descriptor[0], &vmx_host.limits)", "&& false", INV),
    mutant("vmx-invept-pointer-of-all", "vmx/nested_inv.c", "type == VMX_INVEPT_SINGLE &&", "", INV),
    mutant("vmx-invvpid-wide", "vmx/nested_inv.c", "descriptor[0] >> 16 ||", "", INV),
    mutant("vmx-invvpid-of-l1", "vmx/nested_inv.c",
           "(type != VMX_INVVPID_ALL && !descriptor[0]) ||", "", INV),
    mutant("vmx-invvpid-not-canonical", "vmx/nested_inv.c",
           "(type == VMX_INVVPID_ADDRESS && !vmx_canonical(descriptor[1]))", "false", INV),
    mutant("vmx-invvpid-of-another", "vmx/l1_tags.c", "all || t->vpid == vpid", "true", INV),
    mutant("vmx-invvpid-not-all", "vmx/l1_tags.c", "all || t->vpid == vpid", "t->vpid == vpid",
           INV),
    mutant("vmx-invept-by-the-whole-pointer", "vmx/l1_tags.c",
           "t->eptp / PAGE_SIZE == eptp / PAGE_SIZE", "t->eptp == eptp", INV),
    mutant("vmx-invept-always-all", "vmx/l1_tags.c",
           "all || t->eptp / PAGE_SIZE == eptp / PAGE_SIZE", "true", INV),
    mutant("vmx-tag-of-another-pointer", "vmx/l1_tags.c", "t->vpid == vpid && t->eptp == eptp",
           "t->vpid == vpid", TAGS),
    mutant("vmx-tag-of-another-vpid", "vmx/l1_tags.c", "t->vpid == vpid && t->eptp == eptp",
           "t->eptp == eptp", TAGS),
    mutant("vmx-tag-of-another-root", "vmx/l1_tags.c", "t->hw.tag.must_flush = true;", "", TAGS),
    mutant("vmx-tag-blind-to-nested", "vmx/l1_tags.c", "t->hw.tag.kind = TAG_NESTED;", "", TAGS),
    mutant("vmx-entry-without-vpid-keeps", "vmx/l1_tags.c", "t->hw.linear_stale = true; vmx->l1_tag",
           "(void)0; vmx->l1_tag", TAGS),
    mutant("vmx-exit-without-vpid-keeps", "vmx/l1_tags.c", "vmx->vpid01.linear_stale = true;",
           "(void)0;", TAGS),
    mutant("vmx-vpid-flushes-another-pointer", "vmx/vpid.c",
           "vmx_invept(VMX_INVEPT_SINGLE, v->eptp)",
           "vmx_invept(VMX_INVEPT_SINGLE, vmx->vpid01.eptp)", TAGS),
]

BITMAPS = "test_vmx_bitmaps"
LISTS = "test_vmx_msr_lists"
L1_TIMER = "test_vmx_l1_timer"
MUTANTS += [
    mutant("vmx-msr-bitmap-writes-are-reads", "vmx/bitmaps.h", "write ? 0x4000 : 0", "0 * write",
           BITMAPS),
    mutant("vmx-msr-bitmap-high-first", "vmx/bitmaps.h", "half + 0x2000 +", "half +", BITMAPS),
    mutant("vmx-msr-bitmap-has-no-end", "vmx/bitmaps.h", "msr - 0xc0000000 < 0x2000",
           "msr >= 0xc0000000", BITMAPS),
    mutant("vmx-io-first-port-only", "vmx/bitmaps.h", "(BIT(size) - 1)", "1", BITMAPS),
    mutant("vmx-io-second-byte", "vmx/nested_bitmaps.c", "if (port % 8 + size > 8)", "if (false)",
           BITMAPS),
    mutant("vmx-io-wraps", "vmx/nested_bitmaps.c", "if (at >= 2 * PAGE_SIZE) return 0xff;",
           "at %= 2 * PAGE_SIZE;", BITMAPS),
    mutant("vmx-io-b-after-a", "vmx/nested_bitmaps.c",
           "at < PAGE_SIZE ? v->io_bitmap_a : v->io_bitmap_b, at % PAGE_SIZE",
           "v->io_bitmap_a, at", BITMAPS),
    mutant("vmx-io-all-beats-bitmaps", "vmx/nested_bitmaps.c",
           "if (!(v->proc_controls & VMX_PROC_IO_BITMAPS)) return v->proc_controls & VMX_PROC_IO_ALL;",
           "if (!(v->proc_controls & VMX_PROC_IO_BITMAPS) || v->proc_controls & VMX_PROC_IO_ALL) "
           "return v->proc_controls & VMX_PROC_IO_ALL;", BITMAPS),
    mutant("vmx-bitmap-nowhere-is-empty", "vmx/nested_bitmaps.c",
           "&byte, sizeof(byte))) return 0xff;", "&byte, sizeof(byte))) return 0;", BITMAPS),
    mutant("vmx-merge-of-l1-only", "vmx/nested_bitmaps.c", "m->l0[at] | __atomic", "__atomic",
           BITMAPS),
    mutant("vmx-merge-of-l0-only", "vmx/nested_bitmaps.c",
           "m->l0[at] | __atomic_load_n(&l1[at], __ATOMIC_RELAXED)", "m->l0[at]", BITMAPS),
    mutant("vmx-merge-without-l1-is-l0", "vmx/nested_bitmaps.c", ": ~0ull;", ": m->l0[at];",
           BITMAPS),
    mutant("vmx-l1-timer-from-its-entry", "vmx/nested_timer.c",
           "t->end = units(l, tsc) + v->preemption_timer;",
           "t->end = units(l, tsc + 31) + v->preemption_timer;", L1_TIMER),
    mutant("vmx-l1-timer-always", "vmx/nested_timer.c", "if (!t->on) return ~0u;", "", L1_TIMER),
    mutant("vmx-msr-list-reserved", "vmx/nested_msrs.c",
           "if (vmx_check_msr_entry(e->index, e->reserved, true) || value_bad", "if (value_bad",
           LISTS),
    mutant("vmx-msr-list-any-value", "vmx/nested_msrs.c", "|| value_bad(e->index, e->value) ||",
           "||", LISTS),
    mutant("vmx-msr-list-tsc", "vmx/nested_msrs.c", "|| e->index == MSR_TSC)", ")", LISTS),
    mutant("vmx-msr-list-register-taken-later", "vmx/nested_msrs.c", "vmx_cpu_release(vmx);", "",
           LISTS),
    mutant("vmx-msr-list-register-old", "vmx/nested_msrs.c", "vmx_cpu_save(vmx);", "", LISTS),
    mutant("vmx-msr-list-without-end", "vmx/nested_msrs.c",
           "if (i == VMX_MSR_LIST_MAX || guest_read(vmx_mmu(vmx), entry_at(list, i), &e, sizeof(e)) "
           "|| load(vmx, &e))",
           "if (guest_read(vmx_mmu(vmx), entry_at(list, i), &e, sizeof(e)) || load(vmx, &e))",
           LISTS),
    mutant("vmx-msr-list-entry-from-0", "vmx/nested_msrs.c", "|| load(vmx, &e)) return i + 1;",
           "|| load(vmx, &e)) return i;", LISTS),
]

WALKED = "test_vmx_walked"
MUTANTS += [
    mutant("vmx-walk-of-old-entries", "vmx/insn.c", "READ_ONCE(*c->entry[i]) ^ c->value[i]", "0",
           WALKED),
    mutant("vmx-walk-of-the-leaf-only", "vmx/insn.c",
           "for (u32 i = 0; i < VMX_WALK_LEVELS; i++)", "for (u32 i = 3; i < VMX_WALK_LEVELS; i++)",
           WALKED),
    mutant("vmx-walk-for-another-access", "vmx/insn.c", "(c->key.access ^ key->access)", "0",
           WALKED),
    mutant("vmx-walk-of-another-page", "vmx/insn.c", "(c->key.page ^ key->page)", "0", WALKED),
    mutant("vmx-walk-under-another-cr3", "vmx/insn.c", "(c->key.cr3 ^ key->cr3)", "0", WALKED),
    mutant("vmx-walk-under-another-efer", "vmx/insn.c", "(c->key.efer ^ key->efer)", "0", WALKED),
    mutant("vmx-walk-of-l2", "vmx/insn.c", "likely(vmx->vmcs == &vmx->vmcs01 && walk_holds",
           "likely(walk_holds", WALKED),
    mutant("vmx-walk-without-memory", "vmx/insn.c", "if (!table) break;", "", WALKED),
    mutant("vmx-walk-of-other-formats", "vmx/insn.c",
           "if (!(key->efer & EFER_LMA) || key->cr4 & CR4_LA57) return;", "", WALKED),
]

# What only a machine shows.
MUTANTS += [
    mutant("vmx-interrupts-held-back", "vmx/probe.c", "#define PIN_LIKED VMX_PIN_TIMER",
           "#define PIN_LIKED 0", "plain-vmx-spin", kind="machine"),
    mutant("vmx-tsc-as-it-is", "vmx/tsc.c", "vmcs_write(VMCS_tsc_offset, vmx->tsc_offset);", "",
           "plain-vmx", kind="machine"),
    mutant("vmx-cr8-of-the-machine", "vmx/vmcs.c", "vmcs_write(VMCS_virtual_apic,",
           "(void)(0,", "plain-vmx", kind="machine"),
    mutant("vmx-another-vms-vmcs", "vmx/vmcs.c", "if (cpu->current == vmx->vmcs) return;",
           "if (cpu->current) return;", "plain-vmx", kind="machine"),
    mutant("vmx-event-cut-short-lost", "vmx/run.c", "vmx_event_collect(vmx, info);", "",
           "plain-vmx", kind="machine"),
]
