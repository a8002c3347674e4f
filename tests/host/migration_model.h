/* SPDX-License-Identifier: MIT */
/*
 * A machine made of arrays, for the tests of the migration: a guest that writes pages at random
 * while the rounds run, a link of a given speed with a clock of its own, a destination that is
 * stepped from inside the source's transport, and faults wherever a test wants one.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "migration/dest.h"
#include "migration/engine.h"

#define MODEL_SLOTS 2

/* Each test program includes this file once, so it can hold what a program needs once. */
void assert_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
	abort();
}

struct model_cpu {
	u64 regs[4];
	u32 mode;
	u8 flags[4];
	u64 clock;
};

struct model_uart {
	u32 divisor;
	u16 line, modem;
};

static const struct state_field model_cpu_fields[] = {
	STATE_FIELD(struct model_cpu, regs),
	STATE_FIELD(struct model_cpu, mode),
	STATE_FIELD(struct model_cpu, flags),
	STATE_FIELD_FLAGS(struct model_cpu, clock, STATE_FIELD_CLOCK),
};
static const struct state_desc model_cpu_desc = {
	"cpu", 1, sizeof(struct model_cpu), ARRAY_SIZE(model_cpu_fields), model_cpu_fields,
};
static const struct state_field model_uart_fields[] = {
	STATE_FIELD(struct model_uart, divisor),
	STATE_FIELD(struct model_uart, line),
	STATE_FIELD(struct model_uart, modem),
};
static const struct state_desc model_uart_desc = {
	"uart", 3, sizeof(struct model_uart), ARRAY_SIZE(model_uart_fields), model_uart_fields,
};

/* One side's memory and states. */
struct model_machine {
	u8 *mem[MODEL_SLOTS];
	struct model_cpu cpu[2];
	struct model_uart uart;
	bool exists, runs;
};

struct queue {
	u8 *data;
	size_t len, pos, cap;
};

enum model_damage { DAMAGE_NONE, DAMAGE_CUT, DAMAGE_ALTER, DAMAGE_REORDER, DAMAGE_NEWER };

struct model {
	struct migration_config cfg;
	struct model_machine src, dst;
	u64 *dirty[MODEL_SLOTS];
	bool logging;
	u32 throttle, throttle_max;

	u64 now_ns;
	u64 ns_per_byte;  /* of the link */
	u64 ns_per_write; /* how often the guest writes a page; 0: never */
	u64 guest_due_ns; /* when it writes next */
	u64 working_set;  /* pages of slot 0 that the guest writes */
	u64 seed;

	/* Faults: the fail_at-th operation that can fail does so. */
	u64 ops_done, fail_at;
	u64 polls, cancel_at;
	int cancel_event;	   /* enum migration_event, or -1 */
	bool lose_bit;		   /* one dirty bit is left out of the last round */
	bool skip_save, skip_load; /* of the field `mode` */
	bool write_paused;
	int pause_result;
	bool refuse_create;

	struct queue to_dest, to_source;
	struct transport source_end, dest_end;
	u64 writes; /* of the source's end */
	enum model_damage damage;
	u64 damage_at; /* write */
	u8 *held;      /* the write that is overtaken */
	size_t held_len;
	struct queue record; /* everything the source wrote */
	bool dest_done, dest_closed;

	int events[MIGRATION_ENDED + 1];
	enum migration_status status_at[MIGRATION_ENDED + 1];
	struct migration source;
	struct migration_dest dest;
};

static inline u64 model_random(struct model *m)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	m->seed ^= m->seed << 17;
	return m->seed;
}

static inline bool model_fault(struct model *m)
{
	return ++m->ops_done == m->fail_at;
}

/* --- queues and transports --- */

static inline void queue_put(struct queue *q, const void *data, size_t len)
{
	if (q->len + len > q->cap) {
		q->cap = (q->len + len) * 2;
		q->data = realloc(q->data, q->cap);
	}
	memcpy(q->data + q->len, data, len);
	q->len += len;
}

