/* SPDX-License-Identifier: MIT */
/*
 * The machine around a VM: which devices there are, how their interrupts reach the vCPUs, and what
 * of them moves in a migration. What the kernel calls is in kernel/platform.h.
 */
#pragma once

#include "devices/benchdev.h"
#include "devices/board.h"
#include "devices/ioapic.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "devices/rtc.h"
#include "devices/testdev.h"
#include "devices/uart.h"
#include "devices/vclock.h"
#include "kernel/vm.h"

#define UART_PORT 0x3f8

/* Interrupt inputs: the 8259s' numbers, and the I/O APIC's but for the timer (MADT). */
enum { IRQ_TIMER = 0, IRQ_UART = 4, IRQ_RTC = 8 };
#define IOAPIC_TIMER_PIN 2

struct platform_lapic {
	struct lapic apic;
	struct vcpu *vcpu;
};

struct platform {
	struct vm *vm;
	struct vclock clock;
	struct uart uart;
	struct testdev testdev;
	struct benchdev benchdev; /* with bench=on */
	struct pic pic;
	struct pit pit;
	struct rtc rtc;
	struct ioapic ioapic;
	struct board board;
	struct platform_lapic lapic[VM_MAX_VCPUS];
};

static inline struct platform *platform_of(const struct vm *vm)
{
	return vm->devices;
}

/* platform_irq.c */
extern const struct lapic_ops platform_lapic_ops;
/* An interrupt line, by the 8259s' numbers. By the vCPU's task. */
void platform_irq(struct platform *p, u32 irq, bool high);
/* To all local APICs that @m names. */
void platform_message(void *platform, const struct apic_message *m);
/* platform_tick() is to be called earlier than it said, or found out when. @platform: the struct.
 */
void platform_rearm(void *platform);
