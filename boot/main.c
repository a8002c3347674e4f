// SPDX-License-Identifier: MIT
/*
 * The first C code: makes mistakes visible (traps, console), reads what the boot loader says,
 * and hands over to kernel_main.
 */
#include "kernel/main.h"
#include "kernel/bootinfo.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/params.h"
#include "kernel/percpu.h"
#include "kernel/shutdown.h"
#include "kernel/trace.h"
#include "kernel/trap.h"

struct bootinfo bootinfo;
u64 boot_tsc;

void boot_main(u32 magic, u32 info);

static void read_bootinfo(u32 magic, u32 info)
{
	const char *why = NULL;

	if (magic != MULTIBOOT2_MAGIC)
		machine_refuse("not started by a Multiboot2 loader; use GRUB's multiboot2 command");
	/* The loader's block is below 4 GiB, which is what the boot stub has mapped. */
	if (bootinfo_parse(&bootinfo, (const void *)(u64)info, (1ull << 32) - info, info, &why))
		machine_refuse("%s", why);
}

static void read_params(void)
{
	char why[768];

	/* exit=, console= and loglevel= count even when another word is wrong. */
	int err = params_parse(&params, bootinfo.cmdline, why, sizeof(why));

	console_select(params.console);
	log_set_level((enum log_level)params.loglevel);
	if (err)
		machine_refuse("%s", why);
	if (trace_enable(params.trace, why, sizeof(why)))
		machine_refuse("%s", why);
}

void boot_main(u32 magic, u32 info)
{
	boot_tsc = rdtsc();
	params_init(&params);
	percpu_init_boot();
	trap_init();
	console_early_init();
	read_bootinfo(magic, info);
	console_screen_init(&bootinfo.framebuffer, false);
	log_info("Cleave, a hypervisor for nested virtualization");
	cpu_init();
	read_params();
	kernel_main();
}
