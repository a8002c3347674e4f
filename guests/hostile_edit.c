// SPDX-License-Identifier: MIT
/* A VMCB that changes from run to run: what was written last is what counts. */
#include "guests/history.h"
#include "guests/hostile.h"
#include "lib/string.h"

#define TSC_STEP BIT(44)
#define MSR_OWN	 MSR_LSTAR

static struct vmcb_control *c(void)
{
	return &hvm.v.vmcb->control;
}

static struct vmcb_save *s(void)
{
	return &hvm.v.vmcb->save;
}

static void check_exit(const char *name, enum hvm_op op, u64 rbx, u32 want)
{
	u32 code = hvm_run(op, rbx, 0);

	hostile_check(name, code == want, "exit 0x%x, should be 0x%x", code, want);
}

/* An intercept taken away and given back must be seen at the next entry each time. */
static void edit_intercept(const char *name, u32 bit, enum hvm_op op, u64 rbx, u32 without)
{
	for (u32 i = 0; i < 2; i++) {
		vmcb_intercept_clear(c(), bit);
		check_exit(name, op, rbx, without);
		hvm_reset();
		vmcb_intercept_set(c(), bit);
		check_exit(name, op, rbx, bit);
	}
	hvm_reset();
}

static void edit_maps(void)
{
	u8 *other = pages_alloc(SVM_IOPM_SIZE / PAGE_SIZE), *own = hvm.v.iopm;

	check_exit("port intercepted", HVM_OUT, 0, SVM_EXIT_IOIO);
	svm_iopm_set(&hvm.v, 0x80, false);
	check_exit("port let through", HVM_OUT, 0, SVM_EXIT_VMMCALL);
	svm_iopm_set(&hvm.v, 0x80, true);
	check_exit("port intercepted again", HVM_OUT, 0, SVM_EXIT_IOIO);
	c()->iopm_base = (u64)other;
	check_exit("another I/O map", HVM_OUT, 0, SVM_EXIT_VMMCALL);
	c()->iopm_base = (u64)own + 0xfff; /* the low bits are ignored */
	check_exit("and the first again", HVM_OUT, 0, SVM_EXIT_IOIO);
	check_exit("MSR let through", HVM_RDMSR, MSR_OWN, SVM_EXIT_VMMCALL);
	svm_msrpm_set(&hvm.v, MSR_OWN, true, false);
	check_exit("MSR intercepted", HVM_RDMSR, MSR_OWN, SVM_EXIT_MSR);
	svm_msrpm_set(&hvm.v, MSR_OWN, false, true);
	check_exit("only its writes", HVM_RDMSR, MSR_OWN, SVM_EXIT_VMMCALL);
	svm_msrpm_set(&hvm.v, MSR_OWN, false, false);
	hvm_reset();
}

static void edit_tsc(void)
{
	u64 before = rdtsc(), shifted;

	c()->tsc_offset = TSC_STEP;
	hvm_run(HVM_RDTSC, 0, 0);
	shifted = hvm.value - TSC_STEP;
	hostile_check("TSC offset", shifted >= before && shifted <= rdtsc(),
		      "L2's TSC less the offset is 0x%lx, L1's 0x%lx", shifted, before);
	c()->tsc_offset = 0;
	hvm_run(HVM_RDTSC, 0, 0);
	hostile_check("no TSC offset", hvm.value < TSC_STEP, "L2's TSC is 0x%lx", hvm.value);
}

/* L2's page tables are exchanged: one address, two pages. */
static void edit_cr3(void)
{
	u64 *pml4 = pages_alloc(1), *pdpt = pages_alloc(1), *pd = pages_alloc(1);
	u64 *own_pdpt = (u64 *)(*(u64 *)read_cr3() & PTE_ADDR);
	u64 *own_pd = (u64 *)(own_pdpt[0] & PTE_ADDR);
	u64 *low = (u64 *)(24ul << 20), *high = (u64 *)(26ul << 20);

	memcpy(pml4, (void *)read_cr3(), PAGE_SIZE);
	memcpy(pdpt, own_pdpt, PAGE_SIZE);
	memcpy(pd, own_pd, PAGE_SIZE);
	pml4[0] = (u64)pdpt | PTE_P | PTE_W;
	pdpt[0] = (u64)pd | PTE_P | PTE_W;
	pd[12] = own_pd[13];
	*low = 1;
	*high = 2;
	for (u32 i = 0; i < 4; i++) {
		s()->cr3 = i & 1 ? (u64)pml4 : read_cr3();
		svm_vcpu_flush(&hvm.v);
		hvm_run(HVM_READ, (u64)low, 0);
		hostile_check("CR3 exchanged", hvm.value == (i & 1 ? 2 : 1), "read 0x%lx",
			      hvm.value);
	}
	hvm_reset();
}

