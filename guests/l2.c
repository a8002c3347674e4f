// SPDX-License-Identifier: MIT
/* L2's surroundings: its entry from l2_start.S, console, TSS and IDT. */
#include "guests/l2.h"
#include "guests/guest.h"
#include "lib/printf.h"

struct tss64 {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 iopb;
} __packed;

static struct tss64 tss;
extern u64 l2_gdt_tss[2];

static void l2_vprint(const char *fmt, va_list ap)
{
	char line[160];

	vsnprintf(line, sizeof(line), fmt, ap);
	for (const char *p = line; *p; p++)
		outb(PORT_UART, (u8)*p);
}

void l2_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	l2_vprint(fmt, ap);
	va_end(ap);
}

void die(const char *fmt, ...)
{
	va_list ap;

	interrupts_off();
	l2_print("FAILED: ");
	va_start(ap, fmt);
	l2_vprint(fmt, ap);
	va_end(ap);
	l2_print("\n");
	l2_hypercall(HC_FAIL, 0, 0, 0, 0);
	for (;;)
		asm volatile("cli\n\thlt");
}

/*
 * Interrupts get a stack in memory that L1 takes away now and then. In 32-bit mode they stay on
 * the one that is in use: all of L2 runs on it (l2_start32.S).
 */
static void tss_load(void)
{
#ifdef __x86_64__
	u64 base = (u64)&tss;

	tss.ist[0] = l2_params->interrupt_stack;
	tss.iopb = sizeof(tss);
	l2_gdt_tss[0] = 0x0000890000000067ull | (base & 0xffffff) << 16 | (base >> 24) << 56;
	asm volatile("ltr %w0" ::"r"(0x18));
#else
	(void)tss;
	(void)l2_gdt_tss;
#endif
}

void l2_main(void);

void l2_main(void)
{
	u64 pages = 0;

	tss_load();
	cpu_idt_init(1);
	for (u32 i = 0; i < l2_params->segments; i++)
		pages += l2_params->segment[i].pages;
	l2_print("hello from %s mode, working set %lu pages in %u pieces\n",
		 L2_IS_64BIT ? "64-bit" : "32-bit", pages, l2_params->segments);
	l2_checks_init();
	l2_hypercall(HC_HELLO, 0, 0, 0, 0);
	interrupts_on();
	l2_workload();
	l2_hypercall(HC_DONE, 0, 0, 0, 0);
	die("ran on after the end");
}
