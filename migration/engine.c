// SPDX-License-Identifier: MIT
// The source's side from beginning to end: setup, the pre-copy loop, and what happens when
// something goes wrong.
#include "migration/engine.h"

#include "lib/assert.h"
#include "lib/printf.h"
#include "migration/engine_steps.h"

#define NS_PER_SECOND 1000000000ull
/* A round with fewer pages says little about what a page costs. */
#define TELLING_ROUND 64

const char *migration_status_name(enum migration_status status)
{
	static const char *const names[] = {
		[MIGRATION_STATUS_NONE] = "none",
		[MIGRATION_STATUS_SETUP] = "setup",
		[MIGRATION_STATUS_ACTIVE] = "active",
		[MIGRATION_STATUS_DEVICE] = "device",
		[MIGRATION_STATUS_CANCELLING] = "cancelling",
		[MIGRATION_STATUS_COMPLETED] = "completed",
		[MIGRATION_STATUS_FAILED] = "failed",
		[MIGRATION_STATUS_CANCELLED] = "cancelled",
	};

	return names[status];
}

void migration_params_default(struct migration_params *p)
{
	*p = (struct migration_params){
		.downtime_limit_ns = 300 * 1000 * 1000,
		.max_rounds = 30,
		.auto_converge = true,
		.throttle_initial = 20,
		.throttle_increment = 10,
		.verify = true,
		.compress = true,
	};
}

void migration_init(struct migration *m, const struct migration_source_ops *ops, void *ctx,
		    const struct state_set *states, const struct migration_params *params,
		    struct transport *t)
{
	m->ops = ops;
	m->ctx = ctx;
	m->states = *states;
	m->params = *params;
	m->info = (struct migration_info){0};
	m->round = (struct migration_round){0};
	m->logging = m->paused = m->given_away = m->cancel = false;
	m->dirty_too_fast = 0;
	m->page_cost_ns = 0;
	stream_writer_init(&m->out, t, m->buf, sizeof(m->buf));
	stream_reader_init(&m->answers, t, m->answer_buf, sizeof(m->answer_buf));
	ram_batch_init(&m->batch, &m->out, params->compress);
	assert(states->ops->count(states->ctx) <= MIGRATION_MAX_STATES);
}

void migration_cancel(struct migration *m)
{
	__atomic_store_n(&m->cancel, true, __ATOMIC_RELEASE);
}

int migration_poll(struct migration *m)
{
	m->ops->yield(m->ctx);
	return __atomic_load_n(&m->cancel, __ATOMIC_ACQUIRE) ? -ECANCELED : 0;
}

int migration_fail(struct migration *m, int err, const char *fmt, ...)
{
	va_list ap;

	if (m->info.error[0] == '\0') {
		va_start(ap, fmt);
		vsnprintf(m->info.error, sizeof(m->info.error), fmt, ap);
		va_end(ap);
	}
	return err;
}

u32 migration_percent(const struct migration *m)
{
	u64 missing = MIN(m->round.dirty, m->info.resident);

	return m->info.resident ? (u32)(100 - missing * 100 / m->info.resident) : 100;
}

/*
 * The destination comes first: whether it has room is known before the source is burdened with
 * splitting and logging, and before that takes memory that the destination needs.
 */
static int setup(struct migration *m)
{
	int err;

	m->info.status = MIGRATION_STATUS_SETUP;
	m->ops->config(m->ctx, &m->cfg);
	m->info.total = config_pages(&m->cfg);
	m->info.remaining = m->info.total;
	m->ops->event(m->ctx, MIGRATION_SETUP);
	err = migration_poll(m);
	if (!err)
		err = config_write(&m->out, &m->cfg);
	if (!err)
		err = migration_answer(m, VERDICT_READY);
	if (err)
		return err;
	err = m->ops->log_start(m->ctx);
	if (err)
		return migration_fail(m, err, "dirty logging cannot start: error %d", -err);
	m->logging = true;
	m->info.setup_time_ns = m->ops->now_ns(m->ctx) - m->started_ns;
	return migration_poll(m);
}

