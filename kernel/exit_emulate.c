// SPDX-License-Identifier: MIT
/*
 * The emulator's processor and memory are the vCPU's: bytes, segments and addresses from the
 * vendor, memory through mmu/guest_mem.h, so that writes are logged and tracked. Where there is no
 * memory a device may answer; else reads give all ones and writes vanish.
 */
#include "kernel/emulate.h"
#include "kernel/exits.h"
#include "kernel/trace.h"
#include "kernel/vendor.h"
#include "kernel/vm.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"

static struct mmu *mmu_of(void *vcpu)
{
	return &((struct vcpu *)vcpu)->vm->mmu;
}

/* Nobody's, or a device's. */
static void read_outside(struct vcpu *vcpu, gpa_t gpa, u64 *value, u32 len)
{
	const struct mmio_device *d = vm_find_mmio(vcpu->vm, gpa);
	u64 v = d ? d->read(d->dev, vcpu, gpa.v - d->base, len) : ~0ull;

	*value = v & ~0ull >> (64 - 8 * len);
}

static void write_outside(struct vcpu *vcpu, gpa_t gpa, u64 value, u32 len)
{
	const struct mmio_device *d = vm_find_mmio(vcpu->vm, gpa);

	if (d)
		d->write(d->dev, vcpu, gpa.v - d->base, len, value);
}

static int mem_read(void *ctx, gpa_t gpa, u64 *value, u32 len)
{
	int err;

	*value = 0;
	if (IS_ALIGNED(gpa.v, (u64)len))
		err = guest_read_entry(mmu_of(ctx), gpa, value, (int)len);
	else
		err = guest_read(mmu_of(ctx), gpa, value, len);
	if (err)
		read_outside(ctx, gpa, value, len);
	return 0;
}

static int mem_write(void *ctx, gpa_t gpa, u64 value, u32 len)
{
	int err;

	if (IS_ALIGNED(gpa.v, (u64)len))
		err = guest_write_entry(mmu_of(ctx), gpa, value, (int)len);
	else
		err = guest_write(mmu_of(ctx), gpa, &value, len);
	if (err != -EFAULT)
		return err;
	write_outside(ctx, gpa, value, len);
	return 0;
}

/* To registers of devices this is two accesses, as on a bus that knows no lock. */
static int mem_cmpxchg(void *ctx, gpa_t gpa, u64 old, u64 new, u32 len)
{
	int err = guest_cmpxchg(mmu_of(ctx), gpa, old, new, (int)len);

	if (err != -EFAULT)
		return err;
	write_outside(ctx, gpa, new, len);
	return 0;
}

static int mem_translate(void *ctx, u64 linear, bool write, gpa_t *gpa)
{
	int err = vendor->translate(ctx, linear, write, gpa);

	/* Then the instruction's own fault is for L2 to take. */
	return err == -EAGAIN ? -EINVAL : err;
}

static const struct emulate_ops mem_ops = {mem_read, mem_write, mem_cmpxchg, mem_translate};

/* Not the operand's, but a fetch's, the page walker's or that of an event's delivery. */
static bool fault_is_elsewhere(const struct vcpu *vcpu, u64 error)
{
	return (error & (PFERR_I | PFERR_TABLE)) ||
	       (vcpu->pending.type != EVENT_NONE && vcpu->pending.in_delivery);
}

static int fetch(struct vcpu *vcpu, struct emulate_insn *insn, u8 bits, u8 *code, u32 *have)
{
	int err;

	do {
		err = vendor->fetch_insn(vcpu, code, have);
		if (err)
			return err == -EAGAIN ? -EINVAL : err;
		err = emulate_decode(insn, code, *have, bits);
	} while (err == -EAGAIN);
	return err;
}

/* RIP moves on, or stays where a string instruction has more to do; a trap comes after each step.
 */
static void finish(struct vcpu *vcpu, const struct vm_exit *exit, u8 length, bool again)
{
	u64 rip = vcpu->rip, resume = vcpu->rflags & RFLAGS_RF;
	struct vm_exit done = *exit;

	done.insn_len = length;
	if (vendor->skip(vcpu, &done))
		return;
	if (again) {
		vcpu->rip = rip;
		vcpu->rflags |= resume;
	}
}

static int carry_out(struct vcpu *vcpu, const struct vm_exit *exit, gpa_t gpa, u8 *code, u32 *have)
{
	struct emulate_cpu cpu = {.rip = vcpu->rip, .rflags = vcpu->rflags};
	struct emulate_insn insn = {0};
	int r;

	cpu.bits = vendor->segment_bases(vcpu, cpu.base);
	memcpy(cpu.gpr, vcpu->gpr, sizeof(cpu.gpr));
	r = fetch(vcpu, &insn, cpu.bits, code, have);
	if (!r)
		r = emulate(&cpu, &insn, gpa, exit->fault.error & PFERR_W, &mem_ops, vcpu);
	if (r < 0)
		return r;
	memcpy(vcpu->gpr, cpu.gpr, sizeof(cpu.gpr));
	vcpu->rflags = cpu.rflags;
	finish(vcpu, exit, insn.length, r == EMU_AGAIN);
	mmu_stat_add(&vcpu->vm->mmu.stats.pf_emulate, 1);
	return 0;
}

int exit_emulate(struct vcpu *vcpu, const struct vm_exit *exit, gpa_t gpa,
		 char code[CODE_TEXT_SIZE])
{
	u8 bytes[INSN_MAX_LENGTH];
	u32 have = 0;
	u64 rip = vcpu->rip;
	int r = -EINVAL, n = 0;

	if (!fault_is_elsewhere(vcpu, exit->fault.error))
		r = carry_out(vcpu, exit, gpa, bytes, &have);
	trace(emulate, gpa.v, exit->fault.error, rip, (u64)(s64)r);
	code[0] = '\0';
	if (r != -EINVAL)
		return 0;
	for (u32 i = 0; i < have; i++)
		n += snprintf(code + n, (size_t)(CODE_TEXT_SIZE - n), i ? " %02x" : ": %02x",
			      bytes[i]);
	return -EINVAL;
}
