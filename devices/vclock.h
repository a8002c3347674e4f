/* SPDX-License-Identifier: MIT */
/*
 * The clock of a VM's devices: nanoseconds since the VM began, those in which it was paused left
 * out. All times in devices' states are of this clock, so a migration moves one number and every
 * deadline stays right. The vCPUs' time-stamp counters stand still with it (platform_freeze()), or
 * a guest that compares clocks would distrust one of them.
 */
#pragma once

#include "lib/state.h"
#include "lib/types.h"

#define VCLOCK_CPUS 8

struct vclock {
	u64 value; /* stopped: the time; running: time_ns() at which it was 0 (modulo 2^64) */
	bool running;
	u64 tsc[VCLOCK_CPUS]; /* stopped: the counters of L1, by vCPU */
};

/* What moves in a migration: taken while the VM is paused. */
struct vclock_state {
	u64 now;
	u64 tsc[VCLOCK_CPUS];
};
extern const struct state_desc vclock_state_desc;

/* By the vCPU's task, or while the VM is paused. */
u64 vclock_now(const struct vclock *c);
void vclock_start(struct vclock *c);
void vclock_stop(struct vclock *c);
/* A time of this clock, in time_ns(); ~0 stays ~0. Running only. */
u64 vclock_to_host(const struct vclock *c, u64 t);
void vclock_save(const struct vclock *c, struct vclock_state *state);
/* Stopped only. 0, or -EINVAL. */
int __must_check vclock_load(struct vclock *c, const struct vclock_state *state);
