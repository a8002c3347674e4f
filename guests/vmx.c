// SPDX-License-Identifier: MIT
/* Switching VMX on, a VMCS for a guest, its bitmaps and MSR lists. */
#include "guests/vmx.h"
#include "guests/guest.h"
#include "lib/string.h"

#define TABLE_LIMIT 0xffff /* what exits leave in GDTR and IDTR, SDM 3C 27.5.2 */
#define AR_CODE64   0xa09b
#define AR_DATA	    0xc093
#define AR_TSS64    0x008b
#define SEL_CODE    0x08
#define SEL_DATA    0x10
#define SEL_TSS	    0x18

u64 vmx_region;

u32 vmx_enter(struct virt_regs *regs, bool resume);
extern const char vmx_exit_point[];

static const u32 list_msrs[VMX_LIST_MSRS] = {MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK,
					     MSR_KERNEL_GS_BASE};

/* No firmware need have done it. False: it has, and left VMX out. */
static bool feature_control(void)
{
	u64 v = rdmsr(MSR_FEATURE_CONTROL);

	if (!(v & FEATURE_CONTROL_LOCK)) {
		v |= FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX;
		wrmsr(MSR_FEATURE_CONTROL, v);
	}
	return v & FEATURE_CONTROL_VMX;
}

/* Exits leave these limits: from now on they change no more. */
static void widen_tables(void)
{
	struct table_register gdtr = read_gdtr(), idtr = read_idtr();

	gdtr.limit = idtr.limit = TABLE_LIMIT;
	asm volatile("lgdt %0\n\tlidt %1" ::"m"(gdtr), "m"(idtr) : "memory");
}

static u64 *region(void)
{
	u64 *page = pages_alloc(1);

	*(u32 *)page = (u32)(rdmsr(MSR_VMX_BASIC) & VMX_BASIC_REVISION);
	return page;
}

const char *vmx_enable(void)
{
	if (!(cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_VMX))
		return "this processor has no VMX";
	if (!feature_control())
		return "VMX is switched off by the firmware (IA32_FEATURE_CONTROL)";
	if (!(rdmsr(MSR_VMX_BASIC) & VMX_BASIC_TRUE))
		return "this processor's VMX lacks the TRUE capability MSRs";
	if (~rdmsr(MSR_VMX_EPT_VPID_CAP) & (VMX_EPT_WALK_4 | VMX_EPT_WB | VMX_EPT_INVEPT))
		return "this processor's VMX has no EPT of 4 levels";
	widen_tables();
	write_cr4(read_cr4() | CR4_VMXE);
	vmx_region = (u64)region();
	if (vmx_vmxon(vmx_region))
		return "VMXON failed";
	return NULL;
}

u32 vmx_controls(u32 msr, u32 want)
{
	u64 v = rdmsr(msr);

	if (want & ~(u32)(v >> 32))
		die("this processor lacks VMX controls 0x%x of MSR 0x%x", want & ~(u32)(v >> 32),
		    msr);
	return want | (u32)v;
}

u64 vmx_eptp(u64 root, bool ad)
{
	return root | VMX_EPTP_WB | 3ul << VMX_EPTP_WALK_SHIFT | (ad ? VMX_EPTP_AD : 0);
}

static void init_nested(struct vmx_vcpu *v, const struct virt_config *c)
{
	u32 second = VMX_PROC2_VPID | (c->shadow ? 0 : (u32)VMX_PROC2_EPT);

	vmcs_write(VMCS_proc_controls_2, vmx_controls(MSR_VMX_PROC2, second));
	vmcs_write(VMCS_vpid, 1);
	vmcs_write(VMCS_guest_cr3, c->cr3);
	if (!c->shadow) {
		vmcs_write(VMCS_ept_pointer,
			   vmx_eptp((u64)c->npt->root, !c->no_ad && v->caps & VMX_EPT_AD));
		return;
	}
	/* The same tables, but where the processor looks for L2's own. */
	vmcs_write(VMCS_guest_cr3, (u64)c->npt->root);
	vmcs_write(VMCS_exception_bitmap, BIT(EXC_PF));
}

