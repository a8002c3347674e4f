/* SPDX-License-Identifier: MIT */
/* One-instruction wrappers: ports, MSRs, control registers, CPUID, interrupts. */
#pragma once

#include "lib/types.h"
#include "lib/x86.h"

static inline void outb(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outw(u16 port, u16 v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outl(u16 port, u32 v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline u16 inw(u16 port)
{
	u16 v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline u32 inl(u16 port)
{
	u32 v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

/* These two are for MSRs that must exist: a #GP is a panic. */
static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

/*
 * An exception at the instruction labelled @from continues at @to instead of being a panic
 * (kernel/trap.c). For use inside inline assembly.
 */
#define FIXUP(from, to)                \
	".pushsection .fixup, \"a\"\n" \
	".balign 8\n"                  \
	".quad " from ", " to "\n"     \
	".popsection\n"

/* 0, or -EIO when the processor answers with #GP; *@v is 0 then. */
static inline int __must_check rdmsr_safe(u32 msr, u64 *v)
{
	u32 lo = 0, hi = 0;
	int err = -EIO;

	__asm__ volatile("1: rdmsr\n"
			 "xorl %0, %0\n"
			 "2:\n" FIXUP("1b", "2b")
			 : "+&r"(err), "+a"(lo), "+d"(hi)
			 : "c"(msr));
	*v = err ? 0 : (u64)hi << 32 | lo;
	return err;
}

/* 0, or -EIO when the processor answers with #GP. */
static inline int __must_check wrmsr_safe(u32 msr, u64 v)
{
	int err = -EIO;

	__asm__ volatile("1: wrmsr\n"
			 "xorl %0, %0\n"
			 "2:\n" FIXUP("1b", "2b")
			 : "+&r"(err)
			 : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32))
			 : "memory");
	return err;
}

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

#define CPU_REGISTER(name, reg)                                               \
	static inline u64 read_##name(void)                                   \
	{                                                                     \
		u64 v;                                                        \
                                                                              \
		__asm__ volatile("mov %%" reg ", %0" : "=r"(v) : : "memory"); \
		return v;                                                     \
	}                                                                     \
	static inline void write_##name(u64 v)                                \
	{                                                                     \
		__asm__ volatile("mov %0, %%" reg : : "r"(v) : "memory");     \
	}

CPU_REGISTER(cr0, "cr0")
CPU_REGISTER(cr2, "cr2")
CPU_REGISTER(cr3, "cr3")
CPU_REGISTER(cr4, "cr4")
CPU_REGISTER(dr0, "dr0")
CPU_REGISTER(dr1, "dr1")
CPU_REGISTER(dr2, "dr2")
CPU_REGISTER(dr3, "dr3")
CPU_REGISTER(dr6, "dr6")
CPU_REGISTER(dr7, "dr7")
#undef CPU_REGISTER

static inline u64 read_rflags(void)
{
	u64 v;

	__asm__ volatile("pushfq; popq %0" : "=r"(v) : : "memory");
	return v;
}

/* False when the processor has no number ready, or cannot do this: see CPUID_1_ECX_RDRAND. */
static inline bool rdrand(u64 *v)
{
	bool good;

	__asm__ volatile("rdrand %0" : "=r"(*v), "=@ccc"(good));
	return good;
}

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

/* CR4.OSXSAVE must be set (cpu_init sets it where the CPU has XSAVE). */
static inline u64 xgetbv(u32 xcr)
{
	u32 lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(xcr));
	return (u64)hi << 32 | lo;
}

static inline void xsetbv(u32 xcr, u64 v)
{
	__asm__ volatile("xsetbv" : : "c"(xcr), "a"((u32)v), "d"((u32)(v >> 32)));
}

static inline void invlpg(u64 va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline void cpu_pause(void)
{
	__builtin_ia32_pause();
}

static inline void cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline void sti(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline bool interrupts_enabled(void)
{
	return read_rflags() & RFLAGS_IF;
}

/* Takes what is pending now. STI's shadow covers one instruction, hence the NOP. */
static inline void interrupts_poll(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

/* Waits for the next interrupt and takes it. No interrupt can fall between STI and HLT. */
static inline void interrupts_wait(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* What every CPU does on its way up: control registers, EFER.NXE. Refuses to go on without NX. */
void cpu_init(void);

/* The vendor's 12 characters, and the brand, for the boot messages. */
void cpu_vendor(char name[13]);
void cpu_brand(char name[49]);
u32 cpu_physical_bits(void);
bool cpu_has_1g_pages(void);
