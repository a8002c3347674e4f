/* SPDX-License-Identifier: MIT */
/*
 * Trace events: each is counted, always; those that trace= names are also printed at once and
 * kept in a ring, whose last ones a panic shows. Adding one: a line in kernel/trace.def.
 */
#pragma once

#include "lib/bitmap.h"

enum trace_id {
#define TRACE_EVENT(name, format) TRACE_##name,
#include "kernel/trace.def"
#undef TRACE_EVENT
	TRACE_COUNT,
};

/*
 * trace(split, gfn, spte, level, result): the arguments are u64, as the event's format says.
 * Off, it costs one increment and one test. Takes no lock unless the event is on, and then the
 * console's: not for interrupt handlers.
 */
#define trace(event, a, b, c, d) trace_event(TRACE_##event, a, b, c, d)

/* The same with the event as a value. */
void trace_event(enum trace_id id, u64 a, u64 b, u64 c, u64 d);

/*
 * Turns on the events of a comma-separated list, or all of them. -EINVAL, with a line in @why
 * that lists the events, for a name that there is not; the names before it are on then.
 */
int __must_check trace_enable(const char *names, char *why, size_t size);

/* Those that are on, a bit each. */
extern u64 trace_mask[BITMAP_WORDS(TRACE_COUNT)];
static inline bool trace_enabled(enum trace_id id)
{
	return unlikely(trace_mask[id / BITMAP_WORD_BITS] & BIT(id % BITMAP_WORD_BITS));
}

const char *trace_name(enum trace_id id);

/* How often it happened, on all processors. */
u64 trace_count(enum trace_id id);

/* Prints the events that the ring still holds, up to the last 16. */
void trace_dump(void);
