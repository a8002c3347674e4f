// SPDX-License-Identifier: MIT
/* Brings L0 up, tells what machine this is, and starts the hypervisor's task. */
#include "kernel/main.h"
#include "kernel/apic.h"
#include "kernel/bootinfo.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/page_alloc.h"
#include "kernel/paging.h"
#include "kernel/panic.h"
#include "kernel/params.h"
#include "kernel/percpu.h"
#include "kernel/shutdown.h"
#include "kernel/task.h"
#include "kernel/time.h"

__attribute__((weak)) int hypervisor_main(void)
{
	log_err("this image was linked without the hypervisor's core");
	return 1;
}

static const char *console_describe(void)
{
	if (console_has_serial())
		return console_has_screen() ? "serial port and screen" : "serial port";
	return "screen, as there is no serial port";
}

static void print_machine(void)
{
	char vendor[13], brand[49];
	struct mem_stats mem;

	cpu_vendor(vendor);
	cpu_brand(brand);
	mem_stats(&mem);
	log_info("cpu: %s (%s), %lu MHz, %u physical bits, leaves up to %s", brand, vendor,
		 (tsc_hz() + 500000) / 1000000, cpu_physical_bits(),
		 cpu_has_1g_pages() ? "1G" : "2M");
	log_info("memory: %lu MiB free, as 1G pieces: %lu, as 2M pieces: %lu", mem.free >> 20,
		 mem.available[3], mem.available[2]);
	log_info("firmware: %s, started by %s", bootinfo.efi ? "UEFI" : "BIOS",
		 *bootinfo.loader ? bootinfo.loader : "an unnamed loader");
	log_info("console: %s", console_describe());
	for (u32 i = 0; i < bootinfo.module_count; i++) {
		const struct boot_module *m = &bootinfo.modules[i];

		log_info("module %u: %lu KiB at %#lx%s%s", i, (m->end - m->start) >> 10, m->start,
			 *m->cmdline ? ", words: " : "", m->cmdline);
	}
}

static void main_task(void *arg)
{
	(void)arg;
	print_machine();
	machine_exit(hypervisor_main());
}

void kernel_main(void)
{
	const char *why = NULL;

	mem_boot_init(&bootinfo);
	paging_init();
	console_screen_init(&bootinfo.framebuffer, true);
	console_select(params.console);
	time_init();
	if (apic_init(&why))
		machine_refuse("%s", why);
	task_init_cpu();
	apic_timer_start();
	if (!task_create("main", main_task, NULL))
		panic("out of memory for the first task");
	task_idle();
}
