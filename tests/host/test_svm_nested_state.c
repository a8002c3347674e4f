// SPDX-License-Identifier: MIT
/* objects: svm/nested_state.o svm/nested_check.o */
/*
 * The nested state's way through a migration: everything that it is made of while running is there
 * again after save and load; what a stream may not contain is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "svm/nested_state.h"

static const struct svm_limits limits = {
	.maxphyaddr = 40,
	.nested_paging = true,
	.flush_by_asid = true,
	.cr4_allowed = 0x350fff,
	.efer_allowed = 0x5d01,
};

struct side {
	struct svm_nested_state n;
	struct vmcb *v01, *v02;
};

static struct side side_new(void)
{
	struct side s = {.v01 = aligned_alloc(4096, 4096), .v02 = aligned_alloc(4096, 4096)};

	memset(s.v01, 0, 4096);
	memset(s.v02, 0, 4096);
	return s;
}

static void side_free(struct side *s)
{
	free(s->v01);
	free(s->v02);
}

static void scramble(void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((u8 *)p)[i] = (u8)(rand() >> 7);
}

/* Something in every byte; the flags are what they may be. */
static void side_fill(struct side *s, bool guest_mode)
{
	scramble(&s->n, sizeof(s->n));
	scramble(s->v01, 4096);
	scramble(s->v02, 4096);
	svm_normalise_registers(&s->v01->save);
	s->n.svme = 1;
	s->n.gif = (u32)rand() & 1;
	s->n.guest_mode = guest_mode;
	s->n.run_pending = guest_mode && rand() & 1;
	s->v01->control.int_state &= 1;
	s->v02->control.int_state &= 1;
}

static void save(const struct side *s, bool window, struct svm_nested_state *out)
{
	svm_nested_state_save(&s->n, s->v01, s->v02, window, out);
}

static void test_desc_covers_all(void **state)
{
	const struct state_desc *d = &svm_nested_state_desc;
	u32 at = 0;

	(void)state;
	assert_int_equal(d->size, sizeof(struct svm_nested_state));
	for (u32 i = 0; i < d->nr_fields; i++) {
		assert_int_equal(d->fields[i].offset, at);
		at += d->fields[i].size;
	}
	assert_int_equal(at, d->size);
}

/* What moves with the vCPU's own state and not here: the registers that VMLOAD loads. */
static bool moves_elsewhere(size_t offset)
{
	static const struct {
		u16 from, to;
	} vmload[] = {{0x040, 0x060}, {0x070, 0x080}, {0x090, 0x0a0}, {0x200, 0x240}};

	for (u32 i = 0; i < ARRAY_SIZE(vmload); i++) {
		if (offset >= vmload[i].from && offset < vmload[i].to)
			return true;
	}
	return false;
}

static void compare_l1(const struct side *from, const struct side *to)
{
	const u8 *a = (const u8 *)&from->v01->save, *b = (const u8 *)&to->v01->save;

	for (size_t i = 0; i < sizeof(struct vmcb_save); i++) {
		if (a[i] != b[i] && !moves_elsewhere(i))
			fail_msg("L1's state-save area differs at 0x%zx", i);
	}
	assert_int_equal(from->v01->control.int_state, to->v01->control.int_state);
	assert_int_equal(from->v01->control.vintr & 0xff, to->v01->control.vintr & 0xff);
}

/* Of the runtime struct every byte arrives, but for V_TPR and V_IRQ, which vmcb02 has fresher. */
static void compare_runtime(const struct side *from, const struct side *to)
{
	struct svm_nested_state a = from->n, b = to->n;
	u64 live = 0x1ff;

	if (from->n.guest_mode) {
		assert_int_equal(b.ctl.vintr & live, from->v02->control.vintr & live);
		a.ctl.vintr &= ~live;
		b.ctl.vintr &= ~live;
		/* These rest in vmcb01 while L2 runs. */
		memset(&a.l1, 0, sizeof(a.l1));
		memset(&b.l1, 0, sizeof(b.l1));
	}
	a.l1_vintr = b.l1_vintr = a.l1_int_state = b.l1_int_state = 0;
	for (size_t i = 0; i < sizeof(a); i++) {
		if (((u8 *)&a)[i] != ((u8 *)&b)[i])
			fail_msg("the nested state differs at offset %zu", i);
	}
}

