// SPDX-License-Identifier: MIT
/* Breaks each rule of VM entry in turn, and each of VMX's instructions. See vmxcheck.h. */
#include "guests/vmxcheck.h"
#include "lib/printf.h"

#define TEST_DEVICE  0xe0
#define TEST_PRESENT 0xc1
#define MAPPED	     (64ul << 20) /* one to one, for L2 */

const char *const guest_options[] = {"test", "count", "seed", NULL};

struct vmx_vcpu vmxcheck_vcpu;

static u32 made, failed;
static u64 l2_stack;

/* Every field that software writes, as it is when all is valid. */
#define VMCS_FIELD(name, encoding, width, kind, seen, moves) IF_##kind(encoding)
#define IF_GUEST(encoding)				     (encoding),
#define IF_CONTROL(encoding)				     (encoding),
#define IF_HOST(encoding)				     (encoding),
#define IF_DATA(encoding)
const u16 vmxcheck_fields[] = {
#include "lib/vmcs_fields.def"
};
#undef VMCS_FIELD
const u32 vmxcheck_fields_nr = ARRAY_SIZE(vmxcheck_fields);
static u64 valid_values[ARRAY_SIZE(vmxcheck_fields)];

/* Fields that the processor lacks are left out by themselves. */
static void keep(void)
{
	for (u32 i = 0; i < vmxcheck_fields_nr; i++)
		vmx_vmread(vmxcheck_fields[i], &valid_values[i]);
}

void vmxcheck_restore(void)
{
	for (u32 i = 0; i < vmxcheck_fields_nr; i++)
		vmx_vmwrite(vmxcheck_fields[i], valid_values[i]);
}

void vmxcheck_renew(void)
{
	u64 *vmcs = vmxcheck_vcpu.vmcs;

	*(u32 *)vmcs = (u32)(rdmsr(MSR_VMX_BASIC) & VMX_BASIC_REVISION);
	if (vmx_vmclear((u64)vmcs) || vmx_vmptrld((u64)vmcs))
		die("VMCLEAR or VMPTRLD of the VMCS fails");
	vmxcheck_restore();
	vmxcheck_vcpu.launched = false;
	vmxcheck_valid();
}

void vmxcheck(const char *name, bool ok, const char *fmt, ...)
{
	char detail[120] = "";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	made++;
	failed += !ok;
	if (!ok)
		console_print("VMXCHECK %s: FAILED: %s\n", name, detail);
}

void vmxcheck_answer(const char *name, u32 got, u32 want)
{
	vmxcheck(name, got == want, "answer 0x%x, should be 0x%x", got, want);
}

void vmxcheck_skip(const char *name, const char *why)
{
	console_print("VMXCHECK %s: not tried: %s\n", name, why);
}

bool vmxcheck_bochs_differs(const char *name)
{
	if (inb(TEST_DEVICE) == TEST_PRESENT)
		return false;
	vmxcheck_skip(name, "Bochs answers otherwise");
	return true;
}

u32 vmxcheck_enter(void)
{
	u32 error, reason;

	interrupts_off();
	error = vmx_vcpu_enter(&vmxcheck_vcpu);
	if (error)
		return error;
	reason = (u32)vmcs_read(VMCS_exit_reason);
	if (reason & VMX_EXIT_FAILED)
		return (u32)vmcs_read(VMCS_exit_qualification) << 16 | (reason & VMX_EXIT_BASIC);
	return reason == VMX_EXIT_VMCALL ? RUNS : OTHER_EXIT(reason);
}

u32 vmxcheck_run(void)
{
	vmcs_write(VMCS_guest_rip, (u64)vmxcheck_l2);
	vmcs_write(VMCS_guest_rsp, l2_stack);
	return vmxcheck_enter();
}

void vmxcheck_valid(void)
{
	u32 answer = vmxcheck_run();

	if (answer != RUNS)
		die("a valid VMCS answers 0x%x", answer);
}

/* --- rows --- */

