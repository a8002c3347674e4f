// SPDX-License-Identifier: MIT
// objects: devices/multiboot1.o devices/multiboot1_info.o devices/loader.o
/*
 * The Multiboot 1 loader: good kernels of each kind, and thousands of broken ones. An image is
 * exactly as long as its allocation, so that ASan sees a read outside; the VM's memory is here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/elf.h"
#include "devices/loader.h"
#include "devices/multiboot1.h"
#include "kernel/vcpu.h"
#include "lib/multiboot1.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"

#define MEM	    (4ull << 20)
#define LOAD	    0x100000u
#define HEADER_AT   0x100 /* of the Multiboot header in the file */
#define CODE_SIZE   0x300
#define MEMORY_SIZE 0x2000 /* with bss */

static u8 memory[MEM];
static char why[160];
static struct multiboot1_entry entry;
static u64 writes;
static struct loader loader;
static struct loader_module modules[LOADER_MODULES];
static u32 nr_modules;

/* The VM's memory, and nothing else. */
int guest_write(struct mmu *mmu, gpa_t gpa, const void *src, size_t len)
{
	assert_null(mmu);
	assert_true(gpa.v <= MEM && len <= MEM - gpa.v);
	memcpy(memory + gpa.v, src, len);
	writes++;
	return 0;
}

static int load(const u8 *image, size_t size, const char *cmdline)
{
	u8 *exact = malloc(size ? size : 1);
	int err;

	memcpy(exact, image, size);
	memset(why, 0, sizeof(why));
	loader = (struct loader){.low = MEM,
				 .image = exact,
				 .size = size,
				 .cmdline = cmdline,
				 .modules = modules,
				 .nr_modules = nr_modules,
				 .why = why,
				 .why_size = sizeof(why)};
	err = multiboot1_load(&loader, &entry);
	free(exact);
	if (err) {
		assert_true(err == -ENOEXEC || err == -ENOSPC);
		assert_true(strlen(why) > 10 && strlen(why) < sizeof(why) - 1);
		assert_null(strchr(why, '\n'));
	} else {
		assert_true(entry.eip < MEM);
		assert_true(entry.info && entry.info + sizeof(struct multiboot1_info) <= MEM);
	}
	return err;
}

static void put_header(u8 *file, u32 flags)
{
	struct multiboot1_header h = {
		.magic = MULTIBOOT1_HEADER_MAGIC,
		.flags = flags,
		.checksum = 0u - MULTIBOOT1_HEADER_MAGIC - flags,
		.header_addr = LOAD + HEADER_AT,
		.load_addr = LOAD,
		.load_end_addr = LOAD + CODE_SIZE,
		.bss_end_addr = LOAD + MEMORY_SIZE,
		.entry_addr = LOAD + 0x40,
	};

	memcpy(file + HEADER_AT, &h, flags & MULTIBOOT1_AOUT_KLUDGE ? sizeof(h) : 12);
}

static size_t make_elf32(u8 *file)
{
	struct elf32_header h = {.ident = {0x7f, 'E', 'L', 'F', ELF_CLASS32, ELF_DATA_LITTLE, 1},
				 .type = ELF_TYPE_EXEC,
				 .machine = ELF_MACHINE_386,
				 .entry = 0xc0100040,
				 .phoff = sizeof(h),
				 .phentsize = sizeof(struct elf32_segment),
				 .phnum = 1};
	struct elf32_segment s = {.type = ELF_PT_LOAD,
				  .vaddr = 0xc0100000,
				  .paddr = LOAD,
				  .filesz = CODE_SIZE,
				  .memsz = MEMORY_SIZE};

	memset(file, 0x90, CODE_SIZE);
	memcpy(file, &h, sizeof(h));
	memcpy(file + h.phoff, &s, sizeof(s));
	put_header(file, MULTIBOOT1_PAGE_ALIGN | MULTIBOOT1_MEMORY_INFO);
	return CODE_SIZE;
}

