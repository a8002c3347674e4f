// SPDX-License-Identifier: MIT
/* The VM, its vendor and what the kernel's files need beside them. See emulate_vm.h. */
#include "tests/host/emulate_vm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/exits.h"
#include "kernel/reclaim.h"
#include "kernel/trace.h"
#include "kernel/vendor.h"
#include "lib/x86.h"
#include "mmu/audit.h"
#include "mmu/reclaim.h"
#include "tests/host/env.h"

#define PAGES (4 * 512)
#define ROOT  (0x100 * PAGE_SIZE)
#define PDPT  (0x101 * PAGE_SIZE)
#define DATA  (0x10 * PAGE_SIZE)

struct emulate_vm ev;

u64 reclaim_now(u64 pages)
{
	return mmu_reclaim(&ev.vm.mmu, pages);
}
static struct memslot *slot;

void vm_end(struct vm *vm, int status, const char *fmt, ...)
{
	va_list ap;

	if (vm->ended)
		return;
	va_start(ap, fmt);
	vsnprintf(vm->end_reason, sizeof(vm->end_reason), fmt, ap);
	va_end(ap);
	vm->exit_status = status;
	vm->ended = true;
}

void trace_event(enum trace_id id, u64 a, u64 b, u64 c, u64 d)
{
	(void)id, (void)a, (void)b, (void)c, (void)d;
}

static int fetch(struct vcpu *vcpu, u8 *buf, u32 *have)
{
	u32 end = *have < ev.page_end ? ev.page_end : ev.code_len;

	(void)vcpu;
	if (ev.fetch_error && *have >= ev.page_end)
		return ev.fetch_error;
	memcpy(buf + *have, ev.code + *have, end - *have);
	*have = end;
	return 0;
}

static u8 bases(struct vcpu *vcpu, u64 base[SEG_GS + 1])
{
	(void)vcpu;
	memset(base, 0, (SEG_GS + 1) * sizeof(u64));
	return 64;
}

static int translate(struct vcpu *vcpu, u64 linear, bool write, gpa_t *gpa)
{
	(void)vcpu, (void)write;
	gpa->v = linear;
	return ev.translate_error;
}

static int skip(struct vcpu *vcpu, const struct vm_exit *exit)
{
	ev.badly += !exit->insn_len;
	vcpu->rip += exit->insn_len;
	vcpu->rflags &= ~RFLAGS_RF;
	ev.traps += vcpu->rflags & RFLAGS_TF ? 1 : 0;
	return 0;
}

static enum nested_result reflect(struct vcpu *vcpu, const struct vm_exit *exit,
				  const struct nested_fault *fault)
{
	(void)vcpu, (void)exit, (void)fault;
	ev.reflected++;
	return NESTED_DONE;
}

static const struct vendor_ops ops = {.skip = skip,
				      .fetch_insn = fetch,
				      .segment_bases = bases,
				      .translate = translate,
				      .nested_reflect_fault = reflect};
const struct vendor_ops *vendor = &ops;

u64 *ev_word(u64 gpa)
{
	char *page = env_va(memslot_hpa(slot, (gfn_t){gpa >> PAGE_SHIFT}, NULL));

	return (u64 *)(page + gpa % PAGE_SIZE);
}

void ev_fault(u64 addr, u64 error)
{
	struct vm_exit exit = {.kind = EXIT_FAULT, .fault = {.addr = addr, .error = error}};

	exit_fault(&ev.vcpu, &exit);
}

bool ev_tracked(u64 gpa)
{
	return slot->write_track[gpa >> PAGE_SHIFT];
}

void ev_code(const char *bytes, u32 len)
{
	memcpy(ev.code, bytes, len);
	ev.code_len = ev.page_end = len;
}

int ev_setup(void **state)
{
	struct pt_mode mode = {.fmt = &pt_formats[PT_FMT_LONG4],
			       .maxphyaddr = 40,
			       .nx = true,
			       .wp = true,
			       .ad = true};

	(void)state;
	memset(&ev, 0, sizeof(ev));
	env_reset();
	if (env_mmu_make(&ev.vm.mmu, NULL))
		return -1;
	slot = env_slot(&ev.vm.mmu, 0, 0, PAGES, 0, PG_LEVEL_2M);
	*ev_word(ROOT) = PDPT | EV_RWX;
	*ev_word(PDPT) = EV_PD | EV_RWX;
	*ev_word(EV_PD) = EV_PT | EV_RWX;
	*ev_word(EV_PT) = DATA | EV_RWX;
	*ev_word(EV_PT + 511 * 8) = EV_PD | EV_RWX;
	ev.vm.mem_bytes = PAGES * PAGE_SIZE;
	ev.vcpu.vm = &ev.vm;
	ev.vcpu.rip = EV_RIP;
	ev.vcpu.rflags = RFLAGS_FIXED;
	if (nested_mmu_load(&ev.vm.mmu, &ev.vcpu.nested, &mode, (gpa_t){ROOT}, true))
		return -1;
	env_watch_root(ev.vcpu.nested.root->spt);
	/* L2 touches its first page, and then what it has of the directory. */
	ev.vcpu.guest_mode = true;
	ev_fault(0, PFERR_U | PFERR_W);
	ev_fault(EV_L2_PD, PFERR_U);
	ev.vcpu.guest_mode = false;
	return ev_tracked(EV_PD) ? 0 : -1;
}

int ev_teardown(void **state)
{
	struct audit a = {0};
	int errors = (int)mmu_audit(&ev.vm.mmu, &a) + ev.badly;

	(void)state;
	nested_mmu_free(&ev.vm.mmu, &ev.vcpu.nested);
	return errors + env_mmu_end(&ev.vm.mmu);
}
