/* SPDX-License-Identifier: MIT */
/* What was counted, shown to people and written into the result. */
#pragma once

#include "kernel/result.h"
#include "kernel/vm.h"

/* Some lines on the console, zeroes left out. VM paused or ended. */
void stats_print(const struct vm *vm);
/* The same, complete, as objects "stats" and "exits" in @r. */
void stats_result(struct result *r, const struct vm *vm);
