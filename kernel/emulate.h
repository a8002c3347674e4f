/* SPDX-License-Identifier: MIT */
/*
 * Carrying out one instruction of the guest's whose access to memory L0 must make itself: a store
 * to a table of L1's that is shadowed, or any access to where there is no memory. State in, effects
 * out: nothing here knows a vendor, a VM or a lock, so that the host can compare it with a
 * processor.
 */
#pragma once

#include "kernel/vcpu.h"

#define INSN_MAX_LENGTH 15

/* What instructions work on beside memory. */
struct emulate_cpu {
	u64 gpr[GPR_NR];
	u64 rip, rflags;
	u8 bits; /* of the code: 16, 32 or 64 */
	u64 base[SEG_GS +
		 1]; /* of the segments, as they count: in 64-bit code FS's and GS's only */
};

/* The operations of ALU instructions stand in the order of their opcodes, SDM 2D A.3. */
enum emulate_op {
	EMU_ADD,
	EMU_OR,
	EMU_ADC,
	EMU_SBB,
	EMU_AND,
	EMU_SUB,
	EMU_XOR,
	EMU_CMP,
	EMU_TEST,
	EMU_INC,
	EMU_DEC,
	EMU_NOT,
	EMU_NEG,
	EMU_MOV,
	EMU_MOVZX,
	EMU_MOVSX,
	EMU_XCHG,
	EMU_XADD,
	EMU_CMPXCHG,
	EMU_CMPXCHG8B,
	EMU_BT, /* to BTC in the order of their opcodes */
	EMU_BTS,
	EMU_BTR,
	EMU_BTC,
	EMU_MOVS,
	EMU_STOS,
	EMU_LODS,
};

/* What stands opposite the memory operand. */
enum emulate_form {
	EMU_MR, /* memory op= register */
	EMU_RM, /* register op= memory */
	EMU_MI, /* memory op= immediate */
	EMU_M,	/* memory alone */
};

#define EMU_NO_REG 0xff

struct emulate_insn {
	u8 op, form; /* enum emulate_op, enum emulate_form */
	u8 length;
	u8 size;     /* bytes of the memory operand: 1, 2, 4 or 8 */
	u8 reg_size; /* bytes of the register operand */
	u8 reg;	     /* 0 to 15, and 16 to 19 for AH, CH, DH, BH */
	bool lock, rep;
	u64 imm; /* sign-extended */
	/* The address: SEG:[base + (index << scale) + disp], modulo 2 to the address size. */
	u8 seg, base, index, scale;
	u8 address_size; /* bytes */
	bool rip_relative;
	s64 disp;
};

/*
 * Decodes the instruction at the start of @code, of which @len bytes are known. 0; -EAGAIN when
 * it goes on beyond them; -EINVAL when it is none, or none that can be carried out.
 */
int __must_check emulate_decode(struct emulate_insn *insn, const u8 *code, u32 len, u8 bits);

/*
 * Memory as the instruction sees it. @gpa + @len lies within a page. Each returns 0 or an error,
 * which ends the instruction without effect and is what emulate() returns.
 */
struct emulate_ops {
	int (*read)(void *ctx, gpa_t gpa, u64 *value, u32 len);
	/* One store when @gpa is aligned to @len. */
	int (*write)(void *ctx, gpa_t gpa, u64 value, u32 len);
	/* Atomic; @gpa is aligned to @len. -EAGAIN: memory does not hold @old. */
	int (*cmpxchg)(void *ctx, gpa_t gpa, u64 old, u64 new, u32 len);
	/* The operand of a string instruction beside the one that faulted. */
	int (*translate)(void *ctx, u64 linear, bool write, gpa_t *gpa);
};

/*
 * Carries @insn out; the access that faulted was to @gpa, a write if @write. Changes @cpu's
 * registers and flags, but not its RIP. 0: done; EMU_AGAIN: one step of a string instruction is
 * done, and there are more; -EINVAL: it is not what caused such an access, or it cannot be carried
 * out as one access to memory; or what an operation of @ops returned.
 */
#define EMU_AGAIN 1
int __must_check emulate(struct emulate_cpu *cpu, const struct emulate_insn *insn, gpa_t gpa,
			 bool write, const struct emulate_ops *ops, void *ctx);
