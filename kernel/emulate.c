// SPDX-License-Identifier: MIT
/*
 * What the instructions do (SDM 2, APM 3): operands, and the one access to memory. Nothing of the
 * processor changes before memory has.
 */
#include "kernel/emulate.h"
#include "kernel/emulate_alu.h"
#include "lib/x86.h"

/* An exchange that others keep winning is left to the guest to try again. */
#define EXCHANGE_TRIES 64

/* One instruction under way. */
struct emulation {
	const struct emulate_insn *insn;
	const struct emulate_ops *ops;
	void *ctx;
	struct emulate_cpu *cpu;
	gpa_t gpa; /* of the access that faulted */
	u64 mem;   /* what memory holds, then what it is to hold */
	u64 reg;   /* the register operand, likewise */
	u64 flags;
	bool store; /* memory changes */
};

/* --- registers --- */

static u64 reg_get(const struct emulate_cpu *cpu, u8 reg, u32 size)
{
	if (reg >= GPR_NR)
		return cpu->gpr[reg - GPR_NR] >> 8 & 0xff;
	return cpu->gpr[reg] & mask_of(size);
}

/* Writing four bytes clears those above; one and two leave them. */
static void reg_set(struct emulate_cpu *cpu, u8 reg, u32 size, u64 v)
{
	u64 mask = size == 4 ? ~0ull : mask_of(size);

	v &= mask_of(size);
	if (reg >= GPR_NR) {
		reg -= GPR_NR;
		mask = 0xff00;
		v <<= 8;
	}
	cpu->gpr[reg] = (cpu->gpr[reg] & ~mask) | v;
}

/* --- one instruction --- */

static bool op_stores(const struct emulate_insn *insn)
{
	switch (insn->op) {
	case EMU_CMP:
	case EMU_TEST:
	case EMU_BT:
		return false;
	default:
		return insn->form != EMU_RM;
	}
}

/* Memory need not be read first. */
static bool op_only_stores(const struct emulate_insn *insn)
{
	return insn->op == EMU_MOV && insn->form != EMU_RM;
}

static void compare_exchange(struct emulation *e)
{
	u32 size = e->insn->size;
	u64 accumulator = reg_get(e->cpu, RAX, size);

	emulate_alu(EMU_CMP, accumulator, e->mem, size, &e->flags);
	e->store = e->flags & RFLAGS_ZF;
	if (e->store)
		e->mem = e->reg;
	else
		e->reg = e->mem;
}

static void compare_exchange_pair(struct emulation *e)
{
	const u64 *gpr = e->cpu->gpr;

	e->reg = e->mem;
	e->store = e->mem == ((u32)gpr[RAX] | gpr[RDX] << 32);
	e->flags &= ~RFLAGS_ZF;
	if (e->store) {
		e->mem = (u32)gpr[RBX] | gpr[RCX] << 32;
		e->flags |= RFLAGS_ZF;
	}
}

/* What becomes of memory, register and flags, from what they are. */
static void compute(struct emulation *e)
{
	const struct emulate_insn *insn = e->insn;
	u64 other = insn->form == EMU_MI ? insn->imm & mask_of(insn->size) : e->reg, old = e->mem;

	e->store = op_stores(insn);
	switch (insn->op) {
	case EMU_MOV:
	case EMU_MOVZX:
		if (insn->form == EMU_RM)
			e->reg = e->mem;
		else
			e->mem = other;
		break;
	case EMU_MOVSX:
		e->reg = sign_extend(e->mem, insn->size);
		break;
	case EMU_XCHG:
		e->mem = e->reg;
		e->reg = old;
		break;
	case EMU_XADD:
		e->mem = emulate_alu(EMU_ADD, old, e->reg, insn->size, &e->flags);
		e->reg = old;
		break;
	case EMU_CMPXCHG:
		compare_exchange(e);
		break;
	case EMU_CMPXCHG8B:
		compare_exchange_pair(e);
		break;
	case EMU_BT:
	case EMU_BTS:
	case EMU_BTR:
	case EMU_BTC:
		e->mem = emulate_bit(insn->op, old, other, insn->size, &e->flags);
		break;
	default:
		if (insn->form == EMU_RM)
			e->reg = emulate_alu(insn->op, e->reg, old, insn->size, &e->flags);
		else
			e->mem = emulate_alu(insn->op, old, other, insn->size, &e->flags);
	}
}

/* Registers and flags, once memory has changed. */
static void commit(const struct emulation *e)
{
	const struct emulate_insn *insn = e->insn;
	struct emulate_cpu *cpu = e->cpu;

	cpu->rflags = e->flags;
	switch (insn->op) {
	case EMU_CMP:
	case EMU_TEST:
		return;
	case EMU_CMPXCHG:
		if (!e->store)
			reg_set(cpu, RAX, insn->size, e->reg);
		return;
	case EMU_CMPXCHG8B:
		if (!e->store) {
			reg_set(cpu, RAX, 4, e->reg);
			reg_set(cpu, RDX, 4, e->reg >> 32);
		}
		return;
	case EMU_XCHG:
	case EMU_XADD:
		break;
	default:
		if (insn->form != EMU_RM)
			return;
	}
	reg_set(cpu, insn->reg, insn->reg_size, e->reg);
}

static bool aligned(const struct emulation *e)
{
	return IS_ALIGNED(e->gpa.v, (u64)e->insn->size);
}

/*
 * Reads, computes and stores in one exchange. XCHG locks by itself. What lies across words needs
 * several accesses, and only without LOCK may they be that.
 */
