// SPDX-License-Identifier: MIT
// objects: kernel/exit_fault.o kernel/exit_emulate.o kernel/emulate*.o
// objects: lib/lock.o mmu/*.o tests/host/env*.o
// objects: ext/zydis/Decoder.o ext/zydis/DecoderData.o ext/zydis/SharedData.o
/*
 * What becomes of faults on shadowed tables and outside of memory: with a real MMU, and a vendor
 * whose guest has its code where the test puts it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/exits.h"
#include "kernel/trace.h"
#include "kernel/vendor.h"
#include "kernel/vm.h"
#include "lib/x86.h"
#include "mmu/audit.h"
#include "mmu/shadow_mmu.h"
#include "tests/host/env.h"

#define OUTSIDE (64ull << 30)
#define RIP	0x1000
#define PAGES	(4 * 512)
#define RWX	(BIT(0) | BIT(1) | BIT(2)) /* of L1's entries */
/* L1's tables: L2's first 2M lead to 4K pages, of which the last is the directory itself. */
#define ROOT (0x100 * PAGE_SIZE)
#define PDPT (0x101 * PAGE_SIZE)
#define PD   (0x102 * PAGE_SIZE)
#define PT   (0x103 * PAGE_SIZE)
#define DATA (0x10 * PAGE_SIZE)
/* Where L2 sees the directory. */
#define L2_PD (511 * PAGE_SIZE)

static struct vm vm;
static struct memslot *slot;
static struct vcpu vcpu;

static u8 code[15];
static u32 code_len, page_end; /* so many bytes lie in the first page */
static int fetch_error, translate_error, reflected, traps;
static u64 base[SEG_GS + 1];
static u8 bits;

void vm_end(struct vm *m, int status, const char *fmt, ...)
{
	va_list ap;

	if (m->ended)
		return;
	va_start(ap, fmt);
	vsnprintf(m->end_reason, sizeof(m->end_reason), fmt, ap);
	va_end(ap);
	m->exit_status = status;
	m->ended = true;
}

void trace_event(enum trace_id id, u64 a, u64 b, u64 c, u64 d)
{
	(void)id, (void)a, (void)b, (void)c, (void)d;
}

static int fetch(struct vcpu *c, u8 *buf, u32 *have)
{
	u32 end = *have < page_end ? page_end : code_len;

	(void)c;
	if (fetch_error && *have >= page_end)
		return fetch_error;
	memcpy(buf + *have, code + *have, end - *have);
	*have = end;
	return 0;
}

static u8 bases(struct vcpu *c, u64 out[SEG_GS + 1])
{
	(void)c;
	memcpy(out, base, sizeof(base));
	return bits;
}

static int translate(struct vcpu *c, u64 linear, bool write, gpa_t *gpa)
{
	(void)c, (void)write;
	gpa->v = linear;
	return translate_error;
}

static int skip_insn(struct vcpu *c, const struct vm_exit *exit)
{
	assert_int_not_equal(exit->insn_len, 0);
	c->rip += exit->insn_len;
	c->rflags &= ~RFLAGS_RF;
	traps += c->rflags & RFLAGS_TF ? 1 : 0;
	return 0;
}

static enum nested_result reflect(struct vcpu *c, const struct vm_exit *exit,
				  const struct nested_fault *fault)
{
	(void)c, (void)exit, (void)fault;
	reflected++;
	return NESTED_DONE;
}

static const struct vendor_ops ops = {.skip = skip_insn,
				      .fetch_insn = fetch,
				      .segment_bases = bases,
				      .translate = translate,
				      .nested_reflect_fault = reflect};
const struct vendor_ops *vendor = &ops;

static u64 *word(u64 gpa)
{
	char *page = env_va(memslot_hpa(slot, (gfn_t){gpa >> PAGE_SHIFT}, NULL));

	return (u64 *)(page + gpa % PAGE_SIZE);
}

static void fault(u64 addr, u64 error)
{
	struct vm_exit exit = {.kind = EXIT_FAULT, .fault = {.addr = addr, .error = error}};

	exit_fault(&vcpu, &exit);
}

/* L2 touches its first page, and then what it has of the directory. */
static void shadow_it(void)
{
	vcpu.guest_mode = true;
	fault(0, PFERR_U | PFERR_W);
	fault(L2_PD, PFERR_U);
	vcpu.guest_mode = false;
}

static bool tracked(u64 gpa)
{
	return slot->write_track[gpa >> PAGE_SHIFT];
}

static int setup(void **state)
{
	struct pt_mode mode = {.fmt = &pt_formats[PT_FMT_LONG4],
			       .maxphyaddr = 40,
			       .nx = true,
			       .wp = true,
			       .ad = true};

	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	memset(base, 0, sizeof(base));
	fetch_error = translate_error = reflected = traps = 0;
	bits = 64;
	env_reset();
	assert_int_equal(env_mmu_make(&vm.mmu, NULL), 0);
	slot = env_slot(&vm.mmu, 0, 0, PAGES, 0, PG_LEVEL_2M);
	*word(ROOT) = PDPT | RWX;
	*word(PDPT) = PD | RWX;
	*word(PD) = PT | RWX;
	*word(PT) = DATA | RWX;
	*word(PT + 511 * 8) = PD | RWX;
	vm.mem_bytes = 8ull << 20;
	vcpu.vm = &vm;
	vcpu.rip = RIP;
	vcpu.rflags = RFLAGS_FIXED;
	assert_int_equal(nested_mmu_load(&vm.mmu, &vcpu.nested, &mode, (gpa_t){ROOT}, true), 0);
	env_watch_root(vcpu.nested.root->spt);
	shadow_it();
	assert_true(tracked(PD));
	return 0;
}

