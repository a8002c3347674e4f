// SPDX-License-Identifier: MIT
// objects: kernel/emulate.o kernel/emulate_alu.o kernel/emulate_decode.o tests/host/native.o
// objects: tests/host/emulate_memory.o tests/host/insn_maker.o
// objects: ext/zydis/Decoder.o ext/zydis/DecoderData.o ext/zydis/SharedData.o
/*
 * The emulator against this machine's processor: instructions are put together at random, run both
 * ways from the same registers and memory, and all that they leave must agree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "tests/host/emulate_memory.h"
#include "tests/host/insn_maker.h"

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
static void make_equal(const struct insn_made *m, const struct native_state *s)
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

static void show(const struct insn_made *m)
{
	fprintf(stderr, "code:");
	for (u32 i = 0; i < m->len; i++)
		fprintf(stderr, " %02x", m->code[i]);
	fprintf(stderr, "\n");
}

static void check_same(const struct insn_made *m, const struct emulate_cpu *cpu,
		       const struct native_state *s, u64 undefined)
{
	u64 flags = RFLAGS_ARITH & ~undefined;
	bool same = !memcmp(emu_copy, (void *)native_data(), NATIVE_DATA_SIZE) &&
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

static void decode(const struct insn_made *m, struct emulate_insn *insn)
{
	if (emulate_decode(insn, m->code, m->len, 64) || insn->length != m->len) {
		show(m);
		fail_msg("not decoded, or not to its end");
	}
	for (u32 n = 0; n < m->len; n++)
		assert_int_equal(emulate_decode(insn, m->code, n, 64), -EAGAIN);
	assert_int_equal(emulate_decode(insn, m->code, m->len, 64), 0);
}

static void try_one(const struct insn_kind *k)
{
	struct emulate_cpu cpu, untouched;
	struct native_state s;
	struct emulate_insn insn;
	struct insn_made m;
	u64 before;

	random_state(&s);
	insn_make(k, &m, &s);
	if (below(2))
		make_equal(&m, &s);
	memcpy(emu_copy, (void *)native_data(), NATIVE_DATA_SIZE);
	cpu = cpu_of(&s);
	decode(&m, &insn);
	before = emu_accesses;
	emu_lost_races = below(8) == 0 ? 2 : 0;
	/* XCHG locks always, and what is not aligned cannot be locked as one access. */
	if (!IS_ALIGNED(m.at, (u64)m.size) && (m.lock || k->first == 0x86)) {
		assert_int_equal(emulate(&cpu, &insn, (gpa_t){m.at}, true, &emu_ops, NULL),
				 -EINVAL);
		untouched = cpu_of(&s);
		assert_memory_equal(&cpu, &untouched, sizeof(cpu));
		assert_int_equal(emu_accesses, before);
		return;
	}
	if (emulate(&cpu, &insn, (gpa_t){m.at}, k->what == WRITES, &emu_ops, NULL)) {
		show(&m);
		fail_msg("refused");
	}
	assert_true(emu_accesses > before);
	native_run(m.code, m.len, &s);
	check_same(&m, &cpu, &s, k->undefined);
}

static void test_against_the_processor(void **state)
{
	(void)state;
	for (u32 i = 0; i < insn_kinds_nr; i++) {
		for (int n = 0; n < 1500; n++)
			try_one(&insn_kinds[i]);
	}
}

/* --- string instructions --- */

/*
 * With 32-bit addresses and ECX 0 there is nothing to do; whether the upper halves of the registers
 * are cleared all the same depends on the processor.
 */
static void forgive_upper_halves(const struct emulate_cpu *cpu, struct native_state *s)
{
	static const u8 regs[] = {RCX, RSI, RDI};

	for (u32 i = 0; i < ARRAY_SIZE(regs); i++)
		if (s->gpr[regs[i]] == (u32)cpu->gpr[regs[i]])
			s->gpr[regs[i]] = cpu->gpr[regs[i]];
}

static void try_string(u8 opcode)
{
	bool half = below(4) == 0, wide = below(2), narrow = below(4) == 0, rep = below(2);
	struct insn_made m = {.size = !(opcode & 1) ? 1 : wide ? 8 : half ? 2 : 4};
	bool writes = (opcode & 0xfe) != 0xac;
	struct native_state s;
	struct emulate_cpu cpu;
	struct emulate_insn insn;
	bool nothing;
	int r, steps = 0;

	random_state(&s);
	s.rflags |= below(2) ? RFLAGS_DF : 0;
	s.gpr[RCX] = below(6) | (narrow ? rnd() << 32 : 0);
	s.gpr[RDI] = native_data() + PAGE_SIZE + ALIGN_DOWN(below(2 * PAGE_SIZE), 64ul);
	s.gpr[RSI] = native_data() + PAGE_SIZE + ALIGN_DOWN(below(2 * PAGE_SIZE), 64ul);
	if (half)
		insn_put(&m, 0x66, 1);
	if (narrow)
		insn_put(&m, 0x67, 1);
	if (rep)
		insn_put(&m, 0xf2 + below(2), 1);
	if (wide)
		insn_put(&m, 0x48, 1);
	insn_put(&m, opcode, 1);
	memcpy(emu_copy, (void *)native_data(), NATIVE_DATA_SIZE);
	cpu = cpu_of(&s);
	decode(&m, &insn);
	do {
		gpa_t gpa = {cpu.gpr[writes ? RDI : RSI]};

		r = emulate(&cpu, &insn, gpa, writes, &emu_ops, NULL);
		assert_true(r == 0 || r == EMU_AGAIN);
		assert_true(++steps < 8);
	} while (r);
	if (rep && narrow)
		assert_int_equal(steps, MAX((u32)s.gpr[RCX], 1u));
	nothing = rep && narrow && !(u32)s.gpr[RCX];
	native_run(m.code, m.len, &s);
	if (nothing)
		forgive_upper_halves(&cpu, &s);
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
	memset(emu_copy, 0x5a, sizeof(emu_copy));
	memset(emu_copy + 8, 0xff, 8);
	assert_int_equal(emulate_decode(&insn, (const u8 *)"\x48\xa5", 2, 64), 0);
	assert_int_equal(emulate(&cpu, &insn, (gpa_t){native_data() + 8}, false, &emu_ops, NULL),
			 0);
	assert_int_equal(*(u64 *)(emu_copy + 64), ~0ull);
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
		struct insn_made m = {.size = !(opcode & 1) ? 1 : wide ? 8 : 4};
		struct native_state s;
		struct emulate_cpu cpu;
		struct emulate_insn insn;

		random_state(&s);
		m.at = native_data() + below(PAGE_SIZE - 8);
		if (narrow)
			insn_put(&m, 0x67, 1);
		if (wide)
			insn_put(&m, 0x48, 1);
		insn_put(&m, opcode, 1);
		insn_put(&m, m.at, narrow ? 4 : 8);
		memcpy(emu_copy, (void *)native_data(), NATIVE_DATA_SIZE);
		cpu = cpu_of(&s);
		decode(&m, &insn);
		assert_int_equal(
			emulate(&cpu, &insn, (gpa_t){m.at}, opcode >= 0xa2, &emu_ops, NULL), 0);
		native_run(m.code, m.len, &s);
		check_same(&m, &cpu, &s, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_the_processor),
		cmocka_unit_test(test_string_instructions),
		cmocka_unit_test(test_movs_that_reads_what_faulted),
		cmocka_unit_test(test_offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
