# SPDX-License-Identifier: MIT
"""VMRUN's checks and the nested state's way through a migration, line by line."""

CHECKS = "test_nested_check"
STATE = "test_svm_nested_state test_svm_vmload test_vm_state"
REGISTERS = "test_svm_state"
ASID = "test_svm_asid"
COPY = "test_svm_nested_copy"
VMRUN = "test_svm_vmrun"
SKIP = "test_svm_skip test_svm_code"
WAY = "test_svm_code test_svm_skip"
GIF = "test_svm_gif"

MUTANTS = [
    mutant("vmcb-address-that-wraps", "svm/svm.h", "p->named == gpa + 1 && p->named",
           "p->named == gpa + 1", "test_svm_vmrun"),]
# Each check, each correction, each field: left out.
MUTANTS += each("vmrun-unchecked", "svm/nested_check.c", r"REFUSE\(([^;]*?), (\"[^\"]*\")\);",
                r"REFUSE(false && (\1), \2);", CHECKS)
MUTANTS += each("vmrun-unchecked", "svm/nested_check.c", r"^\treturn \"([^\"]*)\";",
                "\treturn NULL;", CHECKS)
MUTANTS += each("vmrun-not-normalised", "svm/nested_check.c", r"^\t+(s->\w+) [|&]?= ([^;]*);",
                r"(void)(\2);", "test_svm_normalise", begin="void svm_normalise_", name=1)
MUTANTS += each("vmrun-not-normalised", "svm/nested_check.c", r"^\t+normalise_segment\(([^;]*);",
                ";", "test_svm_normalise", begin="void svm_normalise_registers")
MUTANTS += each("vmrun-not-normalised", "svm/nested_check.c", r"^\t(seg->\w+) = [^;]*;",
                "(void)shift;", "test_svm_normalise", begin="static inline void normalise_segment")
MUTANTS += each("state-unchecked", "svm/nested_state.c",
                r"if \(([^;]*?)\)\s+return \"([^\"]*)\";", r'if (false && (\1)) return "\2";',
                STATE)
MUTANTS += each("vmload-forgets", "svm/nested_state.c", r"to->(\w+) = from->\w+;", ";", STATE,
                begin="void svm_vmload_copy")
MUTANTS += each("field-left-out-of-nested", "svm/nested_state.c", r"FIELD\((\w+)\),", "", STATE,
                begin="static const struct state_field ")
MUTANTS += each("save-forgets", "svm/nested_state.c", r"^\tout->((?:ctl|l1)\S*) = [^;]*;", ";",
                STATE, begin="void svm_nested_state_save")
MUTANTS += each("load-forgets", "svm/nested_state.c",
                r"^\t((?:vmcb01->|svm_vmload_copy|svm_norm|\*n = )[^;]*);", ";", STATE,
                begin="void svm_nested_state_load")

# The registers: out of the VMCBs, and back in.
for function in ("vmload_get", "vmload_set", "vmrun_get", "vmrun_set", "svm_get_state",
                 "set_checked"):
    short = function.replace("svm_", "").replace("_", "-").replace("checked", "state")
    MUTANTS += each(short + "-forgets", "svm/state.c",
                    r"^\t((?:\w+->)+[\w.\[\]>-]*)\s+=\s+([^;]*);", r"(void)(\2);", REGISTERS,
                    begin=r"(?:static )?void %s\(" % function, name=1)
for function in ("svm_get_state", "set_checked"):
    MUTANTS += each("registers-not-copied", "svm/state.c", r"^\tmemcpy\(([^,]*),[^;]*;", ";",
                    REGISTERS, begin=r"(?:static )?void %s\(" % function)
for function in ("segs_get", "segs_set"):
    MUTANTS += each(function.replace("_", "-") + "-forgets", "svm/state.c",
                    r"^\t+\.(\w+) = seg->[^,]*,", "", REGISTERS,
                    begin=r"static void %s\(" % function)
for function in ("check_event", "check_state"):
    MUTANTS += each("registers-unchecked", "svm/state.c",
                    r"(?<!check\()(?<!pat\()\b((?:state|e)->\w+(?: (?:>|!=|>>) \w+)?)"
                    r"(?=\)?(?: \|\||\)\n))", "false", REGISTERS,
                    begin=r"static int %s\(" % function)