static void init_controls(struct vmx_vcpu *v, const struct virt_config *c)
{
	u32 pin = VMX_PIN_INTR | VMX_PIN_NMI, proc, exit, entry;

	proc = VMX_PROC_MWAIT | VMX_PROC_MONITOR | VMX_PROC_IO_BITMAPS | VMX_PROC_MSR_BITMAPS |
	       (u32)VMX_PROC_SECONDARY;
	if (c->halts)
		pin |= VMX_PIN_TIMER; /* L2 may halt for ever otherwise */
	else
		proc |= VMX_PROC_HLT;
	exit = VMX_EXIT_CTL_SAVE_DEBUG | VMX_EXIT_CTL_HOST_64 | VMX_EXIT_CTL_SAVE_PAT |
	       VMX_EXIT_CTL_LOAD_PAT | VMX_EXIT_CTL_SAVE_EFER | VMX_EXIT_CTL_LOAD_EFER;
	entry = VMX_ENTRY_LOAD_DEBUG | VMX_ENTRY_IA32E | VMX_ENTRY_LOAD_PAT | VMX_ENTRY_LOAD_EFER;
	vmcs_write(VMCS_pin_controls, vmx_controls(MSR_VMX_TRUE_PIN, pin));
	vmcs_write(VMCS_proc_controls, vmx_controls(MSR_VMX_TRUE_PROC, proc));
	vmcs_write(VMCS_exit_controls, vmx_controls(MSR_VMX_TRUE_EXIT, exit));
	vmcs_write(VMCS_entry_controls, vmx_controls(MSR_VMX_TRUE_ENTRY, entry));
	vmcs_write(VMCS_io_bitmap_a, (u64)v->io_bitmaps);
	vmcs_write(VMCS_io_bitmap_b, (u64)v->io_bitmaps + PAGE_SIZE);
	vmcs_write(VMCS_msr_bitmap, (u64)v->msr_bitmap);
	vmcs_write(VMCS_entry_msr_load_addr, (u64)v->l2_msrs);
	vmcs_write(VMCS_entry_msr_load_count, VMX_LIST_MSRS);
	vmcs_write(VMCS_exit_msr_store_addr, (u64)v->l2_msrs);
	vmcs_write(VMCS_exit_msr_store_count, VMX_LIST_MSRS);
	vmcs_write(VMCS_exit_msr_load_addr, (u64)v->l1_msrs);
	vmcs_write(VMCS_exit_msr_load_count, VMX_LIST_MSRS);
	vmcs_write(VMCS_cr4_mask, CR4_VMXE); /* L2 reads it as clear */
}

static void init_segments(void)
{
	static const u16 plain[] = {VMCS_guest_es_selector, VMCS_guest_ss_selector,
				    VMCS_guest_ds_selector, VMCS_guest_fs_selector,
				    VMCS_guest_gs_selector};

	for (u32 i = 0; i < ARRAY_SIZE(plain); i++) {
		u32 n = plain[i] - VMCS_guest_es_selector;

		vmcs_write(plain[i], SEL_DATA);
		vmcs_write(VMCS_guest_es_limit + n, 0xffffffff);
		vmcs_write(VMCS_guest_es_ar + n, AR_DATA);
	}
	vmcs_write(VMCS_guest_cs_selector, SEL_CODE);
	vmcs_write(VMCS_guest_cs_limit, 0xffffffff);
	vmcs_write(VMCS_guest_cs_ar, AR_CODE64);
	vmcs_write(VMCS_guest_ldtr_ar, VMX_AR_UNUSABLE);
	vmcs_write(VMCS_guest_tr_limit, 0xffff);
	vmcs_write(VMCS_guest_tr_ar, AR_TSS64);
}

