// SPDX-License-Identifier: MIT
// The model machine of the migration's tests: its life, its guest, and what the source asks of it.
#include "tests/host/migration_model.h"

void assert_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
	abort();
}

u64 model_random(struct model *m)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	m->seed ^= m->seed << 17;
	return m->seed;
}

bool model_fault(struct model *m)
{
	return ++m->ops_done == m->fail_at;
}

/* --- the guest --- */

void model_write_page(struct model *m, u32 slot, u64 page)
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
		bitmap_set(m->noted[slot], page);
}

/* Lets the guest do what it would have done until now. */
void model_run_guest(struct model *m)
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

static void model_config(void *ctx, struct migration_config *cfg)
{
	*cfg = ((struct model *)ctx)->cfg;
}

static int model_log_start(void *ctx)
{
	struct model *m = ctx;

	if (model_fault(m))
		return -ENOMEM;
	assert(!m->logging);
	m->logging = true;
	return 0;
}

static void model_log_stop(void *ctx)
{
	struct model *m = ctx;

	assert(m->logging);
	m->logging = false;
}

static void model_dirty_sync(void *ctx)
{
	struct model *m = ctx;

	for (u32 slot = 0; slot < MODEL_SLOTS; slot++) {
		for (u64 w = 0; w < BITMAP_WORDS(m->cfg.slots[slot].npages); w++) {
			m->dirty[slot][w] |= m->noted[slot][w];
			m->noted[slot][w] = 0;
		}
	}
}

static u64 model_read_clear(void *ctx, u32 slot, u64 first, u64 npages, u64 *bits)
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

static u64 model_dirty_count(void *ctx)
{
	struct model *m = ctx;

	return bitmap_count(m->dirty[0], m->cfg.slots[0].npages) +
	       bitmap_count(m->dirty[1], m->cfg.slots[1].npages);
}

static const void *model_source_page(void *ctx, u32 slot, u64 page)
{
	struct model *m = ctx;

	assert(page < m->cfg.slots[slot].npages);
	return m->src.mem[slot] + page * PAGE_SIZE;
}

static int model_pause(void *ctx)
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

static void model_resume(void *ctx)
{
	struct model *m = ctx;

	assert(!m->src.runs && !m->dst.runs);
	m->src.runs = true;
}

static void model_throttle(void *ctx, u32 percent)
{
	struct model *m = ctx;

	m->throttle = percent;
	m->throttle_max = MAX(m->throttle_max, percent);
}

static u64 model_now(void *ctx)
{
	return ((struct model *)ctx)->now_ns;
}

static void model_yield(void *ctx)
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

static void model_sleep(void *ctx, u64 ns)
{
	struct model *m = ctx;

	m->now_ns += ns;
	model_run_guest(m);
}

static bool model_dest_runs(void *ctx)
{
	return ((struct model *)ctx)->dst.runs;
}

static void model_event(void *ctx, enum migration_event event)
{
	struct model *m = ctx;

	m->events[event]++;
	m->status_at[event] = m->source.info.status;
	if (m->cancel_event == (int)event)
		migration_cancel(&m->source);
}

const struct migration_source_ops model_source_ops = {
	.config = model_config,
	.log_start = model_log_start,
	.log_stop = model_log_stop,
	.dirty_sync = model_dirty_sync,
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

/* --- life --- */

/* Slot 0 of @pages pages, slot 1 of a number that is no multiple of 64. A third holds data. */
struct model *model_new(u64 pages, u64 seed)
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
		m->noted[i] = calloc(BITMAP_WORDS(n), 8);
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

void model_free(struct model *m)
{
	for (int i = 0; i < MODEL_SLOTS; i++) {
		free(m->src.mem[i]);
		free(m->dst.mem[i]);
		free(m->dirty[i]);
		free(m->noted[i]);
	}
	free(m->held);
	free(m->to_dest.data);
	free(m->to_source.data);
	free(m->record.data);
	free(m);
}

int model_migrate(struct model *m, const struct migration_params *params)
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

bool model_same_memory(const struct model *m)
{
	for (int i = 0; i < MODEL_SLOTS; i++) {
		if (memcmp(m->src.mem[i], m->dst.mem[i], m->cfg.slots[i].npages * PAGE_SIZE) != 0)
			return false;
	}
	return true;
}
