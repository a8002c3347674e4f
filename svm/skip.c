// SPDX-License-Identifier: MIT
/*
 * Moving past an instruction. Processors without NRIPS do not say how long it was: its bytes are
 * read through the guest's own page tables, prefixes are counted and the opcode is verified.
 */
#include "lib/string.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "svm/svm.h"

#define INSN_MAX 15
#define DR6_BS	 BIT(14)

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

static bool code_is_64bit(const struct svm_vcpu *svm)
{
	const struct vmcb_save *s = &svm->vmcb->save;

	return s->efer & EFER_LMA && s->cs.attrib & VMCB_SEG_L;
}

/*
 * Reads @len bytes of code at RIP, which lie within one page. 0; -EFAULT with #PF queued; -EAGAIN
 * when L1's tables no longer map them: entered again, L2 takes a #NPF there.
 */
static int fetch_in_page(struct svm_vcpu *svm, u64 linear, u8 *buf, size_t len)
{
	u32 access = ACC_READ | ACC_EXEC | (svm->vmcb->save.cpl == 3 ? ACC_USER : 0);
	struct pt_walk w;

	if (svm_translate(svm, linear, access, &w)) {
		if (w.nested_fault)
			return -EAGAIN;
		svm->vmcb->save.cr2 = linear;
		svm_queue_exception(svm, EXC_PF, true, w.error);
		return -EFAULT;
	}
	return guest_read(svm_mmu(svm), w.gpa, buf, len) ? -EAGAIN : 0;
}

/* @buf holds the bytes from RIP on; *@have how many. Fetches up to the end of the next page. */
static int fetch_more(struct svm_vcpu *svm, u8 *buf, u32 *have)
{
	bool wide = code_is_64bit(svm);
	u64 linear = svm->vcpu.rip + (wide ? 0 : svm->vmcb->save.cs.base) + *have;
	u32 len;
	int err;

	if (!wide)
		linear = (u32)linear;
	len = MIN((u32)(PAGE_SIZE - linear % PAGE_SIZE), INSN_MAX - *have);
	err = fetch_in_page(svm, linear, buf + *have, len);
	if (!err)
		*have += len;
	return err;
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

/* RDMSR and WRMSR share an exit code. */
static struct opcode opcode_of(const struct vm_exit *exit)
{
	if (exit->code == SVM_EXIT_MSR)
		return (struct opcode){2, {0x0f, exit->msr.write ? 0x30 : 0x32}};
	if (exit->code < ARRAY_SIZE(opcodes))
		return opcodes[exit->code];
	return (struct opcode){0};
}

/* The length in bytes, or as for fetch_in_page(). Something else there by now: #UD. */
static int find_length(struct svm_vcpu *svm, const struct vm_exit *exit)
{
	struct opcode op = opcode_of(exit);
	bool wide = code_is_64bit(svm);
	u32 at = 0, have = 0;
	u8 buf[INSN_MAX];
	int err = fetch_more(svm, buf, &have);

	if (err)
		return err;
	for (;;) {
		while (at < have && is_prefix(buf[at], wide))
			at++;
		if (at + op.length <= have || have == INSN_MAX)
			break;
		err = fetch_more(svm, buf, &have);
		if (err)
			return err;
	}
	if (op.length && at + op.length <= have && !memcmp(buf + at, op.bytes, op.length))
		return (int)(at + op.length);
	svm_queue_exception(svm, EXC_UD, false, 0);
	return -EFAULT;
}

/* RIP moves; the shadow of STI ends with the instruction that it covered; TF traps after it. */
static void advance(struct svm_vcpu *svm, u64 len)
{
	struct vcpu *vcpu = &svm->vcpu;

	vcpu->rip += len;
	if (!code_is_64bit(svm))
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

		len = next <= INSN_MAX ? (int)next : 0;
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
	u8 buf[INSN_MAX];
	struct vcpu_event pending = svm->vcpu.pending;

	if (fetch_more(svm, buf, &have)) {
		svm->vcpu.pending = pending;
		return false;
	}
	while (at < have && is_prefix(buf[at], code_is_64bit(svm)))
		at++;
	if (at + 3 > have || buf[at] != 0x0f || buf[at + 1] != 0x22)
		return false;
	return (buf[at + 2] >> 3 & 7) == 3 || (buf[at + 2] >> 3 & 7) == 4;
}
