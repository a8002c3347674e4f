// SPDX-License-Identifier: MIT
/* Bits that are reserved in one mode and mean something in another. */
#include "guests/modes.h"
#include "lib/string.h"

extern const char modes_l2[];

static u32 *page;

/* Entry @level for WINDOW is @entry for one access, which finds reserved bits or not. */
static void reserved(const char *what, int level, u64 entry)
{
	u64 was = npt_read(&m.npt, WINDOW, level);

	npt_write(&m.npt, WINDOW, level, entry);
	svm_vcpu_flush(&m.v);
	if (level > 2) /* it maps L2's code, too: the first fetch faults */
		check_reserved(what, OP_READ, (u64)modes_l2, NPF_ID);
	else
		check_reserved(what, OP_READ, WINDOW, 0);
	npt_write(&m.npt, WINDOW, level, was);
	svm_vcpu_flush(&m.v);
	check_read("all is well again", WINDOW, 0xe);
}

static u64 entry(int level)
{
	return npt_read(&m.npt, WINDOW, level);
}

static u64 beyond_memory(void)
{
	u32 bits = cpuid(CPUID_EXT8, 0).eax & 0xff;

	return bits < 52 ? BIT(bits) : 0;
}

static void wide_entries(void)
{
	int top = m.npt.fmt->levels;

	if (beyond_memory()) {
		reserved("a page beyond MAXPHYADDR", 1, entry(1) | beyond_memory());
		reserved("a table beyond MAXPHYADDR", 2, entry(2) | beyond_memory());
	}
	reserved("a 2M page that is not aligned", 2, SIZE_2M | BIT(13) | NPT_RW | PTE_PS);
	if (top == 3) {
		reserved("a PDPTE with NX", 3, entry(3) | PTE_NX);
		if (!modes_on_cleave()) /* QEMU looks at no other bits there */
			return;
		reserved("a PDPTE with W", 3, entry(3) | PTE_W);
		reserved("a PDPTE with U", 3, entry(3) | PTE_U);
		reserved("a PDPTE with PS", 3, entry(3) | PTE_PS);
		reserved("a PAE entry with a bit of long mode's", 1, entry(1) | BIT(52));
		return;
	}
	for (int level = 4; level <= top; level++)
		reserved("PS in a topmost level", level, entry(level) | PTE_PS);
	/* Software's own in long mode. */
	npt_write(&m.npt, WINDOW, 1, entry(1) | BIT(52));
	svm_vcpu_flush(&m.v);
	check_read("a long mode entry with a bit of software's", WINDOW, 0xe);
}

/* EFER.NXE clear: the bit is reserved, and a fetch does not show as one. */
static void without_nxe(void)
{
	u64 efer = rdmsr(MSR_EFER);

	npt_write(&m.npt, WINDOW, 1, entry(1) | PTE_NX);
	svm_vcpu_flush(&m.v);
	check_read("NX with EFER.NXE", WINDOW, 0xe);
	wrmsr(MSR_EFER, efer & ~EFER_NXE);
	svm_vcpu_flush(&m.v);
	check_reserved("NX without EFER.NXE", OP_READ, WINDOW, 0);
	check_reserved("NX without EFER.NXE, fetch", OP_CALL, WINDOW, 0);
	npt_write(&m.npt, WINDOW, 1, 0);
	svm_vcpu_flush(&m.v);
	check_fault("a fetch without EFER.NXE", OP_CALL, WINDOW, 0);
	wrmsr(MSR_EFER, efer);
	svm_vcpu_flush(&m.v);
	check_fault("a fetch with EFER.NXE", OP_CALL, WINDOW, NPF_ID);
	modes_map(WINDOW, page, 1, NPT_RW);
	check_read("all is well again", WINDOW, 0xe);
}

/* Bits 20:13 of a 4M page are 39:32 of its address, bit 21 is reserved (APM 2 5.2). */
static void narrow_pse(void)
{
	reserved("a 4M page with bit 21", 2, BIT(21) | NPT_RW | PTE_PS);
	if (!modes_on_cleave())
		return;
	npt_write(&m.npt, WINDOW_HUGE, 2, BIT(15) | NPT_RW | PTE_PS); /* at 16 GiB */
	check_fault("a 4M page above 4 GiB, where nothing is", OP_READ, WINDOW_HUGE, 0);
	npt_write(&m.npt, WINDOW_HUGE, 2, 0);
	svm_vcpu_flush(&m.v);
}

/* Without CR4.PSE that bit is ignored: what it is in leads to a table. */
static void narrow_without_pse(void)
{
	npt_write(&m.npt, WINDOW, 2, entry(2) | PTE_PS);
	svm_vcpu_flush(&m.v);
	check_read("PS without CR4.PSE", WINDOW, 0xe);
	npt_write(&m.npt, WINDOW, 2, entry(2) & ~PTE_PS);
	svm_vcpu_flush(&m.v);
}

void modes_check_entries(void)
{
	page = modes_page(0xe);
	npt_write(&m.npt, WINDOW_HUGE, 2, 0);
	modes_map(WINDOW, page, 1, NPT_RW);
	svm_vcpu_flush(&m.v);
	if (m.npt.fmt->entry_size == 8) {
		wide_entries();
		without_nxe();
	} else if (m.npt.fmt->leaf_level > 1) {
		narrow_pse();
	} else {
		narrow_without_pse();
	}
	check_read("entries are as before", WINDOW, 0xe);
}
