// SPDX-License-Identifier: MIT
/* Makes the devices, puts them on their ports and pages, and drives their clocks. */
#include "devices/platform.h"
#include "devices/exit_port.h"
#include "kernel/console.h"
#include "kernel/kmem.h"
#include "kernel/params.h"
#include "kernel/platform.h"
#include "kernel/time.h"
#include "kernel/vendor.h"
#include "lib/printf.h"

/* One call for the whole line: the console does not mix calls. */
static void show_line(void *ctx, const char *line, size_t len)
{
	const struct vm *vm = ((struct platform *)ctx)->vm;
	char text[LINE_MAX + sizeof(vm->name) + 8];
	int n = snprintf(text, sizeof(text), "[%s] %.*s\n", vm->name, (int)len, line);

	console_write(text, (size_t)n);
}

static u64 now(void *ctx)
{
	return vclock_now(&((struct platform *)ctx)->clock);
}

static void uart_irq(void *ctx, bool high)
{
	platform_irq(ctx, IRQ_UART, high);
}

static void timer_irq(void *ctx, bool high)
{
	platform_irq(ctx, IRQ_TIMER, high);
}

static void rtc_irq(void *ctx, bool high)
{
	platform_irq(ctx, IRQ_RTC, high);
}

static int add_ports(struct platform *p)
{
	struct vm *vm = p->vm;
	const struct pio_device devices[] = {
		{PIC_MASTER_PORT, PIC_PORTS, &p->pic, pic_master_in, pic_master_out},
		{PIC_SLAVE_PORT, PIC_PORTS, &p->pic, pic_slave_in, pic_slave_out},
		{PIC_ELCR_PORT, PIC_PORTS, &p->pic, pic_elcr_in, pic_elcr_out},
		{PIT_PORT, PIT_PORTS, &p->pit, pit_in, pit_out},
		{SPEAKER_PORT, SPEAKER_PORTS, &p->pit, speaker_in, speaker_out},
		{KEYBOARD_PORT, 1, &p->board, keyboard_in, keyboard_out},
		{RTC_PORT, RTC_PORTS, &p->rtc, rtc_in, rtc_out},
		{FAST_A20_PORT, 1, &p->board, fast_a20_in, fast_a20_out},
		{TESTDEV_PORT, TESTDEV_PORTS, &p->testdev, testdev_in, testdev_out},
		{EXIT_PORT, EXIT_PORTS, vm, exit_port_in, exit_port_out},
		{UART_PORT, UART_PORTS, &p->uart, uart_in, uart_out},
		{ACPI_PORT, ACPI_PORTS, &p->board, acpi_in, acpi_out},
		{PCI_PORT, PCI_PORTS, &p->board, pci_in, pci_out},
		/* The bench device, for those who measure only, takes the debug port's place. */
		{DEBUG_PORT, 1, &p->board, debug_in, debug_out},
		{BENCHDEV_PORT, BENCHDEV_PORTS, &p->benchdev, benchdev_in, benchdev_out},
	};
	size_t n = ARRAY_SIZE(devices);
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		if (i != (params.bench ? n - 2 : n - 1))
			err = vm_add_pio(vm, &devices[i]);
	return err;
}

/* Each vCPU sees its own local APIC on the same page. */
static u64 lapic_page_read(void *dev, struct vcpu *vcpu, u64 offset, u32 len)
{
	return lapic_read(&((struct platform *)dev)->lapic[vcpu->id].apic, offset, len);
}

static void lapic_page_write(void *dev, struct vcpu *vcpu, u64 offset, u32 len, u64 val)
{
	lapic_write(&((struct platform *)dev)->lapic[vcpu->id].apic, offset, len, val);
}

static u64 ioapic_page_read(void *dev, struct vcpu *vcpu, u64 offset, u32 len)
{
	(void)vcpu;
	return ioapic_read(&((struct platform *)dev)->ioapic, offset, len);
}

static void ioapic_page_write(void *dev, struct vcpu *vcpu, u64 offset, u32 len, u64 val)
{
	(void)vcpu;
	ioapic_write(&((struct platform *)dev)->ioapic, offset, len, val);
}

