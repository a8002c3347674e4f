/* SPDX-License-Identifier: MIT */
/*
 * Tables of changes to a vmcs12, each with the verdict that it must get. Link
 * tests/host/vmcs12_rows.o.
 */
#pragma once

#include "vmx/nested_check.h"

/* Of a processor with everything that has a check, and an L1 without SMM. */
extern const struct vmx_limits vmcs12_limits;

/* L2s of which nothing is wrong: 64-bit, with EPT, under a 64-bit L1. */
struct vmcs12 vmcs12_good(void);
/* In real mode, as an unrestricted guest starts; in virtual-8086 mode; with PAE paging. */
struct vmcs12 vmcs12_good_real(void);
struct vmcs12 vmcs12_good_v86(void);
struct vmcs12 vmcs12_good_pae(void);
/* 32-bit under a 32-bit L1. */
struct vmcs12 vmcs12_good_32(void);

struct change {
	u32 offset, size;
	u64 value;
};
#define F(name, val)                                                                             \
	{                                                                                        \
		offsetof(struct vmcs12, name), sizeof(((struct vmcs12 *)NULL)->name), (u64)(val) \
	}

struct row {
	const char *verdict; /* NULL: good */
	struct change c[4];
	u64 qualification;
};
#define GOOD(...)                    \
	{                            \
		.c = { __VA_ARGS__ } \
	}
#define BAD(why, ...)                                \
	{                                            \
		.verdict = why, .c = { __VA_ARGS__ } \
	}
#define BAD_Q(why, number, ...)                                               \
	{                                                                     \
		.verdict = why, .qualification = number, .c = { __VA_ARGS__ } \
	}

void vmcs12_apply(struct vmcs12 *v, const struct row *r);
/* 1, with a message, when row @i of @table got another verdict; else 0. */
int vmcs12_compare(const char *table, size_t i, const char *want, const char *got);
