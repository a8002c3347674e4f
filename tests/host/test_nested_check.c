// SPDX-License-Identifier: MIT
/* objects: svm/nested_check.o */
/*
 * VMRUN's checks against a table made from the manual (APM 2 15.5.1, 15.20, 15.25.4): a good VMCB,
 * and one change at a time at the offsets of Appendix B, each with the verdict that it must get.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "svm/nested_check.h"

#define MAXPHYADDR 40
#define SAVE	   0x400

/* VME..OSXMMEXCPT (bits 0..10), UMIP, FSGSBASE, OSXSAVE, SMEP, SMAP; no LA57, PCID, CET */
#define CR4_OK	0x350fffull
#define EFER_OK 0x5d01ull /* SCE LME LMA NXE SVME FFXSR */

static const struct svm_limits limits = {
	.maxphyaddr = MAXPHYADDR,
	.nested_paging = true,
	.flush_by_asid = true,
	.cr4_allowed = CR4_OK,
	.efer_allowed = EFER_OK,
};

static void put(struct vmcb *v, u32 offset, int size, u64 value)
{
	memcpy((char *)v + offset, &value, (size_t)size);
}

/* A 64-bit guest under nested paging. */
static void make_good(struct vmcb *v)
{
	memset(v, 0, sizeof(*v));
	put(v, 0x010, 4, 1);		     /* VMRUN */
	put(v, 0x040, 8, 0x100000);	     /* IOPM */
	put(v, 0x048, 8, 0x200000);	     /* MSRPM */
	put(v, 0x058, 4, 1);		     /* ASID */
	put(v, 0x090, 8, 1);		     /* NP_ENABLE */
	put(v, 0x0b0, 8, 0x300000);	     /* nCR3 */
	put(v, SAVE + 0x012, 2, 0x29b);	     /* CS: 64-bit code */
	put(v, SAVE + 0x0d0, 8, 0x1500);     /* EFER: LME LMA SVME */
	put(v, SAVE + 0x148, 8, 0x20);	     /* CR4: PAE */
	put(v, SAVE + 0x150, 8, 0x400000);   /* CR3 */
	put(v, SAVE + 0x158, 8, 0x80000011); /* CR0: PG ET PE */
	put(v, SAVE + 0x160, 8, 0x400);
	put(v, SAVE + 0x168, 8, 0xffff0ff0);
	put(v, SAVE + 0x170, 8, 2);
	put(v, SAVE + 0x268, 8, 0x0007040600070406);
}

struct row {
	const char *what;
	u32 offset;
	u8 size;
	u64 value;
	const char *want; /* NULL: VMRUN goes through */
};

#define EVENT(type, vector) (0x80000000ull | (type) << 8 | (vector))