MUTANTS += [
    mutant("registers-unchecked", "svm/state.c",
           "svm_check_registers(&s, &svm_host.limits) || svm_check_pat(state->pat)",
           "svm_check_pat(state->pat)", REGISTERS),
    mutant("registers-unchecked-pat", "svm/state.c",
           "svm_check_registers(&s, &svm_host.limits) || svm_check_pat(state->pat)",
           "svm_check_registers(&s, &svm_host.limits)", REGISTERS),
    mutant("registers-unchecked-xcr0", "svm/state.c",
           "xcr0_check(state->xcr0) || fpu_check(state->fpu)",
           "fpu_check(state->fpu)", REGISTERS),
    mutant("registers-unchecked-fpu", "svm/state.c",
           "xcr0_check(state->xcr0) || fpu_check(state->fpu)",
           "xcr0_check(state->xcr0)", REGISTERS),
    mutant("registers-set-although-refused", "svm/state.c", "if (!err) set_checked(",
           "if (err || !err) set_checked(", REGISTERS),
    mutant("state-unchecked-registers", "svm/nested_state.c",
           "why = svm_check_registers(&in->l1, l); if (!why)", "", STATE),
    mutant("state-unchecked-pat", "svm/nested_state.c",
           "if (!why) why = svm_check_pat(in->l1.g_pat);", "", STATE),
    mutant("state-unchecked-control", "svm/nested_state.c",
           "svm_check_control(&in->ctl, l, in->l1.cr0 & CR0_PG)", "NULL", STATE),
    mutant("save-takes-the-windows-irq", "svm/nested_state.c",
           "window ? V_TPR_MASK : V_TPR_MASK | V_IRQ", "V_TPR_MASK | (window ? V_IRQ : V_IRQ)",
           STATE),
    mutant("load-loses-l2s-registers", "svm/nested_state.c", "vmcb02->save = vmcb01->save;",
           "(void)vmcb02;", STATE),
    mutant("table-end-not-checked", "svm/nested_check.c",
           "|| above_maxphyaddr(base + size - 1, l)", "|| size == 0", CHECKS),
    mutant("table-start-not-checked", "svm/nested_check.c",
           "above_maxphyaddr(base, l) || above_maxphyaddr(base + size - 1, l)",
           "above_maxphyaddr(base + size - 1, l)", CHECKS),
    mutant("event-exception-31", "svm/nested_check.c", "vector >= EXC_COUNT - 1",
           "vector >= EXC_COUNT", CHECKS),
    mutant("pat-checked-without-nested-paging", "svm/nested_check.c",
           "if (!why && l->nested_paging && c->nested_ctl & SVM_NP_ENABLE) why = svm_check_pat",
           "if (!why) why = svm_check_pat", CHECKS),

    # One tag too few flushed.
    mutant("asid-wraps-without-a-flush", "svm/asid.c",
           "flush = TLB_CONTROL_FLUSH_ALL;", ";", ASID),
    mutant("asid-wraps-in-the-same-generation", "svm/asid.c",
           "cpu->asid_next = 1; cpu->asid_generation++;", "cpu->asid_next = 1;", ASID),
    mutant("asid-of-another-generation", "svm/asid.c",
           "a->generation != cpu->asid_generation || a->cpu != cpu",
           "!a->generation || a->cpu != cpu", ASID),
    mutant("asid-of-another-cpu", "svm/asid.c", "|| a->cpu != cpu)", ")", ASID),
    mutant("asid-of-another-generation-is-current", "svm/asid.h",
           "a->generation != cpu->asid_generation || a->cpu != cpu",
           "!a->generation || a->cpu != cpu", ASID),
    mutant("asid-of-another-cpu-is-current", "svm/asid.h", "|| a->cpu != cpu)", ")", ASID),
    mutant("asid-paid-flush-not-seen", "svm/asid.h", "a->paid != paid || a->tag", "a->tag", ASID),
    mutant("asid-asked-flush-not-seen", "svm/asid.h", "a->tag.must_flush ||", "", ASID),
    mutant("asid-nested-flush-not-counted", "svm/asid.h",
           "+ __atomic_load_n(&gen[MMU_TREE_NESTED], __ATOMIC_SEQ_CST)", "", ASID),
    mutant("asid-stale-not-flushed", "svm/asid.c",
           "return TLB_CONTROL_FLUSH_ASID;", "return TLB_CONTROL_NONE;", ASID),
    mutant("asid-stale-without-another-number", "svm/asid.c",
           "return TLB_CONTROL_FLUSH_ASID; return take_number(a, cpu);",
           "return TLB_CONTROL_FLUSH_ASID; return TLB_CONTROL_NONE;", ASID),
    mutant("asid-tlb-control-kept", "svm/asid.h", "c->tlb_control = flush;",
           "if (flush) c->tlb_control = flush;", ASID),
    mutant("asid-one-too-many", "svm/asid.c", "if (cpu->asid_next >= svm_host.asids) {",
           "if (cpu->asid_next > svm_host.asids) {", ASID),
    mutant("asid-refused-keeps-the-generation", "svm/asid.c",
           "cpu->asid_next = svm_host.asids; cpu->asid_generation++;",
           "cpu->asid_next = svm_host.asids;", ASID),
    mutant("asid-refused-keeps-the-numbers", "svm/asid.c",
           "cpu->asid_next = svm_host.asids; cpu->asid_generation++;",
           "cpu->asid_generation++;", ASID),
    mutant("asid-forget-keeps-translations", "svm/asid.c", "e->asid.tag.must_flush = true;", ";",
           ASID),
    mutant("asid-given-to-another-as-it-is", "svm/asid.c", "forget(e); e->number = number;",
           "e->number = number;", ASID),
    mutant("asid-flush-all-but-one", "svm/asid.c",
           "for (u32 i = 0; i < SVM_L1_ASIDS; i++) forget(&svm->l1_asids[i]);",
           "for (u32 i = 1; i < SVM_L1_ASIDS; i++) forget(&svm->l1_asids[i]);", ASID),
    mutant("asid-flush-all-but-l1s-own", "svm/asid.c", "svm->asid01.tag.must_flush = true;", "",
           ASID),
    mutant("asid-flush-of-one-forgotten", "svm/asid.c",
           "if (e->number == number) forget(e);", "if (e->number + 1 == number) forget(e);", ASID),

    # VMRUN that takes for granted what it must look at.
    mutant("vmrun-control-not-compared", "svm/nested_enter.c",
           "if (!kept->control || svm_control_differs(ctl, &from->control)) {",
           "if (!kept->control) {", VMRUN),
    mutant("vmrun-save-not-compared", "svm/nested_enter.c",
           "if (!kept->save || svm_save_differs(save, &from->save)) {", "if (!kept->save) {",
           VMRUN),
    mutant("vmrun-changed-control-not-checked", "svm/nested_enter.c",
           "kept->control = false; svm_control_copy", "svm_control_copy", VMRUN),
    mutant("vmrun-changed-save-not-checked", "svm/nested_enter.c",
           "kept->save = false; svm_save_copy", "svm_save_copy", VMRUN),
    mutant("vmrun-checks-control-alone", "svm/nested_enter.c",
           "if (likely(kept->control && kept->save))", "if (likely(kept->control))", VMRUN),
    mutant("vmrun-checks-save-alone", "svm/nested_enter.c",
           "if (likely(kept->control && kept->save))", "if (likely(kept->save))", VMRUN),
    mutant("vmrun-event-not-checked", "svm/nested_enter.c",
           "return svm_check_event(ctl->event_inj);", "return NULL;", VMRUN),
    mutant("vmrun-events-not-copied", "svm/nested_enter.c",
           "svm_control_copy_events(ctl, &from->control);",
           "if (!kept->control) svm_control_copy_events(ctl, &from->control);", VMRUN),
    mutant("vmrun-flow-not-copied", "svm/nested_enter.c",
           "svm_save_copy_flow(save, &from->save);",
           "if (!kept->save) svm_save_copy_flow(save, &from->save);", VMRUN),
    mutant("vmrun-under-another-l1", "svm/nested_enter.c",
           "keep_under(kept, &svm->vmcb01->save);",
           "if (!kept->cr0) keep_under(kept, &svm->vmcb01->save);", VMRUN),
    mutant("vmrun-keeps-what-was-refused", "svm/nested_enter.c", "return check(svm); }",
           "kept->control = kept->save = true; return check(svm); }", VMRUN),
    mutant("vmrun-not-merged", "svm/nested_enter.c",
           "if (!svm->kept.control) merge_lasting(svm);",
           "if (!svm->kept.save) merge_lasting(svm);", VMRUN),
    mutant("vmrun-not-put-in-form", "svm/nested_enter.c",
           "if (svm->kept.save) svm_normalise_flow(save);",
           "if (svm->kept.save || svm->kept.control) svm_normalise_flow(save);", VMRUN),
    mutant("vmrun-flow-not-put-in-form", "svm/nested_enter.c",
           "if (svm->kept.save) svm_normalise_flow(save); else",
           "if (!svm->kept.save)", VMRUN),
    mutant("vmrun-l1s-pat-once", "svm/nested_enter.c",
           "if (unlikely(!svm_l2_is_nested(svm)))",
           "if (unlikely(!svm_l2_is_nested(svm)) && !save->g_pat)", VMRUN),
    mutant("vmrun-virtual-interrupt-stays-intercepted", "svm/intr.c",
           "else vmcb_intercept_clear(c, INTERCEPT_VINTR);", "", VMRUN),
    mutant("vmrun-root-of-another-control", "svm/nested_enter.c",
           "if (!svm->kept.control || a->number", "if (a->number", VMRUN),
    mutant("vmrun-root-not-synced", "svm/nested_enter.c",
           "a->number != c->asid || !a->synced)", "a->number != c->asid)", VMRUN),

    # The way to code, which changes.
    mutant("skip-cr3-not-compared", "svm/svm.h", "(s->cr3 ^ c->cr3) |", "", WAY),
    mutant("skip-cr4-not-compared", "svm/svm.h", "(s->cr4 ^ c->cr4) |", "", WAY),
    mutant("skip-efer-not-compared", "svm/svm.h", "| (s->efer ^ c->efer);", ";", WAY),
    mutant("skip-ncr3-not-compared", "svm/svm.h", "(svm->nested.ctl.ncr3 ^ c->ncr3) |", "", WAY),
    mutant("skip-first-entries-not-compared", "svm/svm.h",
           "if (unlikely(differs | svm_code_differs(c->path)))", "if (unlikely(differs))", WAY),
    mutant("skip-further-entries-not-compared", "svm/svm.h",
           "| svm_code_differs_further(c);", ";", WAY),
    mutant("skip-last-entries-not-compared", "svm/fetch.c",
           "i < c->nr; i += SVM_CODE_STEP", "i + SVM_CODE_STEP < c->nr; i += SVM_CODE_STEP", WAY),
    mutant("skip-page-of-another-address", "svm/svm.h",
           "unlikely(linear - c->linear > PAGE_SIZE - sizeof(u32)) ||", "", SKIP),
    mutant("skip-over-the-pages-end", "svm/svm.h",
           "linear - c->linear > PAGE_SIZE - sizeof(u32)", "linear - c->linear > PAGE_SIZE - 1",
           SKIP),
    mutant("skip-l1s-page-for-l2", "svm/svm.h", "u32 first = l2 ? SVM_CODE_PAGES : 0;",
           "u32 first = l2 ? 0 : 0;", WAY),
    mutant("skip-nested-or-not", "svm/nested_enter.c",
           "svm_code_forget_l2(svm); nested_mmu_unload", "nested_mmu_unload", WAY),
    mutant("skip-any-opcode", "svm/skip.c", "return !((word ^ op->bytes) & op->mask) &&",
           "return", SKIP),
    mutant("skip-no-opcode", "svm/skip.c", "& op->mask) && op->length;", "& op->mask);", SKIP),
    mutant("skip-32-bit-code-as-64-bit", "svm/skip.c",
           "if (svm->vmcb->save.cs.attrib & VMCB_SEG_L)", "if (svm)", SKIP),
    mutant("skip-rip-not-cut", "svm/skip.c", "if (!wide)", "if (false && !wide)", SKIP),
    mutant("skip-keeps-the-shadow", "svm/skip.c",
           "svm->vmcb->control.int_state &= ~(u64)SVM_INTERRUPT_SHADOW;", "", SKIP),
    mutant("skip-believes-anything", "svm/skip.c", "!len || len > SVM_INSN_MAX", "!len", SKIP),
    mutant("skip-believes-in-nothing", "svm/skip.c", "!len || len > SVM_INSN_MAX",
           "len > SVM_INSN_MAX", SKIP),

    # Whose is the global interrupt flag, and who waits for it.
    mutant("gif-l2-without-intercept", "svm/vmcb.c", "INTERCEPT_CLGI,", "", GIF),
    mutant("gif-l2-without-stgi", "svm/vmcb.c", "INTERCEPT_STGI,", "", GIF),
    mutant("gif-without-svme", "svm/gif.c", "|| !svm->nested.svme)", ")", GIF),
    mutant("gif-waits-in-vain", "svm/intr.c", "svm_gif_wait(svm); return;", "return;", GIF),
    mutant("gif-waited-for-for-ever", "svm/gif.c",
           "c->vintr |= V_GIF; vmcb_intercept_clear(c, INTERCEPT_STGI);", "c->vintr |= V_GIF;",
           GIF),
    mutant("gif-not-cleared", "svm/gif.c", "c->vintr &= ~V_GIF;", "", GIF),
    mutant("gif-of-l1-while-l2-runs", "svm/gif.c", "& V_GIF_ENABLE && !svm->vcpu.guest_mode;",
           "& V_GIF_ENABLE;", GIF),
    mutant("gif-comes-set", "svm/gif.c", "(svm->nested.gif ? V_GIF : 0)", "V_GIF", GIF),
    mutant("gif-lost-with-svme", "svm/msr.c",
           "svm->nested.gif = svm_gif(svm) || !svm->nested.svme;",
           "svm->nested.gif = !svm->nested.svme;", GIF),
    mutant("gif-kept-without-svme", "svm/msr.c",
           "svm->nested.gif = svm_gif(svm) || !svm->nested.svme;",
           "svm->nested.gif = svm_gif(svm);", GIF),
]