static void init_guest(const struct virt_config *c)
{
	init_segments();
	vmcs_write(VMCS_guest_cr0, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	vmcs_write(VMCS_guest_cr4, CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_VMXE);
	vmcs_write(VMCS_guest_efer, EFER_SCE | EFER_NXE | EFER_LME | EFER_LMA);
	vmcs_write(VMCS_guest_pat, PAT_INIT);
	vmcs_write(VMCS_guest_dr7, DR7_INIT);
	vmcs_write(VMCS_guest_rflags, RFLAGS_FIXED);
	vmcs_write(VMCS_guest_rip, c->rip);
	vmcs_write(VMCS_guest_rsp, c->rsp);
	vmcs_write(VMCS_link_pointer, ~0ul);
}

void vmx_vcpu_init(struct vmx_vcpu *v, const struct virt_config *c)
{
	memset(v, 0, sizeof(*v));
	v->caps = rdmsr(MSR_VMX_EPT_VPID_CAP);
	v->vmcs = region();
	v->io_bitmaps = pages_alloc(2);
	v->msr_bitmap = pages_alloc(1);
	v->l2_msrs = pages_alloc(1);
	v->l1_msrs = v->l2_msrs + VMX_LIST_MSRS;
	memset(v->io_bitmaps, 0xff, 2 * PAGE_SIZE);
	for (u32 i = 0; i < VMX_LIST_MSRS; i++)
		v->l2_msrs[i].index = v->l1_msrs[i].index = list_msrs[i];
	if (vmx_vmclear((u64)v->vmcs) || vmx_vmptrld((u64)v->vmcs))
		die("VMCLEAR or VMPTRLD failed");
	init_controls(v, c);
	init_nested(v, c);
	init_guest(c);
}

/* The base in the GDT's descriptor for @selector, of a 64-bit TSS. */
static u64 tss_base(u16 selector)
{
	const u64 *d = (const u64 *)(read_gdtr().base + selector);

	return (d[0] >> 16 & 0xffffff) | (d[0] >> 56) << 24 | d[1] << 32;
}

void vmx_vcpu_host(struct vmx_vcpu *v)
{
	for (u32 i = 0; i < VMX_LIST_MSRS; i++)
		v->l1_msrs[i].value = rdmsr(list_msrs[i]);
	vmcs_write(VMCS_host_cr0, read_cr0());
	vmcs_write(VMCS_host_cr3, read_cr3());
	vmcs_write(VMCS_host_cr4, read_cr4());
	vmcs_write(VMCS_host_efer, rdmsr(MSR_EFER));
	vmcs_write(VMCS_host_pat, rdmsr(MSR_PAT));
	vmcs_write(VMCS_host_cs_selector, SEL_CODE);
	vmcs_write(VMCS_host_ss_selector, SEL_DATA);
	vmcs_write(VMCS_host_ds_selector, SEL_DATA);
	vmcs_write(VMCS_host_es_selector, SEL_DATA);
	vmcs_write(VMCS_host_tr_selector, SEL_TSS);
	vmcs_write(VMCS_host_tr_base, tss_base(SEL_TSS));
	vmcs_write(VMCS_host_fs_base, rdmsr(MSR_FS_BASE));
	vmcs_write(VMCS_host_gs_base, rdmsr(MSR_GS_BASE));
	vmcs_write(VMCS_host_gdtr_base, read_gdtr().base);
	vmcs_write(VMCS_host_idtr_base, read_idtr().base);
	vmcs_write(VMCS_host_sysenter_cs, rdmsr(MSR_SYSENTER_CS));
	vmcs_write(VMCS_host_sysenter_esp, rdmsr(MSR_SYSENTER_ESP));
	vmcs_write(VMCS_host_sysenter_eip, rdmsr(MSR_SYSENTER_EIP));
	vmcs_write(VMCS_host_rip, (u64)vmx_exit_point);
}

u32 vmx_vcpu_enter(struct vmx_vcpu *v)
{
	u32 how = vmx_enter(&v->regs, v->launched);

	if (!how) {
		v->launched = v->launched || !(vmcs_read(VMCS_exit_reason) & VMX_EXIT_FAILED);
		return 0;
	}
	return how == 1 ? VMX_FAIL_INVALID : (u32)vmcs_read(VMCS_insn_error);
}

void vmx_bitmap_port(struct vmx_vcpu *v, u16 port, bool exits)
{
	if (exits)
		v->io_bitmaps[port / 8] |= (u8)(1u << (port % 8));
	else
		v->io_bitmaps[port / 8] &= (u8) ~(1u << (port % 8));
}

static void set_bit(u8 *bytes, u32 n, bool on)
{
	bytes[n / 8] = (u8)((bytes[n / 8] & ~(1u << (n % 8))) | (u32)on << (n % 8));
}

/* SDM 3C 24.6.9: reads of both ranges, then writes. What lies in neither exits always. */
void vmx_bitmap_msr(struct vmx_vcpu *v, u32 msr, bool read, bool write)
{
	u32 high = msr >> 31;

	if ((msr & ~BIT(31) & ~BIT(30)) >= 8192)
		return;
	set_bit(v->msr_bitmap + high * 1024, msr & 0x1fff, read);
	set_bit(v->msr_bitmap + 2048 + high * 1024, msr & 0x1fff, write);
}
