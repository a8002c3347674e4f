// SPDX-License-Identifier: MIT
/* objects: vmx/fpu.o vmx/fields.o tests/host/fake_vmx.o */
/* Registers that no VMCS holds: each vCPU finds its own when it has the processor again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "tests/host/fake_vmx.h"
#include "vmx/vmx.h"

struct vmx_host vmx_host;
struct vmx_cpu vmx_cpus[MAX_CPUS];

static u8 fpu[VCPU_FPU_SIZE]; /* the processor's */
static u64 xcr0;

void fpu_save(void *area, u64 *to)
{
	memcpy(area, fpu, sizeof(fpu));
	*to = xcr0;
}

void fpu_load(const void *area, u64 from)
{
	memcpy(fpu, area, sizeof(fpu));
	xcr0 = from;
}

static const u32 msrs[] = {MSR_STAR,   MSR_LSTAR,	   MSR_CSTAR,
			   MSR_SFMASK, MSR_KERNEL_GS_BASE, MSR_TSC_AUX};

/* What the guest with this number has in its registers. */
static void registers_set(u64 n)
{
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		*fake_msr(msrs[i]) = n << 32 | msrs[i];
	for (u32 i = 0; i < 8; i++)
		fake_cpu.dr[i] = n << 32 | i;
	fake_cpu.cr2 = n;
	memset(fpu, (int)n, sizeof(fpu));
	xcr0 = n;
}

static void assert_registers(u64 n)
{
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		assert_true(*fake_msr(msrs[i]) == (n << 32 | msrs[i]));
	for (u32 i = 0; i < 8; i++)
		if (i < 4 || i == 6) /* DR7 is the VMCS's */
			assert_true(fake_cpu.dr[i] == (n << 32 | i));
	assert_true(fake_cpu.cr2 == n && xcr0 == n);
	assert_true(fpu[0] == n && fpu[VCPU_FPU_SIZE - 1] == n);
}

static struct vmx_vcpu *vcpu_new(void)
{
	struct vmx_vcpu *vmx = calloc(1, sizeof(*vmx));

	vmx->vcpu.fpu = calloc(1, VCPU_FPU_SIZE);
	return vmx;
}

static void vcpu_delete(struct vmx_vcpu *vmx)
{
	free(vmx->vcpu.fpu);
	free(vmx);
}

static void test_exchange(void **state)
{
	struct vmx_vcpu *a, *b;
	struct vmx_cpu *cpu = &vmx_cpus[0];

	(void)state;
	fake_vmx_init();
	vmx_host.tsc_aux = true;
	*cpu = (struct vmx_cpu){0};
	a = vcpu_new();
	b = vcpu_new();
	vmx_cpu_take(cpu, a);
	assert_ptr_equal(cpu->owner, a);
	registers_set(1);
	vmx_cpu_take(cpu, b);
	assert_true(fake_cpu.cr2 == 0 && *fake_msr(MSR_STAR) == 0 && fpu[0] == 0);
	registers_set(2);
	vmx_cpu_take(cpu, a);
	assert_registers(1);
	vmx_cpu_release(a);
	assert_null(cpu->owner);
	registers_set(3);   /* somebody else's */
	vmx_cpu_release(a); /* not the owner: nothing is saved */
	vmx_cpu_take(cpu, b);
	assert_registers(2);
	vmx_cpu_take(cpu, a);
	assert_registers(1);
	vcpu_delete(a);
	vcpu_delete(b);
}

/* A vCPU's CR2 and DR6 are where it is: in the registers, or in memory. */
static void test_set(void **state)
{
	struct vmx_vcpu *a, *b;
	struct vmx_cpu *cpu = &vmx_cpus[0];

	(void)state;
	fake_vmx_init();
	*cpu = (struct vmx_cpu){0};
	a = vcpu_new();
	b = vcpu_new();
	vmx_cpu_take(cpu, a);
	vmx_set_cr2(a, 5);
	vmx_set_cr2(b, 6);
	fake_cpu.dr[6] = 0xf;
	vmx_set_dr6(a, 3, BIT(14));
	b->regs.dr6 = 0x5;
	vmx_set_dr6(b, 1, 2);
	assert_true(fake_cpu.cr2 == 5 && fake_cpu.dr[6] == (BIT(14) | 0xc));
	vmx_cpu_take(cpu, b);
	assert_true(fake_cpu.cr2 == 6 && fake_cpu.dr[6] == 6);
	vmx_cpu_save(b);
	assert_ptr_equal(cpu->owner, b);
	fake_cpu.cr2 = 7;
	vmx_cpu_save(b);
	assert_int_equal(b->regs.cr2, 7);
	vcpu_delete(a);
	vcpu_delete(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