static size_t make_elf64(u8 *file)
{
	struct elf64_header h = {.ident = {0x7f, 'E', 'L', 'F', ELF_CLASS64, ELF_DATA_LITTLE, 1},
				 .type = ELF_TYPE_EXEC,
				 .machine = ELF_MACHINE_X64,
				 .entry = LOAD + 0x40,
				 .phoff = sizeof(h),
				 .phentsize = sizeof(struct elf64_segment),
				 .phnum = 2};
	struct elf64_segment s[2] = {
		{.type = 4 /* a note */, .offset = 1ull << 60, .filesz = 1ull << 60},
		{.type = ELF_PT_LOAD,
		 .vaddr = LOAD,
		 .paddr = LOAD,
		 .filesz = CODE_SIZE,
		 .memsz = MEMORY_SIZE}};

	memset(file, 0x90, CODE_SIZE);
	memcpy(file, &h, sizeof(h));
	memcpy(file + h.phoff, s, sizeof(s));
	put_header(file, 0);
	return CODE_SIZE;
}

static size_t make_kludge(u8 *file)
{
	memset(file, 0x90, CODE_SIZE);
	put_header(file, MULTIBOOT1_AOUT_KLUDGE | MULTIBOOT1_MEMORY_INFO);
	return CODE_SIZE;
}

static size_t (*const makers[])(u8 *file) = {make_elf32, make_elf64, make_kludge};

static void check_loaded(const u8 *file)
{
	assert_int_equal(entry.eip, LOAD + 0x40);
	assert_memory_equal(memory + LOAD, file, CODE_SIZE);
	for (u64 i = LOAD + CODE_SIZE; i < LOAD + MEMORY_SIZE; i++)
		assert_int_equal(memory[i], 0);
}

static void check_info(const char *cmdline)
{
	const struct multiboot1_info *info = (const void *)(memory + entry.info);
	const struct multiboot1_mmap_entry *map = (const void *)(memory + info->mmap_addr);

	assert_string_equal((const char *)memory + info->cmdline, cmdline);
	assert_string_equal((const char *)memory + info->boot_loader_name, "Cleave");
	assert_int_equal(info->flags, MULTIBOOT1_INFO_MEMORY | MULTIBOOT1_INFO_CMDLINE |
					      MULTIBOOT1_INFO_MMAP | MULTIBOOT1_INFO_MODS |
					      MULTIBOOT1_INFO_LOADER_NAME);
	assert_int_equal(info->mem_lower, 640);
	assert_int_equal(info->mem_upper, (MEM >> 10) - 1024);
	assert_int_equal(info->mmap_length, 3 * 24);
	assert_int_equal(map[0].addr, 0);
	assert_int_equal(map[0].len, 0xa0000);
	assert_int_equal(map[1].type, MULTIBOOT1_MMAP_RESERVED);
	assert_int_equal(map[1].addr + map[1].len, 0x100000);
	assert_int_equal(map[2].addr, 0x100000);
	assert_int_equal(map[2].addr + map[2].len, MEM);
	assert_int_equal(map[2].type, MULTIBOOT1_MMAP_AVAILABLE);
}

static void test_good_kernels(void **state)
{
	u8 file[CODE_SIZE];

	(void)state;
	for (size_t m = 0; m < ARRAY_SIZE(makers); m++) {
		size_t size = makers[m](file);

		memset(memory, 0xcc, sizeof(memory));
		assert_int_equal(load(file, size, "mode=mixed rounds=3"), 0);
		check_loaded(file);
		check_info("mode=mixed rounds=3");
	}
}

static void test_modules(void **state)
{
	static u8 a[5000], b[3];
	const struct multiboot1_info *info;
	const struct multiboot1_module *m;
	u8 file[CODE_SIZE];
	size_t size = make_elf32(file);

	(void)state;
	memset(a, 0xa5, sizeof(a));
	memcpy(b, "xyz", 3);
	modules[0] = (struct loader_module){a, sizeof(a), "first words"};
	modules[1] = (struct loader_module){b, sizeof(b), ""};
	nr_modules = 2;
	assert_int_equal(load(file, size, ""), 0);
	check_loaded(file);
	info = (const void *)(memory + entry.info);
	assert_int_equal(info->mods_count, 2);
	m = (const void *)(memory + info->mods_addr);
	assert_int_equal(m[0].end - m[0].start, sizeof(a));
	assert_int_equal(m[0].start % PAGE_SIZE, 0);
	assert_true(m[0].start >= LOAD + MEMORY_SIZE);
	assert_memory_equal(memory + m[0].start, a, sizeof(a));
	assert_string_equal((const char *)memory + m[0].string, "first words");
	assert_memory_equal(memory + m[1].start, b, sizeof(b));
	assert_true(m[1].start >= m[0].end || m[1].end <= m[0].start);
	modules[0].size = MEM;
	assert_int_equal(load(file, size, ""), -ENOSPC);
	nr_modules = 0;
}

