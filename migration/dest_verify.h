/* SPDX-License-Identifier: MIT */
/* Is the destination's machine the source's? Compares hashes of memory and state. */
#pragma once

#include "migration/dest.h"

/*
 * Carries out a verify section: hashes what the machine here holds now and compares. 0;
 * -EBADMSG when they differ, or what yield or a state's save said.
 */
int __must_check dest_verify(struct migration_dest *d, const struct section *s);
