# SPDX-License-Identifier: MIT
"""VMRUN's checks and the nested state's way through a migration, line by line."""

CHECKS = "test_nested_check"
STATE = "test_svm_nested_state test_svm_vmload test_vm_state"
REGISTERS = "test_svm_state"
ASID = "test_svm_asid"

MUTANTS = []
# Each check, each correction, each field: left out.
MUTANTS += each("vmrun-unchecked", "svm/nested_check.c", r"REFUSE\(([^;]*?), (\"[^\"]*\")\);",
                r"REFUSE(false && (\1), \2);", CHECKS)
MUTANTS += each("vmrun-unchecked", "svm/nested_check.c", r"^\treturn \"([^\"]*)\";",
                "\treturn NULL;", CHECKS)
MUTANTS += each("vmrun-not-normalised", "svm/nested_check.c", r"^\t+(s->\w+) [|&]?= ([^;]*);",
                r"(void)(\2);", "test_svm_normalise", begin="void svm_normalise_registers", name=1)
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
]