static int add_pages(struct platform *p)
{
	const struct mmio_device lapic = {LAPIC_BASE, LAPIC_SIZE, p, lapic_page_read,
					  lapic_page_write};
	const struct mmio_device ioapic = {IOAPIC_BASE, IOAPIC_SIZE, p, ioapic_page_read,
					   ioapic_page_write};
	int err = vm_add_mmio(p->vm, &lapic);

	return err ? err : vm_add_mmio(p->vm, &ioapic);
}

static void init_devices(struct platform *p)
{
	uart_init(&p->uart, show_line, uart_irq, p);
	testdev_init(&p->testdev, p);
	benchdev_init(&p->benchdev, p->vm);
	pic_init(&p->pic);
	p->pit.now = p->rtc.now = p->board.now = now;
	p->pit.irq = timer_irq;
	p->rtc.irq = rtc_irq;
	p->pit.rearm = p->rtc.rearm = platform_rearm;
	p->pit.ctx = p->rtc.ctx = p->board.ctx = p->ioapic.ctx = p;
	p->board.vm = p->vm;
	p->board.emit = show_line;
	p->ioapic.send = platform_message;
	pit_init(&p->pit);
	rtc_init(&p->rtc, time_of_day(), (p->vm->mem_bytes >> 10) - 1024);
	ioapic_init(&p->ioapic);
	board_init(&p->board);
}

_Static_assert(VCLOCK_CPUS == VM_MAX_VCPUS, "a counter for each");

int platform_create(struct vm *vm)
{
	struct platform *p = kzalloc(sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	vm->devices = p;
	p->vm = vm;
	init_devices(p);
	err = add_ports(p);
	return err ? err : add_pages(p);
}

void platform_add_vcpu(struct vcpu *vcpu)
{
	struct platform_lapic *l = &platform_of(vcpu->vm)->lapic[vcpu->id];

	l->vcpu = vcpu;
	l->apic.ops = &platform_lapic_ops;
	l->apic.ctx = l;
	lapic_init(&l->apic, (u32)vcpu->id);
	/* As firmware leaves it: the first processor hears the 8259s, and NMIs. */
	if (vcpu->id == 0)
		lapic_virtual_wire(&l->apic);
}

void platform_destroy(struct vm *vm)
{
	kfree(vm->devices);
	vm->devices = NULL;
}

u64 platform_tick(struct vm *vm)
{
	struct platform *p = platform_of(vm);
	u64 due;

	if (!p->clock.running)
		return PLATFORM_NEVER;
	due = testdev_tick(&p->testdev);
	due = MIN(due, pit_tick(&p->pit));
	due = MIN(due, rtc_tick(&p->rtc));
	for (int i = 0; i < vm->nr_vcpus; i++)
		due = MIN(due, lapic_tick(&p->lapic[i].apic));
	return vclock_to_host(&p->clock, due);
}

void platform_freeze(struct vm *vm)
{
	struct vclock *clock = &platform_of(vm)->clock;

	for (int i = 0; clock->running && i < vm->nr_vcpus; i++)
		clock->tsc[i] = vendor->l1_tsc(vm->vcpus[i]);
	vclock_stop(clock);
}

/* At first the counters begin with 0, as after a reset. */
void platform_thaw(struct vm *vm)
{
	struct vclock *clock = &platform_of(vm)->clock;

	for (int i = 0; !clock->running && i < vm->nr_vcpus; i++)
		vendor->set_l1_tsc(vm->vcpus[i], clock->tsc[i]);
	vclock_start(clock);
	platform_rearm(platform_of(vm));
	for (int i = 0; i < vm->nr_vcpus; i++)
		vcpu_kick(vm->vcpus[i]);
}

void platform_end(struct vm *vm)
{
	uart_flush(&platform_of(vm)->uart);
	board_flush(&platform_of(vm)->board);
}

void platform_drop_output(struct vm *vm)
{
	platform_of(vm)->uart.state.line.len = 0;
	platform_of(vm)->board.s.line.len = 0;
}
