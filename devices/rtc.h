/* SPDX-License-Identifier: MIT */
/*
 * The clock with battery and 128 bytes of memory: Motorola's MC146818 behind ports 70h and 71h, its
 * interrupt on input 8. The time of day is not stepped: it follows from the VM's clock.
 *
 * Owned by the vCPU's task; others only while the VM is paused. Plain C, tested on the host.
 */
#pragma once

#include "lib/mc146818.h"
#include "lib/state.h"
#include "lib/types.h"

#define RTC_PORTS 2 /* from RTC_PORT on */
#define RTC_BYTES 128

/* All of it moves in a migration. */
struct rtc_state {
	u64 epoch;    /* ns of the VM's clock at which the time of day was `seconds` */
	u64 seconds;  /* since 1970 */
	u64 periodic; /* periods of the periodic interrupt that were told */
	u64 updates;  /* seconds whose update was told */
	u32 index;    /* of the byte that port 71h shows; bit 7 is the NMI mask, kept elsewhere */
	u32 halted;   /* 1: SET is on, and the bytes of the time are as they were written */
	u8 mem[RTC_BYTES]; /* 0 to 9: the time as it was last set; 10 to 13: registers A to D */
};
extern const struct state_desc rtc_state_desc;

struct rtc {
	struct rtc_state s;
	u64 (*now)(void *ctx); /* the VM's clock, ns */
	void (*irq)(void *ctx, bool high);
	void (*rearm)(void *ctx); /* rtc_tick() wants to be called at another time than it said */
	void *ctx;
};

/* @seconds: since 1970, at the VM's time 0. @extended: KiB of memory above 1M, for the bytes that
 * say so. */
void rtc_init(struct rtc *rtc, u64 seconds, u64 extended);
/* Makes interrupts of what has passed. Returns when the next one is due, ns, or ~0. */
u64 rtc_tick(struct rtc *rtc);
u32 rtc_in(void *dev, u16 offset, int size);
void rtc_out(void *dev, u16 offset, int size, u32 val);
/* 0, or -EINVAL: no clock can be in that state. */
int __must_check rtc_load(struct rtc *rtc, const struct rtc_state *state);
