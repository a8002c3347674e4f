// SPDX-License-Identifier: MIT
/* The local APIC's registers, on its page and as MSRs; SDM 3A 10.4.1, 10.12. */
#include "devices/lapic.h"
#include "lib/x86.h"

#define MSR_TSC_DEADLINE 0x6e0

#define ICR_WRITTEN	 0x000ccfffu /* all but the status bit and what is reserved */
#define ICR_DELIVERY(v)	 ((v) >> 8 & 7)
#define ICR_LOGICAL	 BIT(11)
#define ICR_ASSERT	 BIT(14)
#define ICR_LEVEL	 BIT(15)
#define ICR_SHORTHAND(v) ((v) >> 18 & 3)

#define SVR_WRITTEN 0x1ffu

/* What of each LVT entry can be written; the rest reads as 0. */
static const u32 lvt_written[LVT_NR] = {
	[LVT_TIMER] = LVT_VECTOR | LVT_MASKED | LVT_TIMER_MODE,
	[LVT_THERMAL] = LVT_VECTOR | LVT_MASKED | 7u << 8,
	[LVT_PERF] = LVT_VECTOR | LVT_MASKED | 7u << 8,
	[LVT_LINT0] = LVT_VECTOR | LVT_MASKED | 7u << 8 | BIT(13) | BIT(15),
	[LVT_LINT1] = LVT_VECTOR | LVT_MASKED | 7u << 8 | BIT(13) | BIT(15),
	[LVT_ERROR] = LVT_VECTOR | LVT_MASKED,
};

/* What each register is in the two modes. */
enum { R = 1, W = 2, RW = R | W };

static u32 allowed(const struct lapic *apic, u32 reg)
{
	bool x2 = lapic_is_x2(apic);

	switch (reg) {
	case REG_VERSION:
	case REG_PPR:
	case REG_CURRENT_COUNT:
	case REG_ISR ... REG_ISR + 7:
	case REG_TMR ... REG_TMR + 7:
	case REG_IRR ... REG_IRR + 7:
		return R;
	case REG_ID:
	case REG_LDR:
		return x2 ? R : RW;
	case REG_DFR:
	case REG_ICR_HIGH:
		return x2 ? 0 : RW;
	case REG_APR:
		return x2 ? 0 : R;
	case REG_EOI:
		return W;
	case REG_SELF_IPI:
		return x2 ? W : 0;
	case REG_TPR:
	case REG_SVR:
	case REG_ESR:
	case REG_ICR:
	case REG_LVT_TIMER ... REG_LVT_ERROR:
	case REG_INITIAL_COUNT:
	case REG_DIVIDE:
		return RW;
	}
	return 0;
}

static u32 read_id(const struct lapic *apic)
{
	return lapic_is_x2(apic) ? apic->s.id : apic->s.id << 24;
}

static u32 read_ldr(const struct lapic *apic)
{
	u32 id = apic->s.id;

	return lapic_is_x2(apic) ? id >> 4 << 16 | 1u << (id & 15) : apic->s.ldr;
}

static u32 reg_read(const struct lapic *apic, u32 reg)
{
	switch (reg) {
	case REG_ID:
		return read_id(apic);
	case REG_VERSION:
		return LAPIC_VERSION;
	case REG_TPR:
		return lapic_tpr(apic);
	case REG_APR:
	case REG_PPR:
		return lapic_ppr(apic);
	case REG_LDR:
		return read_ldr(apic);
	case REG_DFR:
		return apic->s.dfr;
	case REG_SVR:
		return apic->s.svr;
	case REG_ISR ... REG_ISR + 7:
		return apic->s.isr[reg - REG_ISR];
	case REG_TMR ... REG_TMR + 7:
		return apic->s.tmr[reg - REG_TMR];
	case REG_IRR ... REG_IRR + 7:
		return apic->s.irr[reg - REG_IRR];
	case REG_ESR:
		return apic->s.esr;
	case REG_ICR:
		return apic->s.icr;
	case REG_ICR_HIGH:
		return apic->s.icr_dest;
	case REG_LVT_TIMER ... REG_LVT_ERROR:
		return apic->s.lvt[reg - REG_LVT_TIMER];
	case REG_INITIAL_COUNT:
		return apic->s.initial_count;
	case REG_CURRENT_COUNT:
		return lapic_timer_count(apic);
	case REG_DIVIDE:
		return apic->s.divide;
	}
	return 0;
}