static void test_entry_state(void **state)
{
	static struct vcpu_state s;
	const struct multiboot1_entry e = {.eip = 0x100040, .info = 0x1000};

	(void)state;
	memset(&s, 0xff, sizeof(s));
	multiboot1_entry_state(&e, &s);
	assert_int_equal(s.pat, ~0ull); /* stays as after reset */
	assert_int_equal(s.gpr[RSI], 0);
	assert_int_equal(s.cr4, 0);
	assert_int_equal(s.cpl, 0);
	assert_int_equal(s.gpr[RAX], 0x2badb002);
	assert_int_equal(s.gpr[RBX], 0x1000);
	assert_int_equal(s.rip, 0x100040);
	assert_int_equal(s.rflags, RFLAGS_FIXED);
	assert_int_equal(s.cr0 & (CR0_PE | CR0_PG), CR0_PE);
	assert_int_equal(s.efer, 0);
	assert_int_equal(s.seg[SEG_CS].attrib, 0xc9b);
	for (int i = SEG_ES; i <= SEG_GS; i++) {
		assert_int_equal(s.seg[i].base, 0);
		assert_int_equal(s.seg[i].limit, 0xffffffff);
		if (i != SEG_CS)
			assert_int_equal(s.seg[i].attrib, 0xc93);
	}
}

static void expect(const u8 *file, size_t size, int err, const char *words)
{
	assert_int_equal(load(file, size, ""), err);
	if (!strstr(why, words))
		fail_msg("\"%s\" does not say \"%s\"", why, words);
}

static void test_not_a_kernel(void **state)
{
	u8 file[CODE_SIZE];
	size_t size = make_elf32(file);

	(void)state;
	expect(file, 0, -ENOEXEC, "no Multiboot 1 header");
	expect(file, HEADER_AT + 8, -ENOEXEC, "no Multiboot 1 header");
	file[HEADER_AT + 8]++;
	expect(file, size, -ENOEXEC, "no Multiboot 1 header");
	make_elf32(file);
	put_header(file, MULTIBOOT1_VIDEO_MODE);
	expect(file, size, -ENOEXEC, "video mode");
	put_header(file, 0x80);
	expect(file, size, -ENOEXEC, "not known");
	put_header(file, 0);
	file[0] = 0;
	expect(file, size, -ENOEXEC, "neither");
}

static void set32(u8 *file, size_t at, u32 value)
{
	memcpy(file + at, &value, sizeof(value));
}

static void test_bad_elf(void **state)
{
	const size_t seg = sizeof(struct elf32_header);
	u8 file[CODE_SIZE];
	size_t size = make_elf32(file);

	(void)state;
	expect(file, size - 1, -ENOEXEC, "cut short");
	set32(file, seg + offsetof(struct elf32_segment, paddr), MEM - MEMORY_SIZE + 1);
	expect(file, size, -ENOSPC, "the VM has 4 MiB");
	set32(file, seg + offsetof(struct elf32_segment, paddr), 0xffffff00);
	expect(file, size, -ENOSPC, "the VM has");
	make_elf32(file);
	set32(file, seg + offsetof(struct elf32_segment, memsz), 0xffffffff);
	expect(file, size, -ENOSPC, "the VM has");
	make_elf32(file);
	set32(file, seg + offsetof(struct elf32_segment, memsz), CODE_SIZE - 1);
	expect(file, size, -ENOEXEC, "larger in the file");
	make_elf32(file);
	set32(file, offsetof(struct elf32_header, entry), 0xc0100000 + MEMORY_SIZE);
	expect(file, size, -ENOEXEC, "entry point");
	make_elf32(file);
	set32(file, offsetof(struct elf32_header, phoff), 0xfffffff0);
	expect(file, size, -ENOEXEC, "program header");
	make_elf32(file);
	file[offsetof(struct elf32_header, phnum)] = 0;
	expect(file, size, -ENOEXEC, "entry point");
}

