// SPDX-License-Identifier: MIT
/* The local APIC for tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/lapic_cpu.h"

struct lapic apic;
u64 apic_ns, apic_tsc;
u32 apic_cr8, apic_shorthand;
int apic_rearms, apic_sent, apic_eois;
struct apic_message apic_last;
u8 apic_eoi_vector;

static u64 now(void *ctx)
{
	(void)ctx;
	return apic_ns;
}

static u64 guest_tsc(void *ctx)
{
	(void)ctx;
	return apic_tsc;
}

static u64 tsc_to_ns(void *ctx, u64 d)
{
	(void)ctx;
	return d / 2;
}

static u32 get_cr8(void *ctx)
{
	(void)ctx;
	return apic_cr8;
}

static void set_cr8(void *ctx, u32 v)
{
	(void)ctx;
	apic_cr8 = v;
}

static void changed(void *ctx)
{
	(void)ctx;
}

static void rearm(void *ctx)
{
	(void)ctx;
	apic_rearms++;
}

static void send(void *ctx, const struct apic_message *m, u32 s)
{
	(void)ctx;
	apic_last = *m;
	apic_shorthand = s;
	apic_sent++;
}

static void eoi(void *ctx, u8 vector)
{
	(void)ctx;
	apic_eois++;
	apic_eoi_vector = vector;
}

static const struct lapic_ops ops = {
	.now = now,
	.guest_tsc = guest_tsc,
	.tsc_to_ns = tsc_to_ns,
	.get_cr8 = get_cr8,
	.set_cr8 = set_cr8,
	.changed = changed,
	.rearm = rearm,
	.send = send,
	.eoi = eoi,
};

u32 apic_get(u32 offset)
{
	return (u32)lapic_read(&apic, offset, 4);
}

void apic_set(u32 offset, u32 val)
{
	lapic_write(&apic, offset, 4, val);
}

int apic_setup(void **state)
{
	(void)state;
	apic = (struct lapic){.ops = &ops};
	apic_ns = 1000;
	apic_tsc = 5000;
	apic_cr8 = 0;
	apic_rearms = apic_sent = apic_eois = 0;
	lapic_init(&apic, 0);
	apic_set(0xf0, 0x1ff);
	return 0;
}

void apic_raise(u8 vector, bool level)
{
	const struct apic_message m = {.vector = vector, .level = level};

	lapic_accept(&apic, &m);
}

void apic_to_x2(void)
{
	assert_int_equal(lapic_msr_write(&apic, 0x1b, 0xfee00d00), 0);
}
