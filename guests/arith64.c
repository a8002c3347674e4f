// SPDX-License-Identifier: MIT
/* What 32-bit code calls for 64-bit numbers; the compiler knows it by these names. */
#include "lib/types.h"

u64 __udivmoddi4(u64 n, u64 d, u64 *rest);
u64 __udivdi3(u64 n, u64 d);
u64 __umoddi3(u64 n, u64 d);
int __ctzdi2(u64 n);

/* Digit by digit, in base 2. */
u64 __udivmoddi4(u64 n, u64 d, u64 *rest)
{
	u64 quotient = 0, r = 0;

	for (int i = 63; i >= 0; i--) {
		r = r << 1 | (n >> i & 1);
		if (r >= d) {
			r -= d;
			quotient |= BIT(i);
		}
	}
	if (rest)
		*rest = r;
	return quotient;
}

u64 __udivdi3(u64 n, u64 d)
{
	return __udivmoddi4(n, d, NULL);
}

u64 __umoddi3(u64 n, u64 d)
{
	u64 rest;

	__udivmoddi4(n, d, &rest);
	return rest;
}

int __ctzdi2(u64 n)
{
	return (u32)n ? __builtin_ctz((u32)n) : 32 + __builtin_ctz((u32)(n >> 32));
}
