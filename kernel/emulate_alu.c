// SPDX-License-Identifier: MIT
/* Results and flags of the instructions that calculate (SDM 1 3.4.3.1, SDM 2). */
#include "kernel/emulate_alu.h"
#include "kernel/emulate.h"
#include "lib/x86.h"

#define FLAGS_ZSP (RFLAGS_ZF | RFLAGS_SF | RFLAGS_PF)

static inline u64 sign_of(u32 size)
{
	return BIT(8 * size - 1);
}

static void flags_zsp(u64 *flags, u64 r, u32 size)
{
	*flags &= ~FLAGS_ZSP;
	if (!r)
		*flags |= RFLAGS_ZF;
	if (r & sign_of(size))
		*flags |= RFLAGS_SF;
	if (!__builtin_parity((u32)(r & 0xff)))
		*flags |= RFLAGS_PF;
}

/* @carries: from each bit of the sum or the difference into the next one. */
static void flags_carry(u64 *flags, u64 carries, u32 size)
{
	u64 top = sign_of(size);

	*flags &= ~(RFLAGS_CF | RFLAGS_OF | RFLAGS_AF);
	if (carries & top)
		*flags |= RFLAGS_CF;
	if (!(carries & top) != !(carries & top >> 1))
		*flags |= RFLAGS_OF;
	if (carries & 8)
		*flags |= RFLAGS_AF;
}

static u64 alu_add(u64 a, u64 b, u64 carry, u32 size, u64 *flags)
{
	u64 r = (a + b + carry) & mask_of(size);

	flags_carry(flags, (a & b) | ((a | b) & ~r), size);
	flags_zsp(flags, r, size);
	return r;
}

static u64 alu_sub(u64 a, u64 b, u64 borrow, u32 size, u64 *flags)
{
	u64 r = (a - b - borrow) & mask_of(size);

	flags_carry(flags, (~a & b) | ((~a | b) & r), size);
	flags_zsp(flags, r, size);
	return r;
}

static u64 alu_logic(u64 r, u32 size, u64 *flags)
{
	*flags &= ~RFLAGS_ARITH;
	flags_zsp(flags, r, size);
	return r;
}

/* INC and DEC leave CF alone. */
static u64 alu_step(u64 a, bool up, u32 size, u64 *flags)
{
	u64 carry = *flags & RFLAGS_CF;
	u64 r = up ? alu_add(a, 1, 0, size, flags) : alu_sub(a, 1, 0, size, flags);

	*flags = (*flags & ~RFLAGS_CF) | carry;
	return r;
}

u64 emulate_alu(u8 op, u64 a, u64 b, u32 size, u64 *flags)
{
	u64 carry = *flags & RFLAGS_CF ? 1 : 0;

	switch (op) {
	case EMU_ADD:
		return alu_add(a, b, 0, size, flags);
	case EMU_ADC:
		return alu_add(a, b, carry, size, flags);
	case EMU_SUB:
	case EMU_CMP:
		return alu_sub(a, b, 0, size, flags);
	case EMU_SBB:
		return alu_sub(a, b, carry, size, flags);
	case EMU_AND:
	case EMU_TEST:
		return alu_logic(a & b, size, flags);
	case EMU_OR:
		return alu_logic(a | b, size, flags);
	case EMU_XOR:
		return alu_logic(a ^ b, size, flags);
	case EMU_INC:
	case EMU_DEC:
		return alu_step(a, op == EMU_INC, size, flags);
	case EMU_NEG:
		return alu_sub(0, a, 0, size, flags);
	default: /* EMU_NOT, which changes no flag */
		return ~a & mask_of(size);
	}
}

u64 emulate_bit(u8 op, u64 v, u64 n, u32 size, u64 *flags)
{
	u64 bit = BIT(n & (8 * size - 1));

	*flags = (*flags & ~RFLAGS_CF) | (v & bit ? RFLAGS_CF : 0);
	switch (op) {
	case EMU_BTS:
		return v | bit;
	case EMU_BTR:
		return v & ~bit;
	case EMU_BTC:
		return v ^ bit;
	default:
		return v;
	}
}
