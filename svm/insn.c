// SPDX-License-Identifier: MIT
/* What it takes to carry out an instruction of the guest's: its bytes, segments and addresses. */
#include "lib/x86.h"
#include "svm/svm.h"

int svm_fetch_insn(struct vcpu *vcpu, u8 *code, u32 *have)
{
	return svm_fetch(to_svm(vcpu), code, have);
}

/* APM 2 4.5.3: in 64-bit code only FS and GS have a base. */
u8 svm_segment_bases(struct vcpu *vcpu, u64 base[SEG_GS + 1])
{
	const struct svm_vcpu *svm = to_svm(vcpu);
	const struct vmcb_save *s = &svm->vmcb->save;
	bool wide = svm_code_is_64bit(svm);

	base[SEG_ES] = wide ? 0 : s->es.base;
	base[SEG_CS] = wide ? 0 : s->cs.base;
	base[SEG_SS] = wide ? 0 : s->ss.base;
	base[SEG_DS] = wide ? 0 : s->ds.base;
	base[SEG_FS] = s->fs.base;
	base[SEG_GS] = s->gs.base;
	if (wide)
		return 64;
	return s->cs.attrib & VMCB_SEG_DB ? 32 : 16;
}

int svm_linear_to_gpa(struct vcpu *vcpu, u64 linear, bool write, gpa_t *gpa)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	u32 access = ACC_READ | (write ? ACC_WRITE : 0);
	struct pt_walk w;

	if (svm->vmcb->save.cpl == 3)
		access |= ACC_USER;
	if (svm_translate(svm, linear, access, &w)) {
		if (w.nested_fault)
			return -EAGAIN;
		svm->vmcb->save.cr2 = linear;
		svm_queue_exception(svm, EXC_PF, true, w.error);
		return -EFAULT;
	}
	*gpa = w.gpa;
	return 0;
}
