// SPDX-License-Identifier: MIT
/*
 * Decodes just what vmx/asm.h contains (registers only, or memory at (%rax)), and of kernel/cpu.h
 * what vmx/fpu.c uses.
 */
#define _GNU_SOURCE
#include "tests/host/fake_vmx.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/percpu.h"

#define ARCH_SET_GS 0x1001
#define CARRY	    1 /* VMfailInvalid */
#define ZERO	    0x40
#define MAX_VMCSS   8
#define REX_R	    4
#define REX_B	    1

struct fake_cpu fake_cpu;
void (*fake_invept)(u64 type, u64 eptp);
void (*fake_invvpid)(u64 type, u64 vpid);

static struct fake_vmcs vmcss[MAX_VMCSS];
static struct fake_vmcs *current = &vmcss[0];
static bool lacking[1 << 15];
static struct percpu cpus[4];

static const int registers[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				  REG_R12, REG_R13, REG_R14, REG_R15};

struct fake_vmcs *fake_vmcs(void)
{
	return current;
}

void fake_vmcs_forget_all(void)
{
	memset(vmcss, 0, sizeof(vmcss));
	current = &vmcss[0];
}

void fake_vmx_lacks(enum vmcs_field field, bool lacks)
{
	lacking[field] = lacks;
}

static const struct vmcs_field_info *find(u64 encoding)
{
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++)
		if (vmcs_fields[i].encoding == encoding)
			return &vmcs_fields[i];
	return NULL;
}

static u64 width_mask(const struct vmcs_field_info *f)
{
	return f->width == VMCS_W16 ? 0xffff : f->width == VMCS_W32 ? 0xffffffff : ~0ull;
}

/* The flags of its outcome. */
static u64 vmwrite(u64 encoding, u64 value)
{
	const struct vmcs_field_info *f = find(encoding);

	if (!f || f->kind == VMCS_DATA || lacking[encoding])
		return ZERO;
	current->fields[encoding] = value & width_mask(f);
	return 0;
}

static u64 vmread(u64 encoding, greg_t *to)
{
	const struct vmcs_field_info *f = find(encoding);

	if (!f || lacking[encoding])
		return ZERO;
	*to = (greg_t)(current->fields[encoding] & width_mask(f));
	return 0;
}

static u64 vmptrld(const u64 *operand)
{
	for (u32 i = 0; i < MAX_VMCSS; i++) {
		if (vmcss[i].page && vmcss[i].page != (const void *)*operand)
			continue;
		vmcss[i].page = (const void *)*operand;
		current = &vmcss[i];
		return 0;
	}
	return CARRY;
}

/* One instruction at @code; its length, 0: another one. *@flags: its outcome. */
static u32 carry_out(const u8 *code, greg_t *gregs, u64 *flags)
{
	u32 rex = (code[0] & 0xf0) == 0x40 ? code[0] : 0;
	const u8 *op = rex ? code + 1 : code;
	u32 reg = (op[2] >> 3 & 7) + (rex & REX_R ? 8 : 0),
	    rm = (op[2] & 7) + (rex & REX_B ? 8 : 0);
	const u64 *operand = (const u64 *)gregs[REG_RAX];

	*flags = 0;
	if (op[0] == 0x0f && op[1] == 0x78 && op[2] >> 6 == 3) {
		*flags = vmread((u64)gregs[registers[reg]], &gregs[registers[rm]]);
		return (u32)(op + 3 - code);
	}
	if (op[0] == 0x0f && op[1] == 0x79 && op[2] >> 6 == 3) {
		*flags = vmwrite((u64)gregs[registers[reg]], (u64)gregs[registers[rm]]);
		return (u32)(op + 3 - code);
	}
	if (!memcmp(code, "\x0f\xc7\x30", 3)) {
		*flags = vmptrld(operand);
		return 3;
	}
	if (!memcmp(code, "\x66\x0f\xc7\x30", 4) || !memcmp(code, "\xf3\x0f\xc7\x30", 4))
		return 4;
	if (!memcmp(code, "\x66\x0f\x38\x80\x08", 5)) {
		if (fake_invept)
			fake_invept((u64)gregs[REG_RCX], operand[0]);
		return 5;
	}
	if (!memcmp(code, "\x66\x0f\x38\x81\x08", 5)) {
		if (fake_invvpid)
			fake_invvpid((u64)gregs[REG_RCX], operand[0]);
		return 5;
	}
	return 0;
}

u64 *fake_msr(u32 index)
{
	for (u32 i = 0; i < ARRAY_SIZE(fake_cpu.msrs); i++) {
		if (fake_cpu.msrs[i].index && fake_cpu.msrs[i].index != index)
			continue;
		fake_cpu.msrs[i].index = index;
		return &fake_cpu.msrs[i].value;
	}
	abort();
}

static u64 *special(u8 opcode, u32 reg)
{
	if (opcode & 1)
		return &fake_cpu.dr[reg];
	return reg == 2 ? &fake_cpu.cr2 : NULL;
}

/* MOV from and to CR2 and DRn, RDMSR, WRMSR. */
static u32 carry_out_privileged(const u8 *code, greg_t *gregs)
{
	u32 rex = (code[0] & 0xf0) == 0x40 ? code[0] : 0;
	const u8 *op = rex ? code + 1 : code;
	u32 rm = (op[2] & 7) + (rex & REX_B ? 8 : 0);
	u64 *msr, *s;

	if (op[0] != 0x0f)
		return 0;
	if (op[1] == 0x30 || op[1] == 0x32) {
		msr = fake_msr((u32)gregs[REG_RCX]);
		if (op[1] == 0x30) {
			*msr = (u32)gregs[REG_RAX] | (u64)gregs[REG_RDX] << 32;
		} else {
			gregs[REG_RAX] = (u32)*msr;
			gregs[REG_RDX] = (greg_t)(*msr >> 32);
		}
		return 2;
	}
	s = op[1] >= 0x20 && op[1] <= 0x23 ? special(op[1], op[2] >> 3 & 7) : NULL;
	if (!s)
		return 0;
	if (op[1] & 2)
		*s = (u64)gregs[registers[rm]];
	else
		gregs[registers[rm]] = (greg_t)*s;
	return (u32)(op + 3 - code);
}

static void handler(int signal, siginfo_t *info, void *context)
{
	greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
	const u8 *code = (const u8 *)gregs[REG_RIP];
	u64 flags = 0;
	u32 len;

	(void)info;
	if (signal == SIGSEGV)
		len = carry_out_privileged(code, gregs);
	else
		len = carry_out(code, gregs, &flags);
	if (!len) {
		fprintf(stderr, "an instruction that fake_vmx.c does not know\n");
		abort();
	}
	gregs[REG_RIP] += len;
	gregs[REG_EFL] = (gregs[REG_EFL] & ~(greg_t)(CARRY | ZERO)) | (greg_t)flags;
}

void vmx_insn_failed(const char *insn, u64 operand)
{
	fail_msg("%s 0x%lx failed", insn, operand);
	abort();
}

void fake_vmx_cpu(u32 id)
{
	syscall(SYS_arch_prctl, ARCH_SET_GS, &cpus[id]);
}

void fake_vmx_init(void)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGILL, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	memset(&fake_cpu, 0, sizeof(fake_cpu));
	for (u32 i = 0; i < ARRAY_SIZE(cpus); i++) {
		cpus[i].self = &cpus[i];
		cpus[i].id = i;
	}
	fake_vmx_cpu(0);
	fake_vmcs_forget_all();
}
