/* SPDX-License-Identifier: MIT */
/*
 * What every L1 kernel here has: boot information, console, options, page memory, the way out.
 * boot.S enters guest_start(), which sets all of it up and calls the kernel's own main().
 */
#pragma once

#include "guests/cpu.h"
#include "lib/types.h"

#define PORT_UART  0x3f8
#define PORT_EXIT  0xf4
#define PORT_BOCHS 0x8900

/* The kernel's own: its options' names, NULL-terminated, and its result: 0 when all was well. */
extern const char *const guest_options[];
int guest_main(void);

/* Memory below here is L1's own (image, tables, history); above it belongs to L2. */
#define L1_MEMORY_END ((u64)64 << 20)

/* First byte above the contiguous memory that starts at 1 MiB. */
extern u64 memory_end;

/* Whole lines on the serial port. A newline is not added. */
__printf(1, 2) void console_print(const char *fmt, ...);

/* Ends the machine: the exit port, where there is one, takes @status (0: all was well). */
__noreturn void machine_exit(u32 status);

/* The value of option @name, or @missing. Sizes may end in K, M or G. Malformed: dies. */
u64 option_u64(const char *name, u64 missing);

/* The index in @choices (NULL-terminated) of option @name's value; its first one when missing. */
u32 option_choice(const char *name, const char *const choices[]);

/* Copies option @name's word to @buf (NUL-terminated, cut to @size); false when missing. */
bool option_word(const char *name, char *buf, size_t size);

/* For the setup only: keeps the command line and refuses names not in guest_options. */
void options_init(const char *text);

/* @n contiguous zeroed pages below L1_MEMORY_END. Never fails: it dies. */
void *pages_alloc(u32 n);
