/* SPDX-License-Identifier: MIT */
/* The parts of L2: its console and hypercalls, its exits and checks, its workload. */
#pragma once

#include "guests/cpu.h"
#include "guests/l2_abi.h"

#define l2_params ((const struct l2_params *)L2_PARAMS)

/* Prints on L1's console, which puts "L2: " before each line. */
__printf(1, 2) void l2_print(const char *fmt, ...);

static inline u64 l2_hypercall(u64 number, u64 b, u64 c, u64 d, u64 si)
{
	unsigned long result = (unsigned long)number;

	asm volatile("testl $1, %5\n\t"
		     "jnz 1f\n\t"
		     "vmmcall\n\t"
		     "jmp 2f\n"
		     "1:\tvmcall\n"
		     "2:"
		     : "+a"(result)
		     : "b"((unsigned long)b), "c"((unsigned long)c), "d"((unsigned long)d),
		       "S"((unsigned long)si), "m"(l2_params->vmx)
		     : "memory", "cc");
	return result;
}

/* Sets the patterns that l2_check_next() verifies. Once, before anything else here. */
void l2_checks_init(void);

/* Does the next one of a cycle of exits to L1 and checks what came of it. Dies if it is wrong. */
void l2_check_next(void);

/* Compares the counts of all events seen with what L1 says it sent. */
void l2_check_counts(void);

/* Asks L1 for a timer interrupt and halts until it came. */
void l2_wait_timer(u64 microseconds);

/* Checks made so far, by everything in L2. */
extern u64 l2_checks;

/* Runs passes over the working set until L1 says stop. */
void l2_workload(void);
