// SPDX-License-Identifier: MIT
/*
 * The local APIC's heart: which vector is next, what is in service, who is meant by a message.
 * Registers are in lapic_regs.c, the timer in lapic_timer.c.
 */
#include "devices/lapic.h"
#include "lib/string.h"

#define SVR_RESET   0xff
#define DFR_FLAT    0xffffffff
#define DFR_MODEL   0xf0000000
#define BROADCAST   0xff
#define PRIORITY(v) ((v)&0xf0u)

#define FIELD(member) STATE_FIELD(struct lapic_state, member)

static const struct state_field fields[] = {
	FIELD(base),	FIELD(timer_start), FIELD(deadline), FIELD(armed),	   FIELD(id),
	FIELD(ldr),	FIELD(dfr),	    FIELD(svr),	     FIELD(tpr_low),	   FIELD(esr),
	FIELD(esr_new), FIELD(icr),	    FIELD(icr_dest), FIELD(initial_count), FIELD(divide),
	FIELD(lvt),	FIELD(irr),	    FIELD(isr),	     FIELD(tmr),
};

const struct state_desc lapic_state_desc = {
	.name = "lapic",
	.version = 1,
	.size = sizeof(struct lapic_state),
	.nr_fields = ARRAY_SIZE(fields),
	.fields = fields,
};

/* 10.12.10.2: the logical ID of an x2APIC follows from its ID. */
static u32 x2_ldr(u32 id)
{
	return id >> 4 << 16 | 1u << (id & 15);
}

void lapic_init(struct lapic *apic, u32 id)
{
	apic->s = (struct lapic_state){
		.base = LAPIC_BASE | APIC_BASE_ENABLE | (id ? 0 : APIC_BASE_BSP),
		.id = id,
		.dfr = DFR_FLAT,
		.svr = SVR_RESET,
	};
	for (u32 i = 0; i < LVT_NR; i++)
		apic->s.lvt[i] = LVT_MASKED;
}

#define VIRTUAL_WIRE_LINT0 (APIC_EXTINT << 8)
#define VIRTUAL_WIRE_LINT1 (APIC_NMI << 8)

void lapic_virtual_wire(struct lapic *apic)
{
	apic->s.svr |= SVR_ENABLE;
	apic->s.lvt[LVT_LINT0] = VIRTUAL_WIRE_LINT0;
	apic->s.lvt[LVT_LINT1] = VIRTUAL_WIRE_LINT1;
}

/* --- vectors --- */

static void vector_set(u32 *map, u8 v, bool on)
{
	if (on)
		map[v / 32] |= 1u << v % 32;
	else
		map[v / 32] &= ~(1u << v % 32);
}

static bool vector_test(const u32 *map, u8 v)
{
	return map[v / 32] >> v % 32 & 1;
}

static int highest(const u32 *map)
{
	for (int i = LAPIC_VECTOR_WORDS - 1; i >= 0; i--)
		if (map[i])
			return i * 32 + 31 - __builtin_clz(map[i]);
	return -1;
}

u32 lapic_tpr(const struct lapic *apic)
{
	return apic->ops->get_cr8(apic->ctx) << 4 | apic->s.tpr_low;
}

/* 10.8.3.1 */
u32 lapic_ppr(const struct lapic *apic)
{
	int serving = highest(apic->s.isr);
	u32 isrv = serving < 0 ? 0 : (u32)serving, tpr = lapic_tpr(apic);

	return PRIORITY(tpr) >= PRIORITY(isrv) ? tpr : PRIORITY(isrv);
}

int lapic_pending(const struct lapic *apic)
{
	int v = highest(apic->s.irr);

	if (v < 0 || !lapic_on(apic) || PRIORITY((u32)v) <= PRIORITY(lapic_ppr(apic)))
		return -1;
	return v;
}

u8 lapic_held_priority(const struct lapic *apic)
{
	int v = highest(apic->s.irr), serving = highest(apic->s.isr);

	if (v < 0 || !lapic_on(apic) ||
	    (serving >= 0 && PRIORITY((u32)v) <= PRIORITY((u32)serving)))
		return 0;
	return PRIORITY((u32)v) <= PRIORITY(lapic_tpr(apic)) ? (u8)(v >> 4) : 0;
}

