/* SPDX-License-Identifier: MIT */
/*
 * AMD's virtual machine control block (APM 2, Appendix B), field by field; lib/svm.h, which
 * comes with it, has the bits and numbers that stand in the fields. Used by L0's svm/ and by
 * the guests.
 */
#pragma once

#include "lib/svm.h"
#include "lib/types.h"

struct vmcb_seg {
	u16 selector;
	u16 attrib;
	u32 limit; /* bytes, already expanded by G */
	u64 base;
};

struct vmcb_control {
	u32 intercepts[6];    /* 000 bit n: intercept with exit code n */
	u8 reserved_018[36];  /* 018 */
	u16 pause_threshold;  /* 03c */
	u16 pause_count;      /* 03e */
	u64 iopm_base;	      /* 040 physical */
	u64 msrpm_base;	      /* 048 physical */
	u64 tsc_offset;	      /* 050 */
	u32 asid;	      /* 058 */
	u8 tlb_control;	      /* 05c */
	u8 reserved_05d[3];   /* 05d */
	u64 vintr;	      /* 060 */
	u64 int_state;	      /* 068 */
	u64 exit_code;	      /* 070 */
	u64 exit_info_1;      /* 078 */
	u64 exit_info_2;      /* 080 */
	u64 exit_int_info;    /* 088 */
	u64 nested_ctl;	      /* 090 */
	u64 avic_bar;	      /* 098 */
	u64 ghcb;	      /* 0a0 */
	u64 event_inj;	      /* 0a8 */
	u64 ncr3;	      /* 0b0 physical */
	u64 virt_ext;	      /* 0b8 */
	u32 clean;	      /* 0c0 */
	u32 reserved_0c4;     /* 0c4 */
	u64 next_rip;	      /* 0c8 */
	u8 insn_len;	      /* 0d0 bytes fetched */
	u8 insn_bytes[15];    /* 0d1 */
	u64 avic_backing;     /* 0e0 */
	u64 reserved_0e8;     /* 0e8 */
	u64 avic_logical;     /* 0f0 */
	u64 avic_physical;    /* 0f8 */
	u64 reserved_100;     /* 100 */
	u64 vmsa;	      /* 108 */
	u8 reserved_110[752]; /* 110 */
};

struct vmcb_save {
	struct vmcb_seg es;    /* 000 */
	struct vmcb_seg cs;    /* 010 */
	struct vmcb_seg ss;    /* 020 */
	struct vmcb_seg ds;    /* 030 */
	struct vmcb_seg fs;    /* 040 VMLOAD/VMSAVE */
	struct vmcb_seg gs;    /* 050 VMLOAD/VMSAVE */
	struct vmcb_seg gdtr;  /* 060 */
	struct vmcb_seg ldtr;  /* 070 VMLOAD/VMSAVE */
	struct vmcb_seg idtr;  /* 080 */
	struct vmcb_seg tr;    /* 090 VMLOAD/VMSAVE */
	u8 reserved_0a0[43];   /* 0a0 */
	u8 cpl;		       /* 0cb */
	u32 reserved_0cc;      /* 0cc */
	u64 efer;	       /* 0d0 */
	u8 reserved_0d8[112];  /* 0d8 */
	u64 cr4;	       /* 148 */
	u64 cr3;	       /* 150 */
	u64 cr0;	       /* 158 */
	u64 dr7;	       /* 160 */
	u64 dr6;	       /* 168 */
	u64 rflags;	       /* 170 */
	u64 rip;	       /* 178 */
	u8 reserved_180[88];   /* 180 */
	u64 rsp;	       /* 1d8 */
	u64 s_cet;	       /* 1e0 */
	u64 ssp;	       /* 1e8 */
	u64 isst_addr;	       /* 1f0 */
	u64 rax;	       /* 1f8 */
	u64 star;	       /* 200 VMLOAD/VMSAVE, up to sysenter_eip */
	u64 lstar;	       /* 208 */
	u64 cstar;	       /* 210 */
	u64 sfmask;	       /* 218 */
	u64 kernel_gs_base;    /* 220 */
	u64 sysenter_cs;       /* 228 */
	u64 sysenter_esp;      /* 230 */
	u64 sysenter_eip;      /* 238 */
	u64 cr2;	       /* 240 */
	u8 reserved_248[32];   /* 248 */
	u64 g_pat;	       /* 268 */
	u64 dbgctl;	       /* 270 */
	u64 br_from;	       /* 278 */
	u64 br_to;	       /* 280 */
	u64 last_excp_from;    /* 288 */
	u64 last_excp_to;      /* 290 */
	u8 reserved_298[72];   /* 298 */
	u64 spec_ctrl;	       /* 2e0 */
	u8 reserved_2e8[2328]; /* 2e8 to the end of the page */
};

struct vmcb {
	struct vmcb_control control; /* 000 */
	struct vmcb_save save;	     /* 400 */
} __aligned(4096);

