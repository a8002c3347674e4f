// SPDX-License-Identifier: MIT
/*
 * Moving past an instruction. Processors without NRIPS do not say how long it was: its bytes are
 * read through the guest's own page tables, prefixes are counted and the opcode is verified.
 */
#include "kernel/trace.h"
#include "lib/x86.h"
#include "svm/svm.h"

#define DR6_BS BIT(14)

/* The bytes, the first one lowest, and how many they are: 0 where no instruction is known. */
struct opcode {
	u32 bytes, mask, length;
};

#define OPCODE1(bytes)           \
	{                        \
		(bytes), 0xff, 1 \
	}
#define OPCODE2(bytes)             \
	{                          \
		(bytes), 0xffff, 2 \
	}
#define OPCODE3(bytes)               \
	{                            \
		(bytes), 0xffffff, 3 \
	}

static const struct opcode opcodes[256] = {
	[SVM_EXIT_RDTSC] = OPCODE2(0x310f),	[SVM_EXIT_RDPMC] = OPCODE2(0x330f),
	[SVM_EXIT_CPUID] = OPCODE2(0xa20f),	[SVM_EXIT_INVD] = OPCODE2(0x080f),
	[SVM_EXIT_PAUSE] = OPCODE1(0x90),	[SVM_EXIT_HLT] = OPCODE1(0xf4),
	[SVM_EXIT_INVLPGA] = OPCODE3(0xdf010f), [SVM_EXIT_VMRUN] = OPCODE3(0xd8010f),
	[SVM_EXIT_VMMCALL] = OPCODE3(0xd9010f), [SVM_EXIT_VMLOAD] = OPCODE3(0xda010f),
	[SVM_EXIT_VMSAVE] = OPCODE3(0xdb010f),	[SVM_EXIT_STGI] = OPCODE3(0xdc010f),
	[SVM_EXIT_CLGI] = OPCODE3(0xdd010f),	[SVM_EXIT_SKINIT] = OPCODE3(0xde010f),
	[SVM_EXIT_RDTSCP] = OPCODE3(0xf9010f),	[SVM_EXIT_WBINVD] = OPCODE2(0x090f),
	[SVM_EXIT_MONITOR] = OPCODE3(0xc8010f), [SVM_EXIT_MWAIT] = OPCODE3(0xc9010f),
	[SVM_EXIT_XSETBV] = OPCODE3(0xd1010f),
};
/* RDMSR and WRMSR share an exit code. */
static const struct opcode rdmsr_opcode = OPCODE2(0x320f), wrmsr_opcode = OPCODE2(0x300f);

static const struct opcode *opcode_of(const struct vm_exit *exit)
{
	if (unlikely(exit->code == SVM_EXIT_MSR))
		return exit->msr.write ? &wrmsr_opcode : &rdmsr_opcode;
	return exit->code < ARRAY_SIZE(opcodes) ? &opcodes[exit->code] : &opcodes[0];
}

/* @code: four bytes or more. */
static inline bool opcode_is(const struct opcode *op, const u8 *code)
{
	u32 word;

	__builtin_memcpy(&word, code, sizeof(word));
	return !((word ^ op->bytes) & op->mask) && op->length;
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
static __rare int read_length(struct svm_vcpu *svm, const struct opcode *op)
{
	bool wide = svm_code_is_64bit(svm);
	u32 at = 0, have = 0;
	u8 buf[SVM_INSN_MAX + sizeof(u32)] = {0};
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

static __rare void trap(struct svm_vcpu *svm)
{
	svm->vmcb->save.dr6 |= DR6_BS;
	svm_queue_exception(svm, EXC_DB, false, 0);
}

/* RIP moves; the shadow of STI ends with the instruction that it covered; TF traps after it. */
static inline int advance(struct svm_vcpu *svm, u64 len, bool wide)
{
	struct vcpu *vcpu = &svm->vcpu;

	vcpu->rip += len;
	if (!wide)
		vcpu->rip = (u32)vcpu->rip;
	svm->vmcb->control.int_state &= ~(u64)SVM_INTERRUPT_SHADOW;
	vcpu->rflags &= ~RFLAGS_RF;
	if (unlikely(vcpu->rflags & RFLAGS_TF))
		trap(svm);
	return 0;
}

/* Prefixes, a page that was not read before, code that is not 64-bit. */
static __rare int skip_slowly(struct svm_vcpu *svm, const struct vm_exit *exit)
{
	const struct opcode *op = opcode_of(exit);
	const u8 *code = svm_code_at(svm, svm_linear_rip(svm), svm->vcpu.guest_mode);
	int len = code && opcode_is(op, code) ? (int)op->length : read_length(svm, op);

	if (len > 0)
		return advance(svm, (u64)len, svm_code_is_64bit(svm));
	trace(skip_failed, svm->vcpu.rip, exit->kind, exit->code, 0);
	return -EFAULT;
}

/* By the decoder's word, or the processor's if that makes sense. */
static __noinline int skip_told(struct svm_vcpu *svm, const struct vm_exit *exit)
{
	u64 len = exit->insn_len;

	if (!len)
		len = svm->vmcb->control.next_rip - svm->vcpu.rip;
	if (unlikely(!len || len > SVM_INSN_MAX))
		return skip_slowly(svm, exit);
	return advance(svm, len, svm_code_is_64bit(svm));
}

/* Nearly always there are no prefixes, and the page was read before. */
static inline int skip_read(struct svm_vcpu *svm, const struct vm_exit *exit, bool l2)
{
	const struct opcode *op = &opcodes[(u8)exit->code];
	const u8 *code = NULL;

	if (svm->vmcb->save.cs.attrib & VMCB_SEG_L)
		code = svm_code_at(svm, svm->vcpu.rip, l2);
	if (unlikely(!code) || unlikely(!opcode_is(op, code)))
		return skip_slowly(svm, exit);
	return advance(svm, op->length, true);
}

static __noinline int skip_read_l2(struct svm_vcpu *svm, const struct vm_exit *exit)
{
	return skip_read(svm, exit, true);
}

int svm_skip(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (exit->insn_len || svm_host.features & SVM_FEATURE_NRIPS)
		return skip_told(svm, exit);
	if (vcpu->guest_mode)
		return skip_read_l2(svm, exit);
	return skip_read(svm, exit, false);
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
