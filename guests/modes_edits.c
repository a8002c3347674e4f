// SPDX-License-Identifier: MIT
/* L1 changes tables that are in use: leaves, tables, roots, by all kinds of 32-bit stores. */
#include "guests/modes.h"

static void leaves(void)
{
	u32 *a = modes_page(0xa), *b = modes_page(0xb);

	for (u32 i = 0; i < 3; i++) {
		modes_map(WINDOW, a, 1, NPT_RW);
		svm_vcpu_flush(&m.v);
		check_read("one page", WINDOW, 0xa);
		modes_map(WINDOW, b, 1, NPT_RW);
		/* Not flushed yet: either page is right. */
		check(modes_run(OP_READ, WINDOW, 0) == SVM_EXIT_VMMCALL &&
			      (m.value == 0xa || m.value == 0xb),
		      "another page, before the flush");
		svm_vcpu_flush(&m.v);
		check_read("another page", WINDOW, 0xb);
		npt_write(&m.npt, WINDOW, 1, 0);
		svm_vcpu_flush(&m.v);
		check_fault("no page", OP_READ, WINDOW, 0);
	}
}

/* --- stores to an entry of an upper level; what is there is not what L2 uses in between --- */

static void by_halves(void *at, u64 value)
{
	volatile u32 *half = at;

	if (m.npt.fmt->entry_size == 8) {
		half[0] = 0;
		half[1] = (u32)(value >> 32);
	}
	half[0] = (u32)value;
}

static void by_xchg(void *at, u64 value)
{
	u32 low = (u32)value;

	if (m.npt.fmt->entry_size == 8)
		((volatile u32 *)at)[1] = (u32)(value >> 32);
	asm volatile("xchg %0, %1" : "+r"(low), "+m"(*(volatile u32 *)at));
}

static void by_cmpxchg(void *at, u64 value)
{
	u32 old = *(volatile u32 *)at;
	bool done;

	if (m.npt.fmt->entry_size == 8)
		((volatile u32 *)at)[1] = (u32)(value >> 32);
	for (;;) {
		asm volatile("lock cmpxchg %3, %1"
			     : "+a"(old), "+m"(*(volatile u32 *)at), "=@ccz"(done)
			     : "r"((u32)value)
			     : "memory");
		if (done)
			return;
	}
}

/* Of an entry of 4 bytes and its neighbour, which stays. */
static void by_cmpxchg8b(void *at, u64 value)
{
	volatile u64 *p = (u64 *)((unsigned long)at & ~7ul);
	bool done;

	for (;;) {
		u64 old = *p, new = value;
		u32 low = (u32)old, high = (u32)(old >> 32);

		if (m.npt.fmt->entry_size == 4)
			new = (unsigned long)at & 4 ? (u32)old | value << 32
						    : (old >> 32 << 32) | (u32)value;
		asm volatile("lock cmpxchg8b %2"
			     : "+a"(low), "+d"(high), "+m"(*p), "=@ccz"(done)
			     : "b"((u32) new), "c"((u32)(new >> 32)));
		if (done)
			return;
	}
}

static void by_stos(void *at, u64 value)
{
	u32 n = 1;

	if (m.npt.fmt->entry_size == 8)
		((volatile u32 *)at)[1] = (u32)(value >> 32);
	asm volatile("rep stosl" : "+D"(at), "+c"(n) : "a"((u32)value) : "memory");
}

