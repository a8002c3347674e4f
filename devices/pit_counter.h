/* SPDX-License-Identifier: MIT */
/* One counter of the 8254. Times are in ns of the VM's clock, @t is now. */
#pragma once

#include "devices/pit.h"

/* The control word: counting ends until a count is written. */
void pit_program(struct pit_counter *c, u8 access, u8 mode, bool bcd);
/* A byte of the count. True when it was the last one. */
bool __must_check pit_write(struct pit_counter *c, u8 val, u64 t);
/* The next byte that is to be read: status, latched count, or the count itself. */
u8 pit_read(struct pit_counter *c, u64 t);
void pit_latch(struct pit_counter *c, u64 t);
void pit_latch_status(struct pit_counter *c, u64 t);
void pit_gate(struct pit_counter *c, bool high, u64 t);
/* The OUT pin. */
bool pit_output(const struct pit_counter *c, u64 t);
/* How often OUT has risen since counting began. */
u64 pit_edges(const struct pit_counter *c, u64 t);
/* When it rises next, or ~0. */
u64 pit_next_edge(const struct pit_counter *c, u64 t);
bool pit_counter_is_possible(const struct pit_counter *c);
