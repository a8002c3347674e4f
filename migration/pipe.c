// SPDX-License-Identifier: MIT
// A byte connection between two tasks of one machine, with faults on demand.
#include "migration/pipe.h"

#include "kernel/kmem.h"
#include "lib/string.h"

static u64 pipe_filled(const struct pipe *p)
{
	return __atomic_load_n(&p->written, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(&p->read, __ATOMIC_ACQUIRE);
}

static bool pipe_closed(const struct pipe *p)
{
	return __atomic_load_n(&p->closed, __ATOMIC_ACQUIRE);
}

/* Copies between @buf and the ring at position @pos, in two parts where the ring wraps. */
static void ring_copy(struct pipe *p, u64 pos, u8 *buf, size_t len, bool in)
{
	while (len) {
		u64 at = pos % p->size;
		size_t part = MIN(len, (size_t)(p->size - at));

		if (in)
			memcpy(p->ring + at, buf, part);
		else
			memcpy(buf, p->ring + at, part);
		pos += part;
		buf += part;
		len -= part;
	}
}

static int pipe_write(struct pipe *p, const u8 *buf, size_t len)
{
	while (len) {
		size_t part;

		wait_event(&p->wait, pipe_filled(p) < p->size || pipe_closed(p));
		if (pipe_closed(p))
			return -EPIPE;
		part = MIN(len, (size_t)(p->size - pipe_filled(p)));
		ring_copy(p, p->written, (u8 *)buf, part, true);
		__atomic_store_n(&p->written, p->written + part, __ATOMIC_RELEASE);
		wait_wake(&p->wait);
		buf += part;
		len -= part;
	}
	return 0;
}

/* What was written before the other side hung up can still be read. */
static int pipe_read(struct pipe *p, u8 *buf, size_t len)
{
	while (len) {
		size_t part;

		wait_event(&p->wait, pipe_filled(p) || pipe_closed(p));
		part = MIN(len, (size_t)pipe_filled(p));
		if (part == 0)
			return -EPIPE;
		ring_copy(p, p->read, buf, part, false);
		__atomic_store_n(&p->read, p->read + part, __ATOMIC_RELEASE);
		wait_wake(&p->wait);
		buf += part;
		len -= part;
	}
	return 0;
}

/* --- damage --- */

static int damage_reorder(struct pipe_end *e, const u8 *buf, size_t len)
{
	e->held = kmalloc(len);
	if (!e->held)
		return -ENOMEM;
	memcpy(e->held, buf, len);
	e->held_len = len;
	return 0;
}

static int damage_byte(struct pipe_end *e, const u8 *buf, size_t len, size_t at)
{
	u8 bad = buf[at] ^ 0x10;
	int err = pipe_write(e->out, buf, at);

	if (!err)
		err = pipe_write(e->out, &bad, 1);
	return err ? err : pipe_write(e->out, buf + at + 1, len - at - 1);
}

/* The write that is hit. Each write of the stream's is its header or one whole section. */
static int damaged_write(struct pipe_end *e, const u8 *buf, size_t len)
{
	int err;

	switch (e->damage) {
	case PIPE_CUT:
		err = pipe_write(e->out, buf, len / 2);
		__atomic_store_n(&e->out->closed, true, __ATOMIC_RELEASE);
		wait_wake(&e->out->wait);
		return err;
	case PIPE_ALTER:
		return damage_byte(e, buf, len, len - 1);
	case PIPE_NEWER:
		return damage_byte(e, buf, len, 8); /* the version, stream.h */
	case PIPE_REORDER:
		return damage_reorder(e, buf, len);
	default:
		return pipe_write(e->out, buf, len);
	}
}

static int end_write(struct transport *t, const void *buf, size_t len)
{
	struct pipe_end *e = container_of(t, struct pipe_end, transport);
	int err;

	/* The first write is the stream's header, each one after it a section. */
	if (e->damage && e->writes++ == (e->damage == PIPE_NEWER ? 0 : e->damage_at + 1))
		return damaged_write(e, buf, len);
	err = pipe_write(e->out, buf, len);
	if (!err && e->held)
		err = pipe_write(e->out, e->held, e->held_len);
	kfree(e->held);
	e->held = NULL;
	return err;
}

static int end_read(struct transport *t, void *buf, size_t len)
{
	struct pipe_end *e = container_of(t, struct pipe_end, transport);

	return pipe_read(e->in, buf, len);
}

/* --- life --- */

static int pipe_init(struct pipe *p, u64 size)
{
	*p = (struct pipe){.ring = kmalloc(size), .size = size};
	wait_queue_init(&p->wait);
	return p->ring ? 0 : -ENOMEM;
}

int connection_open(struct connection *c)
{
	int err;

	*c = (struct connection){0};
	err = pipe_init(&c->forward, PIPE_FORWARD_SIZE);
	if (!err)
		err = pipe_init(&c->back, PIPE_BACK_SIZE);
	c->source.transport = c->dest.transport = (struct transport){end_write, end_read};
	c->source.out = c->dest.in = &c->forward;
	c->source.in = c->dest.out = &c->back;
	if (err)
		connection_free(c);
	return err;
}

static void pipe_close(struct pipe *p)
{
	__atomic_store_n(&p->closed, true, __ATOMIC_RELEASE);
	wait_wake(&p->wait);
}

void connection_hang_up(struct connection *c)
{
	pipe_close(&c->forward);
	pipe_close(&c->back);
}

void connection_free(struct connection *c)
{
	kfree(c->source.held);
	kfree(c->forward.ring);
	kfree(c->back.ring);
}
