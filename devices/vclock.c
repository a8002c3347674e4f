// SPDX-License-Identifier: MIT
/* The VM's clock; devices/vclock.h. */
#include "devices/vclock.h"
#include "kernel/time.h"
#include "lib/string.h"

#define NEVER (~0ull)

static const struct state_field fields[] = {
	STATE_FIELD(struct vclock_state, now),
	STATE_FIELD(struct vclock_state, tsc),
};

const struct state_desc vclock_state_desc = {
	.name = "vclock",
	.version = 1,
	.size = sizeof(struct vclock_state),
	.nr_fields = ARRAY_SIZE(fields),
	.fields = fields,
};

u64 vclock_now(const struct vclock *c)
{
	return c->running ? time_ns() - c->value : c->value;
}

void vclock_start(struct vclock *c)
{
	if (!c->running)
		c->value = time_ns() - c->value;
	c->running = true;
}

void vclock_stop(struct vclock *c)
{
	c->value = vclock_now(c);
	c->running = false;
}

u64 vclock_to_host(const struct vclock *c, u64 t)
{
	return t == NEVER ? NEVER : t + c->value;
}

void vclock_save(const struct vclock *c, struct vclock_state *state)
{
	state->now = vclock_now(c);
	memcpy(state->tsc, c->tsc, sizeof(state->tsc));
}

int vclock_load(struct vclock *c, const struct vclock_state *state)
{
	if (state->now >> 63)
		return -EINVAL;
	c->value = state->now;
	memcpy(c->tsc, state->tsc, sizeof(c->tsc));
	return 0;
}
