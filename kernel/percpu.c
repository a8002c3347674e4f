// SPDX-License-Identifier: MIT
/* Per-processor data, and the segments that go with it: GDT, TSS, GS base. */
#include "kernel/percpu.h"
#include "kernel/cpu.h"

struct percpu *percpu[MAX_CPUS];
u32 cpu_count;

static struct percpu boot_cpu;

#define TSS_AVAILABLE 0x0000890000000000ull

/* SDM 3A 3.4.5, 8.2.3: a TSS descriptor takes two entries and scatters its base. */
static void gdt_fill(struct percpu *cpu)
{
	u64 base = (u64)&cpu->tss;

	cpu->gdt[0] = 0;
	cpu->gdt[SEL_CODE / 8] = GDT_CODE64;
	cpu->gdt[SEL_DATA / 8] = GDT_DATA;
	cpu->gdt[SEL_TSS / 8] = TSS_AVAILABLE | (sizeof(struct tss) - 1) | (base & 0xffffff) << 16 |
				(base >> 24 & 0xff) << 56;
	cpu->gdt[SEL_TSS / 8 + 1] = base >> 32;
}

static void segments_load(struct percpu *cpu)
{
	struct {
		u16 limit;
		u64 base;
	} __packed gdtr = {sizeof(cpu->gdt) - 1, (u64)cpu->gdt};

	__asm__ volatile("lgdt %0\n"
			 "pushq %1\n"
			 "leaq 1f(%%rip), %%rax\n"
			 "pushq %%rax\n"
			 "lretq\n"
			 "1:\n"
			 "movl %2, %%ds\n"
			 "movl %2, %%es\n"
			 "movl %2, %%ss\n"
			 "movl %3, %%fs\n"
			 "movl %3, %%gs\n"
			 "ltr %w4\n"
			 :
			 : "m"(gdtr), "i"(SEL_CODE), "r"(SEL_DATA), "r"(0), "r"(SEL_TSS)
			 : "rax", "memory");
}

void percpu_init(struct percpu *cpu, u32 id)
{
	cpu->self = cpu;
	cpu->id = id;
	cpu->tss.io_map = sizeof(struct tss);
	for (int i = 0; i < IST_COUNT; i++)
		cpu->tss.ist[i] = (u64)&cpu->ist_stacks[i][IST_STACK_SIZE];
	run_queue_init(&cpu->run_queue);
	gdt_fill(cpu);
	segments_load(cpu);
	wrmsr(MSR_GS_BASE, (u64)cpu);
	percpu[id] = cpu;
	cpu_count++;
}

void percpu_init_boot(void)
{
	percpu_init(&boot_cpu, 0);
}
