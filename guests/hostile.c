// SPDX-License-Identifier: MIT
/*
 * Guest hypervisors that behave badly: test= picks how. Each check prints one line; the status is 0
 * only if the architecture's own answer came every time.
 */
#include "guests/hostile.h"
#include "lib/printf.h"
#include "lib/string.h"

const char *const guest_options[] = {"test", "count", "seed", NULL};

struct hvm hvm;

extern char hvm_code[];

static u32 failed, made;

void hostile_check(const char *name, bool ok, const char *fmt, ...)
{
	char detail[120] = "";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	made++;
	failed += !ok;
	if (ok)
		console_print("HOSTILE %s: ok\n", name);
	else
		console_print("HOSTILE %s: FAILED: %s\n", name, detail);
}

void hostile_skip(const char *name, const char *why)
{
	console_print("HOSTILE %s: not tried: %s\n", name, why);
}

bool hostile_on_cleave(void)
{
	return inb(0xe0) == 0xc1;
}

u64 hostile_physical_limit(void)
{
	return 1ull << (cpuid(CPUID_EXT8, 0).eax & 0xff);
}

static void hvm_init(void)
{
	const char *missing = svm_enable();

	if (missing)
		die("%s", missing);
	npt_init(&hvm.npt);
	npt_map(&hvm.npt, 0, 0, 16 * SIZE_2M, 2, NPT_RW);
}

void hvm_reset(void)
{
	static struct svm_vcpu fresh;
	static struct vmcb template;
	static u64 stack;

	if (!stack) {
		hvm_init();
		stack = (u64)pages_alloc(1) + PAGE_SIZE;
		svm_vcpu_init(&fresh, (u64)hvm.npt.root, read_cr3(), (u64)hvm_code, stack);
		template = *fresh.vmcb;
	}
	hvm.v = fresh;
	*hvm.v.vmcb = template;
}

u32 hvm_run(enum hvm_op op, u64 rbx, u64 rdx)
{
	hvm.v.vmcb->save.rip = (u64)hvm_code;
	hvm.v.vmcb->control.int_state = 0;
	hvm.v.regs.rbx = rbx;
	hvm.v.regs.rcx = op;
	hvm.v.regs.rdx = rdx;
	svm_vcpu_enter(&hvm.v);
	if (hvm.v.regs.host_damaged)
		die("VMRUN came back with another RAX or RFLAGS");
	hvm.value = hvm.v.regs.rdx;
	return (u32)hvm.v.vmcb->control.exit_code;
}

static void test_triplefault(void)
{
	struct table_register none = {0, 0};

	console_print("HOSTILE triplefault: now\n");
	asm volatile("lidt %0\n\tud2" ::"m"(none));
}

static void test_halt(void)
{
	console_print("HOSTILE halt: now\n");
	for (;;)
		asm volatile("cli\n\thlt");
}

/* The first two do not return; "all" runs the others. */
static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"triplefault", test_triplefault},
	{"halt", test_halt},
	{"bad-vmcb", test_bad_vmcb},
	{"npt-outside", test_npt_outside},
	{"npt-edit", test_npt_edit},
	{"npt-build", test_npt_build},
	{"vmcb-edit", test_vmcb_edit},
	{"vmcb-fuzz", test_vmcb_fuzz},
	{"selfmap", test_selfmap},
	{"outside-memory", test_outside_memory},
	{"msr", test_msr},
	{"instructions", test_instructions},
	{"vmload-bad", test_vmload_bad},
	{"svm-off", test_svm_off},
};

static bool run_tests(const char *name)
{
	bool all = !strcmp(name, "all"), found = false;

	for (u32 i = all ? 2 : 0; i < ARRAY_SIZE(tests); i++) {
		if (!all && strcmp(name, tests[i].name))
			continue;
		found = true;
		hvm_reset();
		tests[i].run();
	}
	return found;
}

static __noreturn void unknown_test(const char *name)
{
	char known[200];
	size_t at = 0;

	known[0] = 0;
	for (u32 i = 0; i < ARRAY_SIZE(tests) && at < sizeof(known); i++)
		at += (size_t)snprintf(known + at, sizeof(known) - at, " %s", tests[i].name);
	die("there is no test '%s'; test= may be: all%s", name, known);
}

int guest_main(void)
{
	char name[24];

	if (!option_word("test", name, sizeof(name)))
		unknown_test("");
	/* A PC's timer would interrupt: nobody asked for it. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	if (!run_tests(name))
		unknown_test(name);
	console_print("HOSTILE %s: %u checks, %u failed\n", name, made, failed);
	return failed != 0;
}
