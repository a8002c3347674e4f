/* SPDX-License-Identifier: MIT */
/* The order of coming up, and the door to what L0 is for. */
#pragma once

#include "lib/types.h"

/*
 * Called by boot/main.c on the boot stack, with traps, the console, bootinfo and params ready.
 * Brings up memory, time, interrupts and tasks and never returns.
 */
__noreturn void kernel_main(void);

/*
 * The hypervisor's own work, in a task of its own, after everything in kernel/ is up. The
 * machine ends with what it returns: 0 for success, 1..93 for failure.
 */
int hypervisor_main(void);
