// SPDX-License-Identifier: MIT
/* Statistics by KVM's names, from one table. */
#include "kernel/stats.h"
#include "kernel/exits.h"
#include "kernel/log.h"
#include "lib/printf.h"

static const struct stat_name {
	const char *name;
	size_t offset; /* of a u64 in struct mmu_stats */
} stat_names[] = {
#define STAT(name)                                      \
	{                                               \
#name, offsetof(struct mmu_stats, name) \
	}
#define STAT_AT(name, member)                            \
	{                                                \
		name, offsetof(struct mmu_stats, member) \
	}
	STAT_AT("pages_4k", pages[MMU_TREE_TDP][0]),
	STAT_AT("pages_2m", pages[MMU_TREE_TDP][1]),
	STAT_AT("pages_1g", pages[MMU_TREE_TDP][2]),
	STAT_AT("nested_pages_4k", pages[MMU_TREE_NESTED][0]),
	STAT_AT("nested_pages_2m", pages[MMU_TREE_NESTED][1]),
	STAT_AT("nested_pages_1g", pages[MMU_TREE_NESTED][2]),
	STAT(pf_fixed),
	STAT(pf_spurious),
	STAT(pf_emulate),
	STAT(nested_pf_fixed),
	STAT(nested_pf_reflected),
	STAT(nested_pf_walked),
	STAT(tdp_pages),
	STAT(mmu_shadow_pages),
	STAT(mmu_shadow_zapped),
	STAT(mmu_cache_miss),
	STAT(mmu_recycled),
	STAT(mmu_reclaimed),
	STAT(mmu_pte_write),
	STAT(mmu_unsync),
	STAT(mmu_synced),
	STAT(mmu_sync_dropped),
	STAT(mmu_flooded),
	STAT(rmap_descs),
	STAT(nx_lpage_splits),
	STAT(nx_recovered),
	STAT(remote_tlb_flush),
	STAT_AT("split_tdp_2m", split[MMU_TREE_TDP][0]),
	STAT_AT("split_tdp_1g", split[MMU_TREE_TDP][1]),
	STAT_AT("split_nested_2m", split[MMU_TREE_NESTED][0]),
	STAT_AT("split_nested_1g", split[MMU_TREE_NESTED][1]),
	STAT_AT("fault_split_tdp", fault_split[MMU_TREE_TDP]),
	STAT_AT("fault_split_nested", fault_split[MMU_TREE_NESTED]),
	STAT(split_enospc),
	STAT(split_enomem),
	STAT_AT("recovered_tdp_2m", recovered[MMU_TREE_TDP][0]),
	STAT_AT("recovered_tdp_1g", recovered[MMU_TREE_TDP][1]),
	STAT_AT("recovered_nested_2m", recovered[MMU_TREE_NESTED][0]),
	STAT_AT("recovered_nested_1g", recovered[MMU_TREE_NESTED][1]),
	STAT(dirty_faults),
	STAT(dirty_tables_scanned),
	STAT(dirty_tables_skipped),
};
_Static_assert(ARRAY_SIZE(stat_names) * sizeof(u64) == sizeof(struct mmu_stats),
	       "each statistic has a name");

static u64 stat_value(const struct vm *vm, const struct stat_name *s)
{
	const u64 *value = (const u64 *)((const char *)&vm->mmu.stats + s->offset);

	return __atomic_load_n(value, __ATOMIC_RELAXED);
}

/* Sum over the vCPUs of the u64 at @offset in struct vcpu_stats. */
static u64 vcpu_sum(const struct vm *vm, size_t offset)
{
	u64 sum = 0;

	for (int i = 0; i < vm->nr_vcpus; i++)
		sum += *(const u64 *)((const char *)&vm->vcpus[i]->stats + offset);
	return sum;
}

static u64 exits_of_kind(const struct vm *vm, int kind)
{
	return vcpu_sum(vm,
			offsetof(struct vcpu_stats, exits_by_kind) + (size_t)kind * sizeof(u64));
}

static const struct stat_name vcpu_names[] = {
	{"exits", offsetof(struct vcpu_stats, exits)},
	{"nested_exits", offsetof(struct vcpu_stats, nested_exits)},
	{"nested_run", offsetof(struct vcpu_stats, nested_runs)},
	{"irq_injections", offsetof(struct vcpu_stats, injections)},
};

/* A terminal's width; without its last column, where some begin a new line by themselves. */
#define COLUMNS 79

/* Collects "name value" words into lines of that width. */
struct line {
	const struct vm *vm;
	char text[COLUMNS + 1];
	int len;
};

static void line_end(struct line *l)
{
	if (l->len)
		log_info("%s", l->text);
	l->len = 0;
}

static void line_add(struct line *l, const char *prefix, const char *name, u64 value)
{
	char word[64];
	int n;

	if (!value)
		return;
	n = snprintf(word, sizeof(word), " %s%s %llu", prefix, name, (unsigned long long)value);
	if (l->len + n > COLUMNS)
		line_end(l);
	if (!l->len)
		l->len = snprintf(l->text, sizeof(l->text), "%s stats:", l->vm->name);
	l->len += snprintf(l->text + l->len, sizeof(l->text) - (size_t)l->len, "%s", word);
}

void stats_print(const struct vm *vm)
{
	struct line l = {.vm = vm};

	for (size_t i = 0; i < ARRAY_SIZE(vcpu_names); i++)
		line_add(&l, "", vcpu_names[i].name, vcpu_sum(vm, vcpu_names[i].offset));
	for (int k = 0; k < EXIT_KIND_NR; k++)
		line_add(&l, "exit:", exit_kind_name((enum exit_kind)k), exits_of_kind(vm, k));
	line_end(&l);
	for (size_t i = 0; i < ARRAY_SIZE(stat_names); i++)
		line_add(&l, "", stat_names[i].name, stat_value(vm, &stat_names[i]));
	line_end(&l);
}

void stats_result(struct result *r, const struct vm *vm)
{
	result_object(r, "stats");
	for (size_t i = 0; i < ARRAY_SIZE(vcpu_names); i++)
		result_u64(r, vcpu_names[i].name, vcpu_sum(vm, vcpu_names[i].offset));
	for (size_t i = 0; i < ARRAY_SIZE(stat_names); i++)
		result_u64(r, stat_names[i].name, stat_value(vm, &stat_names[i]));
	result_end(r);
	result_object(r, "exits");
	for (int k = 0; k < EXIT_KIND_NR; k++)
		result_u64(r, exit_kind_name((enum exit_kind)k), exits_of_kind(vm, k));
	result_end(r);
}
