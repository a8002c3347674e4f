// SPDX-License-Identifier: MIT
/* objects: vmx/fields.o */
/*
 * The table of VMCS fields against itself: an encoding says a field's width and kind (SDM 3C
 * 24.11.2), so a slip of the pen in either shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmx/fields.h"
#include "vmx/vmcs12.h"

#define ENCODED_WIDTH(encoding) ((encoding) >> 13 & 3)
#define ENCODED_KIND(encoding)	((encoding) >> 10 & 3)
#define ENCODED_HIGH		BIT(0) /* the upper half of 64 bits, for 32-bit software */
#define ENCODED_RESERVED	(BIT(12) | BIT(15))

static void test_encodings(void **state)
{
	(void)state;
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++) {
		const struct vmcs_field_info *f = &vmcs_fields[i];

		if (f->width != ENCODED_WIDTH(f->encoding) || f->kind != ENCODED_KIND(f->encoding))
			fail_msg("%s: 0x%x says width %u, kind %u", f->name, f->encoding,
				 ENCODED_WIDTH(f->encoding), ENCODED_KIND(f->encoding));
		assert_false(f->encoding & (ENCODED_HIGH | ENCODED_RESERVED));
	}
}

/* In the order of width, kind, and index within: none is there twice. */
static u32 rank(u32 encoding)
{
	static const u32 widths[] = {
		[VMCS_W16] = 0, [VMCS_W64] = 1, [VMCS_W32] = 2, [VMCS_NAT] = 3};

	return widths[ENCODED_WIDTH(encoding)] << 12 | (encoding & 0xfff);
}

static void test_order(void **state)
{
	(void)state;
	for (u32 i = 1; i < VMCS_FIELDS_NR; i++)
		if (rank(vmcs_fields[i - 1].encoding) >= rank(vmcs_fields[i].encoding))
			fail_msg("%s comes after %s", vmcs_fields[i].name, vmcs_fields[i - 1].name);
}

static const struct vmcs_field_info *find(const char *name)
{
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++)
		if (!strcmp(vmcs_fields[i].name, name))
			return &vmcs_fields[i];
	fail_msg("no field %s", name);
	return NULL;
}

/* Some of each group, as SDM 3D Appendix B prints them. */
static void test_known(void **state)
{
	static const struct {
		const char *name;
		u32 encoding;
	} known[] = {
		{"vpid", 0x0000},
		{"guest_tr_selector", 0x080e},
		{"host_tr_selector", 0x0c0c},
		{"msr_bitmap", 0x2004},
		{"tsc_offset", 0x2010},
		{"ept_pointer", 0x201a},
		{"guest_physical", 0x2400},
		{"link_pointer", 0x2800},
		{"guest_efer", 0x2806},
		{"guest_pdpte3", 0x2810},
		{"host_efer", 0x2c02},
		{"pin_controls", 0x4000},
		{"proc_controls_2", 0x401e},
		{"insn_error", 0x4400},
		{"exit_reason", 0x4402},
		{"exit_insn_len", 0x440c},
		{"guest_interruptibility", 0x4824},
		{"preemption_timer", 0x482e},
		{"cr4_shadow", 0x6006},
		{"exit_qualification", 0x6400},
		{"guest_linear", 0x640a},
		{"guest_rip", 0x681e},
		{"guest_sysenter_eip", 0x6826},
		{"host_rip", 0x6c16},
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(known); i++)
		assert_int_equal(find(known[i].name)->encoding, known[i].encoding);
	assert_int_equal(VMCS_guest_rip, 0x681e);
	assert_string_equal(vmcs_fields[VMCS_N_guest_rip].name, "guest_rip");
}

/* What a migration carries is the guest's, and the level's view of CR0 and CR4. */
static void test_flags(void **state)
{
	(void)state;
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++) {
		const struct vmcs_field_info *f = &vmcs_fields[i];
		bool shadow = f->encoding == VMCS_cr0_shadow || f->encoding == VMCS_cr4_shadow;

		if (f->moves && (f->offset < 0 || (f->kind != VMCS_GUEST && !shadow)))
			fail_msg("%s moves", f->name);
	}
	assert_true(find("guest_ldtr_base")->moves);
	assert_int_equal(find("guest_pkrs")->offset, -1);
	assert_int_equal(find("posted_intr_desc")->offset, -1);
}

/* Each field has a place of its own, as wide as it is. */
static void test_vmcs12(void **state)
{
	static const u64 widest[] = {[VMCS_W16] = 0xffff,
				     [VMCS_W32] = 0xffffffff,
				     [VMCS_W64] = ~0ull,
				     [VMCS_NAT] = ~0ull};
	static struct vmcs12 v, zero;

	(void)state;
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++) {
		const struct vmcs_field_info *f = &vmcs_fields[i];

		if (f->offset < 0)
			continue;
		assert_int_equal(vmcs12_get(&v, f), 0);
		vmcs12_set(&v, f, ~0ull);
		assert_true(vmcs12_get(&v, f) == widest[f->width]);
	}
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++)
		if (vmcs_fields[i].offset >= 0)
			vmcs12_set(&v, &vmcs_fields[i], 0);
	assert_memory_equal(&v, &zero, sizeof(v));
	v.guest_rip = 0x1234567890;
	v.guest_tr_selector = 0x18;
	assert_int_equal(vmcs12_get(&v, find("guest_rip")), 0x1234567890);
	assert_int_equal(vmcs12_get(&v, find("guest_tr_selector")), 0x18);
}

static void test_texts(void **state)
{
	(void)state;
	assert_string_equal(vmx_error_text(7), "VM entry with invalid control field(s)");
	assert_string_equal(vmx_error_text(28), "Invalid operand to INVEPT/INVVPID");
	assert_string_equal(vmx_error_text(14), "unknown VM-instruction error");
	assert_string_equal(vmx_error_text(~0ull), "unknown VM-instruction error");
	assert_string_equal(vmx_exit_name(48), "EPT_VIOLATION");
	assert_string_equal(vmx_exit_name(35), "unknown exit reason");
	assert_string_equal(vmx_exit_name(~0u), "unknown exit reason");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encodings), cmocka_unit_test(test_order),
		cmocka_unit_test(test_known),	  cmocka_unit_test(test_flags),
		cmocka_unit_test(test_vmcs12),	  cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