static inline int queue_get(struct queue *q, void *data, size_t len)
{
	if (q->len - q->pos < len)
		return -EPIPE;
	if (len)
		memcpy(data, q->data + q->pos, len);
	q->pos += len;
	return 0;
}

static inline int model_dest_write(struct transport *t, const void *buf, size_t len)
{
	struct model *m = container_of(t, struct model, dest_end);

	if (model_fault(m))
		return -EIO;
	queue_put(&m->to_source, buf, len);
	return 0;
}

static inline int model_dest_read(struct transport *t, void *buf, size_t len)
{
	struct model *m = container_of(t, struct model, dest_end);

	if (model_fault(m))
		return -EIO;
	return queue_get(&m->to_dest, buf, len);
}

static inline void model_dest_step(struct model *m)
{
	if (!m->dest_done)
		m->dest_done = migration_dest_step(&m->dest) <= 0;
}

/* What happens to the stream on its way. Returns false when nothing more gets through. */
static inline bool model_deliver(struct model *m, const void *buf, size_t len)
{
	u8 *copy = malloc(len);
	bool hit = m->damage && m->writes == m->damage_at;

	memcpy(copy, buf, len);
	if (hit && m->damage == DAMAGE_CUT)
		len /= 2;
	if (hit && m->damage == DAMAGE_ALTER)
		copy[len - 1] ^= 0x10;
	if (hit && m->damage == DAMAGE_NEWER)
		copy[8]++;
	if (hit && m->damage == DAMAGE_REORDER) {
		m->held = copy;
		m->held_len = len;
		return true;
	}
	queue_put(&m->to_dest, copy, len);
	free(copy);
	if (m->held && !hit) {
		queue_put(&m->to_dest, m->held, m->held_len);
		free(m->held);
		m->held = NULL;
	}
	return !(hit && m->damage == DAMAGE_CUT);
}

/* Each write after the header's is one section, for which the destination takes one step. */
static inline int model_source_write(struct transport *t, const void *buf, size_t len)
{
	struct model *m = container_of(t, struct model, source_end);

	if (model_fault(m))
		return -EIO;
	if (m->dest_done)
		return -EPIPE;
	m->now_ns += len * m->ns_per_byte;
	queue_put(&m->record, buf, len);
	if (!model_deliver(m, buf, len)) {
		/* The destination sees the end of what it gets. */
		while (!m->dest_done)
			model_dest_step(m);
	} else if (m->writes > 0 && !m->held) {
		model_dest_step(m);
	}
	m->writes++;
	return 0;
}

static inline int model_source_read(struct transport *t, void *buf, size_t len)
{
	struct model *m = container_of(t, struct model, source_end);

	if (model_fault(m))
		return -EIO;
	return queue_get(&m->to_source, buf, len);
}

/* --- the guest --- */

static inline void model_write_page(struct model *m, u32 slot, u64 page)
{
	u8 *p = m->src.mem[slot] + page * PAGE_SIZE;

	switch (model_random(m) % 8) {
	case 0:
		memset(p, 0, PAGE_SIZE);
		break;
	case 1: /* nothing that could be compressed */
		for (size_t i = 0; i < PAGE_SIZE; i++)
			p[i] = (u8)(model_random(m) >> 24);
		break;
	default:
		p[model_random(m) % PAGE_SIZE] = (u8)model_random(m);
		p[PAGE_SIZE - 1]++;
	}
	if (m->logging)
		bitmap_set(m->dirty[slot], page);
}

/* Lets the guest do what it would have done until now. */
static inline void model_run_guest(struct model *m)
{
	while (m->ns_per_write && m->src.runs && m->guest_due_ns <= m->now_ns) {
		m->guest_due_ns += m->ns_per_write * 100 / (100 - m->throttle);
		m->src.cpu[0].regs[1]++;
		if (model_random(m) % 16 == 0)
			model_write_page(m, 1, model_random(m) % m->cfg.slots[1].npages);
		else
			model_write_page(m, 0, model_random(m) % m->working_set);
	}
	if (!m->src.runs)
		m->guest_due_ns = m->now_ns;
}

