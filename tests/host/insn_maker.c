// SPDX-License-Identifier: MIT
/* Instructions at random. An encoder of its own, which shares nothing with the decoder under test.
 */
#include "tests/host/insn_maker.h"

#include <string.h>

#include "lib/x86.h"

#define UNDEFINED_BT	(RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF)
#define UNDEFINED_LOGIC RFLAGS_AF

static u64 seed = 88172645463325252ull;

u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull;
}

u64 below(u64 n)
{
	return (rnd() >> 11) % n;
}

#define ALL 0xff
/* clang-format off */
const struct insn_kind insn_kinds[] = {
	{0x00, 0x01, ALL, 0, 1, 0, 0, 0, WRITES, 0},		/* ADD */
	{0x02, 0x03, ALL, 0, 0, 0, 0, 0, READS, 0},
	{0x08, 0x09, ALL, 0, 1, 0, 0, UNDEFINED_LOGIC, WRITES, 0},	/* OR */
	{0x0a, 0x0b, ALL, 0, 0, 0, 0, UNDEFINED_LOGIC, READS, 0},
	{0x10, 0x11, ALL, 0, 1, 0, 0, 0, WRITES, 0},		/* ADC */
	{0x12, 0x13, ALL, 0, 0, 0, 0, 0, READS, 0},
	{0x18, 0x19, ALL, 0, 1, 0, 0, 0, WRITES, 0},		/* SBB */
	{0x1a, 0x1b, ALL, 0, 0, 0, 0, 0, READS, 0},
	{0x20, 0x21, ALL, 0, 1, 0, 0, UNDEFINED_LOGIC, WRITES, 0},	/* AND */
	{0x22, 0x23, ALL, 0, 0, 0, 0, UNDEFINED_LOGIC, READS, 0},
	{0x28, 0x29, ALL, 0, 1, 0, 0, 0, WRITES, 0},		/* SUB */
	{0x2a, 0x2b, ALL, 0, 0, 0, 0, 0, READS, 0},
	{0x30, 0x31, ALL, 0, 1, 0, 0, UNDEFINED_LOGIC, WRITES, 0},	/* XOR */
	{0x32, 0x33, ALL, 0, 0, 0, 0, UNDEFINED_LOGIC, READS, 0},
	{0x38, 0x39, ALL, 0, 0, 0, 0, 0, READS, 0},		/* CMP */
	{0x3a, 0x3b, ALL, 0, 0, 0, 0, 0, READS, 0},
	{0x63, 0x63, ALL, 0, 0, 0, 4, 0, READS, 1},		/* MOVSXD */
	{0x80, 0x81, 0x7f, 0, 1, 2, 0, UNDEFINED_LOGIC, WRITES, 0},
	{0x80, 0x81, 0x80, 0, 0, 2, 0, 0, READS, 0},
	{0x83, 0x83, 0x7f, 0, 1, 1, 0, UNDEFINED_LOGIC, WRITES, 1},
	{0x84, 0x85, ALL, 0, 0, 0, 0, UNDEFINED_LOGIC, READS, 0},	/* TEST */
	{0x86, 0x87, ALL, 0, 1, 0, 0, 0, WRITES, 0},		/* XCHG */
	{0x88, 0x89, ALL, 0, 0, 0, 0, 0, WRITES, 0},		/* MOV */
	{0x8a, 0x8b, ALL, 0, 0, 0, 0, 0, READS, 0},
	{0xc6, 0xc7, 0x01, 0, 0, 2, 0, 0, WRITES, 0},
	{0xf6, 0xf7, 0x01, 0, 0, 2, 0, UNDEFINED_LOGIC, READS, 0},
	{0xf6, 0xf7, 0x0c, 0, 1, 0, 0, 0, WRITES, 0},		/* NOT, NEG */
	{0xfe, 0xff, 0x03, 0, 1, 0, 0, 0, WRITES, 0},		/* INC, DEC */
	{0xb0, 0xb1, ALL, 1, 1, 0, 0, 0, WRITES, 0},		/* CMPXCHG */
	{0xc0, 0xc1, ALL, 1, 1, 0, 0, 0, WRITES, 0},		/* XADD */
	{0xc3, 0xc3, ALL, 1, 0, 0, 0, 0, WRITES, 1},		/* MOVNTI */
	{0xc7, 0xc7, 0x02, 1, 1, 0, 8, 0, WRITES, 1},		/* CMPXCHG8B */
	{0xb6, 0xb7, ALL, 1, 0, 0, 2, 0, READS, 0},		/* MOVZX */
	{0xbe, 0xbf, ALL, 1, 0, 0, 2, 0, READS, 0},		/* MOVSX */
	{0xba, 0xba, 0x10, 1, 0, 1, 0, UNDEFINED_BT, READS, 1},	/* BT, imm */
	{0xba, 0xba, 0xe0, 1, 1, 1, 0, UNDEFINED_BT, WRITES, 1},
	{0xa3, 0xa3, ALL, 1, 0, 0, 0, UNDEFINED_BT, READS, 1},	/* BT */
	{0xab, 0xab, ALL, 1, 1, 0, 0, UNDEFINED_BT, WRITES, 1},
	{0xb3, 0xb3, ALL, 1, 1, 0, 0, UNDEFINED_BT, WRITES, 1},
	{0xbb, 0xbb, ALL, 1, 1, 0, 0, UNDEFINED_BT, WRITES, 1},
};
/* clang-format on */
const u32 insn_kinds_nr = ARRAY_SIZE(insn_kinds);

