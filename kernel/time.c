// SPDX-License-Identifier: MIT
/* The time-stamp counter as a clock. */
#include "kernel/time.h"
#include "kernel/cpu.h"
#include "kernel/shutdown.h"

/* The 8254's channel 2, whose gate and output are in port 61h. */
#define PIT_HZ	     1193182u
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PIT_ONESHOT2 0xb0 /* channel 2, both bytes, mode 0, binary */
#define PORT_B	     0x61
#define PORT_B_GATE2 0x01
#define PORT_B_SPEAK 0x02
#define PORT_B_OUT2  0x20

#define PIT_TICKS (PIT_HZ / 100) /* 10 ms */
#define MEASURES  30
/* No processor counts this far in 10 ms: the PIT does not run. */
#define TSC_GIVE_UP (1ull << 32)

static struct {
	u64 hz;
	u64 start; /* counter value that is time 0 */
	u64 mult;  /* ns = ticks * mult / 2^32 */
} clock;

/* TSC ticks while the PIT counts PIT_TICKS; 0 when it does not. */
static u64 measure_once(void)
{
	u64 start;

	outb(PORT_B, (inb(PORT_B) & ~(PORT_B_SPEAK | PORT_B_GATE2)));
	outb(PIT_COMMAND, PIT_ONESHOT2);
	outb(PIT_CHANNEL2, PIT_TICKS & 0xff);
	outb(PIT_CHANNEL2, PIT_TICKS >> 8);
	outb(PORT_B, (inb(PORT_B) & ~PORT_B_SPEAK) | PORT_B_GATE2);
	start = rdtsc();
	while (!(inb(PORT_B) & PORT_B_OUT2)) {
		if (rdtsc() - start > TSC_GIVE_UP)
			return 0;
	}
	return rdtsc() - start;
}

static bool about_equal(u64 a, u64 b)
{
	return MAX(a, b) - MIN(a, b) <= a / 256;
}

/*
 * Two measurements in a row that agree: an emulator may be held up in the middle of one, which
 * makes it too long or too short. Values that no processor has mean that there is no PIT behind
 * the ports.
 */
static u64 pit_measure(void)
{
	u64 now = measure_once(), before;
	int tries = 0;

	do {
		before = now;
		now = measure_once();
	} while (!about_equal(before, now) && ++tries < MEASURES);
	now = MIN(before, now) * PIT_HZ / PIT_TICKS;
	return now >= 1000000 && now <= 20000000000ull ? now : 0;
}

/* SDM 2A, CPUID 15h: TSC = crystal * EBX / EAX. */
static u64 cpuid_frequency(void)
{
	struct cpuid c;

	if (cpuid(CPUID_VENDOR, 0).eax < CPUID_TSC_FREQUENCY)
		return 0;
	c = cpuid(CPUID_TSC_FREQUENCY, 0);
	return c.eax && c.ebx && c.ecx ? (u64)c.ecx * c.ebx / c.eax : 0;
}

void time_init(void)
{
	clock.hz = pit_measure();
	/* Asked second, because emulators' processors report what they do not do. */
	if (!clock.hz)
		clock.hz = cpuid_frequency();
	if (!clock.hz)
		machine_refuse("no clock: neither the PIT nor CPUID 15h tells the TSC's frequency");
	clock.mult = (NSEC_PER_SEC << 32) / clock.hz;
	clock.start = rdtsc();
}

u64 time_ns(void)
{
	return (u64)((unsigned __int128)(rdtsc() - clock.start) * clock.mult >> 32);
}

u64 tsc_hz(void)
{
	return clock.hz;
}

void time_spin(u64 ns)
{
	u64 end = time_ns() + ns;

	while (time_ns() < end)
		cpu_pause();
}
