/* SPDX-License-Identifier: MIT */
/*
 * Patterns in the FPU and debug registers. Nothing here uses floating point, and the world switch
 * leaves these registers alone, so L1 and L2 each own some of them all the time: L1 has the upper
 * half of the XMM registers, DR0 and DR1; L2 has the lower half, ST0, DR2 and DR3. Whoever swaps
 * them between machines or moves them to another must bring back both.
 */
#pragma once

#include "guests/cpu.h"

#define FPU_SET(n, v)                                                      \
	({                                                                 \
		u64 x_ = (v) + (n);                                        \
		asm volatile("movq %0, %%xmm" #n "\n\tpunpcklqdq %%xmm" #n \
			     ", %%xmm" #n ::"m"(x_));                      \
	})

#define FPU_HOLDS(n, v)                                            \
	({                                                         \
		u64 x_[2];                                         \
		asm volatile("movdqu %%xmm" #n ", %0" : "=m"(x_)); \
		x_[0] == (v) + (n) && x_[1] == (v) + (n);          \
	})

/* @op of each register of one half, with @sep in between. */
#ifdef __x86_64__
#define FPU_L1_HALF(op, sep, v) \
	op(8, v) sep op(9, v)   \
	sep op(10, v)           \
	sep op(11, v)           \
	sep op(12, v)           \
	sep op(13, v)           \
	sep op(14, v)           \
	sep op(15, v)
#define FPU_L2_HALF(op, sep, v) \
	op(0, v) sep op(1, v)   \
	sep op(2, v)            \
	sep op(3, v)            \
	sep op(4, v)            \
	sep op(5, v)            \
	sep op(6, v)            \
	sep op(7, v)
#else
#define FPU_L1_HALF(op, sep, v) \
	op(4, v) sep op(5, v)   \
	sep op(6, v)            \
	sep op(7, v)
#define FPU_L2_HALF(op, sep, v) \
	op(0, v) sep op(1, v)   \
	sep op(2, v)            \
	sep op(3, v)
#endif

/* Only execute breakpoints on addresses that nobody runs, and DR7 enables none of them. */
#define FPU_DEBUG_ADDRESS(v, n) (((v) + (n)) & 0xffffffff)

static inline void fpu_set_l1(u64 v)
{
	FPU_L1_HALF(FPU_SET, ;, v);
	write_dr0(FPU_DEBUG_ADDRESS(v, 0));
	write_dr1(FPU_DEBUG_ADDRESS(v, 1));
}

/* NULL, or which register does not hold what fpu_set_l1(@v) put there. */
static inline const char *fpu_check_l1(u64 v)
{
	if (!(FPU_L1_HALF(FPU_HOLDS, &&, v)))
		return "upper half of the XMM registers";
	if (read_dr0() != FPU_DEBUG_ADDRESS(v, 0) || read_dr1() != FPU_DEBUG_ADDRESS(v, 1))
		return "DR0-1";
	return NULL;
}

static inline void fpu_set_l2(u64 v)
{
	u32 mxcsr = 0x1f80 | (v & 3) << 13; /* all masked; the rounding mode is the pattern's */

	FPU_L2_HALF(FPU_SET, ;, v);
	asm volatile("fninit\n\tfildll %0\n\tldmxcsr %1" ::"m"(v), "m"(mxcsr));
	write_dr2(FPU_DEBUG_ADDRESS(v, 2));
	write_dr3(FPU_DEBUG_ADDRESS(v, 3));
}

static inline const char *fpu_check_l2(u64 v)
{
	u64 st0;
	u32 mxcsr;

	if (!(FPU_L2_HALF(FPU_HOLDS, &&, v)))
		return "lower half of the XMM registers";
	asm volatile("fistpll %0\n\tfildll %0\n\tstmxcsr %1" : "=m"(st0), "=m"(mxcsr));
	if (st0 != v)
		return "ST0";
	if (mxcsr != (0x1f80 | (v & 3) << 13))
		return "MXCSR";
	if (read_dr2() != FPU_DEBUG_ADDRESS(v, 2) || read_dr3() != FPU_DEBUG_ADDRESS(v, 3))
		return "DR2-3";
	return NULL;
}
