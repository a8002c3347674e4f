// SPDX-License-Identifier: MIT
// objects: kernel/emulate.o kernel/emulate_alu.o kernel/emulate_decode.o tests/host/native.o
// objects: ext/zydis/Decoder.o ext/zydis/DecoderData.o ext/zydis/SharedData.o
/*
 * The emulator against this machine's processor: instructions are put together at random, run both
 * ways from the same registers and memory, and all that they leave must agree. What the processor
 * does not run here (16- and 32-bit code, what is refused) stands in tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/emulate.h"
#include "lib/x86.h"
#include "tests/host/native.h"

#define UNDEFINED_BT	(RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF)
#define UNDEFINED_LOGIC RFLAGS_AF

/* --- memory for the emulator: gpa == address of the copy's original --- */

static u8 copy[NATIVE_DATA_SIZE];
static int lost_races; /* so many exchanges fail first */
static u64 accesses;

static u8 *place(gpa_t gpa, u32 len)
{
	u64 at = gpa.v - native_data();

	assert_true(at + len <= NATIVE_DATA_SIZE);
	assert_true(gpa.v % PAGE_SIZE + len <= PAGE_SIZE);
	accesses++;
	return copy + at;
}

static int mem_read(void *ctx, gpa_t gpa, u64 *value, u32 len)
{
	(void)ctx;
	*value = 0;
	memcpy(value, place(gpa, len), len);
	return 0;
}

static int mem_write(void *ctx, gpa_t gpa, u64 value, u32 len)
{
	(void)ctx;
	memcpy(place(gpa, len), &value, len);
	return 0;
}

static int mem_cmpxchg(void *ctx, gpa_t gpa, u64 old, u64 new, u32 len)
{
	(void)ctx;
	assert_true(IS_ALIGNED(gpa.v, (u64)len));
	if (lost_races) {
		lost_races--;
		return -EAGAIN;
	}
	assert_memory_equal(place(gpa, len), &old, len);
	memcpy(place(gpa, len), &new, len);
	return 0;
}

static int mem_translate(void *ctx, u64 linear, bool write, gpa_t *gpa)
{
	(void)ctx, (void)write;
	gpa->v = linear;
	return 0;
}

static const struct emulate_ops ops = {mem_read, mem_write, mem_cmpxchg, mem_translate};

/* --- putting instructions together --- */

static u64 seed = 88172645463325252ull;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull;
}

static u64 below(u64 n)
{
	return (rnd() >> 11) % n;
}

struct kind {
	u8 first, last;	   /* opcodes */
	u8 regs;	   /* mask of ModRM.reg that may be used */
	u8 two_byte, lock; /* 0F comes first; LOCK is allowed */
	u8 imm;		   /* 1: a byte, 2: up to four */
	u8 size;	   /* of memory, for odd opcodes; 0: the operand size. Even ones: 1 */
	u64 undefined;	   /* flags */
	enum { WRITES, READS } what;
	u8 odd_only; /* there is no byte form */
};

