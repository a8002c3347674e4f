// SPDX-License-Identifier: MIT
/* EPT's permissions and misconfigurations at each level, SDM 3C 28.2.2 and 28.2.3. */
#include "guests/vmxcheck_ept.h"
#include "lib/printf.h"
#include "lib/string.h"

#define LEVELS	    4
#define LEAF_LEVELS 3
#define TYPE_SHIFT  3
#define PAGES	    16

struct npt ept_tables;

static struct ept_page *pages;
static u64 *linear_pdpt, *linear_pd; /* L2's own tables for EPT_LINEAR */
static u32 flushes;

static const u64 op_bit[] = {
	[L2_READ] = VMX_EPTV_READ, [L2_WRITE] = VMX_EPTV_WRITE, [L2_FETCH] = VMX_EPTV_FETCH};
static const char op_name[] = "-rwx";

/* L2's tables are L1's, but for what EPT_LINEAR leads to. */
static u64 linear_tables(void)
{
	u64 *pml4 = pages_alloc(1);

	linear_pdpt = pages_alloc(1);
	linear_pd = pages_alloc(1);
	memcpy(pml4, (void *)read_cr3(), PAGE_SIZE);
	memcpy(linear_pdpt, (void *)(pml4[0] & PTE_ADDR), PAGE_SIZE);
	pml4[0] = (u64)linear_pdpt | PTE_P | PTE_W;
	linear_pdpt[3] = (u64)linear_pd | PTE_P | PTE_W;
	for (u64 i = 0; i < PT_ENTRIES; i++)
		linear_pd[i] = (EPT_BASE + i * SIZE_2M) | PTE_P | PTE_W | PTE_PS;
	return (u64)pml4;
}

void ept_setup(void)
{
	if (pages)
		return;
	if ((cpuid(CPUID_EXT8, 0).eax & 0xff) < 40)
		die("this processor has less than 40 bits of physical address");
	pages = pages_alloc(PAGES);
	for (u32 i = 0; i < PAGES; i++) {
		ept_page(i)->number = 0xb00c + i;
		memset(ept_page(i)->code, 0xc3, sizeof(ept_page(i)->code));
	}
	ept_tables = (struct npt){.fmt = &npt_formats[NPT_EPT],
				  .root = (void *)(vmcs_read(VMCS_ept_pointer) & PTE_ADDR)};
	vmcs_write(VMCS_guest_cr3, linear_tables());
}

struct ept_page *ept_page(u32 n)
{
	return (struct ept_page *)((u64)pages + n * PAGE_SIZE);
}

u64 ept_leaf(const struct ept_page *page, int level, u64 flags)
{
	return npt_leaf(&ept_tables, ALIGN_DOWN((u64)page, npt_size(&ept_tables, level)), level,
			flags);
}

u64 ept_offset(const struct ept_page *page, int level)
{
	return (u64)page % npt_size(&ept_tables, level);
}

void ept_set(u64 offset, int level, u64 entry)
{
	npt_write(&ept_tables, EPT_BASE + offset, level, entry);
}

u64 ept_get(u64 offset, int level)
{
	return npt_read(&ept_tables, EPT_BASE + offset, level);
}

void ept_flush(void)
{
	u64 eptp = vmcs_read(VMCS_ept_pointer);
	bool all = flushes++ & 1 || !(vmxcheck_vcpu.caps & VMX_EPT_INVEPT_SINGLE);

	if (vmx_invept(all ? VMX_INVEPT_ALL : VMX_INVEPT_SINGLE, all ? 0 : eptp, 0))
		die("INVEPT failed");
}

u32 ept_access(enum l2_op op, u64 offset, u64 *value)
{
	u32 answer;

	vmxcheck_vcpu.regs.rcx = op;
	vmxcheck_vcpu.regs.rbx = EPT_LINEAR + offset;
	vmxcheck_vcpu.regs.rdx = 0x77;
	answer = vmxcheck_run();
	if (value)
		*value = vmxcheck_vcpu.regs.rdx;
	vmxcheck_vcpu.regs.rcx = L2_NOTHING;
	return answer;
}

u32 ept_store(u64 at, u64 value)
{
	u32 answer;

	vmxcheck_vcpu.regs.rcx = L2_STORE;
	vmxcheck_vcpu.regs.rbx = at;
	vmxcheck_vcpu.regs.rdx = value;
	answer = vmxcheck_run();
	vmxcheck_vcpu.regs.rcx = L2_NOTHING;
	return answer;
}

/* --- what must come of an access --- */

static bool exec_only(void)
{
	return vmxcheck_vcpu.caps & VMX_EPT_EXEC_ONLY;
}

/* SDM 3C 28.2.3.1, as far as permissions go. */
static bool misconfigured(u64 rwx)
{
	return rwx == EPT_W || rwx == (EPT_W | EPT_X) || (rwx == EPT_X && !exec_only());
}

