// SPDX-License-Identifier: MIT
/*
 * The VM moves as in a migration: its memory goes where the log says, or all at once, to a new MMU
 * that has no table yet; L1 and L2 go on there with what they had.
 */
#include <string.h>

#include "tests/host/mmu_model_internal.h"

static u8 (*pages)[PAGE_SIZE];

/* What a destination has received: the log's copies, or what is there now. */
static void save(void)
{
	const u8(*sent)[PAGE_SIZE] = m.v.slot->dirty_bitmap ? model_log_copies() : NULL;

	if (!pages)
		pages = malloc(WATCHED * PAGE_SIZE);
	for (int i = 0; i < WATCHED; i++)
		memcpy(pages[i], sent ? sent[i] : m.ram + model_watched_gfn(i) * PAGE_SIZE,
		       PAGE_SIZE);
}

static void restore(void)
{
	for (int i = 0; i < WATCHED; i++)
		memcpy(m.ram + model_watched_gfn(i) * PAGE_SIZE, pages[i], PAGE_SIZE);
	m.tables.memory = (u64 *)(m.ram + POOL_GFN * PAGE_SIZE);
	model_synced(&m.tables);
}

void model_move(void)
{
	model_log_last_round();
	save();
	model_noise_stop();
	model_log_off();
	for (int c = 0; c < VCPUS; c++) {
		nested_mmu_free(&m.v.mmu, &m.vcpus[c].n);
		m.vcpus[c].entered = NULL;
		m.vcpus[c].loading = false;
	}
	check(nv_end(&m.v) == 0);
	env_guest_free();
	model_make_vm();
	restore();
	model_noise_start();
}