/* --- IPIs, 10.6 --- */

static void send(struct lapic *apic)
{
	u32 icr = apic->s.icr;
	struct apic_message m = {
		.dest = lapic_is_x2(apic) ? apic->s.icr_dest : apic->s.icr_dest >> 24,
		.vector = (u8)icr,
		.delivery = ICR_DELIVERY(icr),
		.logical = !!(icr & ICR_LOGICAL),
	};

	/* INIT level de-assert does nothing on processors of this century. */
	if (m.delivery == APIC_INIT && (icr & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL)
		return;
	if ((m.delivery == APIC_FIXED || m.delivery == APIC_LOWEST) && m.vector < 16) {
		lapic_error(apic, ESR_SEND_ILLEGAL);
		return;
	}
	apic->ops->send(apic->ctx, &m, ICR_SHORTHAND(icr));
}

/* --- writing --- */

static void write_lvt(struct lapic *apic, u32 entry, u32 val)
{
	u32 old = apic->s.lvt[entry];

	val &= lvt_written[entry];
	if (!(apic->s.svr & SVR_ENABLE))
		val |= LVT_MASKED;
	/* 10.5.4: mode 3 is reserved. */
	if (entry == LVT_TIMER && (val & LVT_TIMER_MODE) == LVT_TIMER_MODE)
		val &= ~(u32)LVT_TIMER_MODE;
	apic->s.lvt[entry] = val;
	if (entry == LVT_TIMER)
		lapic_timer_lvt(apic, old);
	else
		apic->ops->changed(apic->ctx);
}

/* 10.4.7.2: what software switches off has its LVT masked. */
static void write_svr(struct lapic *apic, u32 val)
{
	apic->s.svr = val & SVR_WRITTEN;
	for (u32 i = 0; i < LVT_NR && !(val & SVR_ENABLE); i++)
		apic->s.lvt[i] |= LVT_MASKED;
	apic->ops->changed(apic->ctx);
}

static void reg_write(struct lapic *apic, u32 reg, u32 val)
{
	switch (reg) {
	case REG_ID: /* fixed here, as on current processors */
		break;
	case REG_TPR:
		apic->s.tpr_low = val & 15;
		apic->ops->set_cr8(apic->ctx, val >> 4 & 15);
		apic->ops->changed(apic->ctx);
		break;
	case REG_EOI:
		lapic_eoi(apic);
		break;
	case REG_LDR:
		apic->s.ldr = val & 0xff000000;
		break;
	case REG_DFR:
		apic->s.dfr = val | 0x0fffffff;
		break;
	case REG_SVR:
		write_svr(apic, val);
		break;
	case REG_ESR:
		apic->s.esr = apic->s.esr_new;
		apic->s.esr_new = 0;
		break;
	case REG_ICR:
		apic->s.icr = val & ICR_WRITTEN;
		send(apic);
		break;
	case REG_ICR_HIGH:
		apic->s.icr_dest = val & 0xff000000;
		break;
	case REG_LVT_TIMER ... REG_LVT_ERROR:
		write_lvt(apic, reg - REG_LVT_TIMER, val);
		break;
	case REG_INITIAL_COUNT:
		lapic_timer_start(apic, val);
		break;
	case REG_DIVIDE:
		lapic_timer_divide(apic, val);
		break;
	}
}

/* --- the page --- */

/* Is it there at all? With x2APIC the page is memory where nobody answers. */
static bool page_answers(const struct lapic *apic)
{
	return apic->s.base & APIC_BASE_ENABLE && !lapic_is_x2(apic);
}

u64 lapic_read(void *dev, u64 offset, u32 len)
{
	struct lapic *apic = dev;
	u32 reg = (u32)offset >> 4, at = (u32)offset & 15;

	if (!page_answers(apic))
		return ~0ull;
	if (!(allowed(apic, reg) & R)) {
		lapic_error(apic, ESR_REGISTER);
		return 0;
	}
	/* Bytes and words of a register are not promised, and read by some all the same. */
	if (at + len > 4)
		return 0;
	return reg_read(apic, reg) >> 8 * at;
}

void lapic_write(void *dev, u64 offset, u32 len, u64 val)
{
	struct lapic *apic = dev;

	if (!page_answers(apic) || len < 4 || offset & 15)
		return;
	if (allowed(apic, (u32)offset >> 4) & W)
		reg_write(apic, (u32)offset >> 4, (u32)val);
	else
		lapic_error(apic, ESR_REGISTER);
}

/* --- MSRs --- */

int lapic_msr_read(struct lapic *apic, u32 msr, u64 *val)
{
	u32 reg = msr - LAPIC_X2APIC_FIRST;

	if (msr == MSR_APIC_BASE) {
		*val = apic->s.base;
		return 0;
	}
	if (msr == MSR_TSC_DEADLINE) {
		*val = apic->s.deadline;
		return 0;
	}
	if (msr < LAPIC_X2APIC_FIRST || msr > LAPIC_X2APIC_LAST)
		return -ENOENT;
	if (!lapic_is_x2(apic) || !(allowed(apic, reg) & R))
		return -EINVAL;
	*val = reg_read(apic, reg);
	if (reg == REG_ICR)
		*val |= (u64)apic->s.icr_dest << 32;
	return 0;
}

/* 10.12.5: the ways between the modes; x2APIC is left only by switching everything off. */
static int write_base(struct lapic *apic, u64 val)
{
	u64 old = apic->s.base, mode = APIC_BASE_ENABLE | APIC_BASE_X2APIC;

	if ((val & ~mode) != (old & ~mode) || (val & mode) == APIC_BASE_X2APIC)
		return -EINVAL;
	if ((old & mode) == mode && (val & mode) == APIC_BASE_ENABLE)
		return -EINVAL;
	if (!(old & mode) && (val & mode) == mode)
		return -EINVAL;
	if (!(val & APIC_BASE_ENABLE)) {
		lapic_init(apic, apic->s.id);
		apic->s.base = old & ~mode;
	} else {
		apic->s.base = val;
	}
	if (lapic_is_x2(apic) && !(old & APIC_BASE_X2APIC)) {
		apic->s.icr = 0;
		apic->s.icr_dest = 0;
	}
	apic->ops->changed(apic->ctx);
	return 0;
}

/* 10.12.1.2: writes of what is reserved are #GP in x2APIC mode. */
static bool reserved_bits(u32 reg, u64 val)
{
	if (reg == REG_ICR)
		return (u32)val & ~ICR_WRITTEN;
	if (val >> 32)
		return true;
	switch (reg) {
	case REG_EOI:
	case REG_ESR:
		return val;
	case REG_TPR:
	case REG_SELF_IPI:
		return val & ~0xffull;
	case REG_SVR:
		return val & ~(u64)SVR_WRITTEN;
	case REG_DIVIDE:
		return val & ~0xbull;
	case REG_LVT_TIMER ... REG_LVT_ERROR:
		/* The status bits are read-only, and ignored. */
		return val & ~(u64)(lvt_written[reg - REG_LVT_TIMER] | BIT(12) | BIT(14));
	}
	return false;
}

static int write_x2(struct lapic *apic, u32 reg, u64 val)
{
	const struct apic_message self = {.vector = (u8)val};

	if (!lapic_is_x2(apic) || !(allowed(apic, reg) & W) || reserved_bits(reg, val))
		return -EINVAL;
	if (reg == REG_SELF_IPI) {
		if (self.vector < 16)
			lapic_error(apic, ESR_SEND_ILLEGAL);
		else
			lapic_accept(apic, &self);
		return 0;
	}
	if (reg == REG_ICR)
		apic->s.icr_dest = (u32)(val >> 32);
	reg_write(apic, reg, (u32)val);
	return 0;
}

int lapic_msr_write(struct lapic *apic, u32 msr, u64 val)
{
	if (msr == MSR_APIC_BASE)
		return write_base(apic, val);
	if (msr == MSR_TSC_DEADLINE) {
		lapic_timer_deadline(apic, val);
		return 0;
	}
	if (msr < LAPIC_X2APIC_FIRST || msr > LAPIC_X2APIC_LAST)
		return -ENOENT;
	return write_x2(apic, msr - LAPIC_X2APIC_FIRST, val);
}
