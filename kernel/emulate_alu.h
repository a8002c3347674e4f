/* SPDX-License-Identifier: MIT */
/* Arithmetic as the processor does it, on operands of 1, 2, 4 or 8 bytes. */
#pragma once

#include "lib/types.h"

static inline u64 mask_of(u32 size)
{
	return ~0ull >> (64 - 8 * size);
}

static inline u64 sign_extend(u64 v, u32 size)
{
	u32 unused = 64 - 8 * size;

	return (u64)((s64)(v << unused) >> unused);
}

/*
 * @op is one of emulate_op from EMU_ADD to EMU_NEG; @a and @b have no bits beyond @size bytes, nor
 * has the result. EMU_CMP and EMU_TEST give the difference and the conjunction that they test.
 * @flags' bits are set and cleared.
 */
u64 emulate_alu(u8 op, u64 a, u64 b, u32 size, u64 *flags);
/* EMU_BT to EMU_BTC on bit @n of @v, modulo its width. */
u64 emulate_bit(u8 op, u64 v, u64 n, u32 size, u64 *flags);