static const struct row rows[] = {
	{"no change", 0x018, 1, 0, NULL},
	{"no VMRUN intercept", 0x010, 4, 0, "VMRUN intercept clear"},
	{"VMRUN among others", 0x010, 4, 0xffffffff, NULL},
	{"all but VMRUN", 0x010, 4, 0xfffffffe, "VMRUN intercept clear"},
	{"ASID 0", 0x058, 4, 0, "ASID 0"},
	{"a large ASID", 0x058, 4, 0xffffffff, NULL},

	{"IOPM ends at the limit", 0x040, 8, (1ull << 40) - 0x3000, NULL},
	{"IOPM crosses the limit", 0x040, 8, (1ull << 40) - 0x2000, "IOPM beyond MAXPHYADDR"},
	{"IOPM at the limit", 0x040, 8, 1ull << 40, "IOPM beyond MAXPHYADDR"},
	{"IOPM at the end of all", 0x040, 8, ~0xfffull, "IOPM beyond MAXPHYADDR"},
	{"IOPM's low bits do not count", 0x040, 8, (1ull << 40) - 0x3000 + 0xfff, NULL},
	{"MSRPM ends at the limit", 0x048, 8, (1ull << 40) - 0x2000, NULL},
	{"MSRPM crosses the limit", 0x048, 8, (1ull << 40) - 0x1000, "MSRPM beyond MAXPHYADDR"},
	{"MSRPM at the end of all", 0x048, 8, ~0xfffull, "MSRPM beyond MAXPHYADDR"},

	{"TLB_CONTROL 1", 0x05c, 1, 1, NULL},
	{"TLB_CONTROL 2", 0x05c, 1, 2, "TLB_CONTROL reserved"},
	{"TLB_CONTROL 3", 0x05c, 1, 3, NULL},
	{"TLB_CONTROL 4", 0x05c, 1, 4, "TLB_CONTROL reserved"},
	{"TLB_CONTROL 7", 0x05c, 1, 7, NULL},
	{"TLB_CONTROL 255", 0x05c, 1, 0xff, "TLB_CONTROL reserved"},

	{"event not valid, type 1", 0x0a8, 8, EVENT(1, 0) & ~0x80000000ull, NULL},
	{"interrupt 255", 0x0a8, 8, EVENT(0, 255), NULL},
	{"event type 1", 0x0a8, 8, EVENT(1, 32), "EVENTINJ type"},
	{"NMI", 0x0a8, 8, EVENT(2, 2), NULL},
	{"exception 0", 0x0a8, 8, EVENT(3, 0), NULL},
	{"exception 2 is the NMI", 0x0a8, 8, EVENT(3, 2), "EVENTINJ vector"},
	{"#GP with an error code", 0x0a8, 8, EVENT(3, 13) | 0x800 | 8ull << 32, NULL},
	{"#SX", 0x0a8, 8, EVENT(3, 30), NULL},
	{"exception 31", 0x0a8, 8, EVENT(3, 31), "EVENTINJ vector"},
	{"exception 32", 0x0a8, 8, EVENT(3, 32), "EVENTINJ vector"},
	{"exception 255", 0x0a8, 8, EVENT(3, 255), "EVENTINJ vector"},
	{"INT 80h", 0x0a8, 8, EVENT(4, 0x80), NULL},
	{"event type 5", 0x0a8, 8, EVENT(5, 0), "EVENTINJ type"},
	{"event type 6", 0x0a8, 8, EVENT(6, 0), "EVENTINJ type"},
	{"event type 7", 0x0a8, 8, EVENT(7, 0), "EVENTINJ type"},

	{"nCR3 beyond the limit", 0x0b0, 8, 1ull << 40, "nCR3 MBZ bits"},
	{"nCR3 bit 63", 0x0b0, 8, 1ull << 63, "nCR3 MBZ bits"},
	{"nCR3 just below", 0x0b0, 8, (1ull << 40) - 0x1000, NULL},
	{"G_PAT type 2", SAVE + 0x268, 8, 0x0007040600070402, "G_PAT type"},
	{"G_PAT type 3", SAVE + 0x268, 8, 0x0307040600070406, "G_PAT type"},
	{"G_PAT reserved bits", SAVE + 0x268, 8, 0x0007040600070486, "G_PAT type"},
	{"G_PAT all valid types", SAVE + 0x268, 8, 0x0706050401000706, NULL},

	{"EFER.SVME clear", SAVE + 0x0d0, 8, 0x500, "EFER.SVME clear"},
	{"EFER bit 1", SAVE + 0x0d0, 8, 0x1502, "EFER MBZ bits"},
	{"EFER bit 9", SAVE + 0x0d0, 8, 0x1700, "EFER MBZ bits"},
	{"EFER bit 63", SAVE + 0x0d0, 8, 1ull << 63 | 0x1500, "EFER MBZ bits"},
	{"EFER with all that there is", SAVE + 0x0d0, 8, EFER_OK, NULL},

	{"CR0 NW without CD", SAVE + 0x158, 8, 0xa0000011, "CR0.NW without CR0.CD"},
	{"CR0 CD without NW", SAVE + 0x158, 8, 0xc0000011, NULL},
	{"CR0 CD and NW", SAVE + 0x158, 8, 0xe0000011, NULL},
	{"CR0 bit 32", SAVE + 0x158, 8, 0x180000011, "CR0[63:32]"},
	{"CR0 bit 63", SAVE + 0x158, 8, 1ull << 63 | 0x80000011, "CR0[63:32]"},
	{"CR0 reserved low bits are ignored", SAVE + 0x158, 8, 0x8000ffd1, NULL},
	{"no PG: real mode is no long mode", SAVE + 0x158, 8, 0x10, NULL},
	{"PG without PE in long mode", SAVE + 0x158, 8, 0x80000010, "LME and PG without CR0.PE"},

	{"CR3 beyond the limit", SAVE + 0x150, 8, 1ull << 40, "CR3 MBZ bits"},
	{"CR3 bit 63", SAVE + 0x150, 8, 1ull << 63, "CR3 MBZ bits"},
	{"CR3 low bits", SAVE + 0x150, 8, 0x400fff, NULL},

	{"CR4 bit 13", SAVE + 0x148, 8, 0x2020, "CR4 MBZ bits"},
	{"CR4 LA57 is not offered", SAVE + 0x148, 8, 0x1020, "CR4 MBZ bits"},
	{"CR4 bit 32", SAVE + 0x148, 8, 1ull << 32 | 0x20, "CR4 MBZ bits"},
	{"CR4 SMEP and SMAP", SAVE + 0x148, 8, 0x300020, NULL},
	{"long mode without PAE", SAVE + 0x148, 8, 0, "LME and PG without CR4.PAE"},

	{"DR6 bit 32", SAVE + 0x168, 8, 1ull << 32, "DR6[63:32]"},
	{"DR6 low bits", SAVE + 0x168, 8, 0xffffffff, NULL},
	{"DR7 bit 63", SAVE + 0x160, 8, 1ull << 63, "DR7[63:32]"},
	{"DR7 low bits", SAVE + 0x160, 8, 0xffffffff, NULL},

	{"CS.L and CS.D in long mode", SAVE + 0x012, 2, 0x69b, "CS.L and CS.D"},
	{"CS.D alone", SAVE + 0x012, 2, 0x49b, NULL},

	/* Not checked: hardware ignores or canonicalizes them, or faults later. */
	{"rIP not canonical", SAVE + 0x178, 8, 1ull << 62, NULL},
	{"rFLAGS of ones", SAVE + 0x170, 8, ~0ull, NULL},
	{"GDTR base not canonical", SAVE + 0x068, 8, 1ull << 62, NULL},
	{"vintr of ones", 0x060, 8, ~0ull, NULL},
	{"reserved area", 0x018, 8, ~0ull, NULL},
};