static int read_modify_write(struct emulation *e)
{
	const struct emulate_insn *insn = e->insn;
	u64 old, reg = e->reg, flags = e->flags;
	int err;

	if (!aligned(e) && (insn->lock || insn->op == EMU_XCHG))
		return -EINVAL;
	for (int tries = 0; tries < EXCHANGE_TRIES; tries++) {
		err = e->ops->read(e->ctx, e->gpa, &old, insn->size);
		if (err)
			return err;
		e->mem = old;
		e->reg = reg;
		e->flags = flags;
		compute(e);
		if (!e->store)
			return 0;
		if (!aligned(e))
			return e->ops->write(e->ctx, e->gpa, e->mem, insn->size);
		err = e->ops->cmpxchg(e->ctx, e->gpa, old, e->mem, insn->size);
		if (err != -EAGAIN)
			return err;
	}
	return -EAGAIN;
}

/* --- addresses --- */

static u64 effective_address(const struct emulate_cpu *cpu, const struct emulate_insn *insn)
{
	u64 a = (u64)insn->disp;

	if (insn->base != EMU_NO_REG)
		a += cpu->gpr[insn->base];
	if (insn->index != EMU_NO_REG)
		a += cpu->gpr[insn->index] << insn->scale;
	if (insn->rip_relative)
		a += cpu->rip + insn->length;
	/* A bit number in a register goes beyond the operand, to both sides. */
	if (insn->op >= EMU_BT && insn->op <= EMU_BTC && insn->form == EMU_MR) {
		s64 n = (s64)sign_extend(reg_get(cpu, insn->reg, insn->size), insn->size);
		u32 shift = (u32)__builtin_ctz(8u * insn->size);

		a += (u64)(n >> shift) * insn->size;
	}
	return a & mask_of(insn->address_size);
}

static u64 linear_address(const struct emulate_cpu *cpu, u8 seg, u64 effective)
{
	u64 linear = cpu->base[seg] + effective;

	return cpu->bits == 64 ? linear : (u32)linear;
}

/* Is an access of @size bytes at @linear within one page, and may it be the one to @gpa? */
static bool same_place(u64 linear, gpa_t gpa, u32 size)
{
	return linear % PAGE_SIZE == gpa.v % PAGE_SIZE && linear % PAGE_SIZE + size <= PAGE_SIZE;
}

/* --- string instructions, one step --- */

static void string_move(struct emulate_cpu *cpu, const struct emulate_insn *insn, u8 reg)
{
	u64 step = cpu->rflags & RFLAGS_DF ? -(u64)insn->size : insn->size;

	reg_set(cpu, reg, insn->address_size, reg_get(cpu, reg, insn->address_size) + step);
}

/* Where @e's operand at SEG:[@reg] is: @here when it is what faulted, else by translation. */
static int string_operand(struct emulation *e, u8 seg, u8 reg, bool write, bool here, gpa_t *gpa)
{
	const struct emulate_insn *insn = e->insn;
	u64 linear = linear_address(e->cpu, seg, reg_get(e->cpu, reg, insn->address_size));

	*gpa = e->gpa;
	if (here)
		return same_place(linear, e->gpa, insn->size) ? 0 : -EINVAL;
	if (linear % PAGE_SIZE + insn->size > PAGE_SIZE)
		return -EINVAL;
	return e->ops->translate(e->ctx, linear, write, gpa);
}

static int string_step(struct emulation *e, bool write)
{
	const struct emulate_insn *insn = e->insn;
	u64 value = reg_get(e->cpu, RAX, insn->size);
	gpa_t from, to;
	int err = 0;

	if (write ? insn->op == EMU_LODS : insn->op == EMU_STOS)
		return -EINVAL;
	if (insn->op != EMU_LODS)
		err = string_operand(e, SEG_ES, RDI, true, write, &to);
	if (!err && insn->op != EMU_STOS) {
		err = string_operand(e, insn->seg, RSI, false, !write, &from);
		if (!err)
			err = e->ops->read(e->ctx, from, &value, insn->size);
	}
	if (!err && insn->op != EMU_LODS)
		err = e->ops->write(e->ctx, to, value, insn->size);
	if (err)
		return err;
	if (insn->op == EMU_LODS)
		reg_set(e->cpu, RAX, insn->size, value);
	else
		string_move(e->cpu, insn, RDI);
	if (insn->op != EMU_STOS)
		string_move(e->cpu, insn, RSI);
	return 0;
}

static int string_insn(struct emulation *e, bool write)
{
	const struct emulate_insn *insn = e->insn;
	u64 count = reg_get(e->cpu, RCX, insn->address_size);
	int err;

	if (insn->rep && !count)
		return 0;
	err = string_step(e, write);
	if (err || !insn->rep)
		return err;
	reg_set(e->cpu, RCX, insn->address_size, count - 1);
	return count > 1 ? EMU_AGAIN : 0;
}

int emulate(struct emulate_cpu *cpu, const struct emulate_insn *insn, gpa_t gpa, bool write,
	    const struct emulate_ops *ops, void *ctx)
{
	struct emulation e = {
		.insn = insn, .ops = ops, .ctx = ctx, .cpu = cpu, .gpa = gpa, .flags = cpu->rflags};
	int err;

	if (insn->op >= EMU_MOVS)
		return string_insn(&e, write);
	if (!same_place(linear_address(cpu, insn->seg, effective_address(cpu, insn)), gpa,
			insn->size))
		return -EINVAL;
	if (write && !op_stores(insn))
		return -EINVAL;
	if (insn->form == EMU_MR || insn->form == EMU_RM)
		e.reg = reg_get(cpu, insn->reg, insn->reg_size);
	if (op_only_stores(insn)) {
		compute(&e);
		err = ops->write(ctx, gpa, e.mem, insn->size);
	} else {
		err = read_modify_write(&e);
	}
	if (!err)
		commit(&e);
	return err;
}
