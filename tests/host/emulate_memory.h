/* SPDX-License-Identifier: MIT */
/* Memory for the emulator under test: a copy of native_data(), with the same addresses. */
#pragma once

#include "kernel/emulate.h"
#include "tests/host/native.h"

/* Aborts on an access that is not within one page of the copy, or an exchange that is not aligned.
 */
extern const struct emulate_ops emu_ops;
extern u8 emu_copy[NATIVE_DATA_SIZE];
extern int emu_lost_races; /* so many exchanges fail first */
extern u64 emu_accesses;
