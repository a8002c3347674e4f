// SPDX-License-Identifier: MIT
// The glue between the migration and struct vm, used by source and destination alike.
#include "migration/vm_state.h"

#include "kernel/platform.h"
#include "kernel/vendor.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mmu/env.h"

_Static_assert(MEMSLOT_MAX <= MIGRATION_MAX_SLOTS, "each slot has a place in the config");

/* The n-th slot by address, or NULL. There are few, so no order is kept anywhere. */
static const struct memslot *slot_by_address(const struct mmu *mmu, u32 n)
{
	for (int i = 0; i < mmu->nr_slots; i++) {
		const struct memslot *slot = &mmu->slots[i];
		u32 below = 0;

		for (int k = 0; k < mmu->nr_slots; k++)
			below += mmu->slots[k].npages && mmu->slots[k].base.v < slot->base.v;
		if (slot->npages && below == n)
			return slot;
	}
	return NULL;
}

void vm_config(const struct vm *vm, struct migration_config *cfg)
{
	const struct memslot *slot;

	*cfg = (struct migration_config){
		.mem_bytes = vm->mem_bytes,
		.nr_vcpus = (u32)vm->nr_vcpus,
	};
	snprintf(cfg->vendor, sizeof(cfg->vendor), "%s", vendor->name);
	while ((slot = slot_by_address(&vm->mmu, cfg->nr_slots))) {
		cfg->slots[cfg->nr_slots++] = (struct migration_slot){
			.id = slot->id,
			.flags = slot->flags,
			.base = slot->base.v,
			.npages = slot->npages,
		};
	}
}

static bool same_slots(const struct migration_config *a, const struct migration_config *b)
{
	bool same = a->nr_slots == b->nr_slots;

	for (u32 i = 0; same && i < a->nr_slots; i++) {
		const struct migration_slot *s = &a->slots[i], *t = &b->slots[i];

		same = s->id == t->id && s->flags == t->flags && s->base == t->base &&
		       s->npages == t->npages;
	}
	return same;
}

int vm_config_check(const struct vm *vm, const struct migration_config *cfg, char *why, size_t size)
{
	struct migration_config here;

	vm_config(vm, &here);
	if (strcmp(cfg->vendor, here.vendor) != 0)
		snprintf(why, size, "the machine was on %s, this is %s", cfg->vendor, here.vendor);
	else if (cfg->features != here.features)
		snprintf(why, size, "the machine needs features 0x%lx", cfg->features);
	else if (cfg->nr_vcpus != here.nr_vcpus)
		snprintf(why, size, "the machine has %u vCPUs, here there are %u", cfg->nr_vcpus,
			 here.nr_vcpus);
	else if (!same_slots(cfg, &here))
		snprintf(why, size, "the machine's memory is laid out otherwise");
	else
		return 0;
	return -EINVAL;
}

void vm_slots(struct vm *vm, struct memslot *slots[MIGRATION_MAX_SLOTS])
{
	for (u32 i = 0; i < MIGRATION_MAX_SLOTS; i++)
		slots[i] = (struct memslot *)slot_by_address(&vm->mmu, i);
}

void *vm_page(const struct memslot *slot, u64 page)
{
	return env_va(memslot_hpa(slot, (gfn_t){slot->base.v + page}, NULL));
}

/* --- states --- */

#define STATES_PER_VCPU 2

static u32 state_count(void *ctx)
{
	return platform_state_count() + STATES_PER_VCPU * (u32)((struct vm *)ctx)->nr_vcpus;
}

/* The vCPU that state @index belongs to, or NULL for the devices'. */
static struct vcpu *state_vcpu(struct vm *vm, u32 index, bool *nested)
{
	u32 n = platform_state_count();

	if (index < n)
		return NULL;
	/* The nested state first: it says whose registers the others are. */
	*nested = (index - n) % STATES_PER_VCPU == 0;
	return vm->vcpus[(index - n) / STATES_PER_VCPU];
}

static const struct state_desc *state_desc(void *ctx, u32 index, u32 *instance)
{
	bool nested;
	struct vcpu *vcpu = state_vcpu(ctx, index, &nested);

	*instance = vcpu ? (u32)vcpu->id : 0;
	if (!vcpu)
		return platform_state_desc(index);
	return nested ? vendor->nested_desc : &vcpu_state_desc;
}

static int state_save(void *ctx, u32 index, void *state)
{
	bool nested;
	struct vcpu *vcpu = state_vcpu(ctx, index, &nested);

	if (!vcpu)
		platform_state_save(ctx, index, state);
	else if (nested)
		vendor->nested_save(vcpu, state);
	else
		vendor->get_state(vcpu, state);
	return 0;
}

static int state_load(void *ctx, u32 index, const void *state)
{
	bool nested;
	struct vcpu *vcpu = state_vcpu(ctx, index, &nested);

	if (!vcpu)
		return platform_state_load(ctx, index, state);
	return nested ? vendor->nested_load(vcpu, state) : vendor->set_state(vcpu, state);
}

const struct state_set_ops vm_state_ops = {
	.count = state_count,
	.desc = state_desc,
	.save = state_save,
	.load = state_load,
};