/* A bit that must be 0 (or 1), of those that MSR @cap rules. */
static u64 edited(const struct vmxcheck_edit *e, u64 old)
{
	u64 cap;

	switch (e->how) {
	case EDIT_SET:
		return e->value;
	case EDIT_ON:
		return old | e->value;
	case EDIT_OFF:
		return old & ~e->value;
	case EDIT_BELOW:
		return (1ull << (cpuid(CPUID_EXT8, 0).eax & 0xff)) - e->value;
	case EDIT_FORBID:
		cap = ~rdmsr((u32)e->value) >> 32;
		return old | (cap & -cap);
	case EDIT_REQUIRE:
		cap = (u32)rdmsr((u32)e->value);
		return old & ~(cap & -cap);
	}
	return old;
}

static void run_row(const struct vmxcheck_row *row)
{
	u64 old[VMXCHECK_EDITS];
	u32 n = 0, answer;

	for (; n < VMXCHECK_EDITS && row->edits[n].how; n++) {
		old[n] = vmcs_read(row->edits[n].field);
		vmcs_write(row->edits[n].field, edited(&row->edits[n], old[n]));
	}
	answer = vmxcheck_enter();
	while (n--)
		vmcs_write(row->edits[n].field, old[n]);
	if (answer == RUNS || answer & OTHER_EXIT(0))
		vmxcheck_restore();
	vmxcheck_answer(row->name, answer, row->answer);
	vmxcheck_valid();
}

/* Whether the processor has what the row needs, and nothing that makes it another row. */
static bool applies(const struct vmxcheck_row *row)
{
	u32 has = row->needs_msr ? (u32)(rdmsr(row->needs_msr) >> 32) : 0;

	return (has & row->needs) == row->needs && !(has & row->unless);
}

void vmxcheck_rows(const struct vmxcheck_row *rows, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		if (!applies(&rows[i]))
			vmxcheck_skip(rows[i].name, "not with this processor's controls");
		else if (!rows[i].bochs_differs || !vmxcheck_bochs_differs(rows[i].name))
			run_row(&rows[i]);
	}
}

static void init(void)
{
	static struct npt npt;
	struct virt_config config = {
		.cr3 = read_cr3(),
		.rip = (u64)vmxcheck_l2,
		.npt = &npt,
	};
	const char *missing = vmx_enable();

	if (missing)
		die("%s", missing);
	if ((cpuid(CPUID_EXT8, 0).eax & 0xff) > 51)
		die("this processor has 52 bits of physical address");
	l2_stack = (u64)pages_alloc(1) + PAGE_SIZE;
	npt_init_format(&npt, &npt_formats[NPT_EPT]);
	npt_map(&npt, 0, 0, MAPPED, 2, NPT_RW);
	vmx_vcpu_init(&vmxcheck_vcpu, &config);
	vmx_vcpu_host(&vmxcheck_vcpu);
}

#define IN_ALL 12 /* so many of these: the others do not return */
static void (*const tests[])(void) = {
	vmxcheck_controls, vmxcheck_host, vmxcheck_guest,  vmxcheck_segments, vmxcheck_lists,
	vmxcheck_insns,	   vmxcheck_ept,  vmxcheck_invept, vmxcheck_selfmap,  vmxcheck_memory,
	vmxcheck_exits,	   vmxcheck_fuzz, vmxcheck_abort,  vmxcheck_lost};

static const char *const names[] = {"all",   "controls", "host",   "guest",   "segments", "lists",
				    "insns", "ept",	 "invept", "selfmap", "memory",	  "exits",
				    "fuzz",  "abort",	 "lost",   NULL};

_Static_assert(ARRAY_SIZE(names) == ARRAY_SIZE(tests) + 2, "one name a test, all, and the end");

int guest_main(void)
{
	u32 which = option_choice("test", names);

	/* A PC's timer would interrupt: nobody asked for it. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	init();
	vmxcheck_valid();
	keep();
	for (u32 i = 0; i < ARRAY_SIZE(tests); i++)
		if (which ? which == i + 1 : i < IN_ALL)
			tests[i]();
	console_print("VMXCHECK %s: %u checks, %u failed\n", names[which], made, failed);
	return failed != 0;
}
