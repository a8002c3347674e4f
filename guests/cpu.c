// SPDX-License-Identifier: MIT
/* The IDT, and what happens on an exception: one that a TRY expects is noted, others end it all. */
#include "guests/cpu.h"

struct gate {
	u16 offset_low;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_mid;
#ifdef __x86_64__
	u32 offset_high; /* 0: guests lie below 4 GiB */
	u32 reserved;
#endif
};

struct ex_entry {
	u32 from;
	u32 to;
};

#define GATE_INTERRUPT 0x8e /* present, interrupt gate of the mode's own size */
#define CODE_SELECTOR  0x08
#define STUB_SIZE      16

extern const char isr_stubs[];
extern const struct ex_entry ex_table_start[], ex_table_end[];

volatile u64 cpu_interrupts[256];
volatile struct cpu_exception cpu_exception;
void (*cpu_interrupt_hook)(u8 vector);

static struct gate idt[256] __aligned(16);

void cpu_idt_init(u8 ist)
{
	struct table_register r = {sizeof(idt) - 1, (u64)idt};

	for (u32 v = 0; v < 256; v++) {
		u64 stub = (u64)isr_stubs + v * STUB_SIZE;

		idt[v] = (struct gate){
			.offset_low = (u16)stub,
			.selector = CODE_SELECTOR,
			.ist = v < EXC_COUNT ? 0 : ist,
			.type = GATE_INTERRUPT,
			.offset_mid = (u16)(stub >> 16),
		};
	}
	asm volatile("lidt %0" ::"m"(r) : "memory");
}

static bool fixup(struct isr_frame *f)
{
	for (const struct ex_entry *e = ex_table_start; e < ex_table_end; e++) {
		if (e->from != f->rip)
			continue;
		cpu_exception.vector = (u32)f->vector;
		cpu_exception.error = (u32)f->error;
		cpu_exception.count++;
		f->rip = e->to;
		if (f->vector == EXC_DB)
			f->rflags &= ~RFLAGS_TF;
		return true;
	}
	return false;
}

void isr_dispatch(struct isr_frame *f);

void isr_dispatch(struct isr_frame *f)
{
	if (f->vector >= EXC_COUNT) {
		cpu_interrupts[f->vector]++;
		if (cpu_interrupt_hook)
			cpu_interrupt_hook((u8)f->vector);
		return;
	}
	if (!fixup(f))
		die("exception %u error 0x%x at rip 0x%lx, cr2 0x%lx, stack 0x%lx", (u32)f->vector,
		    (u32)f->error, (u64)f->rip, read_cr2(), (u64)f);
}