static int teardown(void **state)
{
	struct audit a = {0};

	(void)state;
	assert_int_equal(mmu_audit(&vm.mmu, &a), 0);
	nested_mmu_free(&vm.mmu, &vcpu.nested);
	return env_mmu_end(&vm.mmu);
}

static void put_code(const char *bytes, u32 len)
{
	memcpy(code, bytes, len);
	code_len = page_end = len;
}
#define CODE(bytes) put_code(bytes, sizeof(bytes) - 1)

#define MOV    "\x48\x89\x03" /* mov %rax, (%rbx) */
#define MOVUPS "\x0f\x11\x03" /* movups %xmm0, (%rbx) */

/* --- shadowed tables --- */

static void check_stored(void)
{
	assert_int_equal(*word(PD + 8), 0x1234000);
	assert_int_equal(vcpu.rip, RIP + 3);
	assert_true(tracked(PD));
	assert_int_equal(vm.mmu.stats.pf_emulate, 1);
	assert_int_equal(vm.mmu.stats.mmu_shadow_zapped, 0);
	assert_false(vm.ended);
}

static void test_l1_stores_an_entry(void **state)
{
	(void)state;
	CODE(MOV);
	vcpu.gpr[RAX] = 0x1234000;
	vcpu.gpr[RBX] = PD + 8;
	fault(PD + 8, PFERR_W | PFERR_P | PFERR_U);
	check_stored();
}

static void test_l2_stores_an_entry(void **state)
{
	(void)state;
	CODE(MOV);
	vcpu.guest_mode = true;
	vcpu.gpr[RAX] = 0x1234000;
	vcpu.gpr[RBX] = L2_PD + 8;
	fault(L2_PD + 8, PFERR_W | PFERR_P | PFERR_U);
	check_stored();
	assert_int_equal(reflected, 0);
}

/* The instruction's bytes come from two pages. */
static void test_code_in_two_pages(void **state)
{
	(void)state;
	CODE(MOV);
	page_end = 1;
	vcpu.gpr[RAX] = 0x1234000;
	vcpu.gpr[RBX] = PD + 8;
	fault(PD + 8, PFERR_W | PFERR_P | PFERR_U);
	check_stored();
}

/* #PF was queued for the second one: that is all that happens. */
static void test_code_that_faults(void **state)
{
	(void)state;
	CODE(MOV);
	page_end = 1;
	fetch_error = -EFAULT;
	vcpu.gpr[RBX] = PD + 8;
	fault(PD + 8, PFERR_W | PFERR_P | PFERR_U);
	assert_int_equal(vcpu.rip, RIP);
	assert_true(tracked(PD));
	assert_int_equal(vm.mmu.stats.pf_emulate, 0);
}

/* Two entries at once, and neither whole. */
static void test_store_across_entries(void **state)
{
	(void)state;
	CODE(MOV);
	vcpu.gpr[RAX] = 0;
	vcpu.gpr[RBX] = PD + 4;
	fault(PD + 4, PFERR_W | PFERR_P | PFERR_U);
	assert_int_equal(vcpu.rip, RIP + 3);
	assert_true(tracked(PD));
	/* The table below lost its only place. */
	assert_false(tracked(PT));
	assert_int_equal(*word(PD), PT | RWX | BIT(5));
}

static void check_let_go(u64 error)
{
	u64 was = *word(PD + 8);

	vcpu.gpr[RBX] = PD + 8;
	vcpu.gpr[RAX] = 0x1234000;
	fault(PD + 8, error);
	assert_int_equal(vcpu.rip, RIP);
	assert_int_equal(*word(PD + 8), was);
	assert_false(tracked(PD));
	assert_int_equal(vm.mmu.stats.pf_emulate, 0);
	assert_false(vm.ended);
	/* The guest makes it itself. */
	assert_int_equal(mmu_tdp_fault(&vm.mmu, (gpa_t){PD + 8}, error), FAULT_FIXED);
}

static void test_what_cannot_be_carried_out(void **state)
{
	(void)state;
	CODE(MOVUPS);
	check_let_go(PFERR_W | PFERR_P | PFERR_U);
}

/* The processor sets A or D in the guest's own table; the instruction is not to blame. */
static void test_page_walk_writes(void **state)
{
	(void)state;
	CODE(MOV);
	check_let_go(PFERR_W | PFERR_P | PFERR_U | PFERR_TABLE);
}

static void test_delivery_of_an_event_writes(void **state)
{
	(void)state;
	CODE(MOV);
	vcpu.pending = (struct vcpu_event){.type = EVENT_INTR, .in_delivery = 1};
	check_let_go(PFERR_W | PFERR_P | PFERR_U);
}

