/* SPDX-License-Identifier: MIT */
/*
 * The MSR and I/O bitmaps (SDM 3C 24.6.4, 24.6.9): where in them an access's bits are. Constant
 * arithmetic, tested on the host.
 */
#pragma once

#include "lib/types.h"

#define VMX_MSR_BITMAP_WORDS 512

/*
 * The bit of an MSR bitmap that says whether the access exits. -1: the bitmap does not cover it,
 * and it does (25.1.3).
 */
static inline int vmx_msr_bit(u32 msr, bool write)
{
	const int half = write ? 0x4000 : 0;

	if (msr < 0x2000)
		return half + (int)msr;
	if (msr - 0xc0000000 < 0x2000)
		return half + 0x2000 + (int)(msr - 0xc0000000);
	return -1;
}

/*
 * Where the two I/O bitmaps were one after the other: an access wants one bit for each port that it
 * covers; these may lie in two bytes. @word: the bytes at port / 8 and after it, the first one
 * lowest; past the last port it has ones, as an access that wraps around exits (25.1.3).
 */
static inline bool vmx_io_wants(u16 word, u16 port, u8 size)
{
	return word >> port % 8 & (BIT(size) - 1);
}