/* Figures of the round that has just ended. Microseconds keep the products small. */
static void account_round(struct migration *m)
{
	struct migration_round *r = &m->round;
	u64 us = MAX(r->duration_ns / 1000, 1ull);

	m->info.page_rate = r->sent * 1000000 / us;
	m->info.dirty_rate = r->dirty * 1000000 / us;
	m->info.bandwidth = r->bytes * 1000000 / us;
	m->info.remaining = r->dirty;
	if (r->normal >= TELLING_ROUND || m->page_cost_ns == 0)
		m->page_cost_ns = r->duration_ns / MAX(r->normal, 1ull);
	m->info.expected_downtime_ns = r->dirty * m->page_cost_ns;
}

/* More than half of what a round sends gets dirty again, twice in a row: as QEMU has it. */
static void throttle_if_needed(struct migration *m)
{
	m->dirty_too_fast = m->round.dirty > m->round.normal / 2 ? m->dirty_too_fast + 1 : 0;
	if (!m->params.auto_converge || m->dirty_too_fast < 2 || m->info.throttle == 99)
		return;
	m->dirty_too_fast = 0;
	m->info.throttle = m->info.throttle ? m->info.throttle + m->params.throttle_increment
					    : m->params.throttle_initial;
	m->info.throttle = MIN(m->info.throttle, 99u);
	m->ops->throttle(m->ctx, m->info.throttle);
	m->ops->event(m->ctx, MIGRATION_THROTTLE);
}

static int precopy(struct migration *m)
{
	m->info.status = MIGRATION_STATUS_ACTIVE;
	for (;;) {
		int err = migration_round(m, false);

		if (err)
			return err;
		m->round.dirty = migration_count_dirty(m);
		account_round(m);
		if (m->info.rounds == 1)
			m->info.resident = m->round.normal;
		m->info.precopy_bytes = m->out.bytes;
		m->ops->event(m->ctx, MIGRATION_ROUND);
		err = migration_poll(m);
		if (err)
			return err;
		if (m->info.expected_downtime_ns <= m->params.downtime_limit_ns ||
		    m->info.rounds >= m->params.max_rounds)
			return 0;
		throttle_if_needed(m);
	}
}

/* The destination says why, when it was the one that broke off. */
static void explain(struct migration *m, int err)
{
	if (err == -ECANCELED)
		migration_fail(m, err, "cancelled");
	else if (err == -EPIPE)
		migration_answer(m, VERDICT_VERIFIED);
	migration_fail(m, err, "the stream cannot be written: error %d", -err);
}

/* Whatever went wrong: the guest runs, at full speed and without logging, as if never touched. */
static void take_back(struct migration *m, int err)
{
	if (err == -ECANCELED)
		m->info.status = MIGRATION_STATUS_CANCELLING;
	explain(m, err);
	if (m->paused && !m->given_away) {
		m->ops->resume(m->ctx);
		m->paused = false;
	}
	m->info.status = err == -ECANCELED ? MIGRATION_STATUS_CANCELLED : MIGRATION_STATUS_FAILED;
}

int migration_run(struct migration *m)
{
	int err;

	m->started_ns = m->ops->now_ns(m->ctx);
	err = setup(m);
	if (!err)
		err = precopy(m);
	if (!err)
		err = migration_switchover(m);
	if (err)
		take_back(m, err);
	else
		m->info.status = MIGRATION_STATUS_COMPLETED;
	if (m->info.throttle)
		m->ops->throttle(m->ctx, 0);
	if (m->logging)
		m->ops->log_stop(m->ctx);
	m->logging = false;
	m->info.transferred = m->out.bytes;
	m->info.total_time_ns = m->ops->now_ns(m->ctx) - m->started_ns;
	m->ops->event(m->ctx, MIGRATION_ENDED);
	return err;
}
