/* SPDX-License-Identifier: MIT */
/* The tiny hypervisor: its state, and what its parts do for each other. */
#pragma once

#include "guests/guest.h"
#include "guests/history.h"
#include "guests/l2_abi.h"
#include "guests/npt.h"
#include "guests/virt.h"

/* The np= option: how L2's memory is mapped. */
enum l1_np { NP_MIXED, NP_4K, NP_2M, NP_1G, NP_ALIASED, NP_ALIASED_SPLIT };

struct l1_layout {
	u32 np;
	u64 l2mem;     /* bytes at L2-physical 0 */
	u64 huge;      /* bytes of a page of level 2: 2M, or 4M */
	bool gigabyte; /* there is one page of level 3 */
	u64 lazy;      /* pages at L2_LAZY_BASE, the interrupt stack after them */
	u8 *backing;   /* of the lazy pages */
	u64 mapped;    /* faults that mapped a page */
	u64 upgraded;  /* faults that made a read-only page writable */
	u64 evicted;
	u64 spurious;
	u64 last_fault; /* address of the last spurious fault */
};

struct l1_events {
	bool open; /* L2 has an IDT */
	u64 every; /* exits between injections */
	u64 next;
	u64 events, virqs, timers, exceptions; /* sent so far, one counter per kind */
	u64 virq_vector;		       /* of the last one raised */
	u64 reinjected;			       /* deliveries that an exit had cut short */
	u64 timers_asked;
};

struct l1 {
	const struct virt_ops *virt;
	struct virt_regs regs; /* of L2 */
	struct virt_exit exit; /* its last */
	struct npt npt;
	struct l1_layout layout;
	struct l1_events events;
	bool shadow; /* L2 runs without nested paging, on L1's tables for it */
	u64 exits;
	u64 passes;	 /* L2's, so far */
	u64 stop_after;	 /* L2's passes, 0: never */
	u64 after;	 /* passes to run after a migration */
	u64 evict_every; /* exits between two pages taken away, 0: none is */
	u32 migrations;
	bool verify_asked, verified, done;
	u64 checks; /* made by L1 so far */
};

extern struct l1 l1;

/* Cleave's test device; reads as absent elsewhere. */
enum phase { PHASE_L1 = 1, PHASE_L2 = 2, PHASE_WARM = 3, PHASE_DONE = 4 };
void platform_init(void);
bool platform_has_test_device(void);
void platform_phase(enum phase phase);
u8 platform_migrations(void);

/* An external interrupt for L1 in @us microseconds; by the PIT where there is no test device. */
void platform_timer(u32 us);
u64 platform_timer_interrupts(void);

/* Builds the nested tables and fills in @params' segments; L2's memory is not touched yet. */
void layout_build(struct l1_layout *l, struct npt *npt, struct l2_params *params, u64 wmem);

/* The L1 address of L2's @l2, which must be mapped. */
void *layout_pointer(u64 l2);

/* Handles a nested page fault; NULL, or what is wrong with it. */
const char *layout_fault(struct l1_layout *l, struct npt *npt, u64 l2, bool write);

/* Takes a page away from L2, or write access to one; the caller flushes. */
void layout_evict(struct l1_layout *l, struct npt *npt, u64 random);

/* Before each entry: decides what to inject. */
void events_prepare(void);

/* After each exit: an event whose delivery was cut short goes in again. */
void events_after_exit(void);

/* The exit that events_prepare() asked for: L2 can take an interrupt now. */
void events_window(void);

/* An exception as the answer to L2's instruction. */
void events_exception(u8 vector, bool has_error);

/* Compares L2's counts with what was sent. */
void events_compare(const struct virt_regs *r);

/* Handles the last exit. */
void exits_handle(void);
void hypercall_handle(void);

/* L1's own state: patterns in its registers, pages with a history of their own. */
void checks_init(void);
void checks_before_entry(void);
void checks_after_exit(void);
void checks_complete(void);
u64 checks_pages(void);