static void round_trip(bool guest_mode)
{
	struct side from = side_new(), to = side_new();
	struct svm_nested_state moved, again;

	side_fill(&from, guest_mode);
	save(&from, false, &moved);
	svm_nested_state_load(&to.n, to.v01, to.v02, &moved);
	compare_runtime(&from, &to);
	if (guest_mode) {
		compare_l1(&from, &to);
		/* vmcb02 is made from it again; what else it holds comes with the vCPU's state. */
		to.v02->control.vintr = to.n.ctl.vintr;
		svm_vmload_copy(&to.v01->save, &from.v01->save);
	}
	save(&to, false, &again);
	assert_memory_equal(&moved, &again, sizeof(moved));
	side_free(&from);
	side_free(&to);
}

static void test_round_trip(void **state)
{
	(void)state;
	srand(2);
	for (int i = 0; i < 200; i++)
		round_trip(i & 1);
}

/* Each byte of what runs makes a difference to what is saved. */
static void test_every_byte_counts(void **state)
{
	struct side s = side_new();
	struct svm_nested_state before, after;
	u8 *l1 = (u8 *)&s.v01->save, *n = (u8 *)&s.n;

	(void)state;
	srand(3);
	side_fill(&s, true);
	save(&s, false, &before);
	for (size_t i = 0; i < sizeof(struct vmcb_save); i++) {
		l1[i] ^= 0xff;
		save(&s, false, &after);
		assert_memory_not_equal(&before, &after, sizeof(before));
		l1[i] ^= 0xff;
	}
	for (size_t i = 0; i < offsetof(struct svm_nested_state, l1); i++) {
		/* vintr's lowest byte is V_TPR, which comes from vmcb02. */
		if (i == offsetof(struct svm_nested_state, ctl) + 0x60 ||
		    i / 4 == offsetof(struct svm_nested_state, guest_mode) / 4)
			continue;
		n[i] ^= 0xff;
		save(&s, false, &after);
		assert_memory_not_equal(&before, &after, sizeof(before));
		n[i] ^= 0xff;
	}
	s.v01->control.int_state ^= 1;
	save(&s, false, &after);
	assert_int_not_equal(before.l1_int_state, after.l1_int_state);
	s.v01->control.vintr ^= 0x0f;
	save(&s, false, &after);
	assert_int_not_equal(before.l1_vintr, after.l1_vintr);
	side_free(&s);
}

/* While L0 uses V_IRQ for itself, L1's own is what moves. */
static void test_window(void **state)
{
	struct side s = side_new();
	struct svm_nested_state out;

	(void)state;
	side_fill(&s, true);
	s.n.ctl.vintr |= 0x100;
	s.v02->control.vintr &= ~0x100ull;
	save(&s, true, &out);
	assert_true(out.ctl.vintr & 0x100);
	save(&s, false, &out);
	assert_false(out.ctl.vintr & 0x100);
	s.n.ctl.vintr &= ~0x100ull;
	s.v02->control.vintr |= 0x100;
	save(&s, true, &out);
	assert_false(out.ctl.vintr & 0x100);
	save(&s, false, &out);
	assert_true(out.ctl.vintr & 0x100);
	side_free(&s);
}

