// SPDX-License-Identifier: MIT
/*
 * Memory operands of the VMX instructions, as the exit describes them: SDM 3C 27.2.5, tables 27-9
 * to 27-14. The exit comes before the access, so L0 makes its checks: SDM 3A 5.3 to 5.5,
 * and 3.3.7.1 in 64-bit code.
 */
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "vmx/asm.h"
#include "vmx/nested_check_internal.h"
#include "vmx/nested_insn.h"

/* Exit information of an instruction with a memory operand. */
#define INFO_SCALE    GENMASK(1, 0)
#define INFO_ADDRESS  7 /* size: 16, 32, 64 bits */
#define INFO_SEGMENT  15
#define INFO_INDEX    18
#define INFO_NO_INDEX BIT(22)
#define INFO_BASE     23
#define INFO_NO_BASE  BIT(27)

#define TYPE_CODE	  BIT(3)
#define TYPE_READ_WRITE	  BIT(1) /* of code: may be read; of data: may be written */
#define TYPE_EXPANDS_DOWN BIT(2) /* of data */

static u64 offset_of(const struct vmx_vcpu *vmx, u32 info)
{
	static const u64 masks[8] = {0xffff, 0xffffffff, ~0ull};
	u64 offset = vmcs_read(VMCS_exit_qualification); /* the displacement */

	if (!(info & INFO_NO_BASE))
		offset += vmx->vcpu.gpr[info >> INFO_BASE & 15];
	if (!(info & INFO_NO_INDEX))
		offset += vmx->vcpu.gpr[info >> INFO_INDEX & 15] << (info & INFO_SCALE);
	return offset & masks[info >> INFO_ADDRESS & 7];
}

static int refuse(struct vmx_vcpu *vmx, u32 segment)
{
	vmx_queue_exception(vmx, segment == SEG_SS ? EXC_SS : EXC_GP, true, 0);
	return -EFAULT;
}

/* The fields of the segment registers stand two apart, in the order of enum seg_reg. */
static u64 segment_field(enum vmcs_field of_es, u32 segment)
{
	return vmcs_read((enum vmcs_field)(of_es + 2 * segment));
}

static bool beyond_limit(u64 rights, u64 limit, u64 offset, u32 size)
{
	u64 last = offset + size - 1;

	if (!(rights & TYPE_CODE) && rights & TYPE_EXPANDS_DOWN)
		return offset <= limit || last > (rights & VMX_AR_DB ? 0xffffffff : 0xffff);
	return last > limit;
}

static int linear_in_segment(struct vmx_vcpu *vmx, u32 segment, u64 offset, u32 size, bool write,
			     u64 *linear)
{
	u64 rights = segment_field(VMCS_guest_es_ar, segment);
	u64 limit = segment_field(VMCS_guest_es_limit, segment);
	bool code = rights & TYPE_CODE, read_write = rights & TYPE_READ_WRITE;

	if (rights & VMX_AR_UNUSABLE || (write && (code || !read_write)) || (code && !read_write) ||
	    beyond_limit(rights, limit, offset, size))
		return refuse(vmx, segment);
	*linear = (u32)(segment_field(VMCS_guest_es_base, segment) + offset);
	return 0;
}

static int linear_of(struct vmx_vcpu *vmx, u32 size, bool write, u64 *linear)
{
	u32 info = (u32)vmcs_read(VMCS_exit_insn_info);
	u32 segment = info >> INFO_SEGMENT & 7;
	u64 offset = offset_of(vmx, info);

	if (!vmx_code_is_64bit())
		return linear_in_segment(vmx, segment, offset, size, write, linear);
	*linear = offset;
	if (segment >= SEG_FS)
		*linear += segment_field(VMCS_guest_es_base, segment);
	return vmx_canonical(*linear) && vmx_canonical(*linear + size - 1) ? 0
									   : refuse(vmx, segment);
}

/* Where there is no memory reads give all ones and writes go nowhere. */
static int copy(struct vmx_vcpu *vmx, u64 linear, void *buf, u32 size, bool write)
{
	gpa_t gpa;
	int err = vmx_linear_to_gpa(&vmx->vcpu, linear, write, &gpa);

	if (err)
		return err;
	if (write)
		(void)!guest_write(vmx_mmu(vmx), gpa, buf, size);
	else if (guest_read(vmx_mmu(vmx), gpa, buf, size))
		__builtin_memset(buf, 0xff, size);
	return 0;
}

/* The second page first: when it faults nothing was written. */
static int access(struct vmx_vcpu *vmx, u8 *buf, u32 size, bool write)
{
	u32 first;
	u64 linear;
	int err = linear_of(vmx, size, write, &linear);

	if (err)
		return err;
	first = MIN((u32)(PAGE_SIZE - linear % PAGE_SIZE), size);
	if (first < size)
		err = copy(vmx, linear + first, buf + first, size - first, write);
	return err ? err : copy(vmx, linear, buf, first, write);
}

int vmx_operand_read(struct vmx_vcpu *vmx, void *buf, u32 size)
{
	return access(vmx, buf, size, false);
}

int vmx_operand_write(struct vmx_vcpu *vmx, const void *buf, u32 size)
{
	u8 copy_of[8];

	__builtin_memcpy(copy_of, buf, size);
	return access(vmx, copy_of, size, true);
}
