// SPDX-License-Identifier: MIT
/* The vendor and the VM of exits_vm.h. */
#include "tests/host/exits_vm.h"
#include "kernel/trace.h"
#include "lib/x86.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct vm vm;
struct vcpu vcpu;
int skipped, reflected, faults;
u64 reflected_code;
bool l1_owns;
int skip_result;
u8 skip_queues;
u64 efer;
struct written written;

void vm_end(struct vm *v, int status, const char *fmt, ...)
{
	va_list ap;

	if (v->ended)
		return;
	va_start(ap, fmt);
	vsnprintf(v->end_reason, sizeof(v->end_reason), fmt, ap);
	va_end(ap);
	v->exit_status = status;
	v->ended = true;
}

void trace_event(enum trace_id id, u64 a, u64 b, u64 c, u64 d)
{
	(void)id, (void)a, (void)b, (void)c, (void)d;
}

u64 trace_mask[BITMAP_WORDS(TRACE_COUNT)];

void exit_fault(struct vcpu *v, const struct vm_exit *exit)
{
	(void)v, (void)exit;
	faults++;
}

static int skip_insn(struct vcpu *v, const struct vm_exit *exit)
{
	(void)exit;
	skipped++;
	if (skip_queues)
		v->pending = (struct vcpu_event){.type = EVENT_EXCEPTION, .vector = skip_queues};
	return skip_result;
}

static int read_msr(struct vcpu *v, u32 msr, u64 *val)
{
	(void)v;
	*val = efer;
	return msr == MSR_EFER ? 0 : -ENOENT;
}

static int write_msr(struct vcpu *v, u32 msr, u64 val)
{
	(void)v;
	if (msr != MSR_EFER)
		return -ENOENT;
	if (val & 0xff00000000000000ull)
		return -EINVAL;
	efer = val;
	return 0;
}

static void vendor_cpuid(struct vcpu *v, u32 leaf, u32 index, u32 r[4])
{
	(void)v, (void)leaf, (void)index, (void)r;
}

static bool owns(struct vcpu *v, const struct vm_exit *exit)
{
	(void)v, (void)exit;
	return l1_owns;
}

static enum nested_result reflect(struct vcpu *v, const struct vm_exit *exit)
{
	(void)v;
	reflected++;
	reflected_code = exit->code;
	return NESTED_DONE;
}

static enum nested_result dead(struct vcpu *v, const struct vm_exit *exit)
{
	(void)v, (void)exit;
	return NESTED_DEAD;
}

static const struct vendor_ops ops = {.shutdown_code = TEST_SHUTDOWN_CODE,
				      .skip = skip_insn,
				      .msr_read = read_msr,
				      .msr_write = write_msr,
				      .cpuid = vendor_cpuid,
				      .nested_owns = owns,
				      .nested_reflect = reflect,
				      .virt_insn = dead};
const struct vendor_ops *vendor = &ops;

void vcpu_kick(struct vcpu *v)
{
	v->irq_pending = 1;
}

/* Of the local APIC's only the one that says where it is. */
int platform_msr_read(struct vcpu *v, u32 msr, u64 *val)
{
	(void)v;
	*val = 0xfee00900;
	return msr == MSR_APIC_BASE ? 0 : -ENOENT;
}

int platform_msr_write(struct vcpu *v, u32 msr, u64 val)
{
	(void)v;
	if (msr != MSR_APIC_BASE)
		return -ENOENT;
	return val == 0xfee00900 ? 0 : -EINVAL;
}

static u32 device_in(void *dev, u16 offset, int size)
{
	(void)dev;
	return 0x11223300u + offset + ((u32)size << 4);
}

static void device_out(void *dev, u16 offset, int size, u32 val)
{
	(void)dev;
	written.offset = offset;
	written.size = size;
	written.val = val;
}

int exits_setup(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&written, 0, sizeof(written));
	vcpu.vm = &vm;
	vm.pio[0] = (struct pio_device){0x3f8, 8, NULL, device_in, device_out};
	vm.nr_pio = 1;
	for (int i = 0; i < 8; i++)
		vm.pio_low[0x3f8 + i] = 1;
	skipped = reflected = faults = 0;
	l1_owns = false;
	skip_result = 0;
	skip_queues = 0;
	return 0;
}

void run_exit(struct vm_exit exit)
{
	exit_handle(&vcpu, &exit);
}
