// SPDX-License-Identifier: MIT
/* Loads the registers, jumps to the instruction, which is followed by a jump back, stores them. */
#include "tests/host/native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void native_enter(struct native_state *s, const void *code);
void native_leave(void);

/* gpr[4] is RSP, which stays; gpr[7], RDI, holds the address of it all until the very end. */
__asm__(".pushsection .text\n"
	"native_enter:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rdi, native_now(%rip)\n"
	"	mov %rsi, native_to(%rip)\n"
	"	pushq 128(%rdi); popfq\n"
	"	mov 0(%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx; mov 24(%rdi), %rbx\n"
	"	mov 40(%rdi), %rbp; mov 48(%rdi), %rsi\n"
	"	mov 64(%rdi), %r8; mov 72(%rdi), %r9; mov 80(%rdi), %r10; mov 88(%rdi), %r11\n"
	"	mov 96(%rdi), %r12; mov 104(%rdi), %r13; mov 112(%rdi), %r14\n"
	"	mov 120(%rdi), %r15; mov 56(%rdi), %rdi\n"
	"	jmp *native_to(%rip)\n"
	"native_leave:\n"
	"	xchg %rdi, native_now(%rip)\n"
	"	mov %rax, 0(%rdi); mov %rcx, 8(%rdi); mov %rdx, 16(%rdi); mov %rbx, 24(%rdi)\n"
	"	mov %rbp, 40(%rdi); mov %rsi, 48(%rdi)\n"
	"	mov %r8, 64(%rdi); mov %r9, 72(%rdi); mov %r10, 80(%rdi); mov %r11, 88(%rdi)\n"
	"	mov %r12, 96(%rdi); mov %r13, 104(%rdi); mov %r14, 112(%rdi)\n"
	"	mov %r15, 120(%rdi)\n"
	"	pushfq; popq 128(%rdi)\n"
	"	mov native_now(%rip), %rax; mov %rax, 56(%rdi)\n"
	"	cld\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	".popsection\n"
	".pushsection .bss\n"
	"	.balign 8\n"
	"native_now: .quad 0\n"
	"native_to: .quad 0\n"
	".popsection\n");

/* A page of code, one that is not mapped, the data. */
static u8 *area(void)
{
	static u8 *start;

	if (start)
		return start;
	start = mmap(NULL, 2 * PAGE_SIZE + NATIVE_DATA_SIZE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (start == MAP_FAILED || mprotect(start, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    mprotect(start + 2 * PAGE_SIZE, NATIVE_DATA_SIZE, PROT_READ | PROT_WRITE)) {
		perror("memory for native code");
		abort();
	}
	return start;
}

u64 native_code(void)
{
	return (u64)area();
}

u64 native_data(void)
{
	return (u64)area() + 2 * PAGE_SIZE;
}

void native_run(const u8 *code, u32 len, struct native_state *s)
{
	static const u8 jump[6] = {0xff, 0x25}; /* jmp *0(%rip) */
	void *back = (void *)native_leave;
	u8 *p = area();

	memcpy(p, code, len);
	memcpy(p + len, jump, sizeof(jump));
	memcpy(p + len + sizeof(jump), &back, sizeof(back));
	native_enter(s, p);
}