/* Loaded over a vCPU that holds L2's registers already: they go where L2's registers belong. */
static void test_registers_move(void **state)
{
	struct side from = side_new(), to = side_new();
	struct svm_nested_state moved;
	u64 rip, star;

	(void)state;
	side_fill(&from, true);
	save(&from, false, &moved);
	side_fill(&to, false);
	rip = to.v01->save.rip;
	star = to.v01->save.star;
	svm_nested_state_load(&to.n, to.v01, to.v02, &moved);
	assert_int_equal(to.v02->save.rip, rip);
	assert_int_equal(to.v01->save.rip, from.v01->save.rip);
	assert_int_equal(to.v01->save.star, star);
	side_free(&from);
	side_free(&to);
}

static struct svm_nested_state good(void)
{
	struct svm_nested_state s = {.svme = 1, .gif = 1, .guest_mode = 1, .run_pending = 1};

	s.vmcb12 = 0x5000;
	s.hsave_pa = 0x6000;
	s.ctl.asid = 1;
	s.ctl.intercepts[4] = 1;
	s.ctl.nested_ctl = 1;
	s.l1.efer = 0x1500;
	s.l1.cr0 = 0x80000011;
	s.l1.cr4 = 0x20;
	s.l1.g_pat = 0x0007040600070406;
	return s;
}

#define REFUSED(change, why)                               \
	do {                                               \
		struct svm_nested_state s = good();        \
		const char *got;                           \
                                                           \
		change;                                    \
		got = svm_nested_state_check(&s, &limits); \
		assert_non_null(got);                      \
		assert_string_equal(got, why);             \
	} while (0)

static void test_refused(void **state)
{
	struct svm_nested_state ok = good(), zero = {.gif = 1};

	(void)state;
	assert_null(svm_nested_state_check(&ok, &limits));
	assert_null(svm_nested_state_check(&zero, &limits));
	REFUSED(s.svme = 2, "a flag is neither 0 nor 1");
	REFUSED(s.gif = 0x80000000, "a flag is neither 0 nor 1");
	REFUSED(s.guest_mode = 3, "a flag is neither 0 nor 1");
	REFUSED(s.run_pending = 2, "a flag is neither 0 nor 1");
	REFUSED(s.svme = 0, "nested state without EFER.SVME");
	REFUSED((s.svme = 0, s.guest_mode = 0, s.run_pending = 0, s.gif = 0),
		"nested state without EFER.SVME");
	REFUSED(s.guest_mode = 0, "VMRUN pending outside of guest mode");
	REFUSED(s.vm_cr = 1ull << 5, "VM_CR reserved bits");
	REFUSED(s.vm_cr = 1ull << 4, "EFER.SVME in spite of VM_CR.SVMDIS");
	REFUSED(s.hsave_pa = 0x6001, "VM_HSAVE_PA");
	REFUSED(s.hsave_pa = 1ull << 40, "VM_HSAVE_PA");
	REFUSED(s.vmcb12 = 0x5008, "address of vmcb12");
	REFUSED(s.vmcb12 = ~0xfffull, "address of vmcb12");
	REFUSED(s.l1_vintr = 0x100, "L1's interrupt state");
	REFUSED(s.l1_int_state = 2, "L1's interrupt state");
	REFUSED(s.l1.cr4 = 0x2020, "CR4 MBZ bits");
	REFUSED(s.l1.efer = 0x500, "EFER.SVME clear");
	REFUSED(s.l1.cr3 = 1ull << 50, "CR3 MBZ bits");
	REFUSED(s.l1.g_pat = 2, "G_PAT type");
	REFUSED((s.l1.efer = 0x1000, s.l1.cr0 = 0x10), "L1 ran VMRUN in real mode");
	REFUSED(s.ctl.asid = 0, "ASID 0");
	REFUSED(s.ctl.intercepts[4] = 0, "VMRUN intercept clear");
	REFUSED(s.ctl.ncr3 = 1ull << 45, "nCR3 MBZ bits");
	REFUSED(s.ctl.event_inj = 0x80000102, "EVENTINJ type");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_desc_covers_all),	  cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_byte_counts), cmocka_unit_test(test_window),
		cmocka_unit_test(test_registers_move),	  cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
