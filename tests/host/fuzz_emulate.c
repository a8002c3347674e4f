// SPDX-License-Identifier: MIT
// runs: 200000
// objects: kernel/emulate.o kernel/emulate_alu.o kernel/emulate_decode.o
// objects: ext/zydis/Decoder.o ext/zydis/DecoderData.o ext/zydis/SharedData.o
/* Any bytes as an instruction, with any registers: no crash, and no access but the one that
 * faulted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/emulate.h"

#define check(x)                                                                \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

static gpa_t faulted, translated;
static u32 operand;

static void check_access(gpa_t gpa, u32 len)
{
	check(len == 1 || len == 2 || len == 4 || len == 8);
	check(len == operand);
	check(gpa.v == faulted.v || gpa.v == translated.v);
	check(gpa.v % PAGE_SIZE + len <= PAGE_SIZE);
}

static int mem_read(void *ctx, gpa_t gpa, u64 *value, u32 len)
{
	check_access(gpa, len);
	*value = *(const u64 *)ctx & ~0ull >> (64 - 8 * len);
	return 0;
}

static int mem_write(void *ctx, gpa_t gpa, u64 value, u32 len)
{
	(void)ctx;
	check_access(gpa, len);
	check(!(value & ~(~0ull >> (64 - 8 * len))));
	return 0;
}

static int mem_cmpxchg(void *ctx, gpa_t gpa, u64 old, u64 new, u32 len)
{
	(void)old;
	check(IS_ALIGNED(gpa.v, (u64)len));
	return mem_write(ctx, gpa, new, len);
}

static int mem_translate(void *ctx, u64 linear, bool write, gpa_t *gpa)
{
	(void)ctx, (void)write;
	gpa->v = translated.v = linear;
	return 0;
}

static const struct emulate_ops ops = {mem_read, mem_write, mem_cmpxchg, mem_translate};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u8 modes[4] = {16, 32, 64, 64};
	struct emulate_cpu cpu = {0}, was;
	struct emulate_insn insn;
	u64 memory = 0;
	u8 how;
	int r;

	if (size < 2)
		return 0;
	how = data[0];
	cpu.bits = modes[how & 3];
	r = emulate_decode(&insn, data + 1, (u32)(size - 1), cpu.bits);
	check(r == 0 || r == -EINVAL || (r == -EAGAIN && size - 1 < INSN_MAX_LENGTH));
	if (r)
		return 0;
	check(insn.length <= INSN_MAX_LENGTH && insn.length <= size - 1);
	/* What follows the instruction fills registers; whole pages, so that the displacement
	 * tells. */
	for (int i = 0; i < GPR_NR && how & 4; i++)
		cpu.gpr[i] = (u64)data[1 + (insn.length + (u32)i) % (size - 1)]
			     << (how & 8 ? 12 : 60);
	memory = (u64)data[size - 1] * 0x0101010101010101ull;
	faulted.v = (u64)insn.disp & (PAGE_SIZE - 1);
	translated.v = faulted.v;
	operand = insn.size;
	cpu.rflags = (u64)how << 4;
	was = cpu;
	r = emulate(&cpu, &insn, faulted, how & 16, &ops, &memory);
	check(r == 0 || r == EMU_AGAIN || r == -EINVAL);
	if (r == -EINVAL)
		check(!memcmp(&cpu, &was, sizeof(cpu)));
	return 0;
}
