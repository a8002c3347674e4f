/* SPDX-License-Identifier: MIT */
/*
 * What else a PC has on its ports: ways to reset it and to switch it off, the ACPI timer, the way
 * to configure PCI (there are no PCI devices), and a debug port that prints.
 *
 * Owned by the vCPU's task; others only while the VM is paused.
 */
#pragma once

#include "devices/line.h"
#include "lib/state.h"
#include "lib/types.h"

struct vm;

#define DEBUG_PORT     0xe9
#define FAST_A20_PORT  0x92
#define KEYBOARD_PORT  0x64
#define PCI_PORT       0xcf8
#define PCI_PORTS      8
#define ACPI_PORT      0x600
#define ACPI_PORTS     12
#define ACPI_TIMER_HZ  3579545ull
#define ACPI_SLEEP_OFF 5 /* SLP_TYP of S5, as the DSDT says */

/* All of it moves in a migration. */
struct board_state {
	u32 pci_address;
	u32 acpi_status, acpi_enable, acpi_control; /* PM1 */
	struct line line;			    /* the debug port's */
};
extern const struct state_desc board_state_desc;

struct board {
	struct board_state s;
	struct vm *vm;
	u64 (*now)(void *ctx); /* the VM's clock, ns */
	line_emit emit;
	void *ctx;
};

void board_init(struct board *b);
u32 acpi_in(void *dev, u16 offset, int size);
void acpi_out(void *dev, u16 offset, int size, u32 val);
u32 pci_in(void *dev, u16 offset, int size);
void pci_out(void *dev, u16 offset, int size, u32 val);
u32 debug_in(void *dev, u16 offset, int size);
void debug_out(void *dev, u16 offset, int size, u32 val);
u32 keyboard_in(void *dev, u16 offset, int size);
void keyboard_out(void *dev, u16 offset, int size, u32 val);
u32 fast_a20_in(void *dev, u16 offset, int size);
void fast_a20_out(void *dev, u16 offset, int size, u32 val);
/* A line of the debug port's without its newline: the VM has ended. */
void board_flush(struct board *b);
/* 0, or -EINVAL: no board can be in that state. */
int __must_check board_load(struct board *b, const struct board_state *state);
