// SPDX-License-Identifier: MIT
/*
 * From bytes to what emulate() carries out. Zydis finds the parts of the instruction and refuses
 * what is none; which opcodes are known, and what their operands are, stands in two tables.
 */
#include <Zydis/Decoder.h>

#include "kernel/emulate.h"

#define ANY 8 /* ModRM's reg field names a register */

/* How many bytes the memory operand and the register have. */
enum width {
	BY_BIT0, /* both: one, or the operand size when bit 0 of the opcode is set */
	FULL,	 /* both: the operand size */
	PAIR,	 /* twice four */
	EXTEND,	 /* one or two by bit 0; the register has the operand size */
	EXTEND4, /* four; the register has the operand size */
};

enum address {
	MODRM,
	OFFSET, /* the address itself stands in the instruction; the register is RAX */
	STRING, /* RSI, RDI */
};

/* Which of a row's operations it is follows from bits 5:3 of the opcode or from ModRM's reg. */
enum choice { THE_ONE, BY_OPCODE, BY_REG };

struct opcode {
	u8 value, mask; /* of the opcode */
	u8 reg;		/* of ModRM, or ANY */
	u8 op, choice;
	u8 form, width, address;
};

static const struct opcode one_byte[] = {
	{0x00, 0xc6, ANY, EMU_ADD, BY_OPCODE, EMU_MR, BY_BIT0, MODRM},
	{0x02, 0xc6, ANY, EMU_ADD, BY_OPCODE, EMU_RM, BY_BIT0, MODRM},
	{0x80, 0xfc, ANY, EMU_ADD, BY_REG, EMU_MI, BY_BIT0, MODRM},
	{0x84, 0xfe, ANY, EMU_TEST, THE_ONE, EMU_MR, BY_BIT0, MODRM},
	{0x86, 0xfe, ANY, EMU_XCHG, THE_ONE, EMU_MR, BY_BIT0, MODRM},
	{0x88, 0xfe, ANY, EMU_MOV, THE_ONE, EMU_MR, BY_BIT0, MODRM},
	{0x8a, 0xfe, ANY, EMU_MOV, THE_ONE, EMU_RM, BY_BIT0, MODRM},
	{0xa0, 0xfe, ANY, EMU_MOV, THE_ONE, EMU_RM, BY_BIT0, OFFSET},
	{0xa2, 0xfe, ANY, EMU_MOV, THE_ONE, EMU_MR, BY_BIT0, OFFSET},
	{0xa4, 0xfe, ANY, EMU_MOVS, THE_ONE, EMU_M, BY_BIT0, STRING},
	{0xaa, 0xfe, ANY, EMU_STOS, THE_ONE, EMU_M, BY_BIT0, STRING},
	{0xac, 0xfe, ANY, EMU_LODS, THE_ONE, EMU_M, BY_BIT0, STRING},
	{0xc6, 0xfe, 0, EMU_MOV, THE_ONE, EMU_MI, BY_BIT0, MODRM},
	{0xf6, 0xfe, 0, EMU_TEST, THE_ONE, EMU_MI, BY_BIT0, MODRM},
	{0xf6, 0xfe, 2, EMU_NOT, THE_ONE, EMU_M, BY_BIT0, MODRM},
	{0xf6, 0xfe, 3, EMU_NEG, THE_ONE, EMU_M, BY_BIT0, MODRM},
	{0xfe, 0xfe, 0, EMU_INC, THE_ONE, EMU_M, BY_BIT0, MODRM},
	{0xfe, 0xfe, 1, EMU_DEC, THE_ONE, EMU_M, BY_BIT0, MODRM},
};

/* In 64-bit code; else it is ARPL. */
static const struct opcode movsxd = {0x63, 0xff, ANY, EMU_MOVSX, THE_ONE, EMU_RM, EXTEND4, MODRM};