#define ALL 0xff
/* clang-format off */
static const struct kind kinds[] = {
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

struct made {
	u8 code[16];
	u32 len;
	u32 size; /* of memory */
	u64 at;	  /* where it lies */
	bool lock;
	bool plain;	/* no REX, so that AH to BH can be named */
	u8 base, index; /* registers that are spoken for, or 16 */
};

static void put(struct made *m, u64 v, u32 len)
{
	memcpy(m->code + m->len, &v, len);
	m->len += len;
}

static bool is_bit_string(const struct kind *k)
{
	return k->two_byte && (k->first & 0xe7) == 0xa3;
}

/* ModRM and what follows it, for memory at m->at; registers are set to lead there. */
static void put_address(struct made *m, u8 *rex, u32 rex_at, u8 reg, u64 target, bool narrow,
			u32 imm_len, struct native_state *s)
{
	u64 way = below(8);
	u8 mod = (u8)below(3), scale = (u8)below(4);
	s32 disp = mod == 1 ? (s32)(s64)(int8_t)rnd() : mod == 2 ? (s32)rnd() >> 4 : 0;
	u64 rest = target - (u64)(s64)disp;

	m->base = m->index = 16;
	if (way == 0) { /* relative to RIP */
		put(m, 0x05 | (reg & 7) << 3, 1);
		put(m, target - (native_code() + m->len + 4 + imm_len), 4);
		return;
	}
	if (way == 1) { /* absolute */
		put(m, 0x04 | (reg & 7) << 3, 1);
		put(m, 0x25, 1);
		put(m, target, 4);
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
		put(m, mod << 6 | (reg & 7) << 3 | 4, 1);
		put(m, scale << 6 | (m->index & 7) << 3 | (m->base & 7), 1);
	} else {
		put(m, mod << 6 | (reg & 7) << 3 | (m->base & 7), 1);
	}
	put(m, (u64)(s64)disp, mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

static u8 choose_reg(const struct kind *k, bool plain, bool byte)
{
	u8 reg;

	do {
		reg = (u8)below(k->regs == ALL && !plain ? 16 : 8);
	} while (k->regs == ALL ? reg == RSP && !(plain && byte) : !(k->regs & BIT(reg)));
	return reg;
}

static void make(const struct kind *k, struct made *m, struct native_state *s)
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
		put(m, 0x66, 1);
	if (narrow)
		put(m, 0x67, 1);
	if (m->lock)
		put(m, 0xf0, 1);
	rex_at = m->len;
	if (!plain)
		put(m, rex, 1);
	if (k->two_byte)
		put(m, 0x0f, 1);
	put(m, opcode, 1);
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
		make(k, m, s);
	else
		put(m, rnd(), imm_len);
}

/* --- one instruction both ways --- */

static u64 some_value(void)
{
	static const u64 values[] = {0,		  1,	   0x7f,       0x80,	   0xff,
				     0x7fff,	  0x8000,  0x7fffffff, 0x80000000, 0xffffffff,
				     BIT(63) - 1, BIT(63), ~0ull};

	return below(3) ? rnd() : values[below(ARRAY_SIZE(values))];
}

static void random_state(struct native_state *s)
{
	u8 *data = (u8 *)native_data();

	for (int i = 0; i < GPR_NR; i++)
		s->gpr[i] = some_value();
	s->rflags = RFLAGS_FIXED | RFLAGS_IF | (rnd() & RFLAGS_ARITH);
	for (u32 i = 0; i < NATIVE_DATA_SIZE; i += 8)
		*(u64 *)(data + i) = some_value();
}

/* A comparison that never holds would test half of it. */
static void make_equal(const struct made *m, const struct native_state *s)
{
	u64 v = s->gpr[RAX];

	if (m->size == 8 && below(2))
		v = (u32)v | s->gpr[RDX] << 32;
	memcpy((void *)m->at, &v, m->size);
}

static struct emulate_cpu cpu_of(const struct native_state *s)
{
	struct emulate_cpu cpu = {.rip = native_code(), .rflags = s->rflags, .bits = 64};

	memcpy(cpu.gpr, s->gpr, sizeof(cpu.gpr));
	return cpu;
}

static void show(const struct made *m)
{
	fprintf(stderr, "code:");
	for (u32 i = 0; i < m->len; i++)
		fprintf(stderr, " %02x", m->code[i]);
	fprintf(stderr, "\n");
}

static void check_same(const struct made *m, const struct emulate_cpu *cpu,
		       const struct native_state *s, u64 undefined)
{
	u64 flags = RFLAGS_ARITH & ~undefined;
	bool same = !memcmp(copy, (void *)native_data(), NATIVE_DATA_SIZE) &&
		    (cpu->rflags & flags) == (s->rflags & flags);

	for (int i = 0; i < GPR_NR; i++) {
		if (i != RSP && cpu->gpr[i] != s->gpr[i]) {
			fprintf(stderr, "gpr %d: %llx, should be %llx\n", i,
				(unsigned long long)cpu->gpr[i], (unsigned long long)s->gpr[i]);
			same = false;
		}
	}
	if (!same) {
		show(m);
		fprintf(stderr, "flags %llx, should be %llx\n", (unsigned long long)cpu->rflags,
			(unsigned long long)s->rflags);
	}
	assert_true(same);
}

static void decode(const struct made *m, struct emulate_insn *insn)
{
	if (emulate_decode(insn, m->code, m->len, 64) || insn->length != m->len) {
		show(m);
		fail_msg("not decoded, or not to its end");
	}
	for (u32 n = 0; n < m->len; n++)
		assert_int_equal(emulate_decode(insn, m->code, n, 64), -EAGAIN);
	assert_int_equal(emulate_decode(insn, m->code, m->len, 64), 0);
}

static void try_one(const struct kind *k)
{
	struct emulate_cpu cpu, untouched;
	struct native_state s;
	struct emulate_insn insn;
	struct made m;
	u64 before;

	random_state(&s);
	make(k, &m, &s);
	if (below(2))
		make_equal(&m, &s);
	memcpy(copy, (void *)native_data(), NATIVE_DATA_SIZE);
	cpu = cpu_of(&s);
	decode(&m, &insn);
	before = accesses;
	lost_races = below(8) == 0 ? 2 : 0;
	/* XCHG locks always, and what is not aligned cannot be locked as one access. */
	if (!IS_ALIGNED(m.at, (u64)m.size) && (m.lock || k->first == 0x86)) {
		assert_int_equal(emulate(&cpu, &insn, (gpa_t){m.at}, true, &ops, NULL), -EINVAL);
		untouched = cpu_of(&s);
		assert_memory_equal(&cpu, &untouched, sizeof(cpu));
		assert_int_equal(accesses, before);
		return;
	}
	if (emulate(&cpu, &insn, (gpa_t){m.at}, k->what == WRITES, &ops, NULL)) {
		show(&m);
		fail_msg("refused");
	}
	assert_true(accesses > before);
	native_run(m.code, m.len, &s);
	check_same(&m, &cpu, &s, k->undefined);
}

static void test_against_the_processor(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (int n = 0; n < 1500; n++)
			try_one(&kinds[i]);
	}
}

/* --- string instructions --- */

static void try_string(u8 opcode)
{
	bool half = below(4) == 0, wide = below(2), narrow = below(4) == 0, rep = below(2);
	struct made m = {.size = !(opcode & 1) ? 1 : wide ? 8 : half ? 2 : 4};
	bool writes = (opcode & 0xfe) != 0xac;
	struct native_state s;
	struct emulate_cpu cpu;
	struct emulate_insn insn;
	int r, steps = 0;

	random_state(&s);
	s.rflags |= below(2) ? RFLAGS_DF : 0;
	s.gpr[RCX] = below(6) | (narrow ? rnd() << 32 : 0);
	s.gpr[RDI] = native_data() + PAGE_SIZE + ALIGN_DOWN(below(2 * PAGE_SIZE), 64ul);
	s.gpr[RSI] = native_data() + PAGE_SIZE + ALIGN_DOWN(below(2 * PAGE_SIZE), 64ul);
	if (half)
		put(&m, 0x66, 1);
	if (narrow)
		put(&m, 0x67, 1);
	if (rep)
		put(&m, 0xf2 + below(2), 1);
	if (wide)
		put(&m, 0x48, 1);
	put(&m, opcode, 1);
	memcpy(copy, (void *)native_data(), NATIVE_DATA_SIZE);
	cpu = cpu_of(&s);
	decode(&m, &insn);
	do {
		gpa_t gpa = {cpu.gpr[writes ? RDI : RSI]};

		r = emulate(&cpu, &insn, gpa, writes, &ops, NULL);
		assert_true(r == 0 || r == EMU_AGAIN);
		assert_true(++steps < 8);
	} while (r);
	if (rep && narrow)
		assert_int_equal(steps, MAX((u32)s.gpr[RCX], 1u));
	native_run(m.code, m.len, &s);
	check_same(&m, &cpu, &s, 0);
}

static void test_string_instructions(void **state)
{
	static const u8 opcodes[] = {0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(opcodes); i++) {
		for (int n = 0; n < 4000; n++)
			try_string(opcodes[i]);
	}
}

/* Here the fault is for what MOVS reads. */
static void test_movs_that_reads_what_faulted(void **state)
{
	struct emulate_insn insn;
	struct emulate_cpu cpu = {.bits = 64};

	(void)state;
	cpu.gpr[RSI] = native_data() + 8;
	cpu.gpr[RDI] = native_data() + 64;
	memset(copy, 0x5a, sizeof(copy));
	memset(copy + 8, 0xff, 8);
	assert_int_equal(emulate_decode(&insn, (const u8 *)"\x48\xa5", 2, 64), 0);
	assert_int_equal(emulate(&cpu, &insn, (gpa_t){native_data() + 8}, false, &ops, NULL), 0);
	assert_int_equal(*(u64 *)(copy + 64), ~0ull);
	assert_int_equal(cpu.gpr[RSI], native_data() + 16);
	assert_int_equal(cpu.gpr[RDI], native_data() + 72);
}

/* MOV between RAX and an address that stands in the instruction, which may have eight bytes. */
static void test_offsets(void **state)
{
	(void)state;
	for (int n = 0; n < 2000; n++) {
		u8 opcode = 0xa0 + (u8)below(4);
		bool wide = below(2), narrow = below(2);
		struct made m = {.size = !(opcode & 1) ? 1 : wide ? 8 : 4};
		struct native_state s;
		struct emulate_cpu cpu;
		struct emulate_insn insn;

		random_state(&s);
		m.at = native_data() + below(PAGE_SIZE - 8);
		if (narrow)
			put(&m, 0x67, 1);
		if (wide)
			put(&m, 0x48, 1);
		put(&m, opcode, 1);
		put(&m, m.at, narrow ? 4 : 8);
		memcpy(copy, (void *)native_data(), NATIVE_DATA_SIZE);
		cpu = cpu_of(&s);
		decode(&m, &insn);
		assert_int_equal(emulate(&cpu, &insn, (gpa_t){m.at}, opcode >= 0xa2, &ops, NULL),
				 0);
		native_run(m.code, m.len, &s);
		check_same(&m, &cpu, &s, 0);
	}
}

/* --- 16- and 32-bit code, segments --- */

struct other {
	const char *name;
	u8 bits;
	u8 len;
	const char *code;
	u32 at; /* offset in the page */
	u64 want;
};

/* RAX 0x1122334455667788, RBX 0x200, RCX 3, RSI 0x20, RDI 0x40, RBP 0x300; DS + 0, SS + 8, FS + 16
 */
static const struct other others[] = {
	{"mov %eax, (%ebx)", 32, 2, "\x89\x03", 0x200, 0x55667788},
	{"mov %ax, (%ebx)", 32, 3, "\x66\x89\x03", 0x200, 0x7788},
	{"mov %eax, 0x10(%ebx,%ecx,8)", 32, 4, "\x89\x44\xcb\x10", 0x228, 0x55667788},
	{"mov %eax, 0x123", 32, 6, "\x89\x05\x23\x01\x00\x00", 0x123, 0x55667788},
	{"mov %eax, moffs 0x124", 32, 5, "\xa3\x24\x01\x00\x00", 0x124, 0x55667788},
	{"mov %eax, 4(%ebp)", 32, 3, "\x89\x45\x04", 0x30c, 0x55667788},
	{"mov %eax, %ds:4(%ebp)", 32, 4, "\x3e\x89\x45\x04", 0x304, 0x55667788},
	{"mov %eax, %fs:(%ebx)", 32, 3, "\x64\x89\x03", 0x210, 0x55667788},
	{"mov %eax, (%bx,%si)", 32, 3, "\x67\x89\x00", 0x220, 0x55667788},
	{"mov %ax, (%bx,%di)", 16, 2, "\x89\x01", 0x240, 0x7788},
	{"mov %ax, 6(%bp,%si)", 16, 3, "\x89\x42\x06", 0x32e, 0x7788},
	{"mov %ax, 0x150", 16, 4, "\x89\x06\x50\x01", 0x150, 0x7788},
	{"mov %eax, (%di)", 16, 3, "\x66\x89\x05", 0x40, 0x55667788},
	{"mov %ax, (%ebx,%esi,2)", 16, 4, "\x67\x89\x04\x73", 0x240, 0x7788},
	{"mov %rax, %fs:(%rbx)", 64, 4, "\x64\x48\x89\x03", 0x210, 0x1122334455667788},
	{"mov %rax, %ss:(%rbx)", 64, 4, "\x36\x48\x89\x03", 0x200, 0x1122334455667788},
	{"movl $-2, (%rbx)", 64, 7, "\x48\xc7\x03\xfe\xff\xff\xff", 0x200, (u64)-2},
	{"lock orb $1, (%rbx)", 64, 4, "\xf0\x80\x0b\x01", 0x200, 0x01},
};

static struct emulate_cpu other_cpu(u8 bits)
{
	struct emulate_cpu cpu = {.bits = bits};

	cpu.gpr[RAX] = 0x1122334455667788;
	cpu.gpr[RBX] = 0x200;
	cpu.gpr[RCX] = 3;
	cpu.gpr[RSI] = 0x20;
	cpu.gpr[RDI] = 0x40;
	cpu.gpr[RBP] = 0x300;
	for (int i = SEG_ES; i <= SEG_GS && bits != 64; i++)
		cpu.base[i] = native_data();
	if (bits != 64)
		cpu.base[SEG_SS] += 8;
	cpu.base[SEG_FS] += 16;
	return cpu;
}

static void test_other_modes(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(others); i++) {
		const struct other *o = &others[i];
		struct emulate_cpu cpu = other_cpu(o->bits);
		gpa_t gpa = {native_data() + o->at};
		struct emulate_insn insn;
		u64 got;

		memset(copy, 0, sizeof(copy));
		if (emulate_decode(&insn, (const u8 *)o->code, o->len, o->bits) ||
		    emulate(&cpu, &insn, gpa, true, &ops, NULL))
			fail_msg("%s: refused", o->name);
		assert_int_equal(insn.length, o->len);
		memcpy(&got, copy + o->at, 8);
		if (got != o->want)
			fail_msg("%s: %llx", o->name, (unsigned long long)got);
	}
}

