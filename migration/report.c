// SPDX-License-Identifier: MIT
// What a migration says: one line for each phase and round, and query-migrate's figures.
#include "migration/report.h"

#include "kernel/log.h"
#include "kernel/time.h"
#include "kernel/vcpu.h"
#include "lib/printf.h"

#define BAR_WIDTH 12

static const struct {
	u32 instant;
	const char *word; /* as in switchover= */
	const char *people;
} instants[] = {
	/* The more particular ones first. */
	{INSTANT_EVENT, "event", "with an event half delivered"},
	{INSTANT_TRANSITION, "transition", "between VMRUN and L2's first instruction"},
	{INSTANT_HALTED, "halted", "with L2 halted"},
	{INSTANT_GIF0, "gif0", "in L1 with GIF clear"},
	{INSTANT_L2, "l2", "in L2"},
	{INSTANT_L1, "l1", "in L1"},
};

/* Several may hold at once; what was asked for goes before what came along. */
static u32 instant_of(const struct report *rep)
{
	u32 mask = rep->instants & rep->wanted ? rep->instants & rep->wanted : rep->instants;
	u32 i = 0;

	while (i < ARRAY_SIZE(instants) - 1 && !(mask & instants[i].instant))
		i++;
	return i;
}

static u64 ms(u64 ns)
{
	return ns / NSEC_PER_MSEC;
}

