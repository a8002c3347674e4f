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
	u64 *noted[MODEL_SLOTS]; /* by the processors, since the last sync */
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
	bool write_paused;	   /* somebody writes a page between the pause and the last round */
	bool write_in_save;	   /* and after that round */
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

u64 model_random(struct model *m);
/* Counts an operation that can fail; true when this is the one that shall. */
bool model_fault(struct model *m);

void queue_put(struct queue *q, const void *data, size_t len);
/* 0, or -EPIPE when there is less. */
int queue_get(struct queue *q, void *data, size_t len);

/* The guest writes a page: zeroes, noise, or a few bytes. */
void model_write_page(struct model *m, u32 slot, u64 page);
/* Lets the guest do what it would have done until now. */
void model_run_guest(struct model *m);

/* The ends of the connection. Each write of the source steps the destination. */
int model_source_write(struct transport *t, const void *buf, size_t len);
int model_source_read(struct transport *t, void *buf, size_t len);
int model_dest_write(struct transport *t, const void *buf, size_t len);
int model_dest_read(struct transport *t, void *buf, size_t len);
void model_dest_step(struct model *m);

extern const struct migration_source_ops model_source_ops;
extern const struct migration_dest_ops model_dest_ops;
extern const struct state_set_ops model_source_states, model_dest_states;
void model_abandon(void *ctx);

/*
 * Slot 0 of @pages pages, slot 1 of a number that is no multiple of 64. A third holds data.
 */
struct model *model_new(u64 pages, u64 seed);
void model_free(struct model *m);
/* Runs both sides. NULL: the default parameters. Returns what migration_run() did. */
int model_migrate(struct model *m, const struct migration_params *params);
bool model_same_memory(const struct model *m);

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
