/* SPDX-License-Identifier: MIT */
/*
 * Two ends of a connection on one machine: bytes go in at one end and come out at the other, and
 * nothing else passes. Each direction is a ring of bounded size with one writer and one reader, who
 * sleep when it is full or empty.
 */
#pragma once

#include "kernel/task.h"
#include "migration/stream.h"

#define PIPE_FORWARD_SIZE (1u << 20) /* bytes */
#define PIPE_BACK_SIZE	  4096u

struct pipe {
	u8 *ring;
	u64 size;
	u64 written, read; /* bytes so far; each is changed by one side only, release/acquire */
	bool closed;	   /* by either side */
	struct wait_queue wait;
};

/* What can be done to the stream on its way, to see it noticed. */
enum pipe_damage { PIPE_DAMAGE_NONE, PIPE_CUT, PIPE_ALTER, PIPE_REORDER, PIPE_NEWER };

struct pipe_end {
	struct transport transport;
	struct pipe *in, *out;
	enum pipe_damage damage;
	u64 damage_at; /* which section is hit; PIPE_NEWER always hits the header */
	u64 writes;
	u8 *held; /* a write that the next one overtakes */
	size_t held_len;
};

struct connection {
	struct pipe forward, back;
	struct pipe_end source, dest;
};

/* 0 or -ENOMEM. */
int __must_check connection_open(struct connection *c);
/*
 * Hangs up: the other side can still read what was sent, writing fails with -EPIPE. Either side,
 * any time.
 */
void connection_hang_up(struct connection *c);
/* Frees the rings. Nobody may use either end. */
void connection_free(struct connection *c);
