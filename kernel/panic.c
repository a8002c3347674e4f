// SPDX-License-Identifier: MIT
/* Panics: registers, a backtrace with names, the end of the machine. */
#include "kernel/panic.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/paging.h"
#include "kernel/percpu.h"
#include "kernel/shutdown.h"
#include "lib/printf.h"

#define MAX_LINES 32

/* kernel/ksyms.sh: sorted by address, the names in one string after the other. */
struct ksym {
	u32 address;
	u32 name; /* offset in ksyms_names */
};

extern const u32 ksyms_count;
extern const struct ksym ksyms_table[];
extern const char ksyms_names[];
extern const u8 __text_start[], __text_end[];

static const char *const exception_names[EXC_COUNT] = {
	[EXC_DE] = "divide error",
	[EXC_DB] = "debug exception",
	[EXC_NMI] = "non-maskable interrupt",
	[EXC_BP] = "breakpoint",
	[EXC_OF] = "overflow",
	[EXC_BR] = "bound range exceeded",
	[EXC_UD] = "invalid opcode",
	[EXC_NM] = "device not available",
	[EXC_DF] = "double fault",
	[EXC_TS] = "invalid TSS",
	[EXC_NP] = "segment not present",
	[EXC_SS] = "stack fault",
	[EXC_GP] = "general protection",
	[EXC_PF] = "page fault",
	[EXC_MF] = "x87 error",
	[EXC_AC] = "alignment check",
	[EXC_MC] = "machine check",
	[EXC_XM] = "SIMD error",
	[EXC_VE] = "virtualization exception",
	[EXC_CP] = "control protection",
	[EXC_HV] = "hypervisor injection",
	[EXC_VC] = "VMM communication",
	[EXC_SX] = "security exception",
};

const char *ksym_find(u64 address, u64 *offset)
{
	u32 lo = 0, hi = ksyms_count;

	if (address < (u64)__text_start || address >= (u64)__text_end)
		return NULL;
	/* The last symbol at or before the address is at lo - 1. */
	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (ksyms_table[mid].address <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return NULL;
	*offset = address - ksyms_table[lo - 1].address;
	return ksyms_names + ksyms_table[lo - 1].name;
}

static void print_frame(u64 rip, u64 times)
{
	u64 offset;
	const char *name = ksym_find(rip, &offset);
	char count[32] = "";

	if (times > 1)
		snprintf(count, sizeof(count), " (%lu times)", times);
	if (name)
		log_always("  %016lx %s+%#lx%s", rip, name, offset, count);
	else
		log_always("  %016lx%s", rip, count);
}

/* The caller's address and frame pointer; false where the chain ends or is broken. */
static bool next_frame(u64 *rip, u64 *rbp)
{
	const u64 *frame = (const u64 *)*rbp;

	if (!frame || !IS_ALIGNED(*rbp, 8) || !paging_mapped(*rbp) || !paging_mapped(*rbp + 8))
		return false;
	if (frame[1] == 0 || (frame[0] != 0 && frame[0] <= *rbp))
		return false;
	*rip = frame[1];
	*rbp = frame[0];
	return true;
}

void backtrace(u64 rip, u64 rbp)
{
	u64 last = rip, times = 1;

	log_always("call trace:");
	/* A recursion is one line, however deep. */
	for (int lines = 0; lines < MAX_LINES && next_frame(&rip, &rbp);) {
		if (rip == last) {
			times++;
			continue;
		}
		print_frame(last, times);
		last = rip;
		times = 1;
		lines++;
	}
	print_frame(last, times);
}

/* One panic speaks; another within it ends the machine at once. */
static void panic_begin(void)
{
	static bool panicking;

	cli();
	if (__atomic_exchange_n(&panicking, true, __ATOMIC_SEQ_CST))
		machine_exit(EXIT_STATUS_PANIC);
	console_panic();
}

__noreturn static void panic_end(void)
{
	trace_dump();
	machine_exit(EXIT_STATUS_PANIC);
}

void panic(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	panic_begin();
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_err("PANIC on CPU %u, task %s: %s", this_cpu()->id, task_name(), text);
	backtrace((u64)__builtin_return_address(0), *(u64 *)__builtin_frame_address(0));
	panic_end();
}

void assert_failed(const char *expr, const char *file, int line)
{
	panic("%s:%d: assertion failed: %s", file, line, expr);
}

static void print_registers(const struct trap_frame *f)
{
	log_always("rip %016lx rsp %016lx rflags %08lx cs %lx ss %lx", f->rip, f->rsp, f->rflags,
		   f->cs, f->ss);
	log_always("rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
	log_always("rsi %016lx rdi %016lx rbp %016lx r8  %016lx", f->rsi, f->rdi, f->rbp, f->r8);
	log_always("r9  %016lx r10 %016lx r11 %016lx r12 %016lx", f->r9, f->r10, f->r11, f->r12);
	log_always("r13 %016lx r14 %016lx r15 %016lx", f->r13, f->r14, f->r15);
	log_always("cr0 %016lx cr2 %016lx cr3 %016lx cr4 %016lx", read_cr0(), read_cr2(),
		   read_cr3(), read_cr4());
}

/* What a page fault was about, from its error code (SDM 3A 4.7). */
static const char *fault_access(u64 error_code)
{
	if (error_code & PFERR_FETCH)
		return "executing";
	return error_code & PFERR_WRITE ? "writing" : "reading";
}

void panic_trap(const struct trap_frame *f)
{
	const char *name = exception_names[f->vector];

	panic_begin();
	log_err("PANIC on CPU %u, task %s: exception %lu, %s, error code %#lx", this_cpu()->id,
		task_name(), f->vector, name ? name : "reserved", f->error_code);
	if (f->vector == EXC_PF)
		log_always("%s %016lx, which is %s", fault_access(f->error_code), read_cr2(),
			   f->error_code & PFERR_PRESENT ? "not allowed" : "not mapped");
	/* A stack that runs into its guard page cannot take the page fault: it becomes a #DF. */
	if ((f->vector == EXC_DF || f->vector == EXC_PF) && task_stack_guard(read_cr2()))
		log_always("the stack of task %s is used up (16 KiB)", task_name());
	print_registers(f);
	backtrace(f->rip, f->rbp);
	panic_end();
}