/* Those that begin with 0F. */
static const struct opcode two_byte[] = {
	{0xa3, 0xe7, ANY, EMU_BT - 4, BY_OPCODE, EMU_MR, FULL, MODRM},
	{0xba, 0xff, ANY, EMU_BT - 4, BY_REG, EMU_MI, FULL, MODRM},
	{0xb0, 0xfe, ANY, EMU_CMPXCHG, THE_ONE, EMU_MR, BY_BIT0, MODRM},
	{0xc0, 0xfe, ANY, EMU_XADD, THE_ONE, EMU_MR, BY_BIT0, MODRM},
	{0xc3, 0xff, ANY, EMU_MOV, THE_ONE, EMU_MR, FULL, MODRM}, /* MOVNTI */
	{0xc7, 0xff, 1, EMU_CMPXCHG8B, THE_ONE, EMU_M, PAIR, MODRM},
	{0xb6, 0xfe, ANY, EMU_MOVZX, THE_ONE, EMU_RM, EXTEND, MODRM},
	{0xbe, 0xfe, ANY, EMU_MOVSX, THE_ONE, EMU_RM, EXTEND, MODRM},
};

static const struct opcode *opcode_find(const ZydisDecodedInstruction *z, u8 bits)
{
	const struct opcode *table = one_byte;
	size_t n = ARRAY_SIZE(one_byte);

	if (z->opcode_map == ZYDIS_OPCODE_MAP_0F) {
		table = two_byte;
		n = ARRAY_SIZE(two_byte);
	} else if (z->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT) {
		return NULL;
	} else if (z->opcode == movsxd.value) {
		return bits == 64 ? &movsxd : NULL;
	}
	for (; n; table++, n--) {
		if ((z->opcode & table->mask) == table->value &&
		    (table->reg == ANY || table->reg == z->raw.modrm.reg))
			return table;
	}
	return NULL;
}

static void decode_prefixes(struct emulate_insn *insn, const ZydisDecodedInstruction *z, u8 bits)
{
	insn->seg = EMU_NO_REG;
	for (u8 i = 0; i < z->raw.prefix_count; i++) {
		switch (z->raw.prefixes[i].value) {
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
			/* ES, CS, SS, DS: no effect in 64-bit code. */
			if (bits != 64)
				insn->seg = z->raw.prefixes[i].value >> 3 & 3;
			break;
		case 0x64:
		case 0x65:
			insn->seg = z->raw.prefixes[i].value == 0x64 ? SEG_FS : SEG_GS;
			break;
		case 0xf0:
			insn->lock = true;
			break;
		case 0xf2:
		case 0xf3:
			insn->rep = true;
			break;
		}
	}
}

static int decode_width(struct emulate_insn *insn, enum width width, u8 opcode, u8 operand)
{
	insn->size = insn->reg_size = operand;
	switch (width) {
	case BY_BIT0:
		if (!(opcode & 1))
			insn->size = insn->reg_size = 1;
		break;
	case PAIR:
		/* With REX.W it is CMPXCHG16B. */
		if (operand == 8)
			return -EINVAL;
		insn->size = 8;
		break;
	case EXTEND:
		insn->size = opcode & 1 ? 2 : 1;
		break;
	case EXTEND4:
		insn->size = 4;
		break;
	case FULL:
		break;
	}
	return 0;
}

