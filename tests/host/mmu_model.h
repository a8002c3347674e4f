/* SPDX-License-Identifier: MIT */
/*
 * A VM driven by a string of bytes, and a plain model that knows what may happen: L1 edits its
 * tables, L1 and L2 access memory, logging goes on and off, memory runs out. Whatever the MMU
 * does against the model aborts.
 */
#pragma once

#include "lib/types.h"

/* Runs all operations of @data on a new VM and ends it. Returns how many there were. */
u64 mmu_model_run(const u8 *data, size_t size);