static const char *check_vmcb(const struct vmcb *v, const struct svm_limits *l, bool host_paging)
{
	return svm_check_vmcb(&v->control, &v->save, l, host_paging);
}

static void check(const char *what, const char *got, const char *want)
{
	if (!got != !want || (got && strcmp(got, want)))
		fail_msg("%s: got \"%s\", should be \"%s\"", what, got ? got : "fine",
			 want ? want : "fine");
}

static void test_table(void **state)
{
	struct vmcb *v = aligned_alloc(4096, sizeof(*v));

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		make_good(v);
		put(v, rows[i].offset, rows[i].size, rows[i].value);
		check(rows[i].what, check_vmcb(v, &limits, true), rows[i].want);
	}
	free(v);
}

/* Conditions that take more than one change. */
static void test_combinations(void **state)
{
	struct vmcb *v = aligned_alloc(4096, sizeof(*v));
	struct svm_limits old = limits;

	(void)state;
	make_good(v);
	check("NP without the host's paging", check_vmcb(v, &limits, false),
	      "NP_ENABLE without the host's CR0.PG");
	put(v, 0x090, 8, 0);
	check("no NP without the host's paging", check_vmcb(v, &limits, false), NULL);
	put(v, 0x0b0, 8, ~0ull);
	put(v, SAVE + 0x268, 8, ~0ull);
	check("nCR3 and G_PAT do not count without NP", check_vmcb(v, &limits, true), NULL);

	make_good(v);
	put(v, SAVE + 0x0d0, 8, 0x1000);
	put(v, SAVE + 0x148, 8, 0);
	put(v, SAVE + 0x012, 2, 0x69b);
	put(v, SAVE + 0x150, 8, 1ull << 63);
	check("none of long mode's rules in 32-bit paging", check_vmcb(v, &limits, true), NULL);
	put(v, SAVE + 0x158, 8, 0x80000010);
	check("paged real mode is allowed", check_vmcb(v, &limits, true), NULL);

	old.flush_by_asid = false;
	make_good(v);
	put(v, 0x05c, 1, 3);
	check("TLB_CONTROL 3", check_vmcb(v, &old, true), "TLB_CONTROL without flush by ASID");
	put(v, 0x05c, 1, 1);
	check("TLB_CONTROL 1", check_vmcb(v, &old, true), NULL);
	free(v);
}

