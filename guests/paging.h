/* SPDX-License-Identifier: MIT */
/*
 * L1's own paging: memory one to one, in a mode that is also that of its nested tables, as CR0, CR4
 * and EFER at VMRUN say how those are read (APM 2 15.25.3).
 */
#pragma once

#include "guests/npt.h"

/* The format that the control registers select now. */
const struct npt_format *paging_format(void);

/* Once, before anything else here: the mode that option npt= names. Dies where it cannot be. */
void paging_init(void);

/* 32-bit kernels only: paging_enter() changes to @mode, in long mode as 32-bit code. */
bool paging_possible(enum npt_mode mode);
void paging_enter(enum npt_mode mode);