/* SDM 2A table 2-1: which registers a 16-bit address is made of. */
static void decode_modrm16(struct emulate_insn *insn, const ZydisDecodedInstruction *z)
{
	static const u8 base[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
	static const u8 index[8] = {RSI,	RDI,	    RSI,	RDI,
				    EMU_NO_REG, EMU_NO_REG, EMU_NO_REG, EMU_NO_REG};

	insn->base = base[z->raw.modrm.rm];
	insn->index = index[z->raw.modrm.rm];
	if (z->raw.modrm.rm == 6 && !z->raw.modrm.mod)
		insn->base = EMU_NO_REG;
}

static void decode_modrm(struct emulate_insn *insn, const ZydisDecodedInstruction *z, u8 bits)
{
	u8 rm = z->raw.modrm.rm, mod = z->raw.modrm.mod;

	if (rm == RSP) {
		u8 index = z->raw.sib.index | z->raw.rex.X << 3;

		rm = z->raw.sib.base;
		if (index != RSP) {
			insn->index = index;
			insn->scale = z->raw.sib.scale;
		}
		if (rm != RBP || mod)
			insn->base = rm | z->raw.rex.B << 3;
	} else if (rm == RBP && !mod) {
		insn->rip_relative = bits == 64;
	} else {
		insn->base = rm | z->raw.rex.B << 3;
	}
}

static void decode_address(struct emulate_insn *insn, const ZydisDecodedInstruction *z,
			   enum address address, u8 bits)
{
	insn->base = insn->index = EMU_NO_REG;
	insn->address_size = z->address_width / 8;
	insn->disp = z->raw.disp.value;
	if (address == MODRM && insn->address_size == 2)
		decode_modrm16(insn, z);
	else if (address == MODRM)
		decode_modrm(insn, z, bits);
	if (insn->seg == EMU_NO_REG)
		insn->seg = insn->base == RSP || insn->base == RBP ? SEG_SS : SEG_DS;
}

static u8 decode_reg(const struct emulate_insn *insn, const ZydisDecodedInstruction *z)
{
	u8 reg = z->raw.modrm.reg;

	if (insn->reg_size == 1 && reg >= 4 && !(z->attributes & ZYDIS_ATTRIB_HAS_REX))
		return 16 + reg - 4;
	return reg | z->raw.rex.R << 3;
}

static u64 decode_immediate(const ZydisDecodedInstruction *z)
{
	u8 unused = 64 - z->raw.imm[0].size;

	return unused < 64 ? (u64)((s64)(z->raw.imm[0].value.u << unused) >> unused) : 0;
}

static int decode_operands(struct emulate_insn *insn, const struct opcode *o,
			   const ZydisDecodedInstruction *z, u8 bits)
{
	if (o->address == MODRM && z->raw.modrm.mod == 3)
		return -EINVAL;
	insn->form = o->form;
	insn->op = o->op;
	if (o->choice == BY_OPCODE)
		insn->op += z->opcode >> 3 & 7;
	else if (o->choice == BY_REG)
		insn->op += z->raw.modrm.reg;
	insn->length = z->length;
	decode_prefixes(insn, z, bits);
	decode_address(insn, z, (enum address)o->address, bits);
	if (decode_width(insn, (enum width)o->width, z->opcode, z->operand_width / 8))
		return -EINVAL;
	insn->reg = o->address == MODRM ? decode_reg(insn, z) : RAX;
	insn->imm = decode_immediate(z);
	return 0;
}

int emulate_decode(struct emulate_insn *insn, const u8 *code, u32 len, u8 bits)
{
	ZydisMachineMode mode = ZYDIS_MACHINE_MODE_LONG_64;
	ZydisStackWidth stack = ZYDIS_STACK_WIDTH_64;
	ZydisDecodedInstruction z;
	const struct opcode *o;
	ZydisDecoder decoder;
	ZyanStatus status;

	if (bits != 64) {
		mode = bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16;
		stack = ZYDIS_STACK_WIDTH_32;
	}
	*insn = (struct emulate_insn){0};
	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, mode, stack)))
		return -EINVAL;
	status = ZydisDecoderDecodeInstruction(&decoder, NULL, code, len, &z);
	if (status == ZYDIS_STATUS_NO_MORE_DATA)
		return len < INSN_MAX_LENGTH ? -EAGAIN : -EINVAL;
	if (ZYAN_FAILED(status) || z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return -EINVAL;
	o = opcode_find(&z, bits);
	return o ? decode_operands(insn, o, &z, bits) : -EINVAL;
}
