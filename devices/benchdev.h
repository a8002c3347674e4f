/* SPDX-License-Identifier: MIT */
/*
 * The bench device, ports E8h to EFh, there only with boot parameter bench=on: a guest that counts
 * instructions has L0 work for it, and sees figures of L0's.
 *
 *   E8 write, byte   1: turn slot 0's dirty log on  2: read and clear all of it  3: turn it off
 *                    10h, 11h: what is measured begins, ends; nothing happens (bench/profile)
 *   E9 write, byte   the figure to show: 0: exits so far  1: L0's free pages
 *                    2: TSC ticks since the image began
 *   EC read, dword   that figure, its low half
 *
 * A command is carried out before the OUT is over; with migrate=off only, or EC reads as ones.
 * Touched by the vCPU's task only.
 */
#pragma once

#include "lib/types.h"

struct vm;

#define BENCHDEV_PORT  0xe8
#define BENCHDEV_PORTS 8

struct benchdev {
	struct vm *vm;
	u8 figure;
	int failed; /* -errno of the last command that could not be carried out */
};

void benchdev_init(struct benchdev *b, struct vm *vm);
u32 benchdev_in(void *dev, u16 offset, int size);
void benchdev_out(void *dev, u16 offset, int size, u32 val);
