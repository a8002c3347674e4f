// SPDX-License-Identifier: MIT
/* The interrupt descriptor table, and what happens at a trap: fix up, handle, or panic. */
#include "kernel/trap.h"
#include "kernel/apic.h"
#include "kernel/cpu.h"
#include "kernel/panic.h"
#include "kernel/percpu.h"

#define VECTORS	    256
#define STUB_SIZE   16
#define GATE_INTR64 0x8e00 /* present, DPL 0, 64-bit interrupt gate */

/* SDM 3A 6.14.1 */
struct gate {
	u16 offset_low;
	u16 selector;
	u16 ist_and_type;
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
};

/* kernel/cpu.h: FIXUP */
struct fixup {
	u64 from, to;
};

extern const u8 trap_stubs[VECTORS * STUB_SIZE];
extern const struct fixup __fixup_start[], __fixup_end[];

static struct gate idt[VECTORS] __aligned(16);
static void (*handlers[VECTORS])(struct trap_frame *f);

static u16 vector_ist(int vector)
{
	switch (vector) {
	case EXC_DF:
		return IST_DF;
	case EXC_NMI:
		return IST_NMI;
	case EXC_MC:
		return IST_MC;
	default:
		return 0;
	}
}

void trap_init(void)
{
	_Static_assert(EXC_WITH_ERROR_CODE == 0x60227d00, "trap_entry.S has the same mask");
	for (int v = 0; v < VECTORS; v++) {
		u64 stub = (u64)&trap_stubs[v * STUB_SIZE];

		idt[v] = (struct gate){
			.offset_low = (u16)stub,
			.selector = SEL_CODE,
			.ist_and_type = GATE_INTR64 | vector_ist(v),
			.offset_middle = (u16)(stub >> 16),
			.offset_high = (u32)(stub >> 32),
		};
	}
	trap_init_cpu();
}

void trap_init_cpu(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed idtr = {sizeof(idt) - 1, (u64)idt};

	__asm__ volatile("lidt %0" : : "m"(idtr));
}

void trap_set_handler(u8 vector, void (*handler)(struct trap_frame *f))
{
	assert(vector >= EXC_COUNT && !handlers[vector]);
	handlers[vector] = handler;
}

static bool fixup_apply(struct trap_frame *f)
{
	for (const struct fixup *x = __fixup_start; x < __fixup_end; x++) {
		if (x->from == f->rip) {
			f->rip = x->to;
			return true;
		}
	}
	return false;
}

static void interrupt(struct trap_frame *f)
{
	if (handlers[f->vector]) {
		handlers[f->vector](f);
		return;
	}
	/*
	 * Spurious ones are not acknowledged (SDM 3A 10.9), neither the APIC's nor those of the
	 * masked 8259s, which never have one in service.
	 */
	if (f->vector == VECTOR_SPURIOUS ||
	    (f->vector >= VECTOR_PIC && f->vector < VECTOR_PIC + 16))
		return;
	apic_eoi();
}

void trap_dispatch(struct trap_frame *f)
{
	if (f->vector >= EXC_COUNT) {
		interrupt(f);
		return;
	}
	if (fixup_apply(f))
		return;
	/* Nobody here sends NMIs: one is the platform's report of a failure, and as final. */
	panic_trap(f);
}
