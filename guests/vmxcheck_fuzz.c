// SPDX-License-Identifier: MIT
/*
 * VMCSs with random bits flipped, a valid one in between. L2 runs what they make of it; its
 * preemption timer ends it. What would have L1's own memory written, or L1 go on elsewhere, is left
 * alone.
 */
#include "guests/history.h"
#include "guests/vmxcheck_ept.h"

#define TIMER 2000

/* Bits that may be flipped, where not all may. */
static const struct {
	u16 field;
	u64 bits;
} limits[] = {
	{VMCS_exit_msr_store_addr, 0},
	{VMCS_exit_msr_store_count, 0},
	{VMCS_exit_msr_load_addr, 0},
	{VMCS_exit_msr_load_count, 0},
	{VMCS_entry_msr_load_addr, GENMASK(3, 0)},
	{VMCS_entry_msr_load_count, GENMASK(3, 0)},
	{VMCS_virtual_apic, GENMASK(11, 0)},
	{VMCS_apic_access, GENMASK(11, 0)},
	{VMCS_posted_intr_desc, 0},
	{VMCS_ve_info, 0},
	{VMCS_pml_address, GENMASK(11, 0)},
	{VMCS_ept_pointer, GENMASK(11, 0)},
	{VMCS_eptp_list, 0},
	{VMCS_guest_cr3, GENMASK(63, 48) | GENMASK(11, 0)},
	{VMCS_guest_rip, GENMASK(63, 32)},
	{VMCS_guest_rsp, GENMASK(63, 32)},
	{VMCS_guest_activity, BIT(0) | GENMASK(31, 2)}, /* nothing ends a wait for SIPI */
	{VMCS_preemption_timer, 0},
	{VMCS_pin_controls, ~(u64)(VMX_PIN_TIMER | VMX_PIN_INTR)},
};

static u64 allowed(u16 field)
{
	if ((field >> 10 & 3) == 3) /* the host's */
		return 0;
	for (u32 i = 0; i < ARRAY_SIZE(limits); i++)
		if (limits[i].field == field)
			return limits[i].bits;
	return ~0ul;
}

static void flip(u64 random)
{
	for (u64 n = 0; n <= (random & 7); n++) {
		u64 r = history_mix(random + n + 1), old;
		u16 field = vmxcheck_fields[r % vmxcheck_fields_nr];
		/* A few bits, or all of them anew. */
		u64 bits = r >> 20 & 7 ? BIT(r >> 32 & 63) | BIT(r >> 40 & 63) : history_mix(r);

		if (!vmx_vmread(field, &old))
			vmx_vmwrite(field, old ^ (bits & allowed(field)));
	}
}

void vmxcheck_fuzz(void)
{
	u64 count = option_u64("count", 2000), seed = option_u64("seed", 1);
	u64 pin = vmcs_read(VMCS_pin_controls), kinds[3] = {0, 0, 0};

	for (u64 i = 0; i < count; i++) {
		u32 answer;

		vmcs_write(VMCS_pin_controls, pin | VMX_PIN_TIMER);
		vmcs_write(VMCS_preemption_timer, TIMER);
		vmcs_write(VMCS_guest_rip, (u64)vmxcheck_l2);
		flip(history_mix(seed * 1000003 + i));
		answer = vmxcheck_enter();
		kinds[answer == RUNS ? 0 : answer & OTHER_EXIT(0) ? 1 : 2]++;
		vmxcheck_restore();
		vmxcheck_valid();
	}
	vmxcheck("VMCSs with random bits flipped", kinds[0] && kinds[1] && kinds[2],
		 "%lu ran, %lu other exits, %lu refused", kinds[0], kinds[1], kinds[2]);
	console_print("VMXCHECK fuzz: %lu ran, %lu other exits, %lu refused\n", kinds[0], kinds[1],
		      kinds[2]);
}