# Each word that VMRUN compares and copies.
OFFSETS = {"control": (0x00, 0x08, 0x10, 0x40, 0x48, 0x50, 0x58, 0x90, 0xb0),
           "events": (0x60, 0x68, 0xa8, 0xc8),
           "save": (0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38, 0x60, 0x68, 0x80, 0x88, 0xd0,
                    0x148, 0x150, 0x158, 0x160, 0x168, 0x268),
           "flow": (0x170, 0x178, 0x1d8, 0x1f8, 0x240)}
NOT_AT = "if ((const u8 *)&copy->field - (const u8 *)copy != 0x%x)"
for offset in sorted({o for name in OFFSETS for o in OFFSETS[name]}):
    MUTANTS.append(mutant("vmrun-does-not-copy-%x" % offset, "svm/nested_copy.c",
                          "*(word *)&copy->field =", NOT_AT % offset + " *(word *)&copy->field =",
                          COPY))
for offset in sorted(set(OFFSETS["control"] + OFFSETS["save"])):
    MUTANTS.append(mutant("vmrun-does-not-compare-%x" % offset, "svm/nested_copy.c",
                          "differs |= *(const word *)",
                          NOT_AT % offset + " differs |= *(const word *)", COPY))
MUTANTS += [
    mutant("vmrun-does-not-compare-cpl", "svm/nested_copy.c",
           "differs = copy->cpl ^ BYTE(vmcb12, cpl);", "differs = 0;", COPY),
    mutant("vmrun-does-not-copy-cpl", "svm/nested_copy.c", "copy->cpl = BYTE(vmcb12, cpl);", "",
           COPY),

    mutant("cpuid-answers-before-it-is-skipped", "kernel/exits.c",
           "if (!done(vcpu, exit)) return; cpuid_read(",
           "if (!done(vcpu, exit)) vcpu->gpr[RDX] = 0; cpuid_read(", "test_exits"),
    mutant("cpuid-any-subleaf", "kernel/cpuid.c", "&& rules[i].leaf == leaf", "", "test_exits"),
]