static u64 byte_of(enum l2_op op)
{
	return op == L2_WRITE ? 16 : op == L2_FETCH ? 8 : 0;
}

static void check_violation(const char *name, enum l2_op op, u64 offset, u64 granted)
{
	u64 q = vmcs_read(VMCS_exit_qualification), at = offset + byte_of(op);
	u64 want = op_bit[op] | granted << 3 | VMX_EPTV_LINEAR | VMX_EPTV_FINAL;

	vmxcheck(name, q == want, "qualification 0x%lx, should be 0x%lx", q, want);
	vmxcheck(name,
		 vmcs_read(VMCS_guest_physical) == EPT_BASE + at &&
			 vmcs_read(VMCS_guest_linear) == EPT_LINEAR + at,
		 "at 0x%lx, linear 0x%lx, should be at offset 0x%lx",
		 vmcs_read(VMCS_guest_physical), vmcs_read(VMCS_guest_linear), at);
}

/* @op at @offset, where the tables grant @granted together, or are @misconfig. */
static void check_access(const char *name, enum l2_op op, u64 offset, u64 granted, bool misconfig)
{
	u32 want = misconfig		  ? OTHER_EXIT(VMX_EXIT_EPT_MISCONFIG)
		   : granted & op_bit[op] ? RUNS
					  : OTHER_EXIT(VMX_EXIT_EPT_VIOLATION);
	u32 answer = ept_access(op, offset, NULL);

	vmxcheck_answer(name, answer, want);
	if (answer != want || want == RUNS)
		return;
	if (misconfig)
		vmxcheck(name, vmcs_read(VMCS_guest_physical) == EPT_BASE + offset + byte_of(op),
			 "misconfiguration at 0x%lx", vmcs_read(VMCS_guest_physical));
	else
		check_violation(name, op, offset, granted);
}

static const char *named(const char *what, int level, u64 bits, enum l2_op op)
{
	static char name[80];

	snprintf(name, sizeof(name), "%s of level %d with 0x%lx, %c", what, level, bits,
		 op_name[op]);
	return name;
}

/* A and D as the access left them in the leaf, SDM 3C 28.2.4. */
static void check_ad(const char *name, u64 entry, bool ran, enum l2_op op)
{
	bool ad = vmcs_read(VMCS_ept_pointer) & VMX_EPTP_AD;
	u64 want = !ad || !ran ? 0 : op == L2_WRITE ? EPT_A | EPT_D : EPT_A;

	vmxcheck(name, (entry & (EPT_A | EPT_D)) == want, "the leaf is 0x%lx after it", entry);
}

static void leaf_permissions(int level)
{
	struct ept_page *page = ept_page(0);
	u64 at = ept_offset(page, level);

	for (u64 rwx = 0; rwx < 8; rwx++) {
		for (enum l2_op op = L2_READ; op < L2_OPS; op++) {
			const char *name = named("leaf", level, rwx, op);
			bool bad = misconfigured(rwx);

			ept_set(at, level, ept_leaf(page, level, rwx));
			ept_flush();
			check_access(name, op, at, rwx, bad);
			check_ad(name, ept_get(at, level), !bad && rwx & op_bit[op], op);
		}
	}
	ept_set(at, level, 0);
}

/* The permissions of all levels together are what counts. */
static void upper_permissions(int level)
{
	struct ept_page *page = ept_page(1);
	u64 at = ept_offset(page, 1), upper;

	ept_set(at, 1, ept_leaf(page, 1, EPT_R | EPT_X));
	upper = ept_get(at, level) & ~EPT_RWX;
	for (u64 rwx = 0; rwx < 8; rwx++) {
		for (enum l2_op op = L2_READ; op < L2_OPS; op++) {
			ept_set(at, level, upper | rwx);
			ept_flush();
			check_access(named("table", level, rwx, op), op, at, rwx & (EPT_R | EPT_X),
				     misconfigured(rwx));
		}
	}
	ept_set(at, level, upper | EPT_RWX);
	ept_set(at, 1, 0);
}

static void memory_types(int level)
{
	struct ept_page *page = ept_page(2);
	u64 at = ept_offset(page, level);

	for (u64 type = 0; type < 8; type++) {
		u64 entry = ept_leaf(page, level, EPT_RWX) & ~(7ul << TYPE_SHIFT);

		ept_set(at, level, entry | type << TYPE_SHIFT);
		ept_flush();
		check_access(named("memory type", level, type, L2_READ), L2_READ, at, EPT_RWX,
			     type == 2 || type == 3 || type == 7);
		/* What is not present is not looked at. */
		ept_set(at, level, (entry | type << TYPE_SHIFT) & ~EPT_RWX);
		ept_flush();
		check_access(named("memory type, absent", level, type, L2_READ), L2_READ, at, 0,
			     false);
	}
	ept_set(at, level, 0);
}

