// SPDX-License-Identifier: MIT
/* objects: svm/nested_check.o */
/*
 * What VMRUN ignores or forces (APM 2 15.5.1): from a state-save area of random bytes, each field
 * against a second statement of the rules; what no rule names stays as it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "svm/nested_check.h"

#define ROUNDS 4000

static u64 random64(void)
{
	u64 v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | (u8)(rand() >> 7);
	return v;
}

/* Bits 63 to @width become copies of the one below. */
static u64 canonical(u64 address, int width)
{
	u64 upper = ~0ull << width;

	return address >> (width - 1) & 1 ? address | upper : address & ~upper;
}

static struct vmcb_seg expect_seg(struct vmcb_seg seg, const struct vmcb_save *s)
{
	seg.attrib &= 0xfff;
	seg.base = canonical(seg.base, s->cr4 >> 12 & 1 ? 57 : 48);
	return seg;
}

static struct vmcb_save expect(const struct vmcb_save *s)
{
	struct vmcb_save e = *s;
	bool long_mode = (s->efer & 0x100) && (s->cr0 & 0x80000000);

	e.es = expect_seg(s->es, s);
	e.cs = expect_seg(s->cs, s);
	e.ss = expect_seg(s->ss, s);
	e.ds = expect_seg(s->ds, s);
	e.gdtr = expect_seg(s->gdtr, s);
	e.idtr = expect_seg(s->idtr, s);
	e.cr0 = (s->cr0 & 0xe005003f) | 0x10;
	e.rflags = (s->rflags & (long_mode ? 0x3d7fd5 : 0x3f7fd5)) | 2;
	e.efer = long_mode ? s->efer | 0x400 : s->efer & ~0x400ull;
	e.cr3 = long_mode ? s->cr3 : s->cr3 & 0xffffffff;
	/* Bit 9 of the attributes is L: 64-bit code has all of RIP. */
	e.rip = long_mode && (s->cs.attrib & 0x200) ? s->rip : s->rip & 0xffffffff;
	e.cpl = s->cpl & 3;
	if (e.rflags & 0x20000)
		e.cpl = 3;
	if (!(s->cr0 & 1))
		e.cpl = 0;
	e.dr6 = (s->dr6 & ~0x1000ull) | 0xffff0ff0;
	e.dr7 = s->dr7 | 0x400;
	return e;
}

static void test_against_the_rules(void **state)
{
	struct vmcb_save *s = malloc(sizeof(*s)), e;
	u64 *words = (u64 *)s;

	(void)state;
	srand(8);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof(*s) / sizeof(u64); i++)
			words[i] = random64();
		/* Some rules rest on bits that are together rarely. */
		if (round & 1)
			s->efer |= 0x100;
		if (round & 2)
			s->cr0 |= 0x80000001;
		e = expect(s);
		svm_normalise_registers(s);
		for (size_t i = 0; i < sizeof(*s); i++)
			if (((u8 *)s)[i] != ((u8 *)&e)[i])
				fail_msg("round %d: offset 0x%zx is %02x, should be %02x", round, i,
					 ((u8 *)s)[i], ((u8 *)&e)[i]);
	}
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
