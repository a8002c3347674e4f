// SPDX-License-Identifier: MIT
/*
 * What the processor may have cached for L2, by what L1 calls it. L1 tags translations with a VPID
 * and an EPT pointer, and each pair has a VPID of the processor's for its own: a nested transition
 * flushes nothing but what L1 has asked for, SDM 3C 28.3.3.
 */
#include "vmx/vmx.h"

static bool is(const struct vmx_l1_tag *t, u16 vpid, u64 eptp)
{
	return t->vpid == vpid && t->eptp == eptp;
}

/*
 * One place for each pair; another pair that shares it pushes it out, which costs flushes only. A
 * vCPU's first tags are zeros, and as new as those.
 */
struct vmx_l1_tag *vmx_l1_tag_get(struct vmx_vcpu *vmx, u16 vpid, u64 eptp)
{
	struct vmx_l1_tag *t = &vmx->l1_tags[(vpid + eptp / PAGE_SIZE) % VMX_L1_TAGS];

	if (unlikely(!is(t, vpid, eptp))) {
		/* Its number is another's: generation 0 has it take a new one, all flushed. */
		*t = (struct vmx_l1_tag){.vpid = vpid, .eptp = eptp};
	}
	t->hw.tag.kind = TAG_NESTED;
	return t;
}

/*
 * 28.3.3.1: without a VPID L2 has number 0, as L1 has, and both transitions flush what is linear
 * under it.
 */
void vmx_l1_tag_enter(struct vmx_vcpu *vmx, struct vmx_l1_tag *t, u64 eptp)
{
	/* Nobody has flushed for this tag what others may have left behind under this pointer. */
	if (unlikely(t->hw.eptp != eptp)) {
		t->hw.eptp = eptp;
		t->hw.tag.must_flush = true;
	}
	if (!t->vpid)
		t->hw.linear_stale = true;
	vmx->l1_tag = t;
	vmx->vpid = &t->hw;
}

void vmx_l1_tag_exit(struct vmx_vcpu *vmx)
{
	if (!vmx->l1_tag->vpid)
		vmx->vpid01.linear_stale = true;
	vmx->l1_tag = NULL;
	vmx->vpid = &vmx->vpid01;
}

/*
 * What the tables grant less than before is flushed when the shadow is brought up to date, so all
 * that L1's INVEPT asks for is that.
 */
void vmx_l1_tags_invept(struct vmx_vcpu *vmx, bool all, u64 eptp)
{
	for (u32 i = 0; i < VMX_L1_TAGS; i++) {
		struct vmx_l1_tag *t = &vmx->l1_tags[i];

		/* 28.3.1: the address in the pointer is what counts. */
		if (all || t->eptp / PAGE_SIZE == eptp / PAGE_SIZE)
			t->synced = false;
	}
}

/*
 * All addresses, global ones too: it may be more than what was asked for, 28.3.3.3. What has no
 * VPID is flushed by each transition.
 */
void vmx_l1_tags_invvpid(struct vmx_vcpu *vmx, bool all, u16 vpid)
{
	for (u32 i = 0; i < VMX_L1_TAGS; i++) {
		struct vmx_l1_tag *t = &vmx->l1_tags[i];

		if (all || t->vpid == vpid)
			t->hw.linear_stale = true;
	}
}
