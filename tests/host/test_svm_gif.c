// SPDX-License-Identifier: MIT
// objects: svm/nested*.o svm/intr.o svm/asid.o svm/gif.o svm/skip.o svm/fetch.o svm/paging.o
// objects: svm/vmcb.o svm/msr.o svm/tsc.o mmu/*.o lib/lock.o tests/host/env*.o tests/host/svm_vm.o
/*
 * L1's global interrupt flag against a plain variable, on processors with and without vGIF: what
 * CLGI, STGI, VMRUN, #VMEXIT and EFER.SVME do to it, that nothing of L1's platform gets past it,
 * and that nobody waits for it in vain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "tests/host/svm_vm.h"

static struct svm_vcpu *svm;
static bool gif; /* what it is by the manual */
static u64 exits;

static bool intercepted(u32 what)
{
	return vmcb_intercept_test(&svm->vmcb->control, what);
}

/* The processor executes CLGI or STGI for the level that runs. */
static void execute(u32 code)
{
	u64 *vintr = &svm->vmcb->control.vintr;

	if (intercepted(code)) {
		exits++;
		sv_virt_insn(svm, code);
		return;
	}
	assert_true(*vintr & V_GIF_ENABLE); /* or the real flag would change */
	assert_true(svm->nested.svme);
	*vintr = code == SVM_EXIT_STGI ? *vintr | V_GIF : *vintr & ~V_GIF;
}

static void set_gif(bool on)
{
	execute(on ? SVM_EXIT_STGI : SVM_EXIT_CLGI);
	gif = on;
}

static void write_efer(u64 efer)
{
	assert_int_equal(svm_msr_write(&svm->vcpu, MSR_EFER, efer), 0);
	if (!(efer & EFER_SVME))
		gif = true;
}

static void run(void)
{
	assert_true(sv_vmrun(0));
	gif = true;
}

static void leave(void)
{
	svm_nested_exit(svm, SVM_EXIT_VMMCALL, 0, 0);
	gif = false;
}

/* The state as a migration takes it and brings it back. */
static void move(void)
{
	struct svm_nested_state state;

	svm->nested.gif = svm_gif(svm);
	svm_nested_state_save(&svm->nested, svm->vmcb01, svm->vmcb02, false, &state);
	assert_int_equal(state.gif, gif);
	svm->vmcb01->control.vintr ^= V_GIF; /* another machine's VMCB */
	svm->nested = state;
	svm_gif_place(svm);
}

static void check(void)
{
	const struct vmcb_control *c = &svm->vmcb->control;

	assert_int_equal(svm_gif(svm), gif);
	assert_int_equal(!!(svm_instants(&svm->vcpu) & INSTANT_GIF0), !gif);
	/* L2's flag is L0's to keep: vGIF is not offered. */
	if (svm->vcpu.guest_mode || !svm->nested.svme)
		assert_true(intercepted(INTERCEPT_CLGI) && intercepted(INTERCEPT_STGI));
	if (svm->vcpu.guest_mode)
		assert_false(c->vintr & V_GIF_ENABLE);
}

/* A device's interrupt waits. Delivered, or it is known what will say that it can be. */
static void interrupt(void)
{
	svm->vcpu.rflags |= RFLAGS_IF;
	svm->vmcb->control.int_state = 0;
	svm->vcpu.pending.type = EVENT_NONE;
	assert_int_equal(svm_intr_allowed(&svm->vcpu), gif);
	if (gif)
		return;
	svm_intr_window(&svm->vcpu);
	assert_true(intercepted(INTERCEPT_STGI));
	assert_false(svm->window);
	if (!svm->vcpu.guest_mode && rand() & 1) {
		set_gif(true);
		assert_true(svm_intr_allowed(&svm->vcpu));
	}
}

static void operation(void)
{
	bool l2 = svm->vcpu.guest_mode;

	switch (rand() % 8) {
	case 0:
	case 1:
		if (svm->nested.svme)
			set_gif(rand() & 1);
		break;
	case 2:
		if (!l2)
			write_efer(EFER_LME | EFER_LMA | EFER_NXE | (rand() & 3 ? EFER_SVME : 0));
		break;
	case 3:
		if (!l2 && svm->nested.svme)
			run();
		break;
	case 4:
		if (l2)
			leave();
		break;
	case 5:
		move();
		break;
	default:
		interrupt();
	}
}

static void follow(u32 features)
{
	sv_make(features);
	svm = sv.vcpus[0];
	gif = true;
	for (int i = 0; i < 20000; i++) {
		operation();
		check();
	}
	assert_false(sv.vm.ended);
	assert_int_equal(sv_end(), 0);
}

static void test_with_vgif(void **state)
{
	(void)state;
	follow(SVM_FEATURE_VGIF);
}

static void test_without(void **state)
{
	(void)state;
	follow(0);
}

/* And CLGI and STGI cost nothing where they need not. */
static void test_no_exit(void **state)
{
	(void)state;
	sv_make(SVM_FEATURE_VGIF);
	svm = sv.vcpus[0];
	exits = 0;
	for (int i = 0; i < 10; i++) {
		set_gif(false);
		run();
		leave();
		set_gif(true);
	}
	assert_int_equal(exits, 0);
	set_gif(false);
	svm_intr_window(&svm->vcpu);
	set_gif(true);
	set_gif(false);
	set_gif(true);
	assert_int_equal(exits, 1);
	assert_int_equal(sv_end(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_vgif),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_no_exit),
	};

	srand(13);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