#define VMCB_CONTROL_AT(field, at) \
	_Static_assert(offsetof(struct vmcb, control.field) == (at), "VMCB control." #field)
#define VMCB_SAVE_AT(field, at) \
	_Static_assert(offsetof(struct vmcb, save.field) == 0x400 + (at), "VMCB save." #field)

VMCB_CONTROL_AT(intercepts, 0x000);
VMCB_CONTROL_AT(reserved_018, 0x018);
VMCB_CONTROL_AT(pause_threshold, 0x03c);
VMCB_CONTROL_AT(pause_count, 0x03e);
VMCB_CONTROL_AT(iopm_base, 0x040);
VMCB_CONTROL_AT(msrpm_base, 0x048);
VMCB_CONTROL_AT(tsc_offset, 0x050);
VMCB_CONTROL_AT(asid, 0x058);
VMCB_CONTROL_AT(tlb_control, 0x05c);
VMCB_CONTROL_AT(reserved_05d, 0x05d);
VMCB_CONTROL_AT(vintr, 0x060);
VMCB_CONTROL_AT(int_state, 0x068);
VMCB_CONTROL_AT(exit_code, 0x070);
VMCB_CONTROL_AT(exit_info_1, 0x078);
VMCB_CONTROL_AT(exit_info_2, 0x080);
VMCB_CONTROL_AT(exit_int_info, 0x088);
VMCB_CONTROL_AT(nested_ctl, 0x090);
VMCB_CONTROL_AT(avic_bar, 0x098);
VMCB_CONTROL_AT(ghcb, 0x0a0);
VMCB_CONTROL_AT(event_inj, 0x0a8);
VMCB_CONTROL_AT(ncr3, 0x0b0);
VMCB_CONTROL_AT(virt_ext, 0x0b8);
VMCB_CONTROL_AT(clean, 0x0c0);
VMCB_CONTROL_AT(reserved_0c4, 0x0c4);
VMCB_CONTROL_AT(next_rip, 0x0c8);
VMCB_CONTROL_AT(insn_len, 0x0d0);
VMCB_CONTROL_AT(insn_bytes, 0x0d1);
VMCB_CONTROL_AT(avic_backing, 0x0e0);
VMCB_CONTROL_AT(reserved_0e8, 0x0e8);
VMCB_CONTROL_AT(avic_logical, 0x0f0);
VMCB_CONTROL_AT(avic_physical, 0x0f8);
VMCB_CONTROL_AT(reserved_100, 0x100);
VMCB_CONTROL_AT(vmsa, 0x108);
VMCB_CONTROL_AT(reserved_110, 0x110);

VMCB_SAVE_AT(es, 0x000);
VMCB_SAVE_AT(cs, 0x010);
VMCB_SAVE_AT(ss, 0x020);
VMCB_SAVE_AT(ds, 0x030);
VMCB_SAVE_AT(fs, 0x040);
VMCB_SAVE_AT(gs, 0x050);
VMCB_SAVE_AT(gdtr, 0x060);
VMCB_SAVE_AT(ldtr, 0x070);
VMCB_SAVE_AT(idtr, 0x080);
VMCB_SAVE_AT(tr, 0x090);
VMCB_SAVE_AT(reserved_0a0, 0x0a0);
VMCB_SAVE_AT(cpl, 0x0cb);
VMCB_SAVE_AT(reserved_0cc, 0x0cc);
VMCB_SAVE_AT(efer, 0x0d0);
VMCB_SAVE_AT(reserved_0d8, 0x0d8);
VMCB_SAVE_AT(cr4, 0x148);
VMCB_SAVE_AT(cr3, 0x150);
VMCB_SAVE_AT(cr0, 0x158);
VMCB_SAVE_AT(dr7, 0x160);
VMCB_SAVE_AT(dr6, 0x168);
VMCB_SAVE_AT(rflags, 0x170);
VMCB_SAVE_AT(rip, 0x178);
VMCB_SAVE_AT(reserved_180, 0x180);
VMCB_SAVE_AT(rsp, 0x1d8);
VMCB_SAVE_AT(s_cet, 0x1e0);
VMCB_SAVE_AT(ssp, 0x1e8);
VMCB_SAVE_AT(isst_addr, 0x1f0);
VMCB_SAVE_AT(rax, 0x1f8);
VMCB_SAVE_AT(star, 0x200);
VMCB_SAVE_AT(lstar, 0x208);
VMCB_SAVE_AT(cstar, 0x210);
VMCB_SAVE_AT(sfmask, 0x218);
VMCB_SAVE_AT(kernel_gs_base, 0x220);
VMCB_SAVE_AT(sysenter_cs, 0x228);
VMCB_SAVE_AT(sysenter_esp, 0x230);
VMCB_SAVE_AT(sysenter_eip, 0x238);
VMCB_SAVE_AT(cr2, 0x240);
VMCB_SAVE_AT(reserved_248, 0x248);
VMCB_SAVE_AT(g_pat, 0x268);
VMCB_SAVE_AT(dbgctl, 0x270);
VMCB_SAVE_AT(br_from, 0x278);
VMCB_SAVE_AT(br_to, 0x280);
VMCB_SAVE_AT(last_excp_from, 0x288);
VMCB_SAVE_AT(last_excp_to, 0x290);
VMCB_SAVE_AT(reserved_298, 0x298);
VMCB_SAVE_AT(spec_ctrl, 0x2e0);
VMCB_SAVE_AT(reserved_2e8, 0x2e8);

_Static_assert(sizeof(struct vmcb_seg) == 16, "VMCB segment");
_Static_assert(sizeof(struct vmcb_control) == 0x400, "VMCB control area");
_Static_assert(sizeof(struct vmcb) == PAGE_SIZE, "VMCB is one page");

#undef VMCB_CONTROL_AT
#undef VMCB_SAVE_AT

static inline void vmcb_intercept_set(struct vmcb_control *c, u32 bit)
{
	c->intercepts[bit / 32] |= 1u << (bit % 32);
}

static inline void vmcb_intercept_clear(struct vmcb_control *c, u32 bit)
{
	c->intercepts[bit / 32] &= ~(1u << (bit % 32));
}

static inline bool vmcb_intercept_test(const struct vmcb_control *c, u32 bit)
{
	return c->intercepts[bit / 32] >> (bit % 32) & 1;
}
