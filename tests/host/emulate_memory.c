// SPDX-License-Identifier: MIT
/* Memory for the emulator under test: a copy of native_data(), with the same addresses. */
#include "tests/host/emulate_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define need(x)                                                                 \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

u8 emu_copy[NATIVE_DATA_SIZE];
int emu_lost_races;
u64 emu_accesses;

static u8 *place(gpa_t gpa, u32 len)
{
	u64 at = gpa.v - native_data();

	need(at + len <= NATIVE_DATA_SIZE);
	need(gpa.v % PAGE_SIZE + len <= PAGE_SIZE);
	emu_accesses++;
	return emu_copy + at;
}

static int mem_read(void *ctx, gpa_t gpa, u64 *value, u32 len)
{
	(void)ctx;
	*value = 0;
	memcpy(value, place(gpa, len), len);
	return 0;
}

static int mem_write(void *ctx, gpa_t gpa, u64 value, u32 len)
{
	(void)ctx;
	memcpy(place(gpa, len), &value, len);
	return 0;
}

static int mem_cmpxchg(void *ctx, gpa_t gpa, u64 old, u64 new, u32 len)
{
	(void)ctx;
	need(IS_ALIGNED(gpa.v, (u64)len));
	if (emu_lost_races) {
		emu_lost_races--;
		return -EAGAIN;
	}
	need(!memcmp(place(gpa, len), &old, len));
	memcpy(place(gpa, len), &new, len);
	return 0;
}

static int mem_translate(void *ctx, u64 linear, bool write, gpa_t *gpa)
{
	(void)ctx, (void)write;
	gpa->v = linear;
	return 0;
}

const struct emulate_ops emu_ops = {mem_read, mem_write, mem_cmpxchg, mem_translate};
