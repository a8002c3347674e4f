// SPDX-License-Identifier: MIT
/* The test device; devices/testdev.h has its ports. */
#include "devices/testdev.h"
#include "kernel/platform.h"
#include "kernel/time.h"
#include "kernel/trace.h"
#include "kernel/vm.h"

enum { REG_SIGNATURE = 0, REG_VECTOR = 1, REG_PHASE = 2, REG_MIGRATED = 3, REG_TIMER = 4 };

#define FIRST_INTERRUPT 16 /* vectors below belong to the processor's own exceptions */

#define FIELD(member) STATE_FIELD(struct testdev_state, member)

static const struct state_field testdev_fields[] = {
	FIELD(remaining_ns), FIELD(armed), FIELD(vector),   FIELD(irq_pending),
	FIELD(irq_vector),   FIELD(phase), FIELD(migrated),
};
_Static_assert(sizeof(struct testdev_state) == 8 + 6 * 4, "no padding");

const struct state_desc testdev_state_desc = {
	.name = "testdev",
	.version = 1,
	.size = sizeof(struct testdev_state),
	.nr_fields = ARRAY_SIZE(testdev_fields),
	.fields = testdev_fields,
};

void testdev_init(struct testdev *t, struct vm *vm)
{
	*t = (struct testdev){.vm = vm, .frozen = true, .vector = FIRST_INTERRUPT};
}

u32 testdev_in(void *dev, u16 offset, int size)
{
	const struct testdev *t = dev;

	if (size == 1 && offset == REG_SIGNATURE)
		return TESTDEV_SIGNATURE;
	if (size == 1 && offset == REG_MIGRATED)
		return t->vm->migrated & 0xff;
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
	t->deadline = time_ns() + us * NSEC_PER_USEC;
	t->vm->next_event = t->armed ? t->deadline : PLATFORM_NEVER;
}

void testdev_out(void *dev, u16 offset, int size, u32 val)
{
	struct testdev *t = dev;

	if (size == 1 && offset == REG_VECTOR && (u8)val >= FIRST_INTERRUPT)
		t->vector = (u8)val;
	else if (size == 1 && offset == REG_PHASE)
		mark_phase(t->vm, (u8)val);
	else if (size == 4 && offset == REG_TIMER)
		arm(t, val);
}

u64 testdev_tick(struct testdev *t)
{
	if (!t->armed || t->frozen)
		return PLATFORM_NEVER;
	if (time_ns() < t->deadline)
		return t->deadline;
	t->armed = false;
	vcpu_raise_interrupt(t->vm->vcpus[0], t->vector);
	return PLATFORM_NEVER;
}

void testdev_freeze(struct testdev *t)
{
	u64 now = time_ns();

	if (t->frozen)
		return;
	t->frozen = true;
	t->deadline = t->deadline > now ? t->deadline - now : 0;
}

void testdev_thaw(struct testdev *t)
{
	if (!t->frozen)
		return;
	t->frozen = false;
	t->deadline += time_ns();
	t->vm->next_event = t->armed ? t->deadline : PLATFORM_NEVER;
}

void testdev_save(const struct testdev *t, struct testdev_state *state)
{
	const struct vcpu *vcpu = t->vm->vcpus[0];

	*state = (struct testdev_state){
		.remaining_ns = t->armed ? t->deadline : 0,
		.armed = t->armed,
		.vector = t->vector,
		.irq_pending = vcpu->irq_pending,
		.irq_vector = vcpu->irq_pending ? vcpu->irq_vector : 0,
		.phase = t->vm->phase,
		.migrated = t->vm->migrated,
	};
}

int testdev_load(struct testdev *t, const struct testdev_state *s)
{
	struct vcpu *vcpu = t->vm->vcpus[0];

	if (s->armed > 1 || s->vector < FIRST_INTERRUPT || s->vector > 255 || s->irq_pending > 1 ||
	    s->irq_vector > 255 || (s->irq_pending && s->irq_vector < FIRST_INTERRUPT) ||
	    s->remaining_ns > 0xffffffffull * NSEC_PER_USEC || s->phase > 255)
		return -EINVAL;
	t->armed = s->armed;
	t->vector = (u8)s->vector;
	t->deadline = s->remaining_ns;
	vcpu->irq_vector = (u8)s->irq_vector;
	vcpu->irq_pending = s->irq_pending;
	t->vm->phase = s->phase;
	t->vm->migrated = s->migrated;
	return 0;
}
