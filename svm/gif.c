// SPDX-License-Identifier: MIT
/*
 * L1's global interrupt flag. Where the processor has one for its guest (vGIF, APM 2 15.33.2) it is
 * in vmcb01 while L1 runs, and CLGI and STGI take no exit: what is physical goes by the real flag,
 * which is set, and what L0 has for L1 waits for an STGI that is intercepted for once. Else, and
 * while L2 runs, it is nested.gif.
 */
#include "svm/svm.h"

static bool in_vmcb01(const struct svm_vcpu *svm)
{
	return svm->vmcb01->control.vintr & V_GIF_ENABLE && !svm->vcpu.guest_mode;
}

bool svm_gif(const struct svm_vcpu *svm)
{
	if (in_vmcb01(svm))
		return svm->vmcb01->control.vintr & V_GIF;
	return svm->nested.gif;
}

void svm_gif_set(struct svm_vcpu *svm, bool on)
{
	struct vmcb_control *c = &svm->vmcb01->control;

	svm->nested.gif = on;
	if (!in_vmcb01(svm))
		return;
	c->vintr &= ~V_GIF;
	if (!on)
		return;
	c->vintr |= V_GIF;
	vmcb_intercept_clear(c, INTERCEPT_STGI);
}

void svm_gif_wait(struct svm_vcpu *svm)
{
	if (in_vmcb01(svm))
		vmcb_intercept_set(&svm->vmcb01->control, INTERCEPT_STGI);
}

/* Without EFER.SVME the two instructions are undefined: L0 sees to that. */
void svm_gif_place(struct svm_vcpu *svm)
{
	struct vmcb_control *c = &svm->vmcb01->control;

	c->vintr &= ~(V_GIF | V_GIF_ENABLE);
	vmcb_intercept_set(c, INTERCEPT_CLGI);
	vmcb_intercept_set(c, INTERCEPT_STGI);
	if (!(svm_host.features & SVM_FEATURE_VGIF) || !svm->nested.svme)
		return;
	c->vintr |= V_GIF_ENABLE | (svm->nested.gif ? V_GIF : 0);
	vmcb_intercept_clear(c, INTERCEPT_CLGI);
	vmcb_intercept_clear(c, INTERCEPT_STGI);
}