static void by_movs(void *at, u64 value)
{
	const void *from = &value;
	u32 n = m.npt.fmt->entry_size / 4;

	asm volatile("rep movsl" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
}

/* The P bit goes and comes; the address is written in between, byte by byte. */
static void by_bits(void *at, u64 value)
{
	volatile u8 *byte = at;

	asm volatile("lock btrl $0, %0" : "+m"(*(volatile u32 *)at));
	for (u32 i = 1; i < m.npt.fmt->entry_size; i++)
		byte[i] = (u8)(value >> 8 * i);
	asm volatile("andb $0, %0\n\torb %1, %0" : "+m"(*byte) : "q"((u8)(value & ~PTE_P)));
	if (value & PTE_P)
		asm volatile("lock btsl $0, %0" : "+m"(*(volatile u32 *)at));
}

static const struct {
	const char *name;
	void (*store)(void *at, u64 value);
} ways[] = {
	{"MOV", by_halves},
	{"XCHG", by_xchg},
	{"CMPXCHG", by_cmpxchg},
	{"CMPXCHG8B", by_cmpxchg8b},
	{"REP STOS", by_stos},
	{"REP MOVS", by_movs},
	{"BTR, AND, OR, BTS", by_bits},
};

/* Two tables take turns; then none, and one without a flush, as nothing was there to be cached. */
static void exchange(int level, u64 one, u64 other)
{
	void *at = npt_at(&m.npt, WINDOW, level);

	for (u32 i = 0; i < ARRAY_SIZE(ways); i++) {
		for (u32 k = 0; k < 4; k++) {
			ways[i].store(at, k & 1 ? one : other);
			svm_vcpu_flush(&m.v);
			check_read(ways[i].name, WINDOW, k & 1 ? 0xa : 0xb);
		}
		if (level > 2)
			continue; /* it maps L2's code, too */
		ways[i].store(at, 0);
		svm_vcpu_flush(&m.v);
		check_fault(ways[i].name, OP_READ, WINDOW, 0);
		ways[i].store(at, one);
		check_read("a table where none was, not flushed", WINDOW, 0xa);
	}
}

/* @other is a tree that differs in WINDOW only: parts of it take the place of those here. */
static void tables(struct npt *other)
{
	for (int level = 2; level <= m.npt.fmt->levels; level++)
		exchange(level, npt_read(&m.npt, WINDOW, level), npt_read(other, WINDOW, level));
}

/* A leaf and a table take turns. */
static void sizes(void)
{
	u32 *page = modes_page(2), *memory = (u32 *)((u64)48 << 20);
	u64 table;

	modes_map(WINDOW_HUGE, page, 1, NPT_RW);
	table = npt_read(&m.npt, WINDOW_HUGE, 2);
	memory[0] = 1;
	for (u32 i = 0; i < 4; i++) {
		modes_map(WINDOW_HUGE, memory, 2, NPT_RW);
		svm_vcpu_flush(&m.v);
		check_read("a huge page in the place of a table", WINDOW_HUGE, 1);
		npt_write(&m.npt, WINDOW_HUGE, 2, table);
		svm_vcpu_flush(&m.v);
		check_read("a table in the place of a huge page", WINDOW_HUGE, 2);
		check_fault("a hole in that table", OP_READ, WINDOW_HUGE + PAGE_SIZE, 0);
	}
	npt_write(&m.npt, WINDOW_HUGE, 2, 0);
}

static void roots(struct npt *other)
{
	for (u32 i = 0; i < 4; i++) {
		modes_use(i & 1 ? &m.npt : other);
		check_read("another root", WINDOW, i & 1 ? 0xa : 0xb);
	}
}

/* PDPTs need not start a page: four of them in one, APM 2 5.2.3. */
static void roots_in_a_page(struct npt *other)
{
	u64 *page = pages_alloc(1);

	for (u32 i = 0; i < 4; i++) {
		page[4 + i] = ((u64 *)m.npt.root)[i];
		page[508 + i] = ((u64 *)other->root)[i];
	}
	for (u32 i = 0; i < 4; i++) {
		m.v.vmcb->control.ncr3 = (u64)(i & 1 ? page + 508 : page + 4);
		svm_vcpu_flush(&m.v);
		check_read("roots in one page", WINDOW, i & 1 ? 0xb : 0xa);
	}
	/* L2 uses the second; the first one's entries are none of its business. */
	page[4] = 0;
	svm_vcpu_flush(&m.v);
	check_read("an entry of another root", WINDOW, 0xb);
	page[508] = page[508 + 1] = ((u64 *)m.npt.root)[0];
	svm_vcpu_flush(&m.v);
	check_read("an entry of this root", WINDOW, 0xa);
	check_read("one of its others", SIZE_1G + WINDOW, 0xa);
	modes_use(&m.npt);
}

void modes_check_edits(void)
{
	static struct npt other;
	u32 *a = modes_page(0xa), *b = modes_page(0xb);

	leaves();
	modes_tables(&other);
	npt_write(&other, WINDOW, 1, (u64)b | NPT_RW);
	modes_map(WINDOW, a, 1, NPT_RW);
	svm_vcpu_flush(&m.v);
	check_read("the first tree", WINDOW, 0xa);
	tables(&other);
	if (m.npt.fmt->leaf_level > 1)
		sizes();
	roots(&other);
	if (m.npt.fmt->levels == 3)
		roots_in_a_page(&other);
}
