// SPDX-License-Identifier: MIT
/* objects: devices/linux_boot.o devices/loader.o */
/* Linux's boot protocol: a made-up kernel that is good, and many that are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/linux_boot.h"
#include "kernel/vcpu.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"

#define LOW	  (64ull << 20)
#define SETUP	  (3 * 512) /* bytes of real-mode code: two sectors beside the first */
#define SIZE	  (SETUP + 5000)
#define PREFERRED 0x1000000u

static u8 *memory;
static struct loader l;
static struct loader_module initrd;
static struct linux_entry entry;
static char why[160];
static u8 file[SIZE];

int guest_write(struct mmu *mmu, gpa_t gpa, const void *src, size_t len)
{
	(void)mmu;
	assert_true(gpa.v <= LOW && len <= LOW - gpa.v);
	memcpy(memory + gpa.v, src, len);
	return 0;
}

static void put(u32 offset, u64 v, u32 size)
{
	memcpy(file + offset, &v, size);
}

static void make_kernel(void)
{
	for (u32 i = 0; i < SIZE; i++)
		file[i] = (u8)(i * 7);
	memset(file + 0x1f1, 0, 0x268 - 0x1f1);
	put(0x1f1, 2, 1);
	put(0x1fe, 0xaa55, 2);
	put(0x200, 0x66eb, 2);
	memcpy(file + 0x202, "HdrS", 4);
	put(0x206, 0x020f, 2);
	put(0x211, 1, 1);
	put(0x22c, 0x7fffffff, 4);
	put(0x236, 1, 2);
	put(0x238, 2047, 4);
	put(0x258, PREFERRED, 8);
	put(0x260, 0x100000, 4);
}

