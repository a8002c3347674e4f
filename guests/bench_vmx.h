/* SPDX-License-Identifier: MIT */
/* VMX's side of the measurements: loops in assembly, L1's and L2's (bench_vmx_loops.S). */
#pragma once

#include "guests/bench.h"
#include "guests/vmx.h"

/* --- L1's, @n times --- */

void bench_vmcall(u64 n);
void bench_vmread(u64 n, u64 field);
void bench_vmwrite(u64 n, u64 field, u64 value);
void bench_vmptrld(u64 n, const u64 *vmcs);
void bench_vmptrld_two(u64 n, const u64 *vmcs, const u64 *other);
void bench_vmclear(u64 n, const u64 *vmcs);
void bench_invept(u64 n, u64 type, const u64 descriptor[2]);
void bench_invvpid(u64 n, u64 type, const u64 descriptor[2]);

/* VMRESUME with L2's RDI, RSI and RDX; returns the exit's reason. */
u32 bench_vmresume(u64 a, u64 b, u64 c);
/* @n times, where each exit is VMCALL's: the reason is read, RIP moved on by 3. */
void bench_vmresume_many(u64 n);
/*
 * ... until another exit than an EPT violation. Each of those maps the page where it was one to
 * one, in the entries @leaves, of which the first stands for address 0; INVEPT with @eptp unless
 * NULL.
 */
u32 bench_vmresume_map(u64 a, u64 b, u64 c, u64 *leaves, const u64 *eptp);

/* --- L2's --- */

/* VMCALL for ever. */
extern const char bench_l2_vmcall[];
/* RDMSR of RDX RDI times, then VMCALL. */
extern const char bench_l2_rdmsr[];
/* Writes to RSI places from RDI on, RDX bytes apart, then VMCALL. */
extern const char bench_l2_stride[];

/* The measurements. */
void bench_vmx_exits(void);
void bench_vmx_nested(void);
