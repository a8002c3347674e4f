// SPDX-License-Identifier: MIT
/* The test device; devices/testdev.h has its ports. */
#include "devices/testdev.h"
#include "devices/platform.h"
#include "kernel/platform.h"
#include "kernel/time.h"
#include "kernel/trace.h"

enum { REG_SIGNATURE = 0, REG_VECTOR = 1, REG_PHASE = 2, REG_MIGRATED = 3, REG_TIMER = 4 };

#define FIRST_INTERRUPT 16 /* vectors below belong to the processor's own exceptions */

#define FIELD(member) STATE_FIELD(struct testdev_state, member)

static const struct state_field testdev_fields[] = {
	FIELD(deadline),      FIELD(armed), FIELD(vector),   FIELD(raised),
	FIELD(raised_vector), FIELD(phase), FIELD(migrated),
};
_Static_assert(sizeof(struct testdev_state) == 8 + 6 * 4, "no padding");

const struct state_desc testdev_state_desc = {
	.name = "testdev",
	.version = 1,
	.size = sizeof(struct testdev_state),
	.nr_fields = ARRAY_SIZE(testdev_fields),
	.fields = testdev_fields,
};

void testdev_init(struct testdev *t, struct platform *platform)
{
	*t = (struct testdev){.platform = platform, .vector = FIRST_INTERRUPT};
}

u32 testdev_in(void *dev, u16 offset, int size)
{
	const struct testdev *t = dev;

	if (size == 1 && offset == REG_SIGNATURE)
		return TESTDEV_SIGNATURE;
	if (size == 1 && offset == REG_MIGRATED)
		return t->platform->vm->migrated & 0xff;
	return ~0u;
}

static void mark_phase(struct vm *vm, u8 phase)
{
	WRITE_ONCE(vm->phase, phase);
	trace(phase, phase, 0, 0, 0);
	wait_wake(&vm->watch);
}

static void arm(struct testdev *t, u32 us)
{
	t->armed = us != 0;
	t->deadline = vclock_now(&t->platform->clock) + us * NSEC_PER_USEC;
	platform_rearm(t->platform);
}

void testdev_out(void *dev, u16 offset, int size, u32 val)
{
	struct testdev *t = dev;

	if (size == 1 && offset == REG_VECTOR && (u8)val >= FIRST_INTERRUPT)
		t->vector = (u8)val;
	else if (size == 1 && offset == REG_PHASE)
		mark_phase(t->platform->vm, (u8)val);
	else if (size == 4 && offset == REG_TIMER)
		arm(t, val);
}

u64 testdev_tick(struct testdev *t)
{
	if (!t->armed)
		return PLATFORM_NEVER;
	if (vclock_now(&t->platform->clock) < t->deadline)
		return t->deadline;
	t->armed = false;
	t->raised = true;
	t->raised_vector = t->vector;
	vcpu_kick(t->platform->vm->vcpus[0]);
	return PLATFORM_NEVER;
}

u8 testdev_acknowledge(struct testdev *t)
{
	t->raised = false;
	return t->raised_vector;
}

void testdev_save(const struct testdev *t, struct testdev_state *state)
{
	*state = (struct testdev_state){
		.deadline = t->armed ? t->deadline : 0,
		.armed = t->armed,
		.vector = t->vector,
		.raised = t->raised,
		.raised_vector = t->raised ? t->raised_vector : 0,
		.phase = t->platform->vm->phase,
		.migrated = t->platform->vm->migrated,
	};
}

int testdev_load(struct testdev *t, const struct testdev_state *s)
{
	struct vm *vm = t->platform->vm;

	if (s->armed > 1 || s->vector < FIRST_INTERRUPT || s->vector > 255 || s->raised > 1 ||
	    s->raised_vector > 255 || (s->raised && s->raised_vector < FIRST_INTERRUPT) ||
	    s->deadline >> 63 || s->phase > 255)
		return -EINVAL;
	t->armed = s->armed;
	t->vector = (u8)s->vector;
	t->deadline = s->deadline;
	t->raised = s->raised;
	t->raised_vector = (u8)s->raised_vector;
	vm->phase = s->phase;
	vm->migrated = s->migrated;
	return 0;
}
