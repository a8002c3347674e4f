/* SPDX-License-Identifier: MIT */
/* Puts instructions with a memory operand together at random, for all that the emulator knows. */
#pragma once

#include "lib/types.h"
#include "tests/host/native.h"

/* Random numbers, the same in each run; and one below @n. */
u64 rnd(void);
u64 below(u64 n);

struct insn_kind {
	u8 first, last;	   /* opcodes */
	u8 regs;	   /* mask of ModRM.reg that may be used */
	u8 two_byte, lock; /* 0F comes first; LOCK is allowed */
	u8 imm;		   /* 1: a byte, 2: up to four */
	u8 size;	   /* of memory, for odd opcodes; 0: the operand size. Even ones: 1 */
	u64 undefined;	   /* flags */
	enum { WRITES, READS } what;
	u8 odd_only; /* there is no byte form */
};

extern const struct insn_kind insn_kinds[];
extern const u32 insn_kinds_nr;

struct insn_made {
	u8 code[16];
	u32 len;
	u32 size; /* of memory */
	u64 at;	  /* where it lies */
	bool lock;
	bool plain;	/* no REX, so that AH to BH can be named */
	u8 base, index; /* registers that are spoken for, or 16 */
};

/* @len bytes of @v more. */
void insn_put(struct insn_made *m, u64 v, u32 len);
/* An instruction of that kind; sets the registers in @s that lead to its operand. */
void insn_make(const struct insn_kind *k, struct insn_made *m, struct native_state *s);