void lapic_acknowledge(struct lapic *apic, u8 vector)
{
	vector_set(apic->s.irr, vector, false);
	vector_set(apic->s.isr, vector, true);
}

void lapic_eoi(struct lapic *apic)
{
	int v = highest(apic->s.isr);

	if (v < 0)
		return;
	vector_set(apic->s.isr, (u8)v, false);
	if (vector_test(apic->s.tmr, (u8)v))
		apic->ops->eoi(apic->ctx, (u8)v);
	apic->ops->changed(apic->ctx);
}

/* --- what comes in --- */

static void accept_vector(struct lapic *apic, u8 vector, bool level)
{
	if (!lapic_on(apic))
		return;
	if (vector < 16) {
		lapic_error(apic, ESR_RECEIVE_ILLEGAL);
		return;
	}
	vector_set(apic->s.tmr, vector, level);
	vector_set(apic->s.irr, vector, true);
	apic->ops->changed(apic->ctx);
}

void lapic_accept(struct lapic *apic, const struct apic_message *m)
{
	if (m->delivery == APIC_FIXED || m->delivery == APIC_LOWEST)
		accept_vector(apic, m->vector, m->level);
}

/* 10.5.1; with a vector below 16 an error, 10.5.3. */
void lapic_raise_lvt(struct lapic *apic, enum lapic_lvt entry)
{
	u32 lvt = apic->s.lvt[entry];

	if (lvt & LVT_MASKED || !lapic_on(apic))
		return;
	accept_vector(apic, lvt & LVT_VECTOR, false);
}

void lapic_error(struct lapic *apic, u32 bit)
{
	bool first = !(apic->s.esr_new & bit);
	u8 vector = apic->s.lvt[LVT_ERROR] & LVT_VECTOR;

	apic->s.esr_new |= bit;
	/* An error vector that is illegal itself would be an error again. */
	if (first && vector >= 16)
		lapic_raise_lvt(apic, LVT_ERROR);
}

bool lapic_takes_extint(const struct lapic *apic)
{
	u32 lint0 = apic->s.lvt[LVT_LINT0];

	/* 10.4.3: switched off globally, its LINT0 is the processor's INTR pin. */
	if (!(apic->s.base & APIC_BASE_ENABLE))
		return true;
	return !(lint0 & LVT_MASKED) && LVT_DELIVERY(lint0) == APIC_EXTINT;
}

/* --- who is meant, 10.6.2 --- */

static bool is_logical_dest(const struct lapic *apic, u32 dest)
{
	u32 ldr = apic->s.ldr >> 24;

	if (lapic_is_x2(apic)) {
		ldr = x2_ldr(apic->s.id);
		return dest >> 16 == ldr >> 16 && (dest & ldr & 0xffff);
	}
	if (dest == BROADCAST)
		return true;
	if ((apic->s.dfr & DFR_MODEL) == DFR_MODEL)
		return dest & ldr;
	return dest >> 4 == ldr >> 4 && (dest & ldr & 15);
}

bool lapic_is_dest(const struct lapic *apic, const struct apic_message *m)
{
	if (!(apic->s.base & APIC_BASE_ENABLE))
		return false;
	if (m->logical)
		return is_logical_dest(apic, m->dest);
	if (lapic_is_x2(apic) ? m->dest == ~0u : m->dest == BROADCAST)
		return true;
	return m->dest == apic->s.id;
}

/* --- migration --- */

static bool vectors_are_possible(const struct lapic_state *s)
{
	return !((s->irr[0] | s->isr[0]) & 0xffff);
}

int lapic_load(struct lapic *apic, const struct lapic_state *s)
{
	u64 known = APIC_BASE_BSP | APIC_BASE_X2APIC | APIC_BASE_ENABLE;

	if ((s->base & ~known) != LAPIC_BASE || s->armed > 1 || s->id != apic->s.id ||
	    (s->base & APIC_BASE_X2APIC && !(s->base & APIC_BASE_ENABLE)) || s->divide & ~0xbu ||
	    s->tpr_low > 15 || s->timer_start >> 63 || !vectors_are_possible(s) ||
	    (s->armed && !s->initial_count))
		return -EINVAL;
	apic->s = *s;
	return 0;
}
