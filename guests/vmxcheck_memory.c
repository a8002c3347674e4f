// SPDX-License-Identifier: MIT
/*
 * The memory behind a VMCS is written by L1 and by L2, and what a VMCS points to is where there is
 * no memory. Most of that has no architected outcome: L1 and the next valid VMCS must go on.
 */
#include "guests/history.h"
#include "guests/vmxcheck_ept.h"

#define SCRIBBLES 200
#define QWORDS	  (PAGE_SIZE / 8)

static u64 outside(void)
{
	return ALIGN_UP(memory_end, SIZE_1G) + SIZE_1G;
}

static void read_all(void)
{
	u64 value;

	for (u32 i = 0; i < vmxcheck_fields_nr; i++)
		vmx_vmread(vmxcheck_fields[i], &value);
}

/* Written while it is current, and loaded so. L1 enters none of these: their host state is garbage.
 */
static void scribble(void)
{
	u64 *vmcs = vmxcheck_vcpu.vmcs, page = (u64)vmcs;

	for (u64 i = 0; i < SCRIBBLES; i++) {
		for (u64 n = 0; n < 1 + i % 64; n++) {
			u64 r = history_mix(i * 64 + n);

			((volatile u64 *)vmcs)[1 + r % (QWORDS - 1)] = history_mix(r);
		}
		if (i & 1)
			vmx_vmptrld(page);
		read_all();
		if (i & 2)
			vmx_vmclear(page);
		vmxcheck_renew();
	}
}

static void revisions(void)
{
	u64 page = (u64)vmxcheck_vcpu.vmcs;

	vmx_vmclear(page);
	*(u32 *)page ^= 1;
	vmxcheck_answer("VMPTRLD of a VMCS that has got another revision", vmx_vmptrld(page),
			VMX_FAIL_INVALID);
	vmxcheck_renew();
}

/* L2 writes ones to its own VMCS, which is in use then. */
static void by_l2(void)
{
	u64 page = (u64)vmxcheck_vcpu.vmcs;
	u32 bad = 0;

	for (u64 i = 1; i < QWORDS; i += 37) {
		u32 answer = ept_store(page + i * 8, ~0ul);

		bad += answer != RUNS && !(answer & OTHER_EXIT(0)) && (answer & 0xffff) > 34;
		vmxcheck_renew();
	}
	vmxcheck("L2 writes its own VMCS", !bad, "%u odd answers", bad);
}

static void nothing_there(void)
{
	u64 at = outside();
	u32 answer;

	answer = vmx_vmptrld(at);
	vmxcheck("VMPTRLD where no memory is",
		 answer == VMX_ERROR_VMPTRLD_REVISION || answer == VMX_ERROR_VMPTRLD_ADDRESS,
		 "answer %u", answer);
	answer = vmx_vmclear(at);
	vmxcheck("VMCLEAR where no memory is", !answer || answer == VMX_ERROR_VMCLEAR_ADDRESS,
		 "answer %u", answer);
	vmxcheck_renew();
}

/*
 * Each points to where no memory is, and L2 is run: whatever comes of it, L1 goes on. (The lists of
 * exits are not here: failing to store or load those is a VMX abort.)
 */
static void pointers(void)
{
	static const u16 fields[] = {VMCS_io_bitmap_a, VMCS_io_bitmap_b, VMCS_msr_bitmap,
				     VMCS_entry_msr_load_addr, VMCS_link_pointer};
	u32 answer;

	for (u32 i = 0; i < ARRAY_SIZE(fields); i++) {
		vmcs_write(fields[i], outside());
		answer = vmxcheck_run();
		vmxcheck("a pointer to where no memory is",
			 answer == RUNS || answer == BAD_LINK || (answer & 0xffff) == 34,
			 "field 0x%x: answer 0x%x", fields[i], answer);
		vmxcheck_renew();
	}
}

static void check_nothing(const char *name, u64 offset)
{
	u32 answer = ept_access(L2_READ, offset, NULL);

	vmxcheck(name,
		 answer == RUNS || answer == OTHER_EXIT(VMX_EXIT_EPT_VIOLATION) ||
			 answer == OTHER_EXIT(VMX_EXIT_EPT_MISCONFIG),
		 "answer 0x%x", answer);
}

static void tables(void)
{
	u64 limit = 1ul << (cpuid(CPUID_EXT8, 0).eax & 0xff);

	for (int level = 1; level <= 3; level++) {
		u64 size = npt_size(&ept_tables, level);

		ept_set(0, level, npt_leaf(&ept_tables, ALIGN_UP(outside(), size), level, EPT_RWX));
		ept_flush();
		check_nothing("a leaf where no memory is", 0);
		ept_set(0, level, npt_leaf(&ept_tables, limit - size, level, EPT_RWX));
		ept_flush();
		check_nothing("a leaf of the last memory of all", 0);
		ept_set(0, level, 0);
	}
	for (int level = 2; level <= 4; level++) {
		ept_set(0, level, outside() | EPT_RWX);
		ept_flush();
		check_nothing("a table where no memory is", 0);
		ept_set(0, level, (limit - PAGE_SIZE) | EPT_RWX);
		ept_flush();
		check_nothing("a table in the last memory of all", 0);
		ept_set(0, level, 0);
	}
	ept_flush();
	vmxcheck_valid();
}

/* The VMXON region is the processor's while it is in VMX operation; written, nothing may come of
 * it. */
static void vmxon_region(void)
{
	for (u64 i = 1; i < QWORDS; i++)
		((volatile u64 *)vmx_region)[i] = history_mix(i);
	vmxcheck_valid();
	vmxcheck_answer("VMXOFF after its region was written", vmx_vmxoff(), 0);
	vmxcheck_answer("VMXON with the region as it is", vmx_vmxon(vmx_region), 0);
	vmxcheck_renew();
	vmx_vmxoff();
	vmxcheck_answer("VMXON where no memory is", vmx_vmxon(outside()), VMX_FAIL_INVALID);
	vmxcheck_answer("VMXON with a VMCS's memory", vmx_vmxon((u64)vmxcheck_vcpu.vmcs), 0);
	vmxcheck_answer("VMPTRLD of it then", vmx_vmptrld((u64)vmxcheck_vcpu.vmcs),
			VMX_FAIL_INVALID);
	vmx_vmxoff();
	vmxcheck_answer("VMXON", vmx_vmxon(vmx_region), 0);
	vmxcheck_renew();
}

/* An exit that cannot store an MSR is a VMX abort (SDM 3C 27.4, 27.7): the processor stops. */
void vmxcheck_abort(void)
{
	console_print("VMXCHECK abort: now\n");
	vmxcheck_vcpu.l2_msrs[0].reserved = 1;
	vmcs_write(VMCS_entry_msr_load_count, 0);
	vmxcheck_run();
	vmxcheck("abort", false, "L1 runs on after a VMX abort");
}

/* The exit goes to where nothing is mapped, with no IDT either: a triple fault of L1's. */
void vmxcheck_lost(void)
{
	console_print("VMXCHECK lost: now\n");
	vmcs_write(VMCS_host_rip, BIT(46));
	vmcs_write(VMCS_host_idtr_base, BIT(46));
	vmxcheck_run();
	vmxcheck("lost", false, "L1 runs on where nothing is mapped");
}

void vmxcheck_memory(void)
{
	ept_setup();
	scribble();
	revisions();
	by_l2();
	nothing_there();
	pointers();
	tables();
	vmxon_region();
}
