// SPDX-License-Identifier: MIT
// objects: kernel/emulate.o kernel/emulate_alu.o kernel/emulate_decode.o tests/host/native.o
// objects: tests/host/emulate_memory.o
// objects: ext/zydis/Decoder.o ext/zydis/DecoderData.o ext/zydis/SharedData.o
/* The emulator where no processor is asked: 16- and 32-bit code, segments, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/emulate_memory.h"

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

		memset(emu_copy, 0, sizeof(emu_copy));
		if (emulate_decode(&insn, (const u8 *)o->code, o->len, o->bits) ||
		    emulate(&cpu, &insn, gpa, true, &emu_ops, NULL))
			fail_msg("%s: refused", o->name);
		assert_int_equal(insn.length, o->len);
		memcpy(&got, emu_copy + o->at, 8);
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
	u64 count = emu_accesses;

	(void)state;
	assert_int_equal(emulate_decode(&insn, (const u8 *)"\x48\x89\x03", 3, 64), 0);
	gpa.v += 8;
	assert_int_equal(emulate(&cpu, &insn, gpa, true, &emu_ops, NULL), -EINVAL);
	cpu.gpr[RBX] = before.gpr[RBX] = end.v;
	assert_int_equal(emulate(&cpu, &insn, end, true, &emu_ops, NULL), -EINVAL);
	assert_int_equal(emulate_decode(&insn, (const u8 *)"\x8b\x03", 2, 64), 0);
	assert_int_equal(emulate(&cpu, &insn, end, true, &emu_ops, NULL), -EINVAL);
	assert_int_equal(emu_accesses, count);
	assert_memory_equal(&cpu, &before, sizeof(cpu));
	assert_int_equal(emulate(&cpu, &insn, end, false, &emu_ops, NULL), 0);
}

/* Others that always win: the guest is to try again, and nothing has happened. */
static void test_lost_exchange(void **state)
{
	struct emulate_cpu cpu = other_cpu(64), before = cpu;
	struct emulate_insn insn;

	(void)state;
	emu_lost_races = 1 << 20;
	assert_int_equal(emulate_decode(&insn, (const u8 *)"\xf0\x48\x01\x03", 4, 64), 0);
	assert_int_equal(emulate(&cpu, &insn, (gpa_t){native_data() + 0x200}, true, &emu_ops, NULL),
			 -EAGAIN);
	assert_memory_equal(&cpu, &before, sizeof(cpu));
	emu_lost_races = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_modes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_what_did_not_fault),
		cmocka_unit_test(test_lost_exchange),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
