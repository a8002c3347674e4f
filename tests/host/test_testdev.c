// SPDX-License-Identifier: MIT
// objects: devices/testdev.o devices/vclock.o
/* The test device: its ports, its clock that stands still while the VM is paused, its state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/platform.h"
#include "kernel/platform.h"
#include "kernel/time.h"
#include "kernel/trace.h"
#include "kernel/vm.h"

static struct vm vm;
static struct vcpu vcpu;
static struct platform platform;
#define dev platform.testdev
static u64 now;
static int woken;

u64 time_ns(void)
{
	return now;
}

void wait_wake(struct wait_queue *wq)
{
	assert_ptr_equal(wq, &vm.watch);
	woken++;
}

void trace_event(enum trace_id id, u64 a, u64 b, u64 c, u64 d)
{
	(void)id, (void)a, (void)b, (void)c, (void)d;
}

void vcpu_kick(struct vcpu *v)
{
	assert_ptr_equal(v, &vcpu);
	v->irq_pending = 1;
}

void platform_rearm(void *p)
{
	assert_ptr_equal(p, &platform);
	vm.next_event = 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	vm.vcpus[0] = &vcpu;
	vm.nr_vcpus = 1;
	vm.next_event = PLATFORM_NEVER;
	now = 1000000;
	woken = 0;
	memset(&platform, 0, sizeof(platform));
	platform.vm = &vm;
	testdev_init(&dev, &platform);
	vclock_start(&platform.clock);
	return 0;
}

static void arm(u8 vector, u32 us)
{
	testdev_out(&dev, 1, 1, vector);
	testdev_out(&dev, 4, 4, us);
}

static void test_identity(void **state)
{
	(void)state;
	assert_int_equal(testdev_in(&dev, 0, 1), 0xc1);
	vm.migrated = 3;
	assert_int_equal(testdev_in(&dev, 3, 1), 3);
	assert_int_equal(testdev_in(&dev, 5, 1), ~0u);
	assert_int_equal(testdev_in(&dev, 0, 4), ~0u);
}

static void test_phase(void **state)
{
	(void)state;
	testdev_out(&dev, 2, 1, 7);
	assert_int_equal(vm.phase, 7);
	assert_int_equal(woken, 1);
}

static void test_one_shot(void **state)
{
	u64 due;

	(void)state;
	arm(0x60, 50);
	assert_int_equal(vm.next_event, 0); /* look */
	due = testdev_tick(&dev);
	assert_int_equal(vclock_to_host(&platform.clock, due), now + 50000);
	now += 49999;
	assert_int_equal(testdev_tick(&dev), due);
	assert_false(dev.raised);
	now += 1;
	assert_int_equal(testdev_tick(&dev), PLATFORM_NEVER);
	assert_int_equal(vcpu.irq_pending, 1);
	assert_true(dev.raised);
	assert_int_equal(testdev_acknowledge(&dev), 0x60);
	assert_false(dev.raised);
	now += 1000000;
	assert_int_equal(testdev_tick(&dev), PLATFORM_NEVER);
	assert_false(dev.raised);
}

static void test_disarm_and_bad_vector(void **state)
{
	(void)state;
	arm(0x60, 50);
	arm(14, 50); /* a page fault's: refused, the vector stays */
	arm(0x0f, 0);
	now += 100000;
	assert_int_equal(testdev_tick(&dev), PLATFORM_NEVER);
	assert_false(dev.raised);
	arm(15, 1);
	now += 1000;
	testdev_tick(&dev);
	assert_int_equal(testdev_acknowledge(&dev), 0x60);
}

/* What has been raised keeps its vector when the next one is armed with another. */
static void test_raised_and_armed_again(void **state)
{
	(void)state;
	arm(0x60, 1);
	now += 1000;
	testdev_tick(&dev);
	arm(0x61, 1000);
	assert_int_equal(testdev_acknowledge(&dev), 0x60);
}

