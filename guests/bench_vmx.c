// SPDX-License-Identifier: MIT
/* VMX: single exits of L1, round trips of L2, faults of its EPT. */
#include "guests/bench_vmx.h"

#define ITEMS	    5000ul
#define PAGES	    2048ul /* of 4K for each measurement of EPT */
#define LARGE_PAGES 32ul
#define STEP	    (32ul << 20)
#define FILL_4K	    (2 * STEP) /* where L2's memory for each is */
#define VIOLATION   (3 * STEP)
#define INVEPT	    (4 * STEP)
#define INVEPT_MANY (5 * STEP)
#define FILL_2M	    (6 * STEP)
#define MEMORY_END  (FILL_2M + (LARGE_PAGES + 1) * SIZE_2M)

static struct vmx_vcpu vcpu;
static struct npt npt;

/* L2 has L1's page tables, and what lies below BENCH_IMAGE_END: all of L1's own. */
static void init(void)
{
	struct virt_config config = {.cr3 = read_cr3(), .rip = (u64)bench_l2_vmcall, .npt = &npt};
	const char *missing = vmx_enable();
	u32 error;

	if (missing)
		die("%s", missing);
	if (memory_end < MEMORY_END)
		die("%lu MiB of memory are needed", (u64)MEMORY_END >> 20);
	npt_init_format(&npt, &npt_formats[NPT_EPT]);
	npt_map(&npt, 0, 0, BENCH_IMAGE_END, 2, NPT_RW);
	vmx_vcpu_init(&vcpu, &config);
	/* Lists would be measured with each round trip. */
	vmcs_write(VMCS_entry_msr_load_count, 0);
	vmcs_write(VMCS_exit_msr_load_count, 0);
	vmcs_write(VMCS_exit_msr_store_count, 0);
	vmx_vcpu_host(&vcpu);
	interrupts_off();
	error = vmx_vcpu_enter(&vcpu);
	if (error)
		die("VMLAUNCH fails with VM-instruction error %u", error);
}

static u64 *vmcs_alloc(void)
{
	u64 *page = pages_alloc(1);

	*page = rdmsr(MSR_VMX_BASIC) & VMX_BASIC_REVISION;
	return page;
}

void bench_vmx_exits(void)
{
	u64 current, other = (u64)vmcs_alloc(), idle = (u64)vmcs_alloc();
	u64 eptp[2] = {0, 0}, vpid[2] = {1, 0};

	init();
	current = (u64)vcpu.vmcs;
	eptp[0] = vmcs_read(VMCS_ept_pointer);
	BENCH_LOOP("l1_cpuid", ITEMS, bench_cpuid);
	BENCH_LOOP("l1_vmcall", ITEMS, bench_vmcall);
	/* One that shadowing leaves to L0, and one that it would not. */
	BENCH_LOOP("l1_vmread", ITEMS, bench_vmread, VMCS_msr_bitmap);
	BENCH_LOOP("l1_vmwrite", ITEMS, bench_vmwrite, VMCS_tsc_offset, 0);
	BENCH_LOOP("l1_vmread_rip", ITEMS, bench_vmread, VMCS_guest_rip);
	BENCH_LOOP("l1_vmptrld", ITEMS, bench_vmptrld, &current);
	vmx_vmclear(other);
	BENCH_LOOP("l1_vmptrld_two", ITEMS, bench_vmptrld_two, &current, &other);
	BENCH_LOOP("l1_vmclear", ITEMS, bench_vmclear, &idle);
	BENCH_LOOP("l1_invept", ITEMS, bench_invept, VMX_INVEPT_SINGLE, eptp);
	BENCH_LOOP("l1_invvpid", ITEMS, bench_invvpid, VMX_INVVPID_SINGLE, vpid);
}

static void run(const char *code, u64 a, u64 b, u64 c)
{
	u32 reason;

	vmcs_write(VMCS_guest_rip, (u64)code);
	reason = bench_vmresume(a, b, c);
	if (reason != VMX_EXIT_VMCALL)
		die("L2's exit has the reason 0x%x", reason);
}

static void round_trips(void)
{
	vmcs_write(VMCS_guest_rip, (u64)bench_l2_vmcall);
	BENCH_LOOP("l2_vmcall", ITEMS, bench_vmresume_many);
	run(bench_l2_rdmsr, BENCH_WARM, 0, MSR_APIC_BASE);
	bench_begin();
	run(bench_l2_rdmsr, ITEMS, 0, MSR_APIC_BASE);
	bench_end("l2_rdmsr", ITEMS);
}

/* Level-1 tables in a row for 2M and @pages from @start on, empty. Entry 0 is that of @start. */
static u64 *leaf_tables(u64 start, u64 pages)
{
	u64 n = 1 + pages / PT_ENTRIES;
	u64 *tables = pages_alloc((u32)n);

	for (u64 i = 0; i < n; i++)
		npt_write(&npt, start + i * SIZE_2M, 2, ((u64)tables + i * PAGE_SIZE) | NPT_RW);
	return tables;
}

/* What L1 has mapped, but L2 not touched. */
static void fill(void)
{
	u64 *leaves = leaf_tables(FILL_4K, PAGES);

	for (u64 i = 0; i < PT_ENTRIES + PAGES; i++)
		leaves[i] = npt_leaf(&npt, FILL_4K + i * PAGE_SIZE, 1, NPT_RW);
	run(bench_l2_stride, FILL_4K, PT_ENTRIES, PAGE_SIZE);
	bench_begin();
	run(bench_l2_stride, FILL_4K + SIZE_2M, PAGES, PAGE_SIZE);
	bench_end("l2_fill_4k", PAGES);

	npt_map(&npt, FILL_2M, FILL_2M, (LARGE_PAGES + 1) * SIZE_2M, 2, NPT_RW);
	run(bench_l2_stride, FILL_2M, 1, SIZE_2M);
	bench_begin();
	run(bench_l2_stride, FILL_2M + SIZE_2M, LARGE_PAGES, SIZE_2M);
	bench_end("l2_fill_2m", LARGE_PAGES);
}

/* What L1 maps when L2 touches it. */
static void demand(const char *name, u64 start, u64 warm, u64 pages, const u64 *eptp)
{
	/* Such that the entry of address 0 would be [0]. */
	u64 *leaves = leaf_tables(start, PAGES) - start / PAGE_SIZE;
	u32 reason;

	vmcs_write(VMCS_guest_rip, (u64)bench_l2_stride);
	bench_vmresume_map(start, warm, PAGE_SIZE, leaves, NULL);
	vmcs_write(VMCS_guest_rip, (u64)bench_l2_stride);
	bench_begin();
	reason = bench_vmresume_map(start + warm * PAGE_SIZE, pages, PAGE_SIZE, leaves, eptp);
	bench_end(name, pages);
	if (reason != VMX_EXIT_VMCALL)
		die("L2's exit has the reason 0x%x", reason);
}

void bench_vmx_nested(void)
{
	u64 eptp[2] = {0, 0};

	init();
	eptp[0] = vmcs_read(VMCS_ept_pointer);
	round_trips();
	/* INVEPT with less mapped comes first: it must cost the same with more. */
	demand("l2_violation_invept", INVEPT, PT_ENTRIES, PT_ENTRIES, eptp);
	demand("l2_violation", VIOLATION, PT_ENTRIES, PAGES, NULL);
	fill();
	demand("l2_violation_invept_many", INVEPT_MANY, PT_ENTRIES, PT_ENTRIES, eptp);
}
