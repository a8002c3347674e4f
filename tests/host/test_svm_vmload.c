// SPDX-License-Identifier: MIT
/* objects: svm/nested_state.o svm/nested_check.o */
/*
 * What VMLOAD and VMSAVE move (APM 2, their pages in volume 3), byte by byte, and who keeps it when
 * a nested state is loaded; and what of a loaded state is put right or left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "svm/nested_state.h"

static struct vmcb *new_vmcb(void)
{
	struct vmcb *v = aligned_alloc(4096, 4096);
	u8 *bytes = (u8 *)v;

	for (size_t i = 0; i < 4096; i++)
		bytes[i] = (u8)(rand() >> 7);
	return v;
}

/* By the offsets of APM 2 Appendix B: FS and GS, LDTR, TR, and STAR to SYSENTER_EIP. */
static bool moves(size_t offset)
{
	return (offset >= 0x040 && offset < 0x060) || (offset >= 0x070 && offset < 0x080) ||
	       (offset >= 0x090 && offset < 0x0a0) || (offset >= 0x200 && offset < 0x240);
}

static void test_copy(void **state)
{
	struct vmcb *from = new_vmcb(), *to = new_vmcb(), *before = new_vmcb();
	const u8 *a = (u8 *)&from->save, *b = (u8 *)&to->save, *old = (u8 *)&before->save;

	(void)state;
	memcpy(before, to, 4096);
	svm_vmload_copy(&to->save, &from->save);
	for (size_t i = 0; i < sizeof(struct vmcb_save); i++)
		if (b[i] != (moves(i) ? a : old)[i])
			fail_msg("the state-save area is wrong at 0x%zx", i);
	assert_memory_equal(&to->control, &before->control, sizeof(to->control));
	free(from);
	free(to);
	free(before);
}

/* L1's registers come from the nested state, but for those: they are the machine's, as it is. */
static void test_load_keeps_them(void **state)
{
	struct vmcb *v01 = new_vmcb(), *v02 = new_vmcb(), *before = new_vmcb();
	struct svm_nested_state n = {.gif = 1}, in = {.svme = 1, .guest_mode = 1};
	const u8 *now = (u8 *)&v01->save, *old = (u8 *)&before->save;
	struct vmcb_save l1;

	(void)state;
	in.l1 = before->save;
	memcpy(before, v01, 4096);
	l1 = in.l1;
	svm_normalise_registers(&l1);
	svm_nested_state_load(&n, v01, v02, &in);
	for (size_t i = 0; i < sizeof(struct vmcb_save); i++)
		if (now[i] != (moves(i) ? old : (const u8 *)&l1)[i])
			fail_msg("L1's state-save area is wrong at 0x%zx", i);
	free(v01);
	free(v02);
	free(before);
}

/* Outside of guest mode there is nothing of L1's beside the vCPU's own state, and it says so. */
static void test_nothing_left_over(void **state)
{
	struct vmcb *v01 = new_vmcb(), *v02 = new_vmcb();
	struct svm_nested_state n = {.svme = 1, .gif = 1, .l1_vintr = 7, .l1_int_state = 1}, out;

	(void)state;
	svm_nested_state_save(&n, v01, v02, false, &out);
	assert_int_equal(out.l1_vintr, 0);
	assert_int_equal(out.l1_int_state, 0);
	free(v01);
	free(v02);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_load_keeps_them),
		cmocka_unit_test(test_nothing_left_over),
	};

	srand(10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
