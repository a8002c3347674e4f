// SPDX-License-Identifier: MIT
// The config section, both directions.
//
//	mem_bytes:8 features:8 nr_vcpus:4 nr_slots:4 vendor(name)
//	then for each slot  id:2 flags:4 base:8 npages:8
#include "migration/stream_config.h"

#include "lib/assert.h"
#include "migration/wire.h"

u64 config_pages(const struct migration_config *cfg)
{
	u64 n = 0;

	for (u32 i = 0; i < cfg->nr_slots; i++)
		n += cfg->slots[i].npages;
	return n;
}

int config_write(struct stream_writer *w, const struct migration_config *cfg)
{
	struct wire_out out;

	wire_out_init(&out, stream_writer_payload(w), w->cap);
	wire_put_u64(&out, cfg->mem_bytes);
	wire_put_u64(&out, cfg->features);
	wire_put_u32(&out, cfg->nr_vcpus);
	wire_put_u32(&out, cfg->nr_slots);
	wire_put_name(&out, cfg->vendor);
	for (u32 i = 0; i < cfg->nr_slots; i++) {
		const struct migration_slot *slot = &cfg->slots[i];

		wire_put_u16(&out, slot->id);
		wire_put_u32(&out, slot->flags);
		wire_put_u64(&out, slot->base);
		wire_put_u64(&out, slot->npages);
	}
	assert(!out.overflow);
	return stream_write_section(w, SECTION_CONFIG, 0, out.len);
}

/* Slots ascend and do not overlap, which later makes "one page twice" easy to see. */
static int check_slots(const struct migration_config *cfg, struct stream_error *e)
{
	u64 next = 0;

	for (u32 i = 0; i < cfg->nr_slots; i++) {
		const struct migration_slot *slot = &cfg->slots[i];

		if (slot->base < next || slot->npages == 0 || slot->base >= MIGRATION_MAX_GFN ||
		    slot->npages > MIGRATION_MAX_GFN - slot->base)
			return stream_fail(
				e, STREAM_CONFIG,
				"slot %u (gfn 0x%lx, 0x%lx pages) overlaps or is too large",
				slot->id, slot->base, slot->npages);
		next = slot->base + slot->npages;
	}
	return 0;
}

int config_read(const struct section *s, struct migration_config *cfg, struct stream_error *e)
{
	struct wire_in in;

	*cfg = (struct migration_config){0};
	wire_in_init(&in, s->payload, s->len);
	cfg->mem_bytes = wire_get_u64(&in);
	cfg->features = wire_get_u64(&in);
	cfg->nr_vcpus = wire_get_u32(&in);
	cfg->nr_slots = wire_get_u32(&in);
	wire_get_name(&in, cfg->vendor, sizeof(cfg->vendor));
	if (in.cut)
		return stream_fail(e, STREAM_FORMAT, "the config section is too short");
	if (cfg->nr_slots == 0 || cfg->nr_slots > MIGRATION_MAX_SLOTS)
		return stream_fail(e, STREAM_CONFIG, "%u memory slots, at most %u are possible",
				   cfg->nr_slots, MIGRATION_MAX_SLOTS);
	for (u32 i = 0; i < cfg->nr_slots; i++) {
		struct migration_slot *slot = &cfg->slots[i];

		slot->id = wire_get_u16(&in);
		slot->flags = wire_get_u32(&in);
		slot->base = wire_get_u64(&in);
		slot->npages = wire_get_u64(&in);
	}
	if (!wire_in_done(&in))
		return stream_fail(e, STREAM_FORMAT, "the config section has the wrong length");
	return check_slots(cfg, e);
}