/* --- the source's operations --- */

static inline void model_config(void *ctx, struct migration_config *cfg)
{
	*cfg = ((struct model *)ctx)->cfg;
}

static inline int model_log_start(void *ctx)
{
	struct model *m = ctx;

	if (model_fault(m))
		return -ENOMEM;
	assert(!m->logging);
	m->logging = true;
	return 0;
}

static inline void model_log_stop(void *ctx)
{
	struct model *m = ctx;

	assert(m->logging);
	m->logging = false;
}

static inline u64 model_read_clear(void *ctx, u32 slot, u64 first, u64 npages, u64 *bits)
{
	struct model *m = ctx;
	u64 n = 0;

	assert(first % 64 == 0);
	assert(npages % 64 == 0 || first + npages == m->cfg.slots[slot].npages);
	memset(bits, 0, BITMAP_WORDS(npages) * 8);
	for (u64 i = 0; i < npages; i++) {
		if (!bitmap_test(m->dirty[slot], first + i))
			continue;
		bitmap_clear(m->dirty[slot], first + i);
		if (m->lose_bit && !m->src.runs) {
			m->lose_bit = false;
			continue;
		}
		bitmap_set(bits, i);
		n++;
	}
	return n;
}

static inline u64 model_dirty_count(void *ctx)
{
	struct model *m = ctx;

	return bitmap_count(m->dirty[0], m->cfg.slots[0].npages) +
	       bitmap_count(m->dirty[1], m->cfg.slots[1].npages);
}

static inline const void *model_source_page(void *ctx, u32 slot, u64 page)
{
	struct model *m = ctx;

	assert(page < m->cfg.slots[slot].npages);
	return m->src.mem[slot] + page * PAGE_SIZE;
}

static inline int model_pause(void *ctx)
{
	struct model *m = ctx;

	model_run_guest(m);
	if (m->pause_result)
		return m->pause_result;
	if (model_fault(m))
		return -ETIMEDOUT;
	assert(m->src.runs);
	m->src.runs = false;
	return 0;
}

static inline void model_resume(void *ctx)
{
	struct model *m = ctx;

	assert(!m->src.runs && !m->dst.runs);
	m->src.runs = true;
}

static inline void model_throttle(void *ctx, u32 percent)
{
	struct model *m = ctx;

	m->throttle = percent;
	m->throttle_max = MAX(m->throttle_max, percent);
}

static inline u64 model_now(void *ctx)
{
	return ((struct model *)ctx)->now_ns;
}

static inline void model_yield(void *ctx)
{
	struct model *m = ctx;

	m->now_ns += 1000;
	model_run_guest(m);
	if (m->write_paused && !m->src.runs && m->source.info.status == MIGRATION_STATUS_DEVICE) {
		m->write_paused = false;
		model_write_page(m, 0, m->cfg.slots[0].npages - 1);
	}
	if (++m->polls == m->cancel_at)
		migration_cancel(&m->source);
}

static inline void model_sleep(void *ctx, u64 ns)
{
	struct model *m = ctx;

	m->now_ns += ns;
	model_run_guest(m);
}

static inline bool model_dest_runs(void *ctx)
{
	return ((struct model *)ctx)->dst.runs;
}

static inline void model_event(void *ctx, enum migration_event event)
{
	struct model *m = ctx;

	m->events[event]++;
	m->status_at[event] = m->source.info.status;
	if (m->cancel_event == (int)event)
		migration_cancel(&m->source);
}

static const struct migration_source_ops model_source_ops = {
	.config = model_config,
	.log_start = model_log_start,
	.log_stop = model_log_stop,
	.dirty_read_clear = model_read_clear,
	.dirty_count = model_dirty_count,
	.page = model_source_page,
	.pause = model_pause,
	.resume = model_resume,
	.throttle = model_throttle,
	.now_ns = model_now,
	.yield = model_yield,
	.sleep = model_sleep,
	.dest_runs = model_dest_runs,
	.event = model_event,
};