/* --- what is refused --- */

struct refused {
	const char *name;
	u8 bits, len;
	const char *code;
};

static const struct refused refused[] = {
	{"movups", 64, 3, "\x0f\x11\x03"},
	{"movnti is one, movntq none", 64, 3, "\x0f\xe7\x03"},
	{"vmovups", 64, 4, "\xc5\xf8\x11\x03"},
	{"push", 64, 1, "\x50"},
	{"push mem", 64, 2, "\xff\x33"},
	{"call mem", 64, 2, "\xff\x13"},
	{"mov %ds, mem", 64, 2, "\x8c\x1b"},
	{"cmpxchg16b", 64, 4, "\x48\x0f\xc7\x0b"},
	{"fxsave", 64, 3, "\x0f\xae\x03"},
	{"shl", 64, 2, "\xd1\x23"},
	{"register to register", 64, 3, "\x48\x89\xc3"},
	{"arpl", 32, 2, "\x63\x03"},
	{"lock mov", 64, 3, "\xf0\x89\x03"},
	{"lock bt", 64, 4, "\xf0\x0f\xa3\x03"},
	{"undefined", 64, 2, "\x0f\x0b"},
	{"cmps", 64, 1, "\xa7"},
	{"fifteen prefixes", 64, 15,
	 "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"},
};

