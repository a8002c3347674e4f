/* SPDX-License-Identifier: MIT */
/*
 * L0's own address space: all of RAM one to one, writable and never executable, in the largest
 * pages that fit; the image in 4K pages, writable or executable but not both; page 0 and guard
 * pages left out; device memory as asked for; tasks' stacks high up.
 */
#pragma once

#include "lib/types.h"

/* Stack n's slot: 16K of stack in the middle of 64K, the rest stays unmapped. */
#define STACK_AREA	0xffffc00000000000ull
#define STACK_SLOT_SIZE 0x10000ull
#define STACK_SIZE	0x4000ull
#define STACK_OFFSET	0x8000ull
#define STACK_SLOTS	256

/*
 * Makes the tables and switches to them. A panic when memory is out. Needs mem_boot_init; from
 * then on further tables come from the page allocator, once it is there.
 */
void paging_init(void);

/* Each further processor switches to the tables that there are. */
void paging_init_cpu(void);

/*
 * Device memory, uncached, at its physical address; whole pages around [@hpa, @hpa + @size).
 * Asking again for the same is allowed. NULL when it is RAM, above the processor's physical
 * addresses, or tables cannot be allocated.
 */
void *mmio_map(hpa_t hpa, u64 size) __must_check;

/*
 * Maps stack slot @slot with memory of its own, unless it is mapped already, and returns its top.
 * 0 when memory is out. A slot's memory stays with it for ever.
 */
u64 stack_map(u32 slot);

/* Is there anything at @va? Reads the tables without the lock: for panics. */
bool paging_mapped(u64 va);

/* Where @va points to. -EFAULT when it is not mapped. */
int __must_check paging_translate(u64 va, hpa_t *out);
