// SPDX-License-Identifier: MIT
/* The exit port. */
#include "devices/exit_port.h"
#include "kernel/vm.h"

u32 exit_port_in(void *vm, u16 offset, int size)
{
	(void)vm;
	(void)offset;
	(void)size;
	return ~0u;
}

void exit_port_out(void *vm, u16 offset, int size, u32 val)
{
	u32 status = size == 4 ? val : val & ((1u << 8 * size) - 1);

	(void)offset;
	vm_end(vm, status > 0x7fffffff ? -1 : (int)status, "it ended itself with status %u",
	       status);
}
