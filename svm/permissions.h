/* SPDX-License-Identifier: MIT */
/*
 * The I/O and MSR permission maps (APM 2 15.10.1, 15.11): where in a map an access's bits
 * are. Constant arithmetic, tested on the host.
 */
#pragma once

#include "lib/svm.h"

/*
 * The bit for reading @msr; the one for writing is the next. -1: the map does not cover it, and it
 * is intercepted whenever MSRs are.
 */
static inline int svm_msrpm_bit(u32 msr)
{
	static const u32 first[] = {0, 0xc0000000, 0xc0010000};

	for (u32 i = 0; i < ARRAY_SIZE(first); i++) {
		if (msr - first[i] < 0x2000)
			return (int)(i * 0x4000 + 2 * (msr - first[i]));
	}
	return -1;
}

/* Does the map's byte at bit / 8 want this access? */
static inline bool svm_msrpm_wants(u8 byte, int bit, bool write)
{
	return byte >> (bit % 8 + write) & 1;
}

/*
 * An access of @size bytes wants one bit for each port that it covers; these may lie in two bytes.
 * @word: the map's bytes at port / 8 and after it, the first one lowest.
 */
static inline bool svm_iopm_wants(u16 word, u16 port, u8 size)
{
	return word >> port % 8 & (BIT(size) - 1);
}
