// SPDX-License-Identifier: MIT
// The model machine's states, the connection with its faults, and the destination.
#include "tests/host/migration_model.h"

static const struct state_field model_cpu_fields[] = {
	STATE_FIELD(struct model_cpu, regs),
	STATE_FIELD(struct model_cpu, mode),
	STATE_FIELD(struct model_cpu, flags),
	STATE_FIELD(struct model_cpu, clock),
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

/* --- queues and transports --- */

void queue_put(struct queue *q, const void *data, size_t len)
{
	if (q->len + len > q->cap) {
		q->cap = (q->len + len) * 2;
		q->data = realloc(q->data, q->cap);
	}
	memcpy(q->data + q->len, data, len);
	q->len += len;
}

int queue_get(struct queue *q, void *data, size_t len)
{
	if (q->len - q->pos < len)
		return -EPIPE;
	if (len)
		memcpy(data, q->data + q->pos, len);
	q->pos += len;
	return 0;
}

int model_dest_write(struct transport *t, const void *buf, size_t len)
{
	struct model *m = container_of(t, struct model, dest_end);

	if (model_fault(m))
		return -EIO;
	queue_put(&m->to_source, buf, len);
	return 0;
}

int model_dest_read(struct transport *t, void *buf, size_t len)
{
	struct model *m = container_of(t, struct model, dest_end);

	if (model_fault(m))
		return -EIO;
	return queue_get(&m->to_dest, buf, len);
}

void model_dest_step(struct model *m)
{
	if (!m->dest_done)
		m->dest_done = migration_dest_step(&m->dest) <= 0;
}

/* What happens to the stream on its way. Returns false when nothing more gets through. */
static bool model_deliver(struct model *m, const void *buf, size_t len)
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
int model_source_write(struct transport *t, const void *buf, size_t len)
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

int model_source_read(struct transport *t, void *buf, size_t len)
{
	struct model *m = container_of(t, struct model, source_end);

	if (model_fault(m))
		return -EIO;
	return queue_get(&m->to_source, buf, len);
}

/* --- states, on both sides --- */

static u32 model_state_count(void *ctx)
{
	(void)ctx;
	return 3;
}

static const struct state_desc *model_state_desc(void *ctx, u32 index, u32 *instance)
{
	(void)ctx;
	*instance = index == 2 ? 1 : 0;
	return index == 1 ? &model_uart_desc : &model_cpu_desc;
}

static void *model_state_of(struct model_machine *v, u32 index)
{
	return index == 1 ? (void *)&v->uart : (void *)&v->cpu[index / 2];
}

static int model_state_save(struct model *m, struct model_machine *v, u32 index, u8 *state)
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

static int model_save_source(void *ctx, u32 index, void *state)
{
	struct model *m = ctx;

	if (m->write_in_save && index == 2)
		model_write_page(m, 0, 5);
	return model_state_save(m, &m->src, index, state);
}

static int model_save_dest(void *ctx, u32 index, void *state)
{
	struct model *m = ctx;

	return model_state_save(m, &m->dst, index, state);
}

static int model_load_dest(void *ctx, u32 index, const void *state)
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

static int model_load_source(void *ctx, u32 index, const void *state)
{
	(void)ctx, (void)index, (void)state;
	assert(!"the source loads a state");
	return -EINVAL;
}

const struct state_set_ops model_source_states = {
	model_state_count,
	model_state_desc,
	model_save_source,
	model_load_source,
};
const struct state_set_ops model_dest_states = {
	model_state_count,
	model_state_desc,
	model_save_dest,
	model_load_dest,
};

/* --- the destination's operations --- */

static int model_create(void *ctx, const struct migration_config *cfg, struct state_set *states,
			char *why, size_t size)
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
		m->dst.mem[i] = malloc(cfg->slots[i].npages * PAGE_SIZE);
	/* What was there before is nobody's business, and must not be there afterwards. */
	for (int i = 0; i < MODEL_SLOTS; i++)
		memset(m->dst.mem[i], 0xcc, cfg->slots[i].npages * PAGE_SIZE);
	m->dst.exists = true;
	states->ops = &model_dest_states;
	states->ctx = m;
	return 0;
}

static void *model_dest_page(void *ctx, u32 slot, u64 page)
{
	struct model *m = ctx;

	assert(page < m->dest.cfg.slots[slot].npages);
	return m->dst.mem[slot] + page * PAGE_SIZE;
}

static void model_dest_resume(void *ctx)
{
	struct model *m = ctx;

	assert(!m->src.runs);
	m->dst.runs = true;
}

void model_abandon(void *ctx)
{
	struct model *m = ctx;

	assert(!m->dst.runs);
	for (int i = 0; i < MODEL_SLOTS; i++) {
		free(m->dst.mem[i]);
		m->dst.mem[i] = NULL;
	}
	m->dst.exists = false;
}

static int model_dest_yield(void *ctx)
{
	return model_fault(ctx) ? -ECANCELED : 0;
}

const struct migration_dest_ops model_dest_ops = {
	.create = model_create,
	.page = model_dest_page,
	.resume = model_dest_resume,
	.abandon = model_abandon,
	.yield = model_dest_yield,
};
