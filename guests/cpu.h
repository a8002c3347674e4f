/* SPDX-License-Identifier: MIT */
/*
 * The processor as the guests use it: instructions as functions, an IDT whose exceptions can
 * be expected (TRY), and counts of the interrupts taken. Both L1 and L2 link it; each brings
 * its own die().
 */
#pragma once

#include "lib/types.h"
#include "lib/x86.h"

/* As isr.S pushes it. Without a change of privilege 32-bit mode pushes no stack. */
#ifdef __x86_64__
struct isr_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};
#else
struct isr_frame {
	u32 rdi, rsi, rbp, unused, rbx, rdx, rcx, rax;
	u32 vector, error;
	u32 rip, cs, rflags;
};
#endif

/* Prints one line that says what went wrong and ends the whole machine with a failure. */
__noreturn __printf(1, 2) void die(const char *fmt, ...);

/*
 * Loads an IDT for all 256 vectors. Vectors from 32 on use the TSS's interrupt stack @ist
 * (0: none).
 */
void cpu_idt_init(u8 ist);

/* Called for each interrupt (vector 32 and up) after it was counted; may be NULL. */
extern void (*cpu_interrupt_hook)(u8 vector);

/* Interrupts taken so far, by vector. */
extern volatile u64 cpu_interrupts[256];

/* What the last TRY met: CPU_NO_EXCEPTION, or the vector with its error code. */
#define CPU_NO_EXCEPTION 0xffffffffu
struct cpu_exception {
	u32 vector;
	u32 error;
	u64 count; /* of all exceptions that a TRY expected */
};
extern volatile struct cpu_exception cpu_exception;

/* An instruction at @from may fault; execution then goes on at @to. Both are below 4 GiB. */
#define EX_TABLE(from, to) \
	".pushsection .ex_table, \"a\"\n\t.long " #from ", " #to "\n\t.popsection\n"

/* Runs one instruction, the result is the exception that it raised or CPU_NO_EXCEPTION. */
#define TRY(insn, ...)                                                          \
	({                                                                      \
		cpu_exception.vector = CPU_NO_EXCEPTION;                        \
		asm volatile("1: " insn "\n2:\n" EX_TABLE(1b, 2b) __VA_ARGS__); \
		cpu_exception.vector;                                           \
	})

static inline void outb(u16 port, u8 v)
{
	asm volatile("outb %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline void outl(u16 port, u32 v)
{
	asm volatile("outl %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline u8 inb(u16 port)
{
	u8 v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" ::"c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static inline u32 try_rdmsr(u32 msr, u64 *v)
{
	u32 lo = 0, hi = 0;
	u32 vector = TRY("rdmsr", : "+a"(lo), "+d"(hi) : "c"(msr) : "memory");

	*v = (u64)hi << 32 | lo;
	return vector;
}

static inline u32 try_wrmsr(u32 msr, u64 v)
{
	return TRY("wrmsr", ::"c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid c;

	asm volatile("cpuid"
		     : "=a"(c.eax), "=b"(c.ebx), "=c"(c.ecx), "=d"(c.edx)
		     : "a"(leaf), "c"(subleaf)
		     : "memory");
	return c;
}

#define CPU_REGISTER(name)                                                           \
	static inline u64 read_##name(void)                                          \
	{                                                                            \
		unsigned long v;                                                     \
		asm volatile("mov %%" #name ", %0" : "=r"(v)::"memory");             \
		return v;                                                            \
	}                                                                            \
	static inline void write_##name(u64 v)                                       \
	{                                                                            \
		asm volatile("mov %0, %%" #name ::"r"((unsigned long)v) : "memory"); \
	}

CPU_REGISTER(cr0)
CPU_REGISTER(cr2)
CPU_REGISTER(cr3)
CPU_REGISTER(cr4)
CPU_REGISTER(dr0)
CPU_REGISTER(dr1)
CPU_REGISTER(dr2)
CPU_REGISTER(dr3)
CPU_REGISTER(dr6)
CPU_REGISTER(dr7)
#undef CPU_REGISTER

struct table_register {
	u16 limit;
	u64 base;
} __packed;

static inline struct table_register read_gdtr(void)
{
	struct table_register r = {0};

	asm volatile("sgdt %0" : "+m"(r)::"memory");
	return r;
}

static inline struct table_register read_idtr(void)
{
	struct table_register r = {0};

	asm volatile("sidt %0" : "+m"(r)::"memory");
	return r;
}

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (u64)hi << 32 | lo;
}

static inline void interrupts_on(void)
{
	asm volatile("sti" ::: "memory");
}

static inline void interrupts_off(void)
{
	asm volatile("cli" ::: "memory");
}

/* Interrupts are on when it returns; one that comes after the caller's check still wakes it. */
static inline void interrupts_on_and_halt(void)
{
	asm volatile("sti\n\thlt" ::: "memory");
}
