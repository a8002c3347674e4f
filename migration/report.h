/* SPDX-License-Identifier: MIT */
/* The story of a migration: lines for people while it runs, JSON for programs at the end. */
#pragma once

#include "kernel/result.h"
#include "migration/engine.h"
#include "mmu/mmu.h"

/* What the engine does not know and the story needs. */
struct report {
	u32 wanted;   /* where the guest was to be stopped: enum vcpu_instant, 0: anywhere */
	u32 instants; /* where it was stopped */
	struct mmu_stats before; /* the source's, when migration began */
	struct mmu_stats split;	 /* and after dirty logging was turned on */
	u64 setup_ns;		 /* that took so long */
	bool source_ended;	 /* of its own accord, before it could be moved */
};

/* One line, or none. */
void report_event(const struct migration *m, const struct report *rep, enum migration_event event);
/* After logging was turned on. */
void report_split(const struct report *rep);
/* Everything, with @after the source's statistics at the end. */
void report_result(struct result *r, const struct migration *m, const struct report *rep,
		   const struct mmu_stats *after);
