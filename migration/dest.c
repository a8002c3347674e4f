// SPDX-License-Identifier: MIT
// The destination's side of the protocol: which section may come when, and the answers.
#include "migration/dest.h"

#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "migration/dest_verify.h"
#include "migration/memhash.h"
#include "migration/wire.h"

void migration_dest_init(struct migration_dest *d, const struct migration_dest_ops *ops, void *ctx,
			 struct transport *t)
{
	d->ops = ops;
	d->ctx = ctx;
	stream_reader_init(&d->in, t, d->payload, sizeof(d->payload));
	stream_writer_init(&d->answers, t, d->answer_buf, sizeof(d->answer_buf));
	d->stage = DEST_CONFIG;
	d->round = 0;
	d->final = false;
	d->cursor_slot = 0;
	d->cursor_gfn = 0;
	d->round_pages = 0;
	d->pages = 0;
	d->loaded = 0;
	d->created = false;
	d->verified = false;
	d->error = &d->in.error;
}

static int out_of_order(struct migration_dest *d, const struct section *s, const char *what)
{
	return stream_fail(d->error, STREAM_ORDER, "section %lu: %s has no place here", s->sequence,
			   what);
}

static int answer(struct migration_dest *d, enum verdict verdict, const char *text)
{
	struct wire_out out;

	wire_out_init(&out, stream_writer_payload(&d->answers), d->answers.cap);
	wire_put_u32(&out, verdict);
	wire_put_u32(&out, 0);
	wire_put_name(&out, text);
	assert(!out.overflow);
	return stream_write_section(&d->answers, SECTION_ANSWER, 0, out.len);
}

static int take_config(struct migration_dest *d, const struct section *s)
{
	char why[120] = "";
	int err;

	if (d->stage != DEST_CONFIG)
		return out_of_order(d, s, "a second config");
	err = config_read(s, &d->cfg, d->error);
	if (err)
		return err;
	d->cursor_gfn = d->cfg.slots[0].base;
	d->created = true;
	err = d->ops->create(d->ctx, &d->cfg, &d->states, why, sizeof(why));
	if (err) {
		stream_fail(d->error, STREAM_CONFIG, "%s", why);
		return err;
	}
	assert(d->states.ops->count(d->states.ctx) <= MIGRATION_MAX_STATES);
	d->stage = DEST_MEMORY;
	return answer(d, VERDICT_READY, "");
}

/* The first round brings every page there is. */
static int first_round_complete(struct migration_dest *d)
{
	if (d->round == 1 && d->round_pages != config_pages(&d->cfg))
		return stream_fail(d->error, STREAM_INCOMPLETE,
				   "the first round had %lu pages of %lu", d->round_pages,
				   config_pages(&d->cfg));
	return 0;
}

static int take_round(struct migration_dest *d, const struct section *s)
{
	u32 number, flags;

	if (d->stage != DEST_MEMORY || d->final)
		return out_of_order(d, s, "a round");
	if (s->len != 8)
		return stream_fail(d->error, STREAM_FORMAT, "a round marker of %u bytes", s->len);
	number = (u32)wire_load(s->payload, 4);
	flags = (u32)wire_load(s->payload + 4, 4);
	if (number != d->round + 1 || (flags & ~ROUND_FINAL))
		return stream_fail(d->error, STREAM_ORDER, "round %u (flags 0x%x) after round %u",
				   number, flags, d->round);
	if (first_round_complete(d))
		return -EBADMSG;
	d->round = number;
	d->final = flags & ROUND_FINAL;
	d->cursor_slot = 0;
	d->cursor_gfn = d->cfg.slots[0].base;
	d->round_pages = 0;
	return 0;
}

/*
 * A zero page is looked at first: most are zero already, and writing those would make an emulator
 * back them. Memory that no VM had before holds whatever firmware and boot loader left there.
 */
static void clear_page(void *page)
{
	if (!page_is_zero(page))
		memset(page, 0, PAGE_SIZE);
}

