// SPDX-License-Identifier: MIT
/*
 * Moving past an instruction. Processors without NRIPS do not say how long it was: its bytes are
 * read through the guest's own page tables, prefixes are counted and the opcode is verified.
 */
#include "lib/string.h"
#include "lib/x86.h"
#include "svm/svm.h"

#define DR6_BS BIT(14)

struct opcode {
	u8 length;
	u8 bytes[3];
};

static const struct opcode opcodes[256] = {
	[SVM_EXIT_RDTSC] = {2, {0x0f, 0x31}},
	[SVM_EXIT_RDPMC] = {2, {0x0f, 0x33}},
	[SVM_EXIT_CPUID] = {2, {0x0f, 0xa2}},
	[SVM_EXIT_INVD] = {2, {0x0f, 0x08}},
	[SVM_EXIT_PAUSE] = {1, {0x90}},
	[SVM_EXIT_HLT] = {1, {0xf4}},
	[SVM_EXIT_INVLPGA] = {3, {0x0f, 0x01, 0xdf}},
	[SVM_EXIT_VMRUN] = {3, {0x0f, 0x01, 0xd8}},
	[SVM_EXIT_VMMCALL] = {3, {0x0f, 0x01, 0xd9}},
	[SVM_EXIT_VMLOAD] = {3, {0x0f, 0x01, 0xda}},
	[SVM_EXIT_VMSAVE] = {3, {0x0f, 0x01, 0xdb}},
	[SVM_EXIT_STGI] = {3, {0x0f, 0x01, 0xdc}},
	[SVM_EXIT_CLGI] = {3, {0x0f, 0x01, 0xdd}},
	[SVM_EXIT_SKINIT] = {3, {0x0f, 0x01, 0xde}},
	[SVM_EXIT_RDTSCP] = {3, {0x0f, 0x01, 0xf9}},
	[SVM_EXIT_WBINVD] = {2, {0x0f, 0x09}},
	[SVM_EXIT_MONITOR] = {3, {0x0f, 0x01, 0xc8}},
	[SVM_EXIT_MWAIT] = {3, {0x0f, 0x01, 0xc9}},
	[SVM_EXIT_XSETBV] = {3, {0x0f, 0x01, 0xd1}},
};

static bool is_prefix(u8 byte, bool wide)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66:
	case 0x67:
	case 0xf0:
	case 0xf2:
	case 0xf3:
		return true;
	}
	return wide && (byte & 0xf0) == 0x40;
}

/* RDMSR and WRMSR share an exit code. */
static struct opcode opcode_of(const struct vm_exit *exit)
{
	if (exit->code == SVM_EXIT_MSR)
		return (struct opcode){2, {0x0f, exit->msr.write ? 0x30 : 0x32}};
	if (exit->code < ARRAY_SIZE(opcodes))
		return opcodes[exit->code];
	return (struct opcode){0};
}

/* The length in bytes, or as for svm_fetch(). Something else there by now: #UD. */
static int read_length(struct svm_vcpu *svm, struct opcode op)
{
	bool wide = svm_code_is_64bit(svm);
	u32 at = 0, have = 0;
	u8 buf[SVM_INSN_MAX];
	int err = svm_fetch(svm, buf, &have);

	if (err)
		return err;
	for (;;) {
		while (at < have && is_prefix(buf[at], wide))
			at++;
		if (at + op.length <= have || have == SVM_INSN_MAX)
			break;
		err = svm_fetch(svm, buf, &have);
		if (err)
			return err;
	}
	if (op.length && at + op.length <= have && !memcmp(buf + at, op.bytes, op.length))
		return (int)(at + op.length);
	svm_queue_exception(svm, EXC_UD, false, 0);
	return -EFAULT;
}

/* Nearly always there are no prefixes, and the page was read before. */
static int find_length(struct svm_vcpu *svm, const struct vm_exit *exit)
{
	struct opcode op = opcode_of(exit);
	const u8 *code = svm_code_at_rip(svm, sizeof(op.bytes));

	for (u32 i = 0; code && i < op.length; i++) {
		if (code[i] != op.bytes[i])
			code = NULL;
	}
	return code && op.length ? op.length : read_length(svm, op);
}

/* RIP moves; the shadow of STI ends with the instruction that it covered; TF traps after it. */
static void advance(struct svm_vcpu *svm, u64 len)
{
	struct vcpu *vcpu = &svm->vcpu;

	vcpu->rip += len;
	if (!svm_code_is_64bit(svm))
		vcpu->rip = (u32)vcpu->rip;
	svm->vmcb->control.int_state &= ~(u64)SVM_INTERRUPT_SHADOW;
	vcpu->rflags &= ~RFLAGS_RF;
	if (unlikely(vcpu->rflags & RFLAGS_TF)) {
		svm->vmcb->save.dr6 |= DR6_BS;
		svm_queue_exception(svm, EXC_DB, false, 0);
	}
}

int svm_skip(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	int len = (int)exit->insn_len;

	if (!len && svm_host.features & SVM_FEATURE_NRIPS) {
		u64 next = svm->vmcb->control.next_rip - vcpu->rip;

		len = next <= SVM_INSN_MAX ? (int)next : 0;
	}
	if (!len)
		len = find_length(svm, exit);
	if (len < 0)
		return -EFAULT;
	advance(svm, (u64)len);
	return 0;
}

bool svm_at_mov_to_cr(struct svm_vcpu *svm)
{
	u32 at = 0, have = 0;
	u8 buf[SVM_INSN_MAX];
	struct vcpu_event pending = svm->vcpu.pending;

	if (svm_fetch(svm, buf, &have)) {
		svm->vcpu.pending = pending;
		return false;
	}
	while (at < have && is_prefix(buf[at], svm_code_is_64bit(svm)))
		at++;
	if (at + 3 > have || buf[at] != 0x0f || buf[at + 1] != 0x22)
		return false;
	return (buf[at + 2] >> 3 & 7) == 3 || (buf[at + 2] >> 3 & 7) == 4;
}