/* --- states, on both sides --- */

static inline u32 model_state_count(void *ctx)
{
	(void)ctx;
	return 3;
}

static inline const struct state_desc *model_state_desc(void *ctx, u32 index, u32 *instance)
{
	(void)ctx;
	*instance = index == 2 ? 1 : 0;
	return index == 1 ? &model_uart_desc : &model_cpu_desc;
}

static inline void *model_state_of(struct model_machine *v, u32 index)
{
	return index == 1 ? (void *)&v->uart : (void *)&v->cpu[index / 2];
}

static inline int model_state_save(struct model *m, struct model_machine *v, u32 index, u8 *state)
{
	const size_t mode = offsetof(struct model_cpu, mode);
	u32 instance;
	const struct state_desc *desc = model_state_desc(m, index, &instance);
	u32 kept;

	if (model_fault(m))
		return -EIO;
	memcpy(&kept, state + (index == 1 ? 0 : mode), 4);
	memcpy(state, model_state_of(v, index), desc->size);
	if (m->skip_save && index == 2)
		memcpy(state + mode, &kept, 4);
	return 0;
}

static inline int model_save_source(void *ctx, u32 index, void *state)
{
	struct model *m = ctx;

	return model_state_save(m, &m->src, index, state);
}

static inline int model_save_dest(void *ctx, u32 index, void *state)
{
	struct model *m = ctx;

	m->dst.cpu[index / 2].clock++;
	return model_state_save(m, &m->dst, index, state);
}

static inline int model_load_dest(void *ctx, u32 index, const void *state)
{
	struct model *m = ctx;
	u32 instance;

	if (model_fault(m))
		return -EINVAL;
	memcpy(model_state_of(&m->dst, index), state, model_state_desc(m, index, &instance)->size);
	if (m->skip_load && index == 0)
		m->dst.cpu[0].mode = 0;
	return 0;
}

static inline int model_load_source(void *ctx, u32 index, const void *state)
{
	(void)ctx, (void)index, (void)state;
	assert(!"the source loads a state");
	return -EINVAL;
}

static const struct state_set_ops model_source_states = {
	model_state_count,
	model_state_desc,
	model_save_source,
	model_load_source,
};
static const struct state_set_ops model_dest_states = {
	model_state_count,
	model_state_desc,
	model_save_dest,
	model_load_dest,
};

/* --- the destination's operations --- */

static inline int model_create(void *ctx, const struct migration_config *cfg,
			       struct state_set *states, char *why, size_t size)
{
	struct model *m = ctx;

	assert(!m->dst.exists);
	if (m->refuse_create || model_fault(m)) {
		snprintf(why, size, "not enough memory for %lu bytes", cfg->mem_bytes);
		return -ENOMEM;
	}
	if (cfg->nr_slots != MODEL_SLOTS || config_pages(cfg) > 4096) {
		snprintf(why, size, "not this machine");
		return -EINVAL;
	}
	for (int i = 0; i < MODEL_SLOTS; i++)
		m->dst.mem[i] = calloc(cfg->slots[i].npages, PAGE_SIZE);
	m->dst.exists = true;
	states->ops = &model_dest_states;
	states->ctx = m;
	return 0;
}

static inline void *model_dest_page(void *ctx, u32 slot, u64 page)
{
	struct model *m = ctx;

	assert(page < m->dest.cfg.slots[slot].npages);
	return m->dst.mem[slot] + page * PAGE_SIZE;
}

static inline void model_dest_resume(void *ctx)
{
	struct model *m = ctx;

	assert(!m->src.runs);
	m->dst.runs = true;
}

