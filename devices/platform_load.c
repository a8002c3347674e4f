// SPDX-License-Identifier: MIT
/* Which loader a guest's kernel is for, and what every kernel finds in memory. */
#include "devices/acpi.h"
#include "devices/linux_boot.h"
#include "devices/multiboot1.h"
#include "kernel/bootinfo.h"
#include "kernel/platform.h"
#include "kernel/vm.h"

static int load_linux(struct loader *l, u64 rsdp, struct vcpu_state *state)
{
	struct linux_entry entry;
	int err = linux_load(l, rsdp, &entry);

	if (!err)
		linux_entry_state(&entry, state);
	return err;
}

static int load_multiboot1(struct loader *l, struct vcpu_state *state)
{
	struct multiboot1_entry entry;
	int err = multiboot1_load(l, &entry);

	if (!err)
		multiboot1_entry_state(&entry, state);
	return err;
}

static struct loader_module module_of(const struct boot_module *m)
{
	return (struct loader_module){(const u8 *)m->start, m->end - m->start, m->cmdline};
}

int platform_load(struct vm *vm, const struct boot_module *modules, u32 nr,
		  struct vcpu_state *state, char *why, size_t why_size)
{
	struct loader_module kernel = module_of(&modules[0]), others[LOADER_MODULES];
	struct loader l = {
		.mmu = &vm->mmu,
		.low = vm_low_bytes(vm),
		.high = vm_high_bytes(vm),
		.image = kernel.data,
		.size = kernel.size,
		.cmdline = kernel.cmdline,
		.modules = others,
		.nr_modules = nr - 1,
		.why = why,
		.why_size = why_size,
	};
	u64 rsdp;
	int err;

	if (l.nr_modules > LOADER_MODULES)
		return loader_fail(&l, -ENOSPC, "it has %u modules, %u are the most", l.nr_modules,
				   LOADER_MODULES);
	for (u32 i = 0; i < l.nr_modules; i++)
		others[i] = module_of(&modules[i + 1]);
	err = acpi_install(&l, &rsdp);
	if (err)
		return err;
	return linux_is_image(l.image, l.size) ? load_linux(&l, rsdp, state)
					       : load_multiboot1(&l, state);
}