/* One entry may cover all of memory, so others are let in on the way. */
static int clear_pages(struct migration_dest *d, u32 index, u64 first, u32 npages)
{
	for (u32 i = 0; i < npages; i++) {
		int err = i % 64 ? 0 : d->ops->yield(d->ctx);

		if (err)
			return err;
		clear_page(d->ops->page(d->ctx, index, first + i));
	}
	return 0;
}

static int write_entry(struct migration_dest *d, u32 index, const struct ram_entry *entry)
{
	u64 first = entry->gfn - d->cfg.slots[index].base;
	int err;

	d->round_pages += entry->npages;
	d->pages += entry->npages;
	if (entry->kind == RAM_ZERO)
		return clear_pages(d, index, first, entry->npages);
	/* By way of a buffer: what decompresses wrongly leaves the machine's memory alone. */
	err = ram_entry_decode(entry, d->page, d->error);
	if (!err)
		memcpy(d->ops->page(d->ctx, index, first), d->page, PAGE_SIZE);
	return err;
}

static int take_ram(struct migration_dest *d, const struct section *s)
{
	struct ram_entry entry;
	struct ram_reader r;
	int more, err;

	if (d->stage != DEST_MEMORY || d->round == 0)
		return out_of_order(d, s, "memory");
	if (s->instance < d->cursor_slot)
		return stream_fail(d->error, STREAM_OVERLAP, "slot index %u came again in round %u",
				   s->instance, d->round);
	err = ram_reader_init(&r, s, &d->cfg, s->instance == d->cursor_slot ? d->cursor_gfn : 0,
			      d->error);
	if (err)
		return err;
	while ((more = ram_reader_next(&r, &entry, d->error)) > 0) {
		err = write_entry(d, s->instance, &entry);
		if (err)
			return err;
	}
	d->cursor_slot = s->instance;
	d->cursor_gfn = r.next;
	return more;
}

/* The state that @s holds among those that the machine has, or -EBADMSG. */
static int find_state(struct migration_dest *d, const struct section *s)
{
	u32 n = d->states.ops->count(d->states.ctx);
	char name[STATE_NAME_MAX];

	if (state_read_name(s, name, d->error))
		return -EBADMSG;
	for (u32 i = 0; i < n; i++) {
		u32 instance;
		const struct state_desc *desc = d->states.ops->desc(d->states.ctx, i, &instance);

		if (instance == s->instance && strcmp(desc->name, name) == 0)
			return (int)i;
	}
	return stream_fail(d->error, STREAM_STATE_UNKNOWN, "state %s %u is unknown here", name,
			   s->instance);
}

static int load_state(struct migration_dest *d, const struct section *s, u32 index)
{
	u32 instance;
	const struct state_desc *desc = d->states.ops->desc(d->states.ctx, index, &instance);
	int err;

	if (d->loaded & BIT(index))
		return stream_fail(d->error, STREAM_STATE_TWICE, "state %s %u came twice",
				   desc->name, instance);
	/* States may rest on one another, so each comes in its place. */
	if (d->loaded != BIT(index) - 1)
		return stream_fail(d->error, STREAM_ORDER, "state %s %u came before its turn",
				   desc->name, instance);
	err = state_read(s, desc, d->state, d->error);
	if (err)
		return err;
	err = d->states.ops->load(d->states.ctx, index, d->state);
	if (err == -ENOMEM)
		stream_fail(d->error, STREAM_STATE_REFUSED,
			    "out of memory for state %s %u: give L1 less (mem=)", desc->name,
			    instance);
	else if (err)
		stream_fail(d->error, STREAM_STATE_REFUSED,
			    "state %s %u cannot be loaded: error %d", desc->name, instance, -err);
	if (err)
		return err;
	d->loaded |= BIT(index);
	return 0;
}

static int take_state(struct migration_dest *d, const struct section *s)
{
	int index;

	if (!(d->stage == DEST_MEMORY && d->final) && d->stage != DEST_STATES)
		return out_of_order(d, s, "a state");
	if (first_round_complete(d))
		return -EBADMSG;
	d->stage = DEST_STATES;
	index = find_state(d, s);
	return index < 0 ? index : load_state(d, s, (u32)index);
}

