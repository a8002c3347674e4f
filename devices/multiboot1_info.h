/* SPDX-License-Identifier: MIT */
/* Between the two halves of the Multiboot 1 loader: the kernel, and the information for it. */
#pragma once

#include "devices/loader.h"

/* Writes the information block, and the modules, where nothing else is; *@gpa is its address. 0,
 * -ENOSPC. */
int __must_check multiboot1_write_info(struct loader *l, u32 *gpa);
