/* SPDX-License-Identifier: MIT */
/*
 * The test device, ports E0h to E7h: an external interrupt on demand, and marks by which a guest
 * and L0 tell each other where they are.
 *
 *   E0 read, byte    signature C1h
 *   E1 write, byte   vector of the interrupt
 *   E2 write, byte   phase mark: how far the guest is; L0 may wait for it
 *   E3 read, byte    how often this VM has been migrated
 *   E4 write, dword  arms the interrupt, once, after so many microseconds; 0 disarms it
 *
 * Touched by the vCPU's task; by others only while the VM is paused.
 */
#pragma once

#include "lib/state.h"
#include "lib/types.h"

struct platform;

#define TESTDEV_PORT	  0xe0
#define TESTDEV_PORTS	  8
#define TESTDEV_SIGNATURE 0xc1

/* What moves in a migration: taken while the VM is paused. */
struct testdev_state {
	u64 deadline; /* of the interrupt, when armed: ns of the VM's clock */
	u32 armed;
	u32 vector;
	u32 raised; /* an interrupt has come, and is not delivered to the vCPU yet */
	u32 raised_vector;
	u32 phase;
	u32 migrated;
};
extern const struct state_desc testdev_state_desc;

struct testdev {
	struct platform *platform;
	u64 deadline;
	bool armed, raised;
	u8 vector, raised_vector;
};

void testdev_init(struct testdev *t, struct platform *platform);
u32 testdev_in(void *dev, u16 offset, int size);
void testdev_out(void *dev, u16 offset, int size, u32 val);

/* Raises the interrupt when it is due. Returns the time of the next one, of the VM's clock, or ~0.
 */
u64 testdev_tick(struct testdev *t);
/* What is raised is delivered: its vector. Another one that came before that had taken its place.
 */
u8 testdev_acknowledge(struct testdev *t);

/* VM paused. load: 0, or -EINVAL: no device can be in that state. */
void testdev_save(const struct testdev *t, struct testdev_state *state);
int __must_check testdev_load(struct testdev *t, const struct testdev_state *state);