static void test_code_that_l1_took_away(void **state)
{
	(void)state;
	CODE(MOV);
	page_end = 1;
	fetch_error = -EAGAIN;
	check_let_go(PFERR_W | PFERR_P | PFERR_U);
}

/* L2 does that to the table that maps the write: shadowed anew each time, so it would never end. */
static void test_no_headway_ends_the_vm(void **state)
{
	(void)state;
	CODE(MOVUPS);
	vcpu.guest_mode = true;
	vcpu.gpr[RBX] = L2_PD + 8;
	for (int i = 0; i < 1000; i++)
		fault(L2_PD + 8, PFERR_W | PFERR_P | PFERR_U);
	assert_false(vm.ended);
	for (int i = 0; i < 3000 && !vm.ended; i++)
		fault(L2_PD + 8, PFERR_W | PFERR_P | PFERR_U);
	assert_true(vm.ended);
	assert_non_null(strstr(vm.end_reason, "nested tables that map that write"));
	assert_non_null(strstr(vm.end_reason, ": 0f 11 03"));
}

static void test_string_step_by_step(void **state)
{
	(void)state;
	CODE("\xf3\x48\xab"); /* rep stosq */
	vcpu.gpr[RDI] = PD + 8;
	vcpu.gpr[RCX] = 3;
	vcpu.rflags |= RFLAGS_TF | RFLAGS_RF;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(vcpu.rip, RIP);
		fault(vcpu.gpr[RDI], PFERR_W | PFERR_P | PFERR_U);
		assert_int_equal(traps, i + 1);
		assert_int_equal(!(vcpu.rflags & RFLAGS_RF), i == 2);
	}
	assert_int_equal(vcpu.rip, RIP + 3);
	assert_int_equal(vcpu.gpr[RCX], 0);
	assert_int_equal(vcpu.gpr[RDI], PD + 32);
}

/* What MOVS reads: #PF was queued; or L1's tables have changed, and L2 is to see to it. */
static void test_other_operand_faults(void **state)
{
	(void)state;
	CODE("\x48\xa5"); /* movsq */
	vcpu.gpr[RDI] = PD + 8;
	translate_error = -EFAULT;
	fault(PD + 8, PFERR_W | PFERR_P | PFERR_U);
	assert_int_equal(vcpu.rip, RIP);
	assert_true(tracked(PD));
	translate_error = -EAGAIN;
	fault(PD + 8, PFERR_W | PFERR_P | PFERR_U);
	assert_int_equal(vcpu.rip, RIP);
	assert_false(tracked(PD));
	assert_false(vm.ended);
}

/* --- outside of memory --- */

static void test_outside(void **state)
{
	(void)state;
	vcpu.gpr[RBX] = OUTSIDE;
	CODE("\x48\x8b\x03"); /* mov (%rbx), %rax */
	fault(OUTSIDE, PFERR_U);
	assert_int_equal(vcpu.gpr[RAX], ~0ull);
	CODE("\x66\x8b\x0b"); /* mov (%rbx), %cx */
	fault(OUTSIDE, PFERR_U);
	assert_int_equal(vcpu.gpr[RCX], 0xffff);
	CODE(MOV);
	fault(OUTSIDE, PFERR_U | PFERR_W);
	vcpu.gpr[RBX]++;
	fault(OUTSIDE + 1, PFERR_U | PFERR_W);
	CODE("\xf0\xff\x43\xff"); /* lock incl -1(%rbx) */
	fault(OUTSIDE, PFERR_U | PFERR_W);
	assert_true(vcpu.rflags & RFLAGS_ZF);
	assert_int_equal(vcpu.rip, RIP + 3 + 3 + 3 + 3 + 4);
	assert_false(vm.ended);
}

static void test_outside_ends_the_vm(void **state)
{
	(void)state;
	vcpu.gpr[RBX] = OUTSIDE;
	CODE(MOVUPS);
	fault(OUTSIDE, PFERR_U | PFERR_W);
	assert_true(vm.ended);
	assert_string_equal(
		vm.end_reason,
		"it wrote to 0x1000000000, outside of its 8 MiB of memory, at rip 0x1000: "
		"0f 11 03");
}

static void test_execution_outside(void **state)
{
	(void)state;
	CODE(MOV);
	fault(OUTSIDE, PFERR_U | PFERR_I);
	assert_true(vm.ended);
	assert_string_equal(vm.end_reason, "it executed 0x1000000000, outside of its 8 MiB of "
					   "memory, at rip 0x1000");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_l1_stores_an_entry),
		T(test_l2_stores_an_entry),
		T(test_code_in_two_pages),
		T(test_code_that_faults),
		T(test_store_across_entries),
		T(test_what_cannot_be_carried_out),
		T(test_page_walk_writes),
		T(test_delivery_of_an_event_writes),
		T(test_code_that_l1_took_away),
		T(test_no_headway_ends_the_vm),
		T(test_string_step_by_step),
		T(test_other_operand_faults),
		T(test_outside),
		T(test_outside_ends_the_vm),
		T(test_execution_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
