/* SPDX-License-Identifier: MIT */
/*
 * Patterns in the FPU and debug registers. Nothing here uses floating point, and the world switch
 * leaves these registers alone, so L1 and L2 each own some of them all the time: L1 has
 * XMM8-15, DR0 and DR1; L2 has XMM0-7, ST0, DR2 and DR3. Whoever swaps them between
 * machines or moves them to another must bring back both.
 */
#pragma once

#include "guests/cpu.h"

#define FPU_SET(n, v) \
	asm volatile("movq %0, %%xmm" #n "\n\tpunpcklqdq %%xmm" #n ", %%xmm" #n ::"r"((v) + (n)))

#define FPU_HOLDS(n, v)                                            \
	({                                                         \
		u64 x_[2];                                         \
		asm volatile("movdqu %%xmm" #n ", %0" : "=m"(x_)); \
		x_[0] == (v) + (n) && x_[1] == (v) + (n);          \
	})

/* Only execute breakpoints on addresses that nobody runs, and DR7 enables none of them. */
#define FPU_DEBUG_ADDRESS(v, n) (((v) + (n)) & 0xffffffff)

static inline void fpu_set_l1(u64 v)
{
	FPU_SET(8, v);
	FPU_SET(9, v);
	FPU_SET(10, v);
	FPU_SET(11, v);
	FPU_SET(12, v);
	FPU_SET(13, v);
	FPU_SET(14, v);
	FPU_SET(15, v);
	write_dr0(FPU_DEBUG_ADDRESS(v, 0));
	write_dr1(FPU_DEBUG_ADDRESS(v, 1));
}

/* NULL, or which register does not hold what fpu_set_l1(@v) put there. */
static inline const char *fpu_check_l1(u64 v)
{
	if (!FPU_HOLDS(8, v) || !FPU_HOLDS(9, v) || !FPU_HOLDS(10, v) || !FPU_HOLDS(11, v) ||
	    !FPU_HOLDS(12, v) || !FPU_HOLDS(13, v) || !FPU_HOLDS(14, v) || !FPU_HOLDS(15, v))
		return "XMM8-15";
	if (read_dr0() != FPU_DEBUG_ADDRESS(v, 0) || read_dr1() != FPU_DEBUG_ADDRESS(v, 1))
		return "DR0-1";
	return NULL;
}

static inline void fpu_set_l2(u64 v)
{
	u32 mxcsr = 0x1f80 | (v & 3) << 13; /* all masked; the rounding mode is the pattern's */

	FPU_SET(0, v);
	FPU_SET(1, v);
	FPU_SET(2, v);
	FPU_SET(3, v);
	FPU_SET(4, v);
	FPU_SET(5, v);
	FPU_SET(6, v);
	FPU_SET(7, v);
	asm volatile("fninit\n\tfildll %0\n\tldmxcsr %1" ::"m"(v), "m"(mxcsr));
	write_dr2(FPU_DEBUG_ADDRESS(v, 2));
	write_dr3(FPU_DEBUG_ADDRESS(v, 3));
}

static inline const char *fpu_check_l2(u64 v)
{
	u64 st0;
	u32 mxcsr;

	if (!FPU_HOLDS(0, v) || !FPU_HOLDS(1, v) || !FPU_HOLDS(2, v) || !FPU_HOLDS(3, v) ||
	    !FPU_HOLDS(4, v) || !FPU_HOLDS(5, v) || !FPU_HOLDS(6, v) || !FPU_HOLDS(7, v))
		return "XMM0-7";
	asm volatile("fistpll %0\n\tfildll %0\n\tstmxcsr %1" : "=m"(st0), "=m"(mxcsr));
	if (st0 != v)
		return "ST0";
	if (mxcsr != (0x1f80 | (v & 3) << 13))
		return "MXCSR";
	if (read_dr2() != FPU_DEBUG_ADDRESS(v, 2) || read_dr3() != FPU_DEBUG_ADDRESS(v, 3))
		return "DR2-3";
	return NULL;
}
