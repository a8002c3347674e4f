// SPDX-License-Identifier: MIT
/* IN and OUT: to the device that has the port. Where there is none, reads give all ones. */
#include "kernel/exits.h"
#include "kernel/trace.h"
#include "kernel/vendor.h"
#include "kernel/vm.h"
#include "lib/x86.h"

static const struct pio_device *pio_find(const struct vm *vm, u16 port)
{
	if (port < PIO_LOW)
		return vm->pio_low[port] ? &vm->pio[vm->pio_low[port] - 1] : NULL;
	for (int i = 0; i < vm->nr_pio; i++)
		if ((u16)(port - vm->pio[i].base) < vm->pio[i].len)
			return &vm->pio[i];
	return NULL;
}

static void pio_in(struct vcpu *vcpu, const struct pio_device *d, u16 port, int size)
{
	u32 val = d ? d->in(d->dev, (u16)(port - d->base), size) : ~0u;

	/* Only a 32-bit result clears the upper half of RAX (SDM 1 3.4.1.1). */
	if (size == 1)
		vcpu->gpr[RAX] = (vcpu->gpr[RAX] & ~0xffull) | (val & 0xff);
	else if (size == 2)
		vcpu->gpr[RAX] = (vcpu->gpr[RAX] & ~0xffffull) | (val & 0xffff);
	else
		vcpu->gpr[RAX] = val;
}

void exit_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
	const struct pio_device *d = pio_find(vcpu->vm, exit->io.port);

	/*
	 * INS and OUTS need the guest's segments and page tables; no device here is one that
	 * drivers use with them. They are refused so that the guest notices.
	 */
	if (exit->io.string) {
		trace(io_string, exit->io.port, exit->io.size, vcpu->rip, 0);
		vcpu_inject_exception(vcpu, EXC_GP, true, 0);
		return;
	}
	if (exit->io.in)
		pio_in(vcpu, d, exit->io.port, exit->io.size);
	else if (d)
		d->out(d->dev, (u16)(exit->io.port - d->base), exit->io.size, (u32)vcpu->gpr[RAX]);
	(void)vendor->skip(vcpu, exit);
}