/* Each single bit of the registers with must-be-zero bits, against a rule of its own. */
static void test_bits(void **state)
{
	struct vmcb *v = aligned_alloc(4096, sizeof(*v));

	(void)state;
	for (u32 bit = 0; bit < 64; bit++) {
		u64 mask = 1ull << bit;

		make_good(v);
		put(v, SAVE + 0x148, 8, 0x20 | mask);
		assert_int_equal(!!check_vmcb(v, &limits, true), !(limits.cr4_allowed & mask));
		make_good(v);
		put(v, SAVE + 0x0d0, 8, 0x1500 | mask);
		assert_int_equal(!!check_vmcb(v, &limits, true), !(EFER_OK & mask));
		make_good(v);
		put(v, SAVE + 0x150, 8, mask);
		assert_int_equal(!!check_vmcb(v, &limits, true), bit >= MAXPHYADDR);
		make_good(v);
		put(v, SAVE + 0x160, 8, mask);
		assert_int_equal(!!check_vmcb(v, &limits, true), bit >= 32);
	}
	free(v);
}

static void test_normalise(void **state)
{
	struct vmcb *v = aligned_alloc(4096, sizeof(*v)), *again = aligned_alloc(4096, sizeof(*v));
	u8 *bytes = (u8 *)v;

	(void)state;
	make_good(v);
	v->save.gdtr.base = 1ull << 47;
	v->save.rflags = ~0ull;
	v->save.cs.attrib = 0xf29b;
	v->save.efer &= ~0x400ull; /* LMA */
	v->save.cpl = 3;
	svm_normalise_registers(&v->save);
	assert_int_equal(v->save.gdtr.base, 0xffff800000000000ull);
	assert_int_equal(v->save.rflags, 0x3d7fd7);
	assert_int_equal(v->save.cs.attrib, 0x29b);
	assert_int_equal(v->save.efer, 0x1500);
	assert_int_equal(v->save.cpl, 3);

	v->save.cr0 = 0x10;
	svm_normalise_registers(&v->save);
	assert_int_equal(v->save.cpl, 0);
	assert_int_equal(v->save.efer, 0x1100);

	srand(1);
	for (int round = 0; round < 1000; round++) {
		for (u32 i = 0; i < sizeof(*v); i++)
			bytes[i] = (u8)rand();
		svm_normalise_registers(&v->save);
		memcpy(again, v, sizeof(*v));
		svm_normalise_registers(&again->save);
		assert_memory_equal(v, again, sizeof(*v));
	}
	free(v);
	free(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_combinations),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_normalise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
