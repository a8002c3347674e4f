/* SPDX-License-Identifier: MIT */
/*
 * The machine around a VM: which devices there are, and what of them moves in a migration. What
 * the kernel calls is in kernel/platform.h.
 */
#pragma once

#include "devices/testdev.h"
#include "devices/uart.h"

struct vm;

#define UART_PORT 0x3f8

struct platform {
	struct uart uart;
	struct testdev testdev;
};

/*
 * The devices' state as plain structs: uart_state_desc and testdev_state_desc describe them. The
 * VM is paused, or not started.
 */
struct platform_state {
	struct uart_state uart;
	struct testdev_state testdev;
};

void platform_save(struct vm *vm, struct platform_state *state);
/*
 * 0, or -EINVAL with nothing changed. The number of migrations becomes the source's: whoever
 * resumes the VM counts this one.
 */
int __must_check platform_restore(struct vm *vm, const struct platform_state *state);
