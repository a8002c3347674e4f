// SPDX-License-Identifier: MIT
// Stop-and-copy and the hand-over: everything between the source's last instruction and the
// destination's first one.
#include "lib/assert.h"
#include "lib/string.h"
#include "migration/engine_steps.h"
#include "migration/state_hash.h"

static int pause(struct migration *m)
{
	int err = m->ops->pause(m->ctx);

	if (err == -ECANCELED)
		return migration_fail(m, -ENODEV, "the guest has ended, there is nothing to move");
	if (err == -ETIMEDOUT)
		return migration_fail(m, err,
				      "the guest did not come to the instant wanted in time");
	if (err)
		return migration_fail(m, err, "the guest cannot be stopped: error %d", -err);
	m->paused = true;
	m->paused_ns = m->ops->now_ns(m->ctx);
	m->info.status = MIGRATION_STATUS_DEVICE;
	m->round.dirty = migration_count_dirty(m);
	m->info.remaining = m->round.dirty;
	m->ops->event(m->ctx, MIGRATION_PAUSED);
	return migration_poll(m);
}

static int send_states(struct migration *m)
{
	u32 n = m->states.ops->count(m->states.ctx);

	for (u32 i = 0; i < n; i++) {
		u32 instance;
		const struct state_desc *desc = m->states.ops->desc(m->states.ctx, i, &instance);
		int err;

		assert(desc->size <= sizeof(m->state));
		memset(m->state, STATE_PATTERN_SOURCE, desc->size);
		err = m->states.ops->save(m->states.ctx, i, m->state);
		if (err)
			return migration_fail(m, err, "state %s %u cannot be saved: error %d",
					      desc->name, instance, -err);
		err = migration_poll(m);
		if (!err)
			err = state_write(&m->out, desc, instance, m->state);
		if (err)
			return err;
	}
	return 0;
}

/* All of the guest's memory was sent, so nobody may have written to it while it stood still. */
static int check_nothing_dirty(struct migration *m)
{
	u64 dirty = migration_count_dirty(m);

	m->info.remaining = dirty;
	if (dirty)
		return migration_fail(m, -EIO, "%lu pages were written while the guest stood still",
				      dirty);
	return 0;
}

static int hash_memory(struct migration *m, struct memory_hash *h)
{
	for (u32 i = 0; i < m->cfg.nr_slots; i++) {
		const struct migration_slot *slot = &m->cfg.slots[i];

		for (u64 page = 0; page < slot->npages; page++) {
			int err = page % 64 ? 0 : migration_poll(m);

			if (err)
				return err;
			memory_hash_add(h, slot->base + page, m->ops->page(m->ctx, i, page));
		}
	}
	return 0;
}

static int send_verify(struct migration *m)
{
	struct memory_hash h = {0};
	struct wire_out out;
	int err = 0;

	if (m->params.verify)
		err = hash_memory(m, &h);
	if (err)
		return err;
	wire_out_init(&out, stream_writer_payload(&m->out), m->out.cap);
	wire_put_u32(&out, m->params.verify ? VERIFY_MEMORY : 0);
	wire_put_u32(&out, 0);
	wire_put_u64(&out, h.sum);
	wire_put_u64(&out, h.pages);
	err = state_hashes_put(&m->states, m->state, &out);
	if (err)
		return migration_fail(m, err, "the states cannot be saved: error %d", -err);
	assert(!out.overflow);
	return stream_write_section(&m->out, SECTION_VERIFY, 0, out.len);
}

static int send_end(struct migration *m)
{
	struct wire_out out;

	wire_out_init(&out, stream_writer_payload(&m->out), m->out.cap);
	wire_put_u64(&out, m->info.normal + m->info.duplicate);
	wire_put_u64(&out, m->out.bytes);
	wire_put_u64(&out, m->out.sequence);
	wire_put_u64(&out, m->out.hash);
	return stream_write_section(&m->out, SECTION_END, 0, out.len);
}

int migration_answer(struct migration *m, enum verdict wanted)
{
	struct section s;
	struct wire_in in;
	char text[ANSWER_TEXT_MAX] = "";
	u32 verdict;
	int err = stream_read_section(&m->answers, &s);

	if (err)
		return migration_fail(m, err, "the destination did not answer: %s",
				      m->answers.error.why);
	wire_in_init(&in, s.payload, s.len);
	verdict = wire_get_u32(&in);
	wire_get_u32(&in);
	wire_get_name(&in, text, sizeof(text));
	if (s.type != SECTION_ANSWER || !wire_in_done(&in))
		return migration_fail(m, -EBADMSG, "the destination's answer cannot be understood");
	if (verdict == VERDICT_FAILED)
		return migration_fail(m, -EPROTO, "destination: %s", text);
	if (verdict != wanted)
		return migration_fail(m, -EPROTO, "the destination answered %u instead of %u",
				      verdict, wanted);
	return 0;
}

/* Hashes go out and the verdict comes back. */
static int verify(struct migration *m)
{
	u64 started = m->ops->now_ns(m->ctx);
	int err;

	m->ops->event(m->ctx, MIGRATION_VERIFY);
	err = send_verify(m);
	if (!err)
		err = send_end(m);
	if (!err)
		err = migration_answer(m, VERDICT_VERIFIED);
	m->info.verify_time_ns = m->ops->now_ns(m->ctx) - started;
	if (!err)
		m->info.verified = m->params.verify;
	return err;
}

/*
 * The point of no return. An answer that never comes leaves open whether the destination runs;
 * only where that is certainly not so may the source run again.
 */
static int hand_over(struct migration *m)
{
	int err = migration_poll(m);

	if (err)
		return err;
	err = stream_write_section(&m->out, SECTION_GO, 0, 0);
	if (!err)
		err = migration_answer(m, VERDICT_TAKEN);
	if (!err || m->ops->dest_runs(m->ctx))
		m->given_away = true;
	return err;
}

int migration_switchover(struct migration *m)
{
	u64 before;
	int err = pause(m);

	if (err)
		return err;
	before = m->out.bytes;
	err = migration_round(m, true);
	if (!err)
		err = send_states(m);
	if (!err)
		err = check_nothing_dirty(m);
	if (!err)
		err = verify(m);
	if (!err)
		err = hand_over(m);
	m->info.downtime_bytes = m->out.bytes - before;
	if (err)
		return err;
	m->info.downtime_ns = m->ops->now_ns(m->ctx) - m->paused_ns;
	m->ops->event(m->ctx, MIGRATION_SWITCHED);
	return 0;
}