static void edit_events(void)
{
	c()->event_inj = SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCP | EXC_UD;
	check_exit("#UD injected, no IDT", HVM_NOP, 0, SVM_EXIT_SHUTDOWN);
	hvm_reset();
	check_exit("the next run is clean", HVM_NOP, 0, SVM_EXIT_VMMCALL);
	/* IF is clear, so that it stays pending from exit to entry. */
	c()->vintr |= V_IRQ | V_IGN_TPR | 0x30ul << V_INTR_VECTOR_SHIFT;
	check_exit("virtual interrupt held back", HVM_NOP, 0, SVM_EXIT_VMMCALL);
	hostile_check("and still pending", c()->vintr & V_IRQ, "the vintr word is 0x%lx",
		      c()->vintr);
	s()->rflags |= RFLAGS_IF;
	check_exit("delivered with no IDT", HVM_NOP, 0, SVM_EXIT_SHUTDOWN);
	hvm_reset();
	vmcb_intercept_set(c(), INTERCEPT_VINTR);
	c()->vintr |= V_IRQ | V_IGN_TPR | 0x30ul << V_INTR_VECTOR_SHIFT;
	s()->rflags |= RFLAGS_IF;
	check_exit("VINTR intercepted", HVM_NOP, 0, SVM_EXIT_VINTR);
	hvm_reset();
}

void test_vmcb_edit(void)
{
	edit_intercept("CPUID", INTERCEPT_CPUID, HVM_CPUID, 0, SVM_EXIT_VMMCALL);
	edit_intercept("RDTSC", INTERCEPT_RDTSC, HVM_RDTSC, 0, SVM_EXIT_VMMCALL);
	edit_intercept("#UD", INTERCEPT_EXCP_BASE + EXC_UD, HVM_UD, 0, SVM_EXIT_SHUTDOWN);
	edit_intercept("VMMCALL", INTERCEPT_VMMCALL, HVM_NOP, 0, SVM_EXIT_SHUTDOWN);
	edit_maps();
	edit_tsc();
	edit_cr3();
	edit_events();
	s()->rip = BIT(46);
	hvm_reset();
	check_exit("and all is well", HVM_NOP, 0, SVM_EXIT_VMMCALL);
}

/* Bits that must stay, so that L2 cannot run for ever, and that L1's own memory survives. */
static void fuzz_keep(void)
{
	vmcb_intercept_set(c(), INTERCEPT_INTR);
	vmcb_intercept_set(c(), INTERCEPT_SHUTDOWN);
	c()->vintr |= V_INTR_MASKING;
	c()->nested_ctl |= SVM_NP_ENABLE;
}

/* Some of 8 * 0x7f0 bits, as many as are written in any way by software. */
static void fuzz_flip(u64 random)
{
	u8 *bytes = (u8 *)hvm.v.vmcb;
	u32 flips = 1 + (random & 3);

	for (u32 i = 0; i < flips; i++) {
		u64 r = history_mix(random + i + 1);
		u64 bit = r >> 32 & 1 ? r % (0x110 * 8) : 0x400 * 8 + r % (0x2f0 * 8);

		bytes[bit / 8] ^= (u8)(1u << (bit % 8));
	}
}

/* L2 runs what the flipped bits make of it, in a memory with nothing to lose but its tables. */
void test_vmcb_fuzz(void)
{
	u64 count = option_u64("count", 300), seed = option_u64("seed", 1);
	u64 kinds[3] = {0, 0, 0};
	u32 after = 0;

	for (u64 i = 0; i < count; i++) {
		u32 code;

		hvm_reset();
		fuzz_flip(history_mix(seed * 1000003 + i));
		fuzz_keep();
		code = hvm_run(HVM_NOP, 0, 0);
		kinds[code == EXIT_INVALID ? 0 : code == SVM_EXIT_VMMCALL ? 1 : 2]++;
		hvm_reset();
		svm_vcpu_flush(&hvm.v);
		after = hvm_run(HVM_NOP, 0, 0);
		if (after != SVM_EXIT_VMMCALL)
			break;
	}
	hostile_check("VMCBs with random bits flipped", after == SVM_EXIT_VMMCALL,
		      "a valid VMCB exits with 0x%x after %lu tries", after,
		      kinds[0] + kinds[1] + kinds[2]);
	console_print("HOSTILE vmcb-fuzz: %lu invalid, %lu ran, %lu other exits\n", kinds[0],
		      kinds[1], kinds[2]);
}
