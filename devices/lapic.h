/* SPDX-License-Identifier: MIT */
/*
 * A local APIC (SDM 3A chapter 10), as xAPIC on its page of memory and as x2APIC on MSRs 800h to
 * 8FFh. The timer's input runs at 1 GHz: one tick a nanosecond of the VM's clock.
 *
 * Owned by the vCPU's task; others only while the VM is paused. Plain C, tested on the host.
 */
#pragma once

#include "lib/state.h"
#include "lib/types.h"

#define LAPIC_BASE 0xfee00000ull
#define LAPIC_SIZE 0x1000
#define LAPIC_VERSION                                                                     \
	0x00050014		 /* integrated, six LVT entries; EOI broadcasts cannot be \
				    suppressed */
#define LAPIC_X2APIC_FIRST 0x800 /* MSRs */
#define LAPIC_X2APIC_LAST  0x8ff
#define APIC_BASE_BSP	   BIT(8)
#define APIC_BASE_X2APIC   BIT(10)
#define APIC_BASE_ENABLE   BIT(11)
#define LAPIC_VECTOR_WORDS 8 /* 256 vectors, 32 to a register */

enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_NR };

/* Delivery modes, of ICR, LVT and the I/O APIC's entries. */
enum apic_delivery {
	APIC_FIXED = 0,
	APIC_LOWEST = 1,
	APIC_SMI = 2,
	APIC_NMI = 4,
	APIC_INIT = 5,
	APIC_SIPI = 6,
	APIC_EXTINT = 7
};

/* An interrupt on its way to one or more local APICs. */
struct apic_message {
	u32 dest;
	u8 vector;
	u8 delivery; /* enum apic_delivery */
	u8 logical;  /* how @dest is meant */
	u8 level;    /* triggered by a level: its EOI is told to the I/O APIC */
};

/* All of it moves in a migration. */
struct lapic_state {
	u64 base;	 /* IA32_APIC_BASE */
	u64 timer_start; /* ns; when the initial count was written, or the last period began */
	u64 deadline;	 /* IA32_TSC_DEADLINE; 0: not armed */
	u32 armed;	 /* 1: the count has not reached 0 yet, or is periodic */
	u32 id, ldr, dfr, svr;
	u32 tpr_low;	  /* bits 3:0; the others are CR8 */
	u32 esr, esr_new; /* as it was last written to; errors since then */
	u32 icr, icr_dest;
	u32 initial_count, divide;
	u32 lvt[LVT_NR];
	u32 irr[LAPIC_VECTOR_WORDS], isr[LAPIC_VECTOR_WORDS], tmr[LAPIC_VECTOR_WORDS];
};
extern const struct state_desc lapic_state_desc;

/* What it needs of the machine around it. */
struct lapic_ops {
	u64 (*now)(void *ctx); /* the VM's clock, ns */
	u64 (*guest_tsc)(void *ctx);
	u64 (*tsc_to_ns)(void *ctx, u64 tsc); /* a difference */
	/* CR8 of its vCPU, which is TPR's upper half. */
	u32 (*get_cr8)(void *ctx);
	void (*set_cr8)(void *ctx, u32 cr8);
	/* An interrupt may be pending now. */
	void (*changed)(void *ctx);
	/* lapic_tick() wants to be called at another time than it said. */
	void (*rearm)(void *ctx);
	/* An IPI; to all that it names, this one included where it does. */
	void (*send)(void *ctx, const struct apic_message *m, u32 shorthand);
	/* The end of a level-triggered interrupt. */
	void (*eoi)(void *ctx, u8 vector);
};

/* ICR's shorthands. */
enum { APIC_DEST_FIELD, APIC_DEST_SELF, APIC_DEST_ALL, APIC_DEST_OTHERS };

struct lapic {
	struct lapic_state s;
	const struct lapic_ops *ops;
	void *ctx;
};

/* As after a reset. @id: the APIC ID that CPUID shows; 0 is the bootstrap processor. */
void lapic_init(struct lapic *apic, u32 id);

/* As firmware leaves the first one: it hears the 8259s on LINT0 and NMIs on LINT1. */
void lapic_virtual_wire(struct lapic *apic);