static int setup(void **state)
{
	(void)state;
	memory = malloc(LOW);
	memset(memory, 0xcc, LOW);
	make_kernel();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

static int load(size_t size, u32 nr_modules)
{
	u8 *exact = malloc(size ? size : 1);
	int err = -ENOEXEC;

	memcpy(exact, file, size);
	memset(why, 0, sizeof(why));
	l = (struct loader){.low = LOW,
			    .image = exact,
			    .size = size,
			    .cmdline = "console=ttyS0",
			    .modules = &initrd,
			    .nr_modules = nr_modules,
			    .why = why,
			    .why_size = sizeof(why)};
	if (linux_is_image(exact, size)) {
		err = linux_load(&l, 0xe0000, &entry);
		assert_true(!err || strlen(why) > 10);
	}
	free(exact);
	return err;
}

static u64 param(u32 offset, u32 size)
{
	u64 v = 0;

	memcpy(&v, memory + entry.boot_params + offset, size);
	return v;
}

static void test_kernel(void **state)
{
	(void)state;
	assert_int_equal(load(SIZE, 0), 0);
	assert_int_equal(entry.rip, PREFERRED + 0x200);
	assert_memory_equal(memory + PREFERRED, file + SETUP, SIZE - SETUP);
	/* What it needs beside the file is its own: nothing else is there. */
	assert_int_equal(memory[PREFERRED + 0xfffff], 0);
	assert_memory_equal(memory + entry.boot_params + 0x202, "HdrS", 4);
	assert_int_equal(param(0x210, 1), 0xff);
	assert_string_equal((char *)memory + param(0x228, 4), "console=ttyS0");
	assert_int_equal(param(0x70, 8), 0xe0000);
	assert_int_equal(param(0x218, 8), 0);
	assert_int_equal(param(0x1e8, 1), 3);
	assert_int_equal(param(0x2d0 + 2 * 20, 8), 0x100000);
	assert_int_equal(param(0x2d0 + 2 * 20 + 8, 8), LOW - 0x100000);
	assert_int_equal(param(0x2d0 + 2 * 20 + 16, 4), 1);
}

/* What the entry state names is really there. */
static void test_entry_state(void **state)
{
	static struct vcpu_state s;
	u64 pml4e, pdpte, pde, gdt[4];

	(void)state;
	assert_int_equal(load(SIZE, 0), 0);
	memset(&s, 0xff, sizeof(s));
	linux_entry_state(&entry, &s);
	assert_int_equal(s.gpr[RSI], entry.boot_params);
	assert_int_equal(s.rip, entry.rip);
	assert_int_equal(s.rflags, RFLAGS_FIXED);
	assert_int_equal(s.cr0 & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	assert_int_equal(s.efer, EFER_LME | EFER_LMA);
	memcpy(&pml4e, memory + s.cr3, 8);
	memcpy(&pdpte, memory + (pml4e & ~0xfffull) + 3 * 8, 8);
	memcpy(&pde, memory + (pdpte & ~0xfffull) + 511 * 8, 8);
	assert_int_equal(pde, 0xffe00083);
	memcpy(gdt, memory + s.seg[SEG_GDTR].base, sizeof(gdt));
	assert_int_equal(s.seg[SEG_CS].selector, 0x10);
	assert_int_equal(gdt[2] >> 40 & 0xf0ff, s.seg[SEG_CS].attrib << 4 & 0xf000 | 0x9b);
	assert_int_equal(s.seg[SEG_DS].selector, 0x18);
	assert_true(s.seg[SEG_CS].attrib & BIT(9)); /* L */
	assert_false(s.seg[SEG_CS].attrib & BIT(10));
}

static void test_initrd(void **state)
{
	static u8 data[300000];

	(void)state;
	memset(data, 0x5a, sizeof(data));
	initrd = (struct loader_module){data, sizeof(data), ""};
	assert_int_equal(load(SIZE, 1), 0);
	assert_int_equal(param(0x21c, 4), sizeof(data));
	assert_true(param(0x218, 4) + sizeof(data) <= LOW && param(0x218, 4) % 4096 == 0);
	assert_memory_equal(memory + param(0x218, 4), data, sizeof(data));
	put(0x22c, 0x1ffffff, 4); /* it may end at 32M */
	assert_int_equal(load(SIZE, 1), 0);
	assert_true(param(0x218, 4) + sizeof(data) <= 0x2000000);
	initrd.size = LOW;
	assert_int_equal(load(SIZE, 1), -ENOSPC);
	initrd.size = 1;
	assert_int_equal(load(SIZE, 2), -ENOEXEC);
}

#define REFUSED(offset, v, size, err)                 \
	do {                                          \
		make_kernel();                        \
		put(offset, v, size);                 \
		assert_int_equal(load(SIZE, 0), err); \
	} while (0)

static void test_what_is_refused(void **state)
{
	(void)state;
	REFUSED(0x1fe, 0, 2, -ENOEXEC);
	REFUSED(0x206, 0x0209, 2, -ENOEXEC);
	REFUSED(0x211, 0, 1, -ENOEXEC);
	REFUSED(0x236, 0, 2, -ENOEXEC);	     /* no 64-bit entry */
	REFUSED(0x1f1, 200, 1, -ENOEXEC);    /* nothing behind the real-mode code */
	REFUSED(0x258, 0x1000, 8, -ENOEXEC); /* below 1M */
	REFUSED(0x258, LOW, 8, -ENOSPC);
	REFUSED(0x258, ~0ull << 12, 8, -ENOSPC);
	REFUSED(0x260, 0xffffffff, 4, -ENOSPC);
	REFUSED(0x238, 5, 4, -ENOSPC); /* the command line is longer */
}

/* A file of any length and content is loaded or refused; ASan watches what is read. */
static void test_mutations(void **state)
{
	(void)state;
	for (u32 size = 0; size < 0x300; size++)
		(void)load(size, 0);
	srand(7);
	for (int i = 0; i < 3000; i++) {
		make_kernel();
		for (int k = 0; k < 3; k++)
			file[0x1f1 + rand() % (0x268 - 0x1f1)] = (u8)rand();
		(void)load(SIZE, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_entry_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_initrd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mutations, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
