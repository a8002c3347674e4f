// SPDX-License-Identifier: MIT
/*
 * Moving past an instruction. Processors without NRIPS do not say how long it was: its bytes are
 * read through the guest's own page tables, prefixes are counted and the opcode is verified.
 */
#include "lib/x86.h"
#include "svm/svm.h"

#define DR6_BS BIT(14)

/* The bytes, the first one lowest, and how many they are. */
struct opcode {
	u32 bytes, length;
};

static const struct opcode opcodes[256] = {
	[SVM_EXIT_RDTSC] = {0x310f, 2},	    [SVM_EXIT_RDPMC] = {0x330f, 2},
	[SVM_EXIT_CPUID] = {0xa20f, 2},	    [SVM_EXIT_INVD] = {0x080f, 2},
	[SVM_EXIT_PAUSE] = {0x90, 1},	    [SVM_EXIT_HLT] = {0xf4, 1},
	[SVM_EXIT_INVLPGA] = {0xdf010f, 3}, [SVM_EXIT_VMRUN] = {0xd8010f, 3},
	[SVM_EXIT_VMMCALL] = {0xd9010f, 3}, [SVM_EXIT_VMLOAD] = {0xda010f, 3},
	[SVM_EXIT_VMSAVE] = {0xdb010f, 3},  [SVM_EXIT_STGI] = {0xdc010f, 3},
	[SVM_EXIT_CLGI] = {0xdd010f, 3},    [SVM_EXIT_SKINIT] = {0xde010f, 3},
	[SVM_EXIT_RDTSCP] = {0xf9010f, 3},  [SVM_EXIT_WBINVD] = {0x090f, 2},
	[SVM_EXIT_MONITOR] = {0xc8010f, 3}, [SVM_EXIT_MWAIT] = {0xc9010f, 3},
	[SVM_EXIT_XSETBV] = {0xd1010f, 3},
};
/* RDMSR and WRMSR share an exit code. */
static const struct opcode rdmsr_opcode = {0x320f, 2}, wrmsr_opcode = {0x300f, 2};

static const struct opcode *opcode_of(const struct vm_exit *exit)
{
	if (unlikely(exit->code == SVM_EXIT_MSR))
		return exit->msr.write ? &wrmsr_opcode : &rdmsr_opcode;
	return exit->code < ARRAY_SIZE(opcodes) ? &opcodes[exit->code] : &opcodes[0];
}

static bool opcode_is(const struct opcode *op, const u8 *code)
{
	for (u32 i = 0; i < op->length; i++) {
		if (code[i] != (u8)(op->bytes >> 8 * i))
			return false;
	}
	return op->length;
}

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

/* The length in bytes, or as for svm_fetch(). Something else there by now: #UD. */
static int read_length(struct svm_vcpu *svm, const struct opcode *op)
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
		if (at + op->length <= have || have == SVM_INSN_MAX)
			break;
		err = svm_fetch(svm, buf, &have);
		if (err)
			return err;
	}
	if (at + op->length <= have && opcode_is(op, buf + at))
		return (int)(at + op->length);
	svm_queue_exception(svm, EXC_UD, false, 0);
	return -EFAULT;
}

/* Nearly always there are no prefixes, and the page was read before. */
static int find_length(struct svm_vcpu *svm, const struct vm_exit *exit)
{
	const struct opcode *op = opcode_of(exit);
	const u8 *code = svm_code_at_rip(svm, sizeof(u32));
	u32 word;

	if (likely(code)) {
		__builtin_memcpy(&word, code, sizeof(word));
		if (op->length && !((word ^ op->bytes) << (32 - 8 * op->length)))
			return (int)op->length;
	}
	return read_length(svm, op);
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
