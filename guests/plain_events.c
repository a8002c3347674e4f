// SPDX-License-Identifier: MIT
/* Interrupts that wait, and events whose delivery itself needs L0. */
#include "guests/l1.h"
#include "guests/plain.h"

#define NONE	    CPU_NO_EXCEPTION
#define TIMER_US    200
#define WINDOW_SPIN 4 /* times TIMER_US */
#define SOFT_VECTOR 0x50
#define NUMBER(x)   NUMBER_(x)
#define NUMBER_(x)  #x
#define STACKS	    (32ul << 20) /* where nothing else of this kernel is */
#define STACKS_NR   1024

/* --- interrupts --- */

static void wait_for(u64 count, const char *what)
{
	interrupts_off();
	while (platform_timer_interrupts() == count) {
		interrupts_on_and_halt();
		interrupts_off();
	}
	interrupts_on();
	plain_expect(what, platform_timer_interrupts(), count + 1);
}

void plain_halt(void)
{
	u64 count = platform_timer_interrupts();

	platform_timer(TIMER_US);
	wait_for(count, "timer interrupts, halted");
}

static void spin_ticks(u64 ticks)
{
	u64 begin = rdtsc();

	while (rdtsc() - begin < ticks)
		;
}

/* It comes while interrupts are off, and is taken as soon as they are on: L0 needs a window. */
void plain_window(void)
{
	static u64 ticks;
	u64 count = platform_timer_interrupts(), begin = rdtsc();

	if (!ticks) { /* how long it takes, in ticks that nobody has told */
		platform_timer(TIMER_US);
		wait_for(count, "timer interrupts, measured");
		ticks = rdtsc() - begin;
		return;
	}
	interrupts_off();
	platform_timer(TIMER_US);
	spin_ticks(WINDOW_SPIN * ticks);
	cpuid(0, 0); /* L0 looks at its clock when there is an exit */
	plain_expect("timer interrupts, switched off", platform_timer_interrupts(), count);
	asm volatile("sti\n\tnop\n\tnop\n\tcli" ::: "memory");
	plain_expect("timer interrupts in the window", platform_timer_interrupts(), count + 1);
	interrupts_on();
}

/* The instruction after STI exits: the interrupt comes after it, not before. */
void plain_shadow(void)
{
	u64 count = platform_timer_interrupts();

	interrupts_off();
	platform_timer(1);
	asm volatile("sti\n\tcpuid" : : "a"(0) : "rbx", "rcx", "rdx", "memory");
	while (platform_timer_interrupts() == count)
		;
	plain_expect("timer interrupts after a shadow", platform_timer_interrupts(), count + 1);
}

/* --- events whose delivery faults --- */

/* A page that nobody has touched for long, as a stack: pushing to it makes L0 map it first. */
static u64 fresh_stack(void)
{
	static u64 used;

	return STACKS + (used++ % STACKS_NR + 1) * PAGE_SIZE;
}

#define ON_STACK(insns, stack)                                       \
	asm volatile("movq %%rsp, %%rbx\n\tmovq %0, %%rsp\n\t" insns \
		     "\n\tmovq %%rbx, %%rsp" ::"r"(stack)            \
		     : "rbx", "memory")

void plain_delivery(void)
{
	u64 soft = cpu_interrupts[SOFT_VECTOR];

	ON_STACK("int $" NUMBER(SOFT_VECTOR), fresh_stack());
	plain_expect("INT n, its stack not mapped", cpu_interrupts[SOFT_VECTOR], soft + 1);
	cpu_exception.vector = NONE;
	ON_STACK("int3\n1:" EX_TABLE(1b, 1b), fresh_stack());
	plain_expect("INT3, its stack not mapped", cpu_exception.vector, EXC_BP);
	cpu_exception.vector = NONE;
	ON_STACK("1: ud2\n2:" EX_TABLE(1b, 2b), fresh_stack());
	plain_expect("UD2, its stack not mapped", cpu_exception.vector, EXC_UD);
}

/* The same for an interrupt that ends a halt. */
void plain_delivery_halted(void)
{
	u64 count = platform_timer_interrupts();

	interrupts_off();
	platform_timer(TIMER_US);
	ON_STACK("sti\n\thlt\n\tcli", fresh_stack());
	plain_expect("an interrupt, its stack not mapped", platform_timer_interrupts(), count + 1);
	interrupts_on();
}