static int take_verify(struct migration_dest *d, const struct section *s)
{
	u64 loaded = popcount64(d->loaded);
	u32 n;
	int err;

	if (d->stage != DEST_STATES)
		return out_of_order(d, s, "verify");
	n = d->states.ops->count(d->states.ctx);
	if (loaded != n)
		return stream_fail(d->error, STREAM_INCOMPLETE, "only %lu of %u states came",
				   loaded, n);
	err = dest_verify(d, s);
	if (!err)
		d->stage = DEST_END;
	return err;
}

/* @s's own sequence number and bytes are not in the totals: they are of all before it. */
static int take_end(struct migration_dest *d, const struct section *s, u64 bytes, u64 hash)
{
	const u8 *p = s->payload;

	if (d->stage != DEST_END)
		return out_of_order(d, s, "the end");
	if (s->len != END_SIZE)
		return stream_fail(d->error, STREAM_FORMAT, "an end of %u bytes", s->len);
	if (wire_load(p, 8) != d->pages || wire_load(p + 8, 8) != bytes ||
	    wire_load(p + 16, 8) != s->sequence || wire_load(p + 24, 8) != hash)
		return stream_fail(d->error, STREAM_TOTALS,
				   "%lu pages and %lu sections came, the source counts otherwise",
				   d->pages, s->sequence);
	d->stage = DEST_GO;
	return answer(d, VERDICT_VERIFIED, "");
}

/*
 * TAKEN is sent before the machine runs: when that fails, the source still owns it. Past it
 * nothing can fail.
 */
static int take_go(struct migration_dest *d, const struct section *s)
{
	int err;

	if (d->stage != DEST_GO)
		return out_of_order(d, s, "go");
	if (s->len != 0)
		return stream_fail(d->error, STREAM_FORMAT, "a go of %u bytes", s->len);
	err = answer(d, VERDICT_TAKEN, "");
	if (err)
		return err;
	d->stage = DEST_RUNNING;
	d->ops->resume(d->ctx);
	return 0;
}

static int take_section(struct migration_dest *d, const struct section *s, u64 bytes, u64 hash)
{
	switch (s->type) {
	case SECTION_CONFIG:
		return take_config(d, s);
	case SECTION_ROUND:
		return take_round(d, s);
	case SECTION_RAM:
		return take_ram(d, s);
	case SECTION_STATE:
		return take_state(d, s);
	case SECTION_VERIFY:
		return take_verify(d, s);
	case SECTION_END:
		return take_end(d, s, bytes, hash);
	case SECTION_GO:
		return take_go(d, s);
	case SECTION_ANSWER:
		return out_of_order(d, s, "an answer");
	default:
		if (s->type & SECTION_OPTIONAL)
			return 0;
		return stream_fail(d->error, STREAM_UNKNOWN, "section %lu: type %u is unknown here",
				   s->sequence, s->type);
	}
}

/* The source is told if it still listens; whether that arrives changes nothing here. */
static void fail(struct migration_dest *d, int err)
{
	char text[ANSWER_TEXT_MAX];

	if (d->error->fault == STREAM_NONE)
		stream_fail(d->error, STREAM_TRANSPORT, "the destination stopped: error %d", -err);
	d->stage = DEST_FAILED;
	snprintf(text, sizeof(text), "%s (%s)", d->error->why, stream_fault_name(d->error->fault));
	(void)!answer(d, VERDICT_FAILED, text);
	if (d->created)
		d->ops->abandon(d->ctx);
}

int migration_dest_step(struct migration_dest *d)
{
	u64 bytes = d->in.bytes, hash = d->in.hash;
	struct section s;
	int err;

	err = d->ops->yield(d->ctx);
	if (!err)
		err = stream_read_section(&d->in, &s);
	if (!err)
		err = take_section(d, &s, bytes, hash);
	if (err) {
		fail(d, err);
		return err;
	}
	return d->stage == DEST_RUNNING ? 0 : 1;
}

int migration_dest_run(struct migration_dest *d)
{
	int more;

	do {
		more = migration_dest_step(d);
	} while (more > 0);
	return more;
}
