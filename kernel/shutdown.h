/* SPDX-License-Identifier: MIT */
/* The end of the machine. */
#pragma once

#include "lib/types.h"

/*
 * Status 0 is success; 1..93 failure. With exit=qemu, v is written to isa-debug-exit's port and
 * QEMU ends with (v << 1) | 1, which is never 0: success is v = 0x10 (QEMU ends with 33),
 * failure 0x20 + status, a panic 0x7f (255).
 */
#define EXIT_STATUS_PANIC 0x5f

__noreturn void machine_exit(int status);

/* For what the machine or its user must change: one line, an error, then status 1. */
__noreturn __printf(1, 2) void machine_refuse(const char *fmt, ...);
