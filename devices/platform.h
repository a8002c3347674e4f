/* SPDX-License-Identifier: MIT */
/*
 * The machine around a VM: which devices there are, and what of them moves in a migration. What
 * the kernel calls is in kernel/platform.h.
 */
#pragma once

#include "devices/benchdev.h"
#include "devices/testdev.h"
#include "devices/uart.h"

struct vm;

#define UART_PORT 0x3f8

struct platform {
	struct uart uart;
	struct testdev testdev;
	struct benchdev benchdev; /* with bench=on */
};
