// SPDX-License-Identifier: MIT
/* The devices' states that move in a migration, in the order in which they are loaded. */
#include "devices/platform.h"
#include "kernel/platform.h"
#include "lib/string.h"

enum {
	STATE_CLOCK, /* first: others' times are of this clock */
	STATE_UART,
	STATE_TESTDEV,
	STATE_PIC,
	STATE_PIT,
	STATE_RTC,
	STATE_IOAPIC,
	STATE_BOARD,
	STATE_LAPIC, /* the first vCPU's; the others' follow */
	STATE_NR = STATE_LAPIC + 1
};

_Static_assert(VM_MAX_VCPUS >= 1, "one local APIC at least");

static const struct state_desc *const descs[STATE_NR] = {
	[STATE_CLOCK] = &vclock_state_desc,    [STATE_UART] = &uart_state_desc,
	[STATE_TESTDEV] = &testdev_state_desc, [STATE_PIC] = &pic_state_desc,
	[STATE_PIT] = &pit_state_desc,	       [STATE_RTC] = &rtc_state_desc,
	[STATE_IOAPIC] = &ioapic_state_desc,   [STATE_BOARD] = &board_state_desc,
	[STATE_LAPIC] = &lapic_state_desc,
};

u32 platform_state_count(void)
{
	return STATE_NR;
}

const struct state_desc *platform_state_desc(u32 index)
{
	return descs[index];
}

static const void *place(const struct platform *p, u32 index)
{
	switch (index) {
	case STATE_UART:
		return &p->uart.state;
	case STATE_PIC:
		return &p->pic;
	case STATE_PIT:
		return &p->pit.s;
	case STATE_RTC:
		return &p->rtc.s;
	case STATE_IOAPIC:
		return &p->ioapic.s;
	case STATE_BOARD:
		return &p->board.s;
	default:
		return &p->lapic[0].apic.s;
	}
}

void platform_state_save(struct vm *vm, u32 index, void *state)
{
	const struct platform *p = platform_of(vm);

	if (index == STATE_CLOCK)
		vclock_save(&p->clock, state);
	else if (index == STATE_TESTDEV)
		testdev_save(&p->testdev, state);
	else
		memcpy(state, place(p, index), descs[index]->size);
}

int platform_state_load(struct vm *vm, u32 index, const void *state)
{
	struct platform *p = platform_of(vm);

	switch (index) {
	case STATE_CLOCK:
		return vclock_load(&p->clock, state);
	case STATE_UART:
		return uart_load(&p->uart, state);
	case STATE_TESTDEV:
		return testdev_load(&p->testdev, state);
	case STATE_PIC:
		return pic_load(&p->pic, state);
	case STATE_PIT:
		return pit_load(&p->pit, state);
	case STATE_RTC:
		return rtc_load(&p->rtc, state);
	case STATE_IOAPIC:
		return ioapic_load(&p->ioapic, state);
	case STATE_BOARD:
		return board_load(&p->board, state);
	default:
		return lapic_load(&p->lapic[0].apic, state);
	}
}
