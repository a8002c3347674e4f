// SPDX-License-Identifier: MIT
/* Trace events: counters per processor, a ring of what was on, names and formats. */
#include "kernel/trace.h"
#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/time.h"
#include "lib/printf.h"
#include "lib/string.h"

#define RING_SIZE 1024 /* a power of two */
#define DUMP_LAST 16

struct trace_record {
	u64 time; /* ns since boot */
	u32 cpu;
	u32 id;
	u64 args[4];
};

static const struct {
	const char *name, *format;
} events[TRACE_COUNT] = {
#define TRACE_EVENT(n, f) [TRACE_##n] = {#n, f},
#include "kernel/trace.def"
#undef TRACE_EVENT
};

u64 trace_mask[BITMAP_WORDS(TRACE_COUNT)];
static struct trace_record ring[RING_SIZE];
static u64 ring_next; /* atomic: how many were ever recorded */

static void print_record(const struct trace_record *r)
{
	char args[160], line[224];
	int n;

	/* The formats are constants of the two .def files, with four arguments each. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(args, sizeof(args), events[r->id].format, (unsigned long long)r->args[0],
		 (unsigned long long)r->args[1], (unsigned long long)r->args[2],
		 (unsigned long long)r->args[3]);
#pragma GCC diagnostic pop
	n = snprintf(line, sizeof(line), "trace: %lu.%06lu cpu%u %s %s\n", r->time / 1000000000,
		     r->time / 1000 % 1000000, r->cpu, events[r->id].name, args);
	console_write(line, (size_t)MIN(n, (int)sizeof(line) - 1));
}

static __rare void keep_record(enum trace_id id, u64 a, u64 b, u64 c, u64 d)
{
	u64 i = __atomic_fetch_add(&ring_next, 1, __ATOMIC_RELAXED);
	struct trace_record *r = &ring[i % RING_SIZE];

	*r = (struct trace_record){time_ns(), this_cpu()->id, id, {a, b, c, d}};
	print_record(r);
}

void trace_event(enum trace_id id, u64 a, u64 b, u64 c, u64 d)
{
	this_cpu()->trace_counts[id]++;
	if (trace_enabled(id))
		keep_record(id, a, b, c, d);
}

static int find_event(const char *name, size_t n)
{
	for (int id = 0; id < TRACE_COUNT; id++) {
		if (strlen(events[id].name) == n && strncmp(events[id].name, name, n) == 0)
			return id;
	}
	return -EINVAL;
}

static void complain(const char *name, size_t length, char *why, size_t size)
{
	int n = snprintf(why, size, "trace event \"%.*s\" is not known; there are:", (int)length,
			 name);

	for (int id = 0; id < TRACE_COUNT && (size_t)n < size; id++)
		n += snprintf(why + n, size - (size_t)n, " %s", events[id].name);
}

int trace_enable(const char *names, char *why, size_t size)
{
	if (strcmp(names, "all") == 0) {
		bitmap_set_range(trace_mask, 0, TRACE_COUNT);
		return 0;
	}
	while (*names) {
		size_t n = 0;

		while (names[n] && names[n] != ',')
			n++;
		int id = find_event(names, n);

		if (id < 0) {
			complain(names, n, why, size);
			return id;
		}
		bitmap_set(trace_mask, (u64)id);
		names += n;
		names += *names == ',';
	}
	return 0;
}

const char *trace_name(enum trace_id id)
{
	return events[id].name;
}

u64 trace_count(enum trace_id id)
{
	u64 n = 0;

	for (u32 i = 0; i < cpu_count; i++)
		n += READ_ONCE(percpu[i]->trace_counts[id]);
	return n;
}

void trace_dump(void)
{
	u64 end = READ_ONCE(ring_next);
	u64 i = end > DUMP_LAST ? end - DUMP_LAST : 0;

	if (end)
		log_always("last trace events:");
	for (; i < end; i++)
		print_record(&ring[i % RING_SIZE]);
}
