/* SPDX-License-Identifier: MIT */
/* What of a struct vm moves: its config, its memory's pages, and its states in their order. */
#pragma once

#include "kernel/vm.h"
#include "migration/migration.h"

/* Describes @vm. */
void vm_config(const struct vm *vm, struct migration_config *cfg);
/* 0 when @vm is what @cfg describes; else -EINVAL with a sentence in @why. */
int __must_check vm_config_check(const struct vm *vm, const struct migration_config *cfg, char *why,
				 size_t size);

/* @vm's memslots in the config's order; NULL after the last. */
void vm_slots(struct vm *vm, struct memslot *slots[MIGRATION_MAX_SLOTS]);
/*
 * Where L0 sees page @page of @slot. Writing there bypasses tracking and dirty log, so it is for
 * a VM that has not run yet.
 */
void *vm_page(const struct memslot *slot, u64 page);

/* Devices, then for each vCPU its nested state and its registers. @ctx is the struct vm, paused. */
extern const struct state_set_ops vm_state_ops;
