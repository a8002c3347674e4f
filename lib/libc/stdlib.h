/* SPDX-License-Identifier: MIT */
/*
 * <stdlib.h> as code from packages (xxHash) asks for it. Nothing defines these functions in the
 * image: their callers there are unused and go away, and a use would not link.
 */
#pragma once

#include <stddef.h>

void *malloc(size_t size);
void free(void *p);