/* Is an interrupt to be delivered, given the priority of what runs? Its vector, or -1. */
int lapic_pending(const struct lapic *apic);
/* Delivers it: from IRR to ISR. Only after lapic_pending() said which. */
void lapic_acknowledge(struct lapic *apic, u8 vector);
/* The priority (a vector's upper half) of an interrupt that only TPR holds back; 0: none. */
u8 lapic_held_priority(const struct lapic *apic);
/* Does it let the 8259's interrupts pass (LINT0 as ExtINT, or all of it switched off)? */
bool lapic_takes_extint(const struct lapic *apic);
/* Does @m name this one? */
bool lapic_is_dest(const struct lapic *apic, const struct apic_message *m);
/* A message for this one. INIT and SIPI are the caller's. */
void lapic_accept(struct lapic *apic, const struct apic_message *m);
/* Makes interrupts of what has passed. Returns when the timer is due next, ns, or ~0. */
u64 lapic_tick(struct lapic *apic);

/* The page of memory. Only aligned accesses of 32 bits reach a register. */
u64 lapic_read(void *dev, u64 offset, u32 len);
void lapic_write(void *dev, u64 offset, u32 len, u64 val);
/* IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC's. 0; -EINVAL: #GP; -ENOENT: another MSR. */
int __must_check lapic_msr_read(struct lapic *apic, u32 msr, u64 *val);
int __must_check lapic_msr_write(struct lapic *apic, u32 msr, u64 val);

/* 0, or -EINVAL: no APIC can be in that state. */
int __must_check lapic_load(struct lapic *apic, const struct lapic_state *state);

/* --- between lapic.c, lapic_regs.c and lapic_timer.c --- */

enum lapic_register { /* offset / 16 */
		      REG_ID = 0x02,
		      REG_VERSION = 0x03,
		      REG_TPR = 0x08,
		      REG_APR = 0x09,
		      REG_PPR = 0x0a,
		      REG_EOI = 0x0b,
		      REG_LDR = 0x0d,
		      REG_DFR = 0x0e,
		      REG_SVR = 0x0f,
		      REG_ISR = 0x10,
		      REG_TMR = 0x18,
		      REG_IRR = 0x20,
		      REG_ESR = 0x28,
		      REG_ICR = 0x30,
		      REG_ICR_HIGH = 0x31,
		      REG_LVT_TIMER = 0x32,
		      REG_LVT_ERROR = 0x37,
		      REG_INITIAL_COUNT = 0x38,
		      REG_CURRENT_COUNT = 0x39,
		      REG_DIVIDE = 0x3e,
		      REG_SELF_IPI = 0x3f,
};

#define SVR_ENABLE	  BIT(8)
#define LVT_VECTOR	  0xffu
#define LVT_MASKED	  BIT(16)
#define LVT_TIMER_MODE	  (3u << 17)
#define LVT_TIMER_PERIOD  (1u << 17)
#define LVT_TIMER_TSC	  (2u << 17)
#define LVT_DELIVERY(lvt) ((lvt) >> 8 & 7)

#define ESR_SEND_ILLEGAL    BIT(5)
#define ESR_RECEIVE_ILLEGAL BIT(6)
#define ESR_REGISTER	    BIT(7)

static inline bool lapic_is_x2(const struct lapic *apic)
{
	return apic->s.base & APIC_BASE_X2APIC;
}
/* Software has switched it on. */
static inline bool lapic_on(const struct lapic *apic)
{
	return apic->s.base & APIC_BASE_ENABLE && apic->s.svr & SVR_ENABLE;
}
u32 lapic_tpr(const struct lapic *apic);
u32 lapic_ppr(const struct lapic *apic);
void lapic_eoi(struct lapic *apic);
/* An error: it shows in ESR after the next write to that, and may be an interrupt. */
void lapic_error(struct lapic *apic, u32 bit);
void lapic_raise_lvt(struct lapic *apic, enum lapic_lvt entry);
/* As the program wrote it: the timer begins anew. */
void lapic_timer_start(struct lapic *apic, u32 count);
void lapic_timer_deadline(struct lapic *apic, u64 tsc);
void lapic_timer_lvt(struct lapic *apic, u32 old);
void lapic_timer_divide(struct lapic *apic, u32 divide);
u32 lapic_timer_count(const struct lapic *apic);