static void test_bad_kludge(void **state)
{
	u8 file[CODE_SIZE];
	size_t size = make_kludge(file);

	(void)state;
	set32(file, HEADER_AT + offsetof(struct multiboot1_header, load_addr), LOAD - 1);
	expect(file, size, -ENOEXEC, "wrong load address");
	set32(file, HEADER_AT + offsetof(struct multiboot1_header, load_addr),
	      LOAD + HEADER_AT + 1);
	expect(file, size, -ENOEXEC, "wrong load address");
	make_kludge(file);
	set32(file, HEADER_AT + offsetof(struct multiboot1_header, load_end_addr), LOAD - 1);
	expect(file, size, -ENOEXEC, "wrong load end");
	set32(file, HEADER_AT + offsetof(struct multiboot1_header, load_end_addr), LOAD + size + 1);
	expect(file, size, -ENOEXEC, "cut short");
	make_kludge(file);
	set32(file, HEADER_AT + offsetof(struct multiboot1_header, bss_end_addr), LOAD + size - 1);
	expect(file, size, -ENOEXEC, "wrong bss end");
	set32(file, HEADER_AT + offsetof(struct multiboot1_header, bss_end_addr), MEM + 1);
	expect(file, size, -ENOSPC, "the VM has");
	make_kludge(file);
	set32(file, HEADER_AT + offsetof(struct multiboot1_header, entry_addr), LOAD - 1);
	expect(file, size, -ENOEXEC, "entry point");
}

/* The information never lies in what the kernel occupies. */
static void test_info_avoids_kernel(void **state)
{
	const size_t seg = sizeof(struct elf32_header);
	u8 file[CODE_SIZE];
	size_t size = make_elf32(file);
	char longest[1025];

	(void)state;
	set32(file, seg + offsetof(struct elf32_segment, paddr), 0x1400);
	set32(file, seg + offsetof(struct elf32_segment, memsz), 0x2800);
	assert_int_equal(load(file, size, ""), 0);
	assert_int_equal(entry.info, 0x4000);
	set32(file, seg + offsetof(struct elf32_segment, paddr), 0);
	set32(file, seg + offsetof(struct elf32_segment, memsz), 0x200800);
	assert_int_equal(load(file, size, ""), 0);
	assert_int_equal(entry.info, 0x201000);
	set32(file, seg + offsetof(struct elf32_segment, memsz), MEM);
	expect(file, size, -ENOSPC, "no place");
	make_elf32(file);
	memset(longest, 'c', sizeof(longest));
	longest[1024] = 0;
	assert_int_equal(load(file, size, longest), -ENOSPC);
	longest[1023] = 0;
	assert_int_equal(load(file, size, longest), 0);
	check_info(longest);
}

static u32 seed = 12345;

static u32 rnd(u32 n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* What the loader accepts and refuses is judged in load() and guest_write(). */
static void test_mutations(void **state)
{
	static const u32 nasty[] = {0,	    1,		0x7f,	     0x80,	 0xff,
				    0xffff, 0x7fffffff, 0x80000000,  0xfffffff0, 0xffffffff,
				    LOAD,   (u32)MEM,	(u32)MEM - 1};
	u32 good = 0, bad = 0;

	(void)state;
	for (int round = 0; round < 60000; round++) {
		u8 file[CODE_SIZE];
		size_t size = makers[rnd(ARRAY_SIZE(makers))](file);

		for (u32 i = 0; i < 1 + rnd(4); i++) {
			/* Mostly where the headers are. */
			u32 base = rnd(4) == 0 ? HEADER_AT : 0, at = base + rnd(base ? 32 : 180);

			if (rnd(2))
				file[at] = (u8)rnd(256);
			else
				set32(file, at & ~3u, nasty[rnd(ARRAY_SIZE(nasty))]);
		}
		if (rnd(8) == 0)
			size = rnd((u32)size + 1);
		if (load(file, size, "x"))
			bad++;
		else
			good++;
	}
	/* Neither is everything refused, nor everything taken. */
	assert_true(good > 3000 && bad > 3000);
	assert_true(writes > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_kernels),
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_entry_state),
		cmocka_unit_test(test_not_a_kernel),
		cmocka_unit_test(test_bad_elf),
		cmocka_unit_test(test_bad_kludge),
		cmocka_unit_test(test_info_avoids_kernel),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