static void report_round(const struct migration *m)
{
	const struct migration_round *r = &m->round;
	u32 percent = migration_percent(m);
	char bar[BAR_WIDTH + 1];

	for (u32 i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < percent * BAR_WIDTH / 100 ? '#' : '-';
	bar[BAR_WIDTH] = '\0';
	log_info("migration: round %u: %llu pages sent (%llu with contents, %llu KiB), %llu dirty, "
		 "%llu MiB/s [%s] %u %%",
		 m->info.rounds, (unsigned long long)r->sent, (unsigned long long)r->normal,
		 (unsigned long long)r->bytes >> 10, (unsigned long long)r->dirty,
		 (unsigned long long)m->info.bandwidth >> 20, bar, percent);
}

static void report_end(const struct migration *m, const struct report *rep)
{
	const struct migration_info *i = &m->info;

	if (i->status == MIGRATION_STATUS_CANCELLED) {
		log_warn("migration: cancelled; the source runs on");
		return;
	}
	if (i->status != MIGRATION_STATUS_COMPLETED) {
		log_err("migration: failed: %s; the source %s", i->error,
			m->given_away	    ? "runs no more"
			: rep->source_ended ? "has ended"
					    : "runs on");
		return;
	}
	log_info("migration: completed in %llu ms, downtime %llu ms (%llu of them for verifying), "
		 "%u rounds, %llu KiB",
		 (unsigned long long)ms(i->total_time_ns), (unsigned long long)ms(i->downtime_ns),
		 (unsigned long long)ms(i->verify_time_ns), i->rounds,
		 (unsigned long long)i->transferred >> 10);
}

void report_event(const struct migration *m, const struct report *rep, enum migration_event event)
{
	switch (event) {
	case MIGRATION_SETUP:
		log_info("migration: %llu MiB to move to a twin, with dirty logging",
			 (unsigned long long)m->info.total >> (20 - PAGE_SHIFT));
		break;
	case MIGRATION_ROUND:
		report_round(m);
		break;
	case MIGRATION_THROTTLE:
		log_info("migration: the guest writes too fast: held back for %u %% of its time",
			 m->info.throttle);
		break;
	case MIGRATION_PAUSED:
		log_info("migration: the source is stopped %s, %llu pages are left",
			 instants[instant_of(rep)].people, (unsigned long long)m->round.dirty);
		break;
	case MIGRATION_VERIFY:
		log_info("migration: all is sent, comparing %s",
			 m->params.verify ? "memory and state" : "the states only");
		break;
	case MIGRATION_SWITCHED:
		log_info("migration: the destination runs; %s",
			 m->info.verified ? "memory and state are verified"
					  : "its memory was not compared");
		break;
	case MIGRATION_ENDED:
		report_end(m, rep);
	}
}

/* Huge pages of @tree that were split: [0] 2M to 4K, [1] 1G to 2M. */
static u64 splits(const struct mmu_stats *before, const struct mmu_stats *after, enum mmu_tree tree,
		  int level)
{
	return after->split[tree][level] - before->split[tree][level];
}

void report_split(const struct report *rep)
{
	const struct mmu_stats *b = &rep->before, *a = &rep->split;
	u64 left = a->split_enospc - b->split_enospc + a->split_enomem - b->split_enomem;

	log_info(
		"migration: dirty logging is on after %llu ms; split of L1's memory: %llu 1G, %llu "
		"2M pages; of L2's: %llu 1G, %llu 2M pages",
		(unsigned long long)ms(rep->setup_ns),
		(unsigned long long)splits(b, a, MMU_TREE_TDP, 1),
		(unsigned long long)splits(b, a, MMU_TREE_TDP, 0),
		(unsigned long long)splits(b, a, MMU_TREE_NESTED, 1),
		(unsigned long long)splits(b, a, MMU_TREE_NESTED, 0));
	if (left)
		log_warn("migration: %llu splits were refused: the shadow page limit %llu, memory "
			 "%llu; those pages stay huge until they are written",
			 (unsigned long long)left,
			 (unsigned long long)(a->split_enospc - b->split_enospc),
			 (unsigned long long)(a->split_enomem - b->split_enomem));
}

/* --- JSON --- */

static void result_time(struct result *r, const char *key, u64 ns)
{
	result_fixed(r, key, ns / NSEC_PER_USEC, 3);
}

static void result_ram(struct result *r, const struct migration *m)
{
	const struct migration_info *i = &m->info;
	u64 us = MAX(i->total_time_ns / NSEC_PER_USEC, 1ull);

	result_object(r, "ram");
	result_u64(r, "transferred", i->transferred);
	result_u64(r, "remaining", i->remaining * PAGE_SIZE);
	result_u64(r, "total", i->total * PAGE_SIZE);
	result_u64(r, "duplicate", i->duplicate);
	result_u64(r, "normal", i->normal);
	result_u64(r, "normal-bytes", i->normal * PAGE_SIZE);
	result_u64(r, "dirty-pages-rate", i->dirty_rate);
	result_fixed(r, "mbps", i->transferred * 8 * 1000 / us, 3);
	result_u64(r, "dirty-sync-count", i->rounds);
	result_u64(r, "page-size", PAGE_SIZE);
	result_u64(r, "pages-per-second", i->page_rate);
	result_u64(r, "precopy-bytes", i->precopy_bytes);
	result_u64(r, "downtime-bytes", i->downtime_bytes);
	result_end(r);
}

static void result_split(struct result *r, const struct report *rep, const struct mmu_stats *after)
{
	static const char *const trees[] = {[MMU_TREE_TDP] = "tdp", [MMU_TREE_NESTED] = "nested"};

	result_object(r, "split");
	for (enum mmu_tree t = 0; t < MMU_TREE_NR; t++) {
		result_object(r, trees[t]);
		result_u64(r, "1g", splits(&rep->before, after, t, 1));
		result_u64(r, "2m", splits(&rep->before, after, t, 0));
		result_end(r);
	}
	result_u64(r, "enospc", after->split_enospc - rep->before.split_enospc);
	result_u64(r, "enomem", after->split_enomem - rep->before.split_enomem);
	result_end(r);
}

void report_result(struct result *r, const struct migration *m, const struct report *rep,
		   const struct mmu_stats *after)
{
	const struct migration_info *i = &m->info;

	result_string(r, "status", migration_status_name(i->status));
	if (i->status == MIGRATION_STATUS_FAILED)
		result_string(r, "error-desc", i->error);
	result_bool(r, "verified", i->verified);
	if (rep->instants) {
		result_bool(r, "l2-active-at-switchover",
			    rep->instants & (INSTANT_L2 | INSTANT_TRANSITION));
		result_string(r, "switchover", instants[instant_of(rep)].word);
	}
	result_time(r, "total-time", i->total_time_ns);
	result_time(r, "setup-time", i->setup_time_ns);
	result_time(r, "downtime", i->downtime_ns);
	result_time(r, "expected-downtime", i->expected_downtime_ns);
	result_time(r, "verify-time", i->verify_time_ns);
	result_u64(r, "cpu-throttle-percentage", i->throttle);
	result_ram(r, m);
	result_split(r, rep, after);
}
