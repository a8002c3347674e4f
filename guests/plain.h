/* SPDX-License-Identifier: MIT */
/* A kernel that virtualizes nothing: its parts for each other. */
#pragma once

#include "guests/guest.h"

/* One check of the processor that its exits make up; the next one at each call. Dies when wrong. */
void plain_check_next(void);
/* How many there have been, and of how many kinds. */
extern u64 plain_checks;
u32 plain_kinds(void);

/* Patterns in registers that others could damage; set anew at each look. */
void plain_registers_init(void);
void plain_registers_check(void);

/* Dies when @got is not @want. */
void plain_expect(const char *what, u64 got, u64 want);

/* plain_events.c: one check each. */
void plain_halt(void);
void plain_window(void);
void plain_shadow(void);
void plain_delivery(void);
void plain_delivery_halted(void);