static inline void model_abandon(void *ctx)
{
	struct model *m = ctx;

	assert(!m->dst.runs);
	for (int i = 0; i < MODEL_SLOTS; i++) {
		free(m->dst.mem[i]);
		m->dst.mem[i] = NULL;
	}
	m->dst.exists = false;
}

static inline int model_dest_yield(void *ctx)
{
	return model_fault(ctx) ? -ECANCELED : 0;
}

static const struct migration_dest_ops model_dest_ops = {
	.create = model_create,
	.page = model_dest_page,
	.resume = model_dest_resume,
	.abandon = model_abandon,
	.yield = model_dest_yield,
};

/* --- life --- */

/* Slot 0 of @pages pages, slot 1 of a number that is no multiple of 64. A third holds data. */
static inline struct model *model_new(u64 pages, u64 seed)
{
	struct model *m = calloc(1, sizeof(*m));

	m->seed = seed * 2654435761u + 88172645463325252ull;
	m->cfg = (struct migration_config){
		.mem_bytes = pages * PAGE_SIZE,
		.nr_vcpus = 2,
		.vendor = "model",
		.nr_slots = MODEL_SLOTS,
		.slots = {{0, 0, 0, pages}, {7, 0, 0x100000, pages / 8 + 3}},
	};
	for (int i = 0; i < MODEL_SLOTS; i++) {
		u64 n = m->cfg.slots[i].npages;

		m->src.mem[i] = calloc(n, PAGE_SIZE);
		m->dirty[i] = calloc(BITMAP_WORDS(n), 8);
		for (u64 p = 0; p < n; p += 3)
			model_write_page(m, (u32)i, p);
	}
	for (u64 i = 0; i < 4; i++)
		m->src.cpu[0].regs[i] = model_random(m), m->src.cpu[1].regs[i] = i;
	m->src.cpu[0].mode = 0x1234;
	m->src.cpu[1].mode = 0x5678;
	m->src.cpu[0].clock = 99;
	m->src.uart.divisor = 12;
	m->src.uart.modem = 0x0b;
	m->src.exists = m->src.runs = true;
	m->working_set = pages / 4;
	m->ns_per_byte = 1;
	m->cancel_event = -1;
	m->source_end = (struct transport){model_source_write, model_source_read};
	m->dest_end = (struct transport){model_dest_write, model_dest_read};
	return m;
}

static inline void model_free(struct model *m)
{
	for (int i = 0; i < MODEL_SLOTS; i++) {
		free(m->src.mem[i]);
		free(m->dst.mem[i]);
		free(m->dirty[i]);
	}
	free(m->held);
	free(m->to_dest.data);
	free(m->to_source.data);
	free(m->record.data);
	free(m);
}

static inline int model_migrate(struct model *m, const struct migration_params *params)
{
	struct state_set states = {&model_source_states, m};
	struct migration_params defaults;
	int err;

	migration_params_default(&defaults);
	migration_init(&m->source, &model_source_ops, m, &states, params ? params : &defaults,
		       &m->source_end);
	migration_dest_init(&m->dest, &model_dest_ops, m, &m->dest_end);
	err = migration_run(&m->source);
	/* The source has hung up: a destination that still waits sees the end. */
	while (!m->dest_done)
		model_dest_step(m);
	return err;
}

static inline bool model_same_memory(const struct model *m)
{
	for (int i = 0; i < MODEL_SLOTS; i++) {
		if (memcmp(m->src.mem[i], m->dst.mem[i], m->cfg.slots[i].npages * PAGE_SIZE) != 0)
			return false;
	}
	return true;
}

/* After any failure: the source runs as if never touched, the destination is gone. */
static inline void model_check_taken_back(const struct model *m)
{
	assert_true(m->src.runs);
	assert_false(m->dst.runs);
	assert_false(m->dst.exists);
	assert_false(m->logging);
	assert_int_equal(m->throttle, 0);
	assert_true(m->source.info.error[0] != '\0');
	assert_int_equal(m->events[MIGRATION_ENDED], 1);
}