/* Bits that must be 0 in an entry of @level, and some that are ignored. */
static u64 reserved(int level, bool leaf)
{
	u64 width = cpuid(CPUID_EXT8, 0).eax & 0xff, high = GENMASK(51, 0) & ~(BIT(width) - 1);

	if (!leaf)
		return high | (level == 4 ? GENMASK(7, 3) : GENMASK(6, 3));
	return high | (level == 2 ? GENMASK(20, 12) : level == 3 ? GENMASK(29, 12) : 0);
}

static void reserved_bits(int level, bool leaf)
{
	struct ept_page *page = ept_page(3);
	u64 at = ept_offset(page, leaf ? level : 1), good;
	/* Ignored: 11, 10 and 62 to 52, but for those that later features took. */
	u64 must = reserved(level, leaf), tried = must | BIT(11) | BIT(53) | BIT(59);

	if (leaf)
		ept_set(at, level, ept_leaf(page, level, EPT_RWX));
	else
		ept_set(at, 1, ept_leaf(page, 1, EPT_RWX));
	good = ept_get(at, level);
	for (u64 bit = 0; bit < 64; bit++) {
		if (!(tried & BIT(bit)))
			continue;
		if (leaf && level > 1 && bit == 12 && vmxcheck_bochs_differs("bit 12 of a leaf"))
			continue;
		ept_set(at, level, good | BIT(bit));
		ept_flush();
		check_access(named(leaf ? "leaf, bit" : "table, bit", level, bit, L2_READ), L2_READ,
			     at, EPT_RWX, must & BIT(bit));
		/* What is not present is not looked at. */
		ept_set(at, level, (good | BIT(bit)) & ~EPT_RWX);
		ept_flush();
		check_access(named("absent, bit", level, bit, L2_READ), L2_READ, at, 0, false);
	}
	ept_set(at, level, good);
	ept_set(at, leaf ? level : 1, 0);
}

/*
 * L2's page directory is behind EPT, too: reading it wants R; and W, where EPT has A and D, as the
 * processor's accesses to page tables count as writes then. Bochs leaves bit 0 out there, and
 * Cleave passes on what its processor says: so that bit is not looked at.
 */
static void walk(u64 rwx, bool ad)
{
	struct ept_page *page = ept_page(4);
	u64 at = SIZE_1G, needs = ad ? EPT_R | EPT_W : EPT_R, q;
	bool runs = (rwx & needs) == needs;
	u32 answer;

	ept_set(ept_offset(page, 1), 1, ept_leaf(page, 1, EPT_RWX));
	ept_set(at, 1, npt_leaf(&ept_tables, (u64)linear_pd, 1, rwx));
	linear_pdpt[3] = (EPT_BASE + at) | PTE_P | PTE_W;
	ept_flush();
	answer = ept_access(L2_READ, ept_offset(page, 1), NULL);
	vmxcheck_answer(named(ad ? "walk, A and D" : "walk", 1, rwx, L2_READ), answer,
			runs ? RUNS : OTHER_EXIT(VMX_EXIT_EPT_VIOLATION));
	q = vmcs_read(VMCS_exit_qualification) | VMX_EPTV_READ;
	if (!runs && answer == OTHER_EXIT(VMX_EXIT_EPT_VIOLATION))
		vmxcheck("walk", q == (needs | rwx << 3 | VMX_EPTV_LINEAR),
			 "qualification 0x%lx of a page walk, 0x%lx granted", q, rwx);
	linear_pdpt[3] = (u64)linear_pd | PTE_P | PTE_W;
	ept_set(ept_offset(page, 1), 1, 0);
	ept_set(at, 1, 0);
}

static void all_of_it(void)
{
	bool ad = vmcs_read(VMCS_ept_pointer) & VMX_EPTP_AD;

	for (int level = LEVELS; level > 1; level--)
		upper_permissions(level);
	for (int level = LEVELS; level > 1; level--)
		reserved_bits(level, false);
	for (u64 rwx = 0; rwx < 8; rwx++)
		if (!misconfigured(rwx))
			walk(rwx, ad);
	for (int level = 1; level <= LEAF_LEVELS; level++) {
		/* Larger pages take the place of the tables below. */
		ept_set(0, level, 0);
		leaf_permissions(level);
		memory_types(level);
		reserved_bits(level, true);
	}
	ept_set(0, LEAF_LEVELS, 0);
}

/* With A and D, where the processor has them, and without. */
void vmxcheck_ept(void)
{
	u64 eptp;

	ept_setup();
	eptp = vmcs_read(VMCS_ept_pointer);
	all_of_it();
	vmcs_write(VMCS_ept_pointer, eptp ^ (vmxcheck_vcpu.caps & VMX_EPT_AD ? VMX_EPTP_AD : 0));
	all_of_it();
	vmcs_write(VMCS_ept_pointer, eptp);
}
