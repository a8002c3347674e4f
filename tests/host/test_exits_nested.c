// SPDX-License-Identifier: MIT
// objects: kernel/exits.o kernel/exit_io.o kernel/cpuid.o kernel/msr.o tests/host/exits_vm.o
/* Who gets L2's exits, and when a vCPU halts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "tests/host/exits_vm.h"

/* L1 gets what it intercepts, but never L0's interrupts, nor faults before L0 has looked. */
static void test_who_owns(void **state)
{
	(void)state;
	vcpu.guest_mode = true;
	l1_owns = true;
	run_exit((struct vm_exit){.kind = EXIT_CPUID});
	assert_int_equal(reflected, 1);
	assert_int_equal(skipped, 0);
	run_exit((struct vm_exit){.kind = EXIT_HOST});
	run_exit((struct vm_exit){.kind = EXIT_FAULT});
	assert_int_equal(reflected, 1);
	assert_int_equal(faults, 1);
	vcpu.guest_mode = false;
	run_exit((struct vm_exit){.kind = EXIT_CPUID});
	assert_int_equal(reflected, 1);
	assert_int_equal(skipped, 1);
	assert_int_equal(vcpu.stats.exits, 4);
	assert_int_equal(vcpu.stats.nested_exits, 3);
	assert_int_equal(vcpu.stats.exits_by_kind[EXIT_CPUID], 2);
}

/* L2 must not end L1's machine by a triple fault that L1 intercepts. */
static void test_l2_triple_fault(void **state)
{
	(void)state;
	vcpu.guest_mode = true;
	l1_owns = true;
	vcpu.pending = (struct vcpu_event){.type = EVENT_EXCEPTION, .vector = EXC_DF};
	vcpu_inject_exception(&vcpu, EXC_AC, true, 0);
	assert_false(vm.ended);
	assert_int_equal(reflected, 1);
	assert_int_equal(reflected_code, TEST_SHUTDOWN_CODE);
	assert_int_equal(vcpu.pending.type, EVENT_NONE);
	l1_owns = false;
	vcpu.pending = (struct vcpu_event){.type = EVENT_EXCEPTION, .vector = EXC_DF};
	vcpu_inject_exception(&vcpu, EXC_AC, true, 0);
	assert_true(vm.ended);
	assert_non_null(strstr(vm.end_reason, "L2"));
}

static void test_halt(void **state)
{
	(void)state;
	vcpu.rflags = RFLAGS_IF;
	run_exit((struct vm_exit){.kind = EXIT_HLT});
	assert_true(vcpu.halted);
	assert_false(vm.ended);
	vcpu.rflags = 0;
	vcpu.guest_mode = true;
	run_exit((struct vm_exit){.kind = EXIT_HLT});
	assert_false(vm.ended);
	vcpu.guest_mode = false;
	run_exit((struct vm_exit){.kind = EXIT_HLT});
	assert_true(vm.ended);
	assert_non_null(strstr(vm.end_reason, "halted for good"));
}

/* A vCPU that has something to do does not halt: it would never do it. */
static void test_halt_not_done(void **state)
{
	(void)state;
	vcpu.rflags = RFLAGS_IF;
	skip_result = -EAGAIN; /* the code's page is gone: L2 is to fault there */
	run_exit((struct vm_exit){.kind = EXIT_HLT});
	assert_false(vcpu.halted);
	skip_result = -EFAULT;
	skip_queues = EXC_PF;
	run_exit((struct vm_exit){.kind = EXIT_HLT});
	assert_false(vcpu.halted);
	skip_result = 0;
	skip_queues = EXC_DB;
	run_exit((struct vm_exit){.kind = EXIT_HLT});
	assert_false(vcpu.halted);
	assert_int_equal(vcpu.pending.vector, EXC_DB);
	assert_false(vm.ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_who_owns, exits_setup),
		cmocka_unit_test_setup(test_l2_triple_fault, exits_setup),
		cmocka_unit_test_setup(test_halt, exits_setup),
		cmocka_unit_test_setup(test_halt_not_done, exits_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
