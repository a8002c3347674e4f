/* SPDX-License-Identifier: MIT */
/*
 * A 32-bit kernel that goes through all modes of paging, and looks in each at how its nested tables
 * are read. Its L2 does one access at a time, in protected mode without paging of its own.
 */
#pragma once

#include "guests/guest.h"
#include "guests/npt.h"
#include "guests/paging.h"
#include "guests/svm.h"

/* L2 addresses that only checks map, the same in each mode. */
#define WINDOW	    ((u64)512 << 20)
#define WINDOW_HUGE ((u64)520 << 20) /* where a page of level 2 may start, 2M or 4M */

/* What L2 is to do; known to modes_l2.S. */
enum modes_op { OP_NOP, OP_READ, OP_WRITE, OP_CALL };

struct modes {
	struct svm_vcpu v;
	struct npt npt; /* of the mode that L1 is in */
	u32 value;	/* that L2 read, or got from what it called */
};
extern struct modes m;

/* Tables that map what L2 always needs: L1's image and all else that it has. */
void modes_tables(struct npt *npt);
void modes_use(const struct npt *npt);
bool modes_on_cleave(void);
bool modes_possible(enum npt_mode mode);

/* A page full of @value. */
u32 *modes_page(u32 value);
/* Maps one leaf; nothing is flushed. */
void modes_map(u64 l2, const void *target, int level, u64 flags);

/* Has L2 do @op at @at; the result is the exit code. */
u64 modes_run(enum modes_op op, u64 at, u32 value);

/* Counts a check, and prints @what and where L1 stands when it failed. */
void check(bool ok, const char *what);
void check_read(const char *what, u64 at, u32 want);
void check_write(const char *what, u64 at, u32 value);
void check_call(const char *what, u64 at);
/* A #NPF at @at with this error code, besides US and FINAL, which all of these have. */
void check_fault(const char *what, enum modes_op op, u64 at, u64 error);
/* The same for a present entry with reserved bits, which QEMU by itself reports as absent. */
void check_reserved(const char *what, enum modes_op op, u64 at, u64 error);

/* All that L1 can see of its tables in the mode that it is in. */
void modes_check_pages(void);
void modes_check_entries(void);
void modes_check_edits(void);
void modes_check_walks(void);
void modes_check_shadow(void);
/* From each mode to each other one. */
void modes_check_switches(void);
