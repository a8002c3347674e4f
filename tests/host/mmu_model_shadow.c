// SPDX-License-Identifier: MIT
/*
 * The tables that L2 runs on, leaf by leaf: each right that one grants must come from L1's tables,
 * as they are or have been since L1's last flush.
 */
#include "tests/host/mmu_model_internal.h"

/* Of a table with more leaves than this only some are looked at. */
#define MANY 24

static const struct model_vcpu *vcpu;

static u32 rights_of(const struct pt_format *fmt, u64 e)
{
	return (!fmt->read || (e & fmt->read) ? ACC_READ : 0) | (e & fmt->write ? ACC_WRITE : 0) |
	       ((fmt->exec ? (e & fmt->exec) != 0 : !(e & fmt->nx)) ? ACC_EXEC : 0);
}

static void check_leaf(u64 addr, u64 hpa, u32 rights)
{
	static const u64 errors[3] = {0, PFERR_W, PFERR_I};
	static const u32 needs[3] = {ACC_READ, ACC_WRITE, ACC_EXEC};

	for (int i = 0; i < 3; i++)
		check(!(rights & needs[i]) || model_grants(vcpu, addr, errors[i], (const u8 *)hpa));
}

static void check_table(const u64 *table, int level, u64 addr, u32 rights)
{
	const struct pt_format *fmt = m.v.mmu.cfg.fmt;
	u32 seen = 0;

	for (u64 i = 0; i < 512; i++) {
		u64 e = table[i], at = addr | i << LEVEL_SHIFT(level);
		bool leaf = level == 1 || (level <= 3 && (e & fmt->huge));
		u64 offset = leaf && level > 1 ? model_rnd() % LEVEL_PAGES(level) * PAGE_SIZE : 0;
		u32 here = rights & rights_of(fmt, e);

		if (!(e & fmt->present))
			continue;
		if (!leaf)
			check_table((const u64 *)(e & fmt->addr_mask), level - 1, at, here);
		else if (seen++ < MANY || i % 64 == 63)
			check_leaf(at + offset,
				   (e & fmt->addr_mask & ~(LEVEL_SIZE(level) - 1)) + offset, here);
	}
}

void model_check_shadow(void)
{
	for (int c = 0; c < VCPUS; c++) {
		vcpu = &m.vcpus[c];
		if (vcpu->n.root)
			check_table(env_va(nested_mmu_root(&vcpu->n)), m.v.mmu.cfg.fmt->levels, 0,
				    ACC_READ | ACC_WRITE | ACC_EXEC);
	}
}
