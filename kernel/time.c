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
#define PIT_LATCH2   0x80
#define PORT_B	     0x61
#define PORT_B_GATE2 0x01
#define PORT_B_SPEAK 0x02
#define PORT_B_OUT2  0x20

#define PIT_TICKS    (PIT_HZ / 100) /* 10 ms */
#define PIT_START    0xffff	    /* 55 ms */
#define PIT_READINGS 16
#define MEASURES     5
/* No processor counts this far in 10 ms: the PIT does not run. */
#define TSC_GIVE_UP (1ull << 29)

static struct {
	u64 hz;
	u64 start; /* counter value that is time 0 */
	u64 mult;  /* ns = ticks * mult / 2^32 */
} clock;

/* The two clocks at one moment. */
struct reading {
	u64 tsc;
	u32 pit;    /* counts down */
	u64 window; /* TSC ticks within which both were read */
};

static struct reading read_once(void)
{
	u64 before = rdtsc();

	outb(PIT_COMMAND, PIT_LATCH2);
	u32 low = inb(PIT_CHANNEL2);
	u32 high = inb(PIT_CHANNEL2);
	u64 after = rdtsc();

	return (struct reading){before, high << 8 | low, after - before};
}

/* The tightest of some readings: an emulator may be held up in the middle of one. */
static struct reading read_both(void)
{
	struct reading best = read_once();

	for (int i = 1; i < PIT_READINGS; i++) {
		struct reading r = read_once();

		if (r.window < best.window)
			best = r;
	}
	return best;
}

/* TSC ticks per second; 0 when the PIT does not count, or ran out while we were held up. */
static u64 measure_once(void)
{
	struct reading start, end;

	outb(PORT_B, inb(PORT_B) & ~(PORT_B_SPEAK | PORT_B_GATE2));
	outb(PIT_COMMAND, PIT_ONESHOT2);
	outb(PIT_CHANNEL2, PIT_START & 0xff);
	outb(PIT_CHANNEL2, PIT_START >> 8);
	outb(PORT_B, (inb(PORT_B) & ~PORT_B_SPEAK) | PORT_B_GATE2);
	start = read_both();
	do {
		end = read_both();
		if (end.tsc - start.tsc > TSC_GIVE_UP)
			return 0;
	} while (start.pit - end.pit < PIT_TICKS);
	if (inb(PORT_B) & PORT_B_OUT2)
		return 0;
	return (end.tsc - start.tsc) * PIT_HZ / (start.pit - end.pit);
}

/* 0 when there is no PIT behind the ports; values that no processor has mean that as well. */
static u64 pit_measure(void)
{
	u64 hz = 0;

	for (int i = 0; i < MEASURES && hz == 0; i++)
		hz = measure_once();
	return hz >= 1000000 && hz <= 20000000000ull ? hz : 0;
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
