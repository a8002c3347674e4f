// SPDX-License-Identifier: MIT
/* The local APIC and its timer, and the 8259s that it replaces. */
#include "kernel/apic.h"
#include "kernel/cpu.h"
#include "kernel/paging.h"
#include "kernel/percpu.h"
#include "kernel/time.h"
#include "kernel/trap.h"

#define PIC1_COMMAND 0x20
#define PIC1_DATA    0x21
#define PIC2_COMMAND 0xa0
#define PIC2_DATA    0xa1

#define TIMER_DIVIDE_16 0x3

static struct {
	bool x2apic;
	volatile u8 *regs; /* xAPIC only */
	u32 timer_count;   /* timer ticks in 1 / HZ */
} apic;

u32 apic_read(u32 reg)
{
	if (apic.x2apic)
		return (u32)rdmsr(MSR_X2APIC_FIRST + reg / 16);
	return *(volatile u32 *)(apic.regs + reg);
}

void apic_write(u32 reg, u32 value)
{
	if (apic.x2apic)
		wrmsr(MSR_X2APIC_FIRST + reg / 16, value);
	else
		*(volatile u32 *)(apic.regs + reg) = value;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

u32 apic_id(void)
{
	u32 id = apic_read(APIC_ID);

	return apic.x2apic ? id : id >> 24;
}

void apic_send_ipi(u32 id, u8 vector)
{
	if (apic.x2apic) {
		wrmsr(MSR_X2APIC_FIRST + APIC_ICR / 16, (u64)id << 32 | vector);
		return;
	}
	apic_write(APIC_ICR_HIGH, id << 24);
	apic_write(APIC_ICR, vector);
}

/* Vectors 20h.., every line masked: an unmasked one could only be a surprise. */
static void pic_mask(void)
{
	outb(PIC1_COMMAND, 0x11); /* ICW1: edge, cascade, ICW4 follows */
	outb(PIC2_COMMAND, 0x11);
	outb(PIC1_DATA, VECTOR_PIC);
	outb(PIC2_DATA, VECTOR_PIC + 8);
	outb(PIC1_DATA, 4); /* ICW3: the second one is on line 2 */
	outb(PIC2_DATA, 2);
	outb(PIC1_DATA, 1); /* ICW4: 8086 mode */
	outb(PIC2_DATA, 1);
	outb(PIC1_DATA, 0xff);
	outb(PIC2_DATA, 0xff);
}

static void timer_tick(struct trap_frame *f)
{
	struct percpu *cpu = this_cpu();

	(void)f;
	cpu->ticks++;
	cpu->need_resched = true;
	apic_eoi();
}

static void resched_ipi(struct trap_frame *f)
{
	(void)f;
	this_cpu()->need_resched = true;
	apic_eoi();
}

/* How far the timer counts in 1 / HZ. */
static void timer_measure(void)
{
	const u32 tenths = 5; /* of 1 / HZ * 10: measured over 5 ms */

	apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_16);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_TIMER_INITIAL, 0xffffffff);
	time_spin(tenths * NSEC_PER_SEC / HZ);
	u32 counted = 0xffffffff - apic_read(APIC_TIMER_CURRENT);

	apic_write(APIC_TIMER_INITIAL, 0);
	apic.timer_count = MAX(counted / tenths, 1u);
}

/* SDM 3A 10.12.1: x2APIC is entered from the enabled xAPIC, never from the disabled state. */
static void mode_set(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
	if (apic.x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
}

static void apic_enable(void)
{
	mode_set();
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
	apic_write(APIC_LVT_LINT1, APIC_LVT_MASKED);
	apic_write(APIC_LVT_ERROR, APIC_LVT_MASKED);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | VECTOR_SPURIOUS);
	this_cpu()->apic_id = apic_id();
}

int apic_init(const char **why)
{
	struct cpuid features = cpuid(CPUID_FEATURES, 0);

	if (!(features.edx & CPUID_1_EDX_APIC)) {
		*why = "this processor has no local APIC, or the firmware has switched it off";
		return -ENODEV;
	}
	apic.x2apic = features.ecx & CPUID_1_ECX_X2APIC;
	if (!apic.x2apic)
		apic.regs = mmio_map((hpa_t){rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDR}, PAGE_SIZE);
	if (!apic.x2apic && !apic.regs) {
		*why = "the local APIC's registers cannot be mapped";
		return -ENODEV;
	}
	pic_mask();
	apic_enable();
	trap_set_handler(VECTOR_TIMER, timer_tick);
	trap_set_handler(VECTOR_RESCHED, resched_ipi);
	timer_measure();
	return 0;
}

void apic_timer_start(void)
{
	apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_16);
	apic_write(APIC_LVT_TIMER, APIC_LVT_PERIODIC | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, apic.timer_count);
}
