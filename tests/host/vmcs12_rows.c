// SPDX-License-Identifier: MIT
/* The vmcs12s that tests start from. The numbers are the manual's: SDM 3C 24, 3D Appendix A. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/vmcs12_rows.h"

/* A capability MSR: the low half must be 1, the high half may be. */
#define FREE 0xffffffff00000000ull

const struct vmx_limits vmcs12_limits = {
	.misc = 0x200401e5 | 1u << 30, /* 4 CR3 targets, all activity states, length 0 injected */
	.ept_vpid = 0xf0106334141ull,  /* WB, 4 levels, 2M, 1G, A/D, INVEPT; INVVPID */
	.pin = 0x7f00000016ull,
	.proc = 0xfff9fffe04006172ull,
	.proc2 = FREE,
	.exit = 0x7fffff00036dfbull,
	.entry = 0xf3ff000011fbull, /* neither SMM nor the dual-monitor treatment */
	.cr0_fixed0 = 0x80000021,   /* PG, NE, PE */
	.cr0_fixed1 = 0xffffffff,
	.cr4_fixed0 = 0x2000, /* VMXE */
	.cr4_fixed1 = 0x3727ff,
	.efer_allowed = 0xd01,
	.maxphyaddr = 40,
};

struct vmcs12 vmcs12_good(void)
{
	return (struct vmcs12){
		.pin_controls = 0x16,
		.proc_controls = 0x84006172, /* secondary controls */
		.proc_controls_2 = 0x82,     /* EPT, unrestricted guest */
		.exit_controls = 0x36ffb,    /* 64-bit host */
		.entry_controls = 0x13fb,    /* IA-32e guest */
		.ept_pointer = 0x10000 | 3 << 3 | 6,
		.link_pointer = ~0ull,

		.host_cr0 = 0x80000021,
		.host_cr4 = 0x2020,
		.host_cr3 = 0x1000,
		.host_cs_selector = 0x08,
		.host_ss_selector = 0x10,
		.host_tr_selector = 0x18,
		.host_rip = 0xffff800000001000,
		.host_pat = 0x0007040600070406,
		.host_efer = 0x500,

		.guest_cr0 = 0x80000021,
		.guest_cr4 = 0x2020,
		.guest_cr3 = 0x1000,
		.guest_rflags = 0x2,
		.guest_rip = 0x400000,
		.guest_pat = 0x0007040600070406,
		.guest_efer = 0x500,
		.guest_cs_selector = 0x08,
		.guest_cs_ar = 0xa09b, /* G, L, P, code */
		.guest_cs_limit = 0xffffffff,
		.guest_ss_ar = 0xc093,
		.guest_ss_limit = 0xffffffff,
		.guest_ds_ar = 0x10000,
		.guest_es_ar = 0x10000,
		.guest_fs_ar = 0x10000,
		.guest_gs_ar = 0x10000,
		.guest_ldtr_ar = 0x10000,
		.guest_tr_ar = 0x8b,
		.guest_tr_limit = 0x67,
	};
}

struct vmcs12 vmcs12_good_real(void)
{
	struct vmcs12 v = vmcs12_good();

	v.entry_controls = 0x11fb;
	v.guest_cr0 = 0x20;
	v.guest_cr4 = 0x2000;
	v.guest_efer = 0;
	v.guest_cs_ar = v.guest_ss_ar = 0x93;
	v.guest_cs_limit = v.guest_ss_limit = 0xffff;
	return v;
}

struct vmcs12 vmcs12_good_v86(void)
{
	struct vmcs12 v = vmcs12_good();

	v.entry_controls = 0x11fb;
	v.guest_efer = 0;
	v.guest_cr4 = 0x2000;
	v.guest_rflags = 0x20002;
	v.guest_es_ar = v.guest_cs_ar = v.guest_ss_ar = 0xf3;
	v.guest_ds_ar = v.guest_fs_ar = v.guest_gs_ar = 0xf3;
	v.guest_es_limit = v.guest_cs_limit = v.guest_ss_limit = 0xffff;
	v.guest_ds_limit = v.guest_fs_limit = v.guest_gs_limit = 0xffff;
	v.guest_cs_base = 0x80;
	return v;
}

struct vmcs12 vmcs12_good_pae(void)
{
	struct vmcs12 v = vmcs12_good();

	v.entry_controls = 0x11fb;
	v.guest_efer = 0;
	v.guest_cs_ar = 0xc09b;
	return v;
}

struct vmcs12 vmcs12_good_32(void)
{
	struct vmcs12 v = vmcs12_good_pae();

	v.exit_controls = 0x36dfb;
	v.host_rip = 0x1000;
	v.host_efer = 0;
	return v;
}

void vmcs12_apply(struct vmcs12 *v, const struct row *r)
{
	for (int i = 0; i < 4 && r->c[i].size; i++)
		memcpy((char *)v + r->c[i].offset, &r->c[i].value, r->c[i].size);
}

int vmcs12_compare(const char *table, size_t i, const char *want, const char *got)
{
	if (want == got || (want && got && !strcmp(want, got)))
		return 0;
	print_error("%s row %zu: \"%s\" expected, \"%s\" found\n", table, i, want ? want : "good",
		    got ? got : "good");
	return 1;
}