static void test_clock_stands_still(void **state)
{
	struct testdev_state a, b;
	u64 due;

	(void)state;
	arm(0x60, 50);
	due = testdev_tick(&dev);
	now += 20000;
	vclock_stop(&platform.clock);
	testdev_save(&dev, &a);
	now += 1000000000;
	testdev_save(&dev, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(testdev_tick(&dev), due);
	vclock_start(&platform.clock);
	assert_int_equal(vclock_to_host(&platform.clock, due), now + 30000);
}

static void test_state_moves(void **state)
{
	struct vclock_state clock;
	struct testdev_state a, b;

	(void)state;
	arm(0x61, 1);
	now += 1000;
	testdev_tick(&dev);
	arm(0x60, 50);
	testdev_out(&dev, 2, 1, 3);
	vm.migrated = 1;
	platform.clock.tsc[VCLOCK_CPUS - 1] = 12345;
	vclock_stop(&platform.clock);
	testdev_save(&dev, &a);
	vclock_save(&platform.clock, &clock);
	memset(&vm, 0, sizeof(vm));
	memset(&platform, 0, sizeof(platform));
	vm.vcpus[0] = &vcpu;
	platform.vm = &vm;
	now = 5;
	testdev_init(&dev, &platform);
	assert_int_equal(vclock_load(&platform.clock, &clock), 0);
	assert_int_equal(testdev_load(&dev, &a), 0);
	testdev_save(&dev, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(platform.clock.tsc[VCLOCK_CPUS - 1], 12345);
	assert_int_equal(vm.phase, 3);
	assert_int_equal(vm.migrated, 1);
	assert_true(dev.raised);
	assert_int_equal(testdev_acknowledge(&dev), 0x61);
	vclock_start(&platform.clock);
	now += 49999;
	testdev_tick(&dev);
	assert_false(dev.raised);
	now += 1;
	testdev_tick(&dev);
	assert_int_equal(testdev_acknowledge(&dev), 0x60);
	clock.now = 1ull << 63;
	vclock_stop(&platform.clock);
	assert_int_equal(vclock_load(&platform.clock, &clock), -EINVAL);
}

static void refused(size_t offset, u32 value)
{
	struct testdev_state s;

	testdev_save(&dev, &s);
	memcpy((u8 *)&s + offset, &value, sizeof(value));
	assert_int_equal(testdev_load(&dev, &s), -EINVAL);
}

static void test_impossible_states(void **state)
{
	(void)state;
	refused(offsetof(struct testdev_state, armed), 2);
	refused(offsetof(struct testdev_state, vector), 15);
	refused(offsetof(struct testdev_state, vector), 256);
	refused(offsetof(struct testdev_state, raised), 2);
	refused(offsetof(struct testdev_state, raised), 1); /* with vector 0 */
	refused(offsetof(struct testdev_state, raised_vector), 256);
	refused(offsetof(struct testdev_state, phase), 256);
	refused(offsetof(struct testdev_state, deadline) + 4, 0xffffffff);
}

/* As for the other devices: nothing is left out. */
static void test_covered(void **state)
{
	u32 sum = 0;

	(void)state;
	for (u32 i = 0; i < testdev_state_desc.nr_fields; i++) {
		assert_int_equal(testdev_state_desc.fields[i].offset, sum);
		sum += testdev_state_desc.fields[i].size;
	}
	assert_int_equal(sum, sizeof(struct testdev_state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_identity, setup),
		cmocka_unit_test_setup(test_phase, setup),
		cmocka_unit_test_setup(test_one_shot, setup),
		cmocka_unit_test_setup(test_disarm_and_bad_vector, setup),
		cmocka_unit_test_setup(test_raised_and_armed_again, setup),
		cmocka_unit_test_setup(test_clock_stands_still, setup),
		cmocka_unit_test_setup(test_state_moves, setup),
		cmocka_unit_test_setup(test_impossible_states, setup),
		cmocka_unit_test_setup(test_covered, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
