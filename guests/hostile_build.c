// SPDX-License-Identifier: MIT
/*
 * L1 builds and changes nested tables that are in use, entry by entry and by all kinds of stores.
 * It is what hypervisors do all day: every change must count, and no more than it must go.
 */
#include "guests/hostile.h"

#define BUILT (3 * SIZE_1G) /* L2 addresses: 1 GiB from there on is one page directory */

static u64 *page, *pd;

static u64 leaf(void)
{
	return ALIGN_DOWN((u64)page, SIZE_2M) | NPT_RO | PTE_PS;
}

static u64 address(u64 i)
{
	return BUILT + i * SIZE_2M + (u64)page % SIZE_2M;
}

static bool reads(u64 i)
{
	return hvm_run(HVM_READ, address(i), 0) == SVM_EXIT_VMMCALL && hvm.value == 0xb00c;
}

static bool faults(u64 i)
{
	return hvm_run(HVM_READ, address(i), 0) == SVM_EXIT_NPF;
}

/* Each new entry is used at once, and the first one again. */
static void build_in_use(void)
{
	u64 bad = 0;

	for (u64 i = 0; i < PT_ENTRIES; i++) {
		bad += !faults(i);
		pd[i] = leaf();
		bad += !reads(i);
		bad += !reads(0);
	}
	hostile_check("a directory built while it is used", !bad, "%lu wrong", bad);
}

/* L2 does not run in between. */
static void rebuild(void)
{
	u64 bad = 0;

	for (u64 i = 0; i < PT_ENTRIES; i++)
		*(volatile u64 *)&pd[i] = 0;
	svm_vcpu_flush(&hvm.v);
	for (u64 i = 0; i < PT_ENTRIES; i += 7)
		bad += !faults(i);
	for (u64 i = 0; i < PT_ENTRIES; i++)
		*(volatile u64 *)&pd[i] = leaf();
	for (u64 i = 0; i < PT_ENTRIES; i++)
		bad += !reads(i);
	hostile_check("a directory rebuilt", !bad, "%lu wrong", bad);
}

/* --- ways to change an entry; each returns whether the instruction gave what it should --- */

static bool by_xchg(u64 *e, u64 old, u64 new)
{
	asm volatile("xchg %0, %1" : "+r"(new), "+m"(*e));
	return (new & ~(PTE_A | PTE_D)) == old;
}

static bool by_cmpxchg(u64 *e, u64 old, u64 new)
{
	u64 was = old ^ BIT(62);
	bool equal;

	asm volatile("lock cmpxchg %3, %1" : "+a"(was), "+m"(*e), "=@ccz"(equal) : "r"(new));
	if (equal || (was & ~(PTE_A | PTE_D)) != old)
		return false;
	asm volatile("lock cmpxchg %3, %1" : "+a"(was), "+m"(*e), "=@ccz"(equal) : "r"(new));
	return equal;
}

static bool by_cmpxchg8b(u64 *e, u64 old, u64 new)
{
	u32 low, high;
	bool equal;

	(void)old;
	for (;;) {
		u64 was = *(volatile u64 *)e;

		low = (u32)was;
		high = (u32)(was >> 32);
		asm volatile("lock cmpxchg8b %2"
			     : "+a"(low), "+d"(high), "+m"(*e), "=@ccz"(equal)
			     : "b"((u32) new), "c"((u32)(new >> 32)));
		if (equal)
			return true;
	}
}

static bool by_halves(u64 *e, u64 old, u64 new)
{
	volatile u32 *half = (volatile u32 *)e;

	(void)old;
	half[0] = 0;
	half[1] = (u32)(new >> 32);
	half[0] = (u32) new;
	return true;
}

static bool by_present_bit(u64 *e, u64 old, u64 new)
{
	bool was;

	if (new)
		asm volatile("lock btsq $0, %0" : "+m"(*e), "=@ccc"(was));
	else
		asm volatile("lock btrq $0, %0" : "+m"(*e), "=@ccc"(was));
	return was == (old & PTE_P);
}

static bool by_byte(u64 *e, u64 old, u64 new)
{
	(void)old;
	if (new)
		asm volatile("orb $1, %0" : "+m"(*e));
	else
		asm volatile("lock andb $0xfe, %0" : "+m"(*e));
	return true;
}

static bool by_xor(u64 *e, u64 old, u64 new)
{
	(void)old, (void)new;
	asm volatile("xorq %1, %0" : "+m"(*e) : "r"((u64)PTE_P));
	return true;
}

static bool by_stos(u64 *e, u64 old, u64 new)
{
	u64 n = 1;

	(void)old;
	asm volatile("rep stosq" : "+D"(e), "+c"(n) : "a"(new) : "memory");
	return !n;
}

static bool by_movs(u64 *e, u64 old, u64 new)
{
	const u64 *from = &new;

	(void)old;
	asm volatile("movsq" : "+D"(e), "+S"(from) : : "memory");
	return from == &new + 1;
}

static bool by_movnti(u64 *e, u64 old, u64 new)
{
	(void)old;
	asm volatile("movnti %1, %0" : "=m"(*e) : "r"(new));
	return true;
}

/* Nothing that Cleave carries out. */
static bool by_sse(u64 *e, u64 old, u64 new)
{
	(void)old;
	asm volatile("movq %1, %%xmm0\n\tmovlps %%xmm0, %0" : "=m"(*e) : "r"(new));
	return true;
}

static const struct way {
	const char *name;
	bool (*change)(u64 *e, u64 old, u64 new);
	bool present_only; /* changes the P bit, whatever else is there */
} ways[] = {
	{"XCHG", by_xchg, false},
	{"CMPXCHG", by_cmpxchg, false},
	{"CMPXCHG8B", by_cmpxchg8b, false},
	{"two halves", by_halves, false},
	{"REP STOS", by_stos, false},
	{"MOVS", by_movs, false},
	{"MOVNTI", by_movnti, false},
	{"an SSE store", by_sse, false},
	{"BTS, BTR", by_present_bit, true},
	{"OR, AND of a byte", by_byte, true},
	{"XOR", by_xor, true},
};

static void check_way(const struct way *w)
{
	u64 bad = 0, off = w->present_only ? leaf() & ~PTE_P : 0;

	for (u64 i = 0; i < 8; i++) {
		u64 *e = &pd[100 + i];

		*(volatile u64 *)e = leaf();
		bad += !reads(100 + i);
		bad += !w->change(e, leaf(), w->present_only ? 0 : off);
		bad += (*(volatile u64 *)e & ~(PTE_A | PTE_D)) != off;
		svm_vcpu_flush(&hvm.v);
		bad += !faults(100 + i);
		*(volatile u64 *)e = off;
		bad += !w->change(e, off, leaf());
		bad += !reads(100 + i);
		bad += !reads(0);
	}
	hostile_check(w->name, !bad, "%lu wrong", bad);
}

void test_npt_build(void)
{
	page = pages_alloc(1);
	page[0] = 0xb00c;
	/* Makes the tables above. */
	pd = npt_entry(&hvm.npt, BUILT, 2);
	hvm_run(HVM_NOP, 0, 0);
	build_in_use();
	rebuild();
	for (u32 i = 0; i < ARRAY_SIZE(ways); i++)
		check_way(&ways[i]);
}
