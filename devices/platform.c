// SPDX-License-Identifier: MIT
/* Wires the devices to a VM's ports, and their output to the console. */
#include "devices/platform.h"
#include "devices/exit_port.h"
#include "devices/multiboot1.h"
#include "kernel/console.h"
#include "kernel/kmem.h"
#include "kernel/params.h"
#include "kernel/platform.h"
#include "kernel/vm.h"
#include "lib/printf.h"
#include "lib/string.h"

static struct platform *platform_of(const struct vm *vm)
{
	return vm->devices;
}

/* One call for the whole line: the console does not mix calls. */
static void show_line(void *ctx, const char *line, size_t len)
{
	const struct vm *vm = ctx;
	char text[UART_LINE + sizeof(vm->name) + 8];
	int n = snprintf(text, sizeof(text), "[%s] %.*s\n", vm->name, (int)len, line);

	console_write(text, (size_t)n);
}

static int add_devices(struct vm *vm, struct platform *p)
{
	const struct pio_device devices[] = {
		{UART_PORT, UART_PORTS, &p->uart, uart_in, uart_out},
		{TESTDEV_PORT, TESTDEV_PORTS, &p->testdev, testdev_in, testdev_out},
		{EXIT_PORT, EXIT_PORTS, vm, exit_port_in, exit_port_out},
		{BENCHDEV_PORT, BENCHDEV_PORTS, &p->benchdev, benchdev_in, benchdev_out},
	};
	/* The last one only for those who measure. */
	size_t n = params.bench ? ARRAY_SIZE(devices) : ARRAY_SIZE(devices) - 1;

	for (size_t i = 0; i < n; i++) {
		int err = vm_add_pio(vm, &devices[i]);

		if (err)
			return err;
	}
	return 0;
}

int platform_create(struct vm *vm)
{
	struct platform *p = kzalloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	vm->devices = p;
	uart_init(&p->uart, show_line, vm);
	testdev_init(&p->testdev, vm);
	benchdev_init(&p->benchdev, vm);
	return add_devices(vm, p);
}

void platform_destroy(struct vm *vm)
{
	kfree(vm->devices);
	vm->devices = NULL;
}

int platform_load(struct vm *vm, const void *image, size_t size, const char *cmdline,
		  struct vcpu_state *state, char *why, size_t why_size)
{
	struct multiboot1_entry entry;
	int err = multiboot1_load(&vm->mmu, vm->mem_bytes, image, size, cmdline, &entry, why,
				  why_size);

	if (!err)
		multiboot1_entry_state(&entry, state);
	return err;
}

u64 platform_tick(struct vm *vm)
{
	return testdev_tick(&platform_of(vm)->testdev);
}

void platform_freeze(struct vm *vm)
{
	testdev_freeze(&platform_of(vm)->testdev);
}

void platform_thaw(struct vm *vm)
{
	testdev_thaw(&platform_of(vm)->testdev);
}

void platform_end(struct vm *vm)
{
	uart_flush(&platform_of(vm)->uart);
}

enum { STATE_UART, STATE_TESTDEV, STATE_NR };

u32 platform_state_count(void)
{
	return STATE_NR;
}

const struct state_desc *platform_state_desc(u32 index)
{
	return index == STATE_UART ? &uart_state_desc : &testdev_state_desc;
}

void platform_state_save(struct vm *vm, u32 index, void *state)
{
	const struct platform *p = platform_of(vm);

	if (index == STATE_UART)
		memcpy(state, &p->uart.state, sizeof(p->uart.state));
	else
		testdev_save(&p->testdev, state);
}

int platform_state_load(struct vm *vm, u32 index, const void *state)
{
	struct platform *p = platform_of(vm);

	return index == STATE_UART ? uart_load(&p->uart, state) : testdev_load(&p->testdev, state);
}

void platform_drop_output(struct vm *vm)
{
	platform_of(vm)->uart.state.line_len = 0;
}