static void test_refused(void **state)
{
	struct emulate_insn insn;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(refused); i++) {
		if (emulate_decode(&insn, (const u8 *)refused[i].code, refused[i].len,
				   refused[i].bits) != -EINVAL)
			fail_msg("%s was decoded", refused[i].name);
	}
}

/* Another address than the one that faulted, a write that is none, an operand in two pages. */
static void test_what_did_not_fault(void **state)
{
	struct emulate_cpu cpu = other_cpu(64), before = cpu;
	struct emulate_insn insn;
	gpa_t gpa = {native_data() + 0x200}, end = {native_data() + PAGE_SIZE - 4};
	u64 count = accesses;

	(void)state;
	assert_int_equal(emulate_decode(&insn, (const u8 *)"\x48\x89\x03", 3, 64), 0);
	gpa.v += 8;
	assert_int_equal(emulate(&cpu, &insn, gpa, true, &ops, NULL), -EINVAL);
	cpu.gpr[RBX] = before.gpr[RBX] = end.v;
	assert_int_equal(emulate(&cpu, &insn, end, true, &ops, NULL), -EINVAL);
	assert_int_equal(emulate_decode(&insn, (const u8 *)"\x8b\x03", 2, 64), 0);
	assert_int_equal(emulate(&cpu, &insn, end, true, &ops, NULL), -EINVAL);
	assert_int_equal(accesses, count);
	assert_memory_equal(&cpu, &before, sizeof(cpu));
	assert_int_equal(emulate(&cpu, &insn, end, false, &ops, NULL), 0);
}

/* Others that always win: the guest is to try again, and nothing has happened. */
static void test_lost_exchange(void **state)
{
	struct emulate_cpu cpu = other_cpu(64), before = cpu;
	struct emulate_insn insn;

	(void)state;
	lost_races = 1 << 20;
	assert_int_equal(emulate_decode(&insn, (const u8 *)"\xf0\x48\x01\x03", 4, 64), 0);
	assert_int_equal(emulate(&cpu, &insn, (gpa_t){native_data() + 0x200}, true, &ops, NULL),
			 -EAGAIN);
	assert_memory_equal(&cpu, &before, sizeof(cpu));
	lost_races = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_the_processor),
		cmocka_unit_test(test_string_instructions),
		cmocka_unit_test(test_movs_that_reads_what_faulted),
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_other_modes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_what_did_not_fault),
		cmocka_unit_test(test_lost_exchange),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
