/* SPDX-License-Identifier: MIT */
/*
 * Memory for L0's objects, of any size. One spinlock inside; callable from tasks, also under
 * spinlocks, not from interrupt handlers.
 */
#pragma once

#include "lib/types.h"

/*
 * @size bytes (up to 1 GiB), aligned to 16; from 2 KiB on, whole pages, aligned to their size
 * rounded up to a power of two. NULL when memory is out.
 */
void *kmalloc(size_t size) __must_check;
/* The same, zeroed. */
void *kzalloc(size_t size) __must_check;
/* NULL is allowed. */
void kfree(void *p);

/* Bytes handed out and not freed, as asked for rounded up to what they really take. */
u64 kmem_used(void);
