// SPDX-License-Identifier: MIT
/*
 * How interrupts find a vCPU: a line goes to the 8259s and to the I/O APIC, a message to the local
 * APICs, and a vCPU asks its own APIC, which lets the 8259s' through or not.
 */
#include "devices/platform.h"
#include "kernel/platform.h"
#include "kernel/time.h"
#include "kernel/trace.h"
#include "kernel/vendor.h"

#define NSEC 1000000000ull

/* The next tick, at once, finds out when the one after it is due. */
void platform_rearm(void *platform)
{
	((struct platform *)platform)->vm->next_event = 0;
}

static void kick_all(struct platform *p)
{
	for (int i = 0; i < p->vm->nr_vcpus; i++)
		vcpu_kick(p->vm->vcpus[i]);
}

void platform_irq(struct platform *p, u32 irq, bool high)
{
	bool was = pic_pending(&p->pic);

	pic_set(&p->pic, irq, high);
	ioapic_set(&p->ioapic, irq == IRQ_TIMER ? IOAPIC_TIMER_PIN : irq, high);
	if (!was && pic_pending(&p->pic))
		kick_all(p);
}

void platform_message(void *platform, const struct apic_message *m)
{
	struct platform *p = platform;

	for (int i = 0; i < p->vm->nr_vcpus; i++) {
		if (!lapic_is_dest(&p->lapic[i].apic, m))
			continue;
		lapic_accept(&p->lapic[i].apic, m);
		if (m->delivery == APIC_LOWEST)
			break;
	}
}

/* --- what a vCPU's local APIC asks for --- */

static struct platform *platform_of_lapic(void *ctx)
{
	return platform_of(((struct platform_lapic *)ctx)->vcpu->vm);
}

static u64 apic_now(void *ctx)
{
	return vclock_now(&platform_of_lapic(ctx)->clock);
}

static u64 apic_tsc(void *ctx)
{
	return vendor->l1_tsc(((struct platform_lapic *)ctx)->vcpu);
}

static u64 apic_tsc_to_ns(void *ctx, u64 ticks)
{
	u64 hz = tsc_hz();

	(void)ctx;
	/* Deadlines of more than a day are looked at again then. */
	if (ticks / hz > 86400)
		return 86400 * NSEC;
	return ticks / hz * NSEC + ticks % hz * NSEC / hz;
}

static u32 apic_cr8(void *ctx)
{
	return vendor->get_cr8(((struct platform_lapic *)ctx)->vcpu);
}

static void apic_set_cr8(void *ctx, u32 cr8)
{
	vendor->set_cr8(((struct platform_lapic *)ctx)->vcpu, (u8)cr8);
}

static void apic_changed(void *ctx)
{
	vcpu_kick(((struct platform_lapic *)ctx)->vcpu);
}

static void apic_rearm(void *ctx)
{
	platform_rearm(platform_of_lapic(ctx));
}

static void apic_send(void *ctx, const struct apic_message *m, u32 shorthand)
{
	struct platform *p = platform_of_lapic(ctx);
	struct platform_lapic *self = ctx;

	if (shorthand == APIC_DEST_FIELD) {
		platform_message(p, m);
		return;
	}
	for (int i = 0; i < p->vm->nr_vcpus; i++) {
		bool is_self = &p->lapic[i] == self;

		if (shorthand == APIC_DEST_ALL || is_self == (shorthand == APIC_DEST_SELF))
			lapic_accept(&p->lapic[i].apic, m);
	}
}

static void apic_eoi(void *ctx, u8 vector)
{
	ioapic_eoi(&platform_of_lapic(ctx)->ioapic, vector);
}

const struct lapic_ops platform_lapic_ops = {
	.now = apic_now,
	.guest_tsc = apic_tsc,
	.tsc_to_ns = apic_tsc_to_ns,
	.get_cr8 = apic_cr8,
	.set_cr8 = apic_set_cr8,
	.changed = apic_changed,
	.rearm = apic_rearm,
	.send = apic_send,
	.eoi = apic_eoi,
};

/* --- what the kernel asks for --- */

static struct lapic *apic_of(const struct vcpu *vcpu)
{
	return &platform_of(vcpu->vm)->lapic[vcpu->id].apic;
}

/* The 8259s hang on the first one's LINT0. */
static bool extint_waits(const struct vcpu *vcpu)
{
	return vcpu->id == 0 && lapic_takes_extint(apic_of(vcpu)) &&
	       pic_pending(&platform_of(vcpu->vm)->pic);
}

bool platform_interrupt(struct vcpu *vcpu)
{
	return platform_of(vcpu->vm)->testdev.raised || extint_waits(vcpu) ||
	       lapic_pending(apic_of(vcpu)) >= 0;
}

u8 platform_acknowledge(struct vcpu *vcpu)
{
	struct platform *p = platform_of(vcpu->vm);
	int vector;

	if (p->testdev.raised)
		return testdev_acknowledge(&p->testdev);
	if (extint_waits(vcpu))
		return pic_acknowledge(&p->pic);
	vector = lapic_pending(apic_of(vcpu));
	assert(vector >= 0);
	lapic_acknowledge(apic_of(vcpu), (u8)vector);
	return (u8)vector;
}

u8 platform_held_priority(struct vcpu *vcpu)
{
	return lapic_held_priority(apic_of(vcpu));
}

int platform_msr_read(struct vcpu *vcpu, u32 msr, u64 *val)
{
	return lapic_msr_read(apic_of(vcpu), msr, val);
}

int platform_msr_write(struct vcpu *vcpu, u32 msr, u64 val)
{
	return lapic_msr_write(apic_of(vcpu), msr, val);
}
