// SPDX-License-Identifier: MIT
/* Ending the machine: each emulator has its own way out, a real one is switched off by hand. */
#include "kernel/shutdown.h"
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/params.h"
#include "lib/printf.h"

#define QEMU_DEBUG_EXIT_PORT 0xf4
#define QEMU_SUCCESS	     0x10
#define QEMU_FAILURE	     0x20

/* Bochs: 'D' breaks into its debugger, whose script quits with 0; "Shutdown" ends with 1. */
#define BOCHS_PORT 0x8900

static void exit_bochs(int status)
{
	if (status == 0)
		outb(BOCHS_PORT, 'D');
	for (const char *s = "Shutdown"; *s; s++)
		outb(BOCHS_PORT, (u8)*s);
}

void machine_refuse(const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_err("%s", text);
	machine_exit(1);
}

void machine_exit(int status)
{
	cli();
	if (params.exit == PARAM_exit_qemu)
		outb(QEMU_DEBUG_EXIT_PORT, (u8)(status ? QEMU_FAILURE + status : QEMU_SUCCESS));
	if (params.exit == PARAM_exit_bochs)
		exit_bochs(status);
	log_info("you may switch off the machine");
	for (;;)
		__asm__ volatile("cli; hlt");
}
