/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor that breaks each rule of entering a VMX guest in turn: a row of data per rule (what
 * is written to a VMCS that is valid else, and the answer that SDM 3C 26 demands).
 */
#pragma once

#include "guests/guest.h"
#include "guests/vmx.h"

enum vmxcheck_how {
	EDIT_NONE,
	EDIT_SET,
	EDIT_ON, /* these bits */
	EDIT_OFF,
	EDIT_FORBID,  /* a bit that capability MSR @value does not allow as 1 */
	EDIT_REQUIRE, /* ... as 0 */
	EDIT_BELOW,   /* @value bytes below the end of physical addresses */
};

struct vmxcheck_edit {
	u16 field;
	u8 how;
	u64 value;
};

#define VMXCHECK_EDITS 7

/* Answers: an instruction error's number; or of an exit the reason and (<< 16) the qualification.
 */
#define RUNS	      0
#define BAD_CONTROLS  7
#define BAD_HOST      8
#define BAD_GUEST     33
#define BAD_PDPTE     (2u << 16 | 33)
#define BAD_LINK      (4u << 16 | 33)
#define OTHER_EXIT(r) (0x8000u | (u32)(r)) /* another exit than L2's VMCALL */
#define BAD_MSR(n)    ((u32)(n) << 16 | 34)

struct vmxcheck_row {
	const char *name;
	u32 answer;
	struct vmxcheck_edit edits[VMXCHECK_EDITS];
	u32 needs_msr; /* 0, or the capability MSR that must allow @needs: else it is not tried */
	u32 needs;
	u32 unless;	    /* ... or must not allow */
	bool bochs_differs; /* Bochs itself gives another answer */
};

#define SET(name, v)                       \
	{                                  \
		VMCS_##name, EDIT_SET, (v) \
	}
#define ON(name, v)                       \
	{                                 \
		VMCS_##name, EDIT_ON, (v) \
	}
#define OFF(name, v)                       \
	{                                  \
		VMCS_##name, EDIT_OFF, (v) \
	}
#define FORBID(name, msr)                       \
	{                                       \
		VMCS_##name, EDIT_FORBID, (msr) \
	}
#define REQUIRE(name, msr)                       \
	{                                        \
		VMCS_##name, EDIT_REQUIRE, (msr) \
	}
#define BELOW(name, v)                       \
	{                                    \
		VMCS_##name, EDIT_BELOW, (v) \
	}
#define NEEDS_PIN(v)   .needs_msr = MSR_VMX_TRUE_PIN, .needs = (u32)(v)
#define NEEDS_PROC(v)  .needs_msr = MSR_VMX_TRUE_PROC, .needs = (u32)(v)
#define NEEDS_PROC2(v) .needs_msr = MSR_VMX_PROC2, .needs = (u32)(v)
#define UNLESS_PROC(v) .needs_msr = MSR_VMX_TRUE_PROC, .unless = (u32)(v)
#define BOTH(a, b)     a, b
#define BOCHS_DIFFERS  .bochs_differs = true

#define ROW(is, gives, ...)                                               \
	{                                                                 \
		.name = (is), .answer = (gives), .edits = { __VA_ARGS__ } \
	}
#define ROW_IF(what, is, gives, ...)                                          \
	{                                                                     \
		.name = (is), .answer = (gives), .edits = {__VA_ARGS__}, what \
	}

#define NOT_CANONICAL BIT(62)
#define NOT_PHYSICAL  BIT(51) /* beyond any width but the widest, which vmxcheck refuses */

/* What L2 does before its VMCALL; known to vmxcheck_l2.S. */
enum l2_op {
	L2_NOTHING,
	L2_READ,
	L2_WRITE,
	L2_FETCH,
	L2_OPS, /* the three accesses that EPT tells apart */
	L2_STORE = L2_OPS,
	L2_RDTSC,
	L2_OUT,	  /* to port 0x80 */
	L2_RDMSR, /* of RBX */
	L2_UD,
	L2_CR3, /* writes back what it reads */
};

extern struct vmx_vcpu vmxcheck_vcpu;
extern char vmxcheck_l2[];

/* One line, and the count of what was checked and what failed. */
__printf(3, 4) void vmxcheck(const char *name, bool ok, const char *fmt, ...);
/* The same where @got is one of the answers above. */
void vmxcheck_answer(const char *name, u32 got, u32 want);
void vmxcheck_skip(const char *name, const char *why);

/* Where Bochs itself runs this, and answers otherwise: says so and returns true. */
bool vmxcheck_bochs_differs(const char *name);

/* What an entry with the current VMCS answers. */
u32 vmxcheck_enter(void);
/* The same from L2's start on. */
u32 vmxcheck_run(void);
/* Dies unless the VMCS is a valid one again. */
void vmxcheck_valid(void);
/* All fields that software writes, and their valid values again. */
extern const u16 vmxcheck_fields[];
extern const u32 vmxcheck_fields_nr;
void vmxcheck_restore(void);
/* The VMCS made anew, whatever is in its memory. */
void vmxcheck_renew(void);
void vmxcheck_rows(const struct vmxcheck_row *rows, u32 n);

/* The tables. */
void vmxcheck_controls(void);
void vmxcheck_host(void);
void vmxcheck_guest(void);
void vmxcheck_segments(void);
void vmxcheck_lists(void);
void vmxcheck_insns(void);
void vmxcheck_ept(void);
void vmxcheck_invept(void);
void vmxcheck_fuzz(void);
/* These end the machine. */
void vmxcheck_abort(void);
void vmxcheck_lost(void);
void vmxcheck_memory(void);
void vmxcheck_selfmap(void);
void vmxcheck_exits(void);
