/* SPDX-License-Identifier: MIT */
/* A vCPU for testing what L0 does about exits, with a vendor that only takes notes. */
#pragma once

#include "kernel/exits.h"
#include "kernel/vendor.h"
#include "kernel/vm.h"

#define TEST_SHUTDOWN_CODE 0x7f

extern struct vm vm;
extern struct vcpu vcpu;

/* What the vendor was asked for: how often, and the last reflected exit's code. */
extern int skipped, reflected, faults;
extern u64 reflected_code;
/* The last write to the device at ports 3f8h to 3ffh. */
extern struct written {
	u16 offset;
	int size;
	u32 val;
} written;

/* What the vendor is to answer. */
extern bool l1_owns;
extern int skip_result;
extern u8 skip_queues; /* an exception's vector, 0: none */
extern u64 efer;

/* Forgets everything; for cmocka. */
int exits_setup(void **state);
void run_exit(struct vm_exit exit);
