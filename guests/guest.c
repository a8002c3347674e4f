// SPDX-License-Identifier: MIT
/* A guest kernel's surroundings: console, page memory, the way in from boot.S and the way out. */
#include "guests/guest.h"
#include "lib/multiboot1.h"
#include "lib/printf.h"
#include "lib/string.h"

#define UART_LSR       (PORT_UART + 5)
#define UART_LSR_EMPTY 0x20

u64 memory_end;

extern char image_end[];

static u64 pages_next;

/* 115200 baud, 8 bits, no interrupts: not every loader leaves the port so. */
static void console_init(void)
{
	outb(PORT_UART + 1, 0);
	outb(PORT_UART + 3, 0x80);
	outb(PORT_UART, 1);
	outb(PORT_UART + 1, 0);
	outb(PORT_UART + 3, 0x03);
	outb(PORT_UART + 2, 0x01);
}

static void console_putc(char c)
{
	while (!(inb(UART_LSR) & UART_LSR_EMPTY))
		;
	outb(PORT_UART, (u8)c);
}

static void console_vprint(const char *fmt, va_list ap)
{
	char line[256];

	vsnprintf(line, sizeof(line), fmt, ap);
	for (const char *p = line; *p; p++) {
		if (*p == '\n')
			console_putc('\r');
		console_putc(*p);
	}
}

void console_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	console_vprint(fmt, ap);
	va_end(ap);
}

void die(const char *fmt, ...)
{
	va_list ap;

	interrupts_off();
	console_print("L1: FAILED: ");
	va_start(ap, fmt);
	console_vprint(fmt, ap);
	va_end(ap);
	console_print("\n");
	machine_exit(1);
}

void machine_exit(u32 status)
{
	outl(PORT_EXIT, status);
	/* Bochs has no such port: this breaks into its debugger, or shuts it down. */
	for (const char *c = status ? "Shutdown" : "D"; *c; c++)
		outb(PORT_BOCHS, (u8)*c);
	for (;;)
		asm volatile("cli\n\thlt");
}

void *pages_alloc(u32 n)
{
	u64 at = pages_next;

	pages_next += n * PAGE_SIZE;
	if (pages_next > L1_MEMORY_END)
		die("out of memory: L1 keeps its own below %lu MiB", L1_MEMORY_END >> 20);
	memset((void *)at, 0, n * PAGE_SIZE);
	return (void *)at;
}

void guest_start(u32 magic, const struct multiboot1_info *info);

void guest_start(u32 magic, const struct multiboot1_info *info)
{
	pages_next = (u64)image_end;
	console_init();
	cpu_idt_init(0);
	if (magic != MULTIBOOT1_BOOT_MAGIC)
		die("not started by a Multiboot loader (EAX 0x%x)", magic);
	if (!(info->flags & MULTIBOOT1_INFO_MEMORY))
		die("the loader did not say how much memory there is");
	memory_end = ((u64)1 << 20) + ((u64)info->mem_upper << 10);
	if (memory_end < L1_MEMORY_END)
		die("%lu MiB of memory are too few, at least %lu are needed", memory_end >> 20,
		    L1_MEMORY_END >> 20);
	options_init(info->flags & MULTIBOOT1_INFO_CMDLINE ? (const char *)(u64)info->cmdline : "");
	machine_exit((u32)guest_main());
}