void insn_put(struct insn_made *m, u64 v, u32 len)
{
	memcpy(m->code + m->len, &v, len);
	m->len += len;
}

static bool is_bit_string(const struct insn_kind *k)
{
	return k->two_byte && (k->first & 0xe7) == 0xa3;
}

/* ModRM and what follows it, for memory at m->at; registers are set to lead there. */
static void put_address(struct insn_made *m, u8 *rex, u32 rex_at, u8 reg, u64 target, bool narrow,
			u32 imm_len, struct native_state *s)
{
	u64 way = below(8);
	u8 mod = (u8)below(3), scale = (u8)below(4);
	s32 disp = mod == 1 ? (s32)(s64)(int8_t)rnd() : mod == 2 ? (s32)rnd() >> 4 : 0;
	u64 rest = target - (u64)(s64)disp;

	m->base = m->index = 16;
	if (way == 0) { /* relative to RIP */
		insn_put(m, 0x05 | (reg & 7) << 3, 1);
		insn_put(m, target - (native_code() + m->len + 4 + imm_len), 4);
		return;
	}
	if (way == 1) { /* absolute */
		insn_put(m, 0x04 | (reg & 7) << 3, 1);
		insn_put(m, 0x25, 1);
		insn_put(m, target, 4);
		return;
	}
	do {
		m->base = (u8)below(m->plain ? 8 : 16);
	} while (m->base == RSP);
	if (mod == 0 && (m->base & 7) == RBP)
		mod = 1, disp = 0, rest = target;
	if (way >= 5 || (m->base & 7) == RSP) {
		do {
			m->index = (u8)below(m->plain ? 8 : 16);
		} while (m->index == RSP || m->index == m->base);
		s->gpr[m->index] = narrow ? (u32)rnd() : rnd();
		rest -= s->gpr[m->index] << scale;
	}
	/* Only the low half counts with an address size of four. */
	s->gpr[m->base] = narrow ? (u32)rest | (u64)below(100) << 32 : rest;
	*rex |= m->base >> 3 | (m->index < 16 ? m->index >> 3 << 1 : 0);
	if (!m->plain)
		m->code[rex_at] = *rex;
	if (m->index < 16) {
		insn_put(m, mod << 6 | (reg & 7) << 3 | 4, 1);
		insn_put(m, scale << 6 | (m->index & 7) << 3 | (m->base & 7), 1);
	} else {
		insn_put(m, mod << 6 | (reg & 7) << 3 | (m->base & 7), 1);
	}
	insn_put(m, (u64)(s64)disp, mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

static u8 choose_reg(const struct insn_kind *k, bool plain, bool byte)
{
	u8 reg;

	do {
		reg = (u8)below(k->regs == ALL && !plain ? 16 : 8);
	} while (k->regs == ALL ? reg == RSP && !(plain && byte) : !(k->regs & BIT(reg)));
	return reg;
}

void insn_make(const struct insn_kind *k, struct insn_made *m, struct native_state *s)
{
	u8 opcode = k->first + (u8)below(k->last - k->first + 1u);
	bool plain = below(3) == 0, wide = !plain && below(2), narrow = below(8) == 0;
	bool half = !wide && below(3) == 0, byte = !k->odd_only && !(opcode & 1);
	u8 reg = choose_reg(k, plain, byte && !k->two_byte);
	u32 operand = wide ? 8 : half ? 2 : 4, imm_len = 0, rex_at;
	u8 rex = 0x40 | (wide ? 8 : 0) | reg >> 3 << 2;
	u64 target;

	memset(m, 0, sizeof(*m));
	m->plain = plain;
	if (k->size == 8 || (k->two_byte && opcode == 0xc3)) /* no 16-bit form */
		half = false, operand = wide ? 8 : 4;
	if (k->size == 8)
		rex &= ~8, operand = 4;
	m->size = byte ? 1 : k->size ? k->size : operand;
	m->lock = k->lock && below(3) == 0;
	if (k->imm)
		imm_len = byte || k->imm == 1 ? 1 : MIN(operand, 4u);
	if (half)
		insn_put(m, 0x66, 1);
	if (narrow)
		insn_put(m, 0x67, 1);
	if (m->lock)
		insn_put(m, 0xf0, 1);
	rex_at = m->len;
	if (!plain)
		insn_put(m, rex, 1);
	if (k->two_byte)
		insn_put(m, 0x0f, 1);
	insn_put(m, opcode, 1);
	m->at = native_data() + 2 * PAGE_SIZE + ALIGN_DOWN(below(PAGE_SIZE - 8), 8ul);
	if (!m->lock && below(4) == 0)
		m->at += below(9 - m->size);
	target = m->at;
	if (is_bit_string(k)) {
		/* Up to some hundred bits to both sides, still in that page. */
		s64 n = (s64)below(1024) - 512;

		m->at = native_data() + 2 * PAGE_SIZE + 1024 + ALIGN_DOWN(below(2048), 8ul);
		target = m->at;
		s->gpr[reg] = (u64)n;
		m->at = target + (u64)((n >> __builtin_ctz(8 * m->size)) * (s64)m->size);
	}
	put_address(m, &rex, rex_at, reg, target, narrow, imm_len, s);
	/* The bit number's register is not to be the base's. */
	if (is_bit_string(k) && (m->base == reg || m->index == reg))
		insn_make(k, m, s);
	else
		insn_put(m, rnd(), imm_len);
}
