// SPDX-License-Identifier: MIT
/* The Multiboot2 parser: a good block, each kind of bad one, and many that are altered at random.
 */
// objects: kernel/bootinfo.o
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/bootinfo.h"

#define ADDRESS 0x9000

static struct {
	u8 data[16384];
	u32 size;
} block;

static struct bootinfo info;
static const char *why;

static void begin(void)
{
	memset(&block, 0, sizeof(block));
	block.size = 8;
}

static void put(const void *data, size_t size)
{
	memcpy(block.data + block.size, data, size);
	block.size += (u32)size;
}

static void put32(u32 v)
{
	put(&v, 4);
}

static void put64(u64 v)
{
	put(&v, 8);
}

/* A tag whose body the caller puts next; returns where it begins. */
static u32 tag(u32 type)
{
	u32 start = block.size;

	put32(type);
	put32(0);
	return start;
}

static void tag_end(u32 start)
{
	u32 size = block.size - start;

	memcpy(block.data + start + 4, &size, 4);
	block.size = ALIGN_UP(block.size, 8);
}

static void tag_data(u32 type, const void *data, size_t size)
{
	u32 t = tag(type);

	put(data, size);
	tag_end(t);
}

static void tag_string(u32 type, const char *s)
{
	tag_data(type, s, strlen(s) + 1);
}

static void tag_module(u32 start, u32 end, const char *s)
{
	u32 t = tag(3);

	put32(start);
	put32(end);
	put(s, strlen(s) + 1);
	tag_end(t);
}

static void memory(u64 base, u64 length, u32 kind)
{
	put64(base);
	put64(length);
	put32(kind);
	put32(0);
}

static void tag_memory(void)
{
	u32 t = tag(6);

	put32(24);
	put32(0);
	memory(0, 0x9fc00, 1);
	memory(0xf0000, 0x10000, 2);
	memory(0x100000, 0x7ee0000, 1);
	memory(0x7fe0000, 0x20000, 3);
	memory(0x100000000, 0, 1);
	memory(0x100000000, 0x40000000, 77);
	tag_end(t);
}

static void tag_framebuffer(u32 bpp, u32 pitch, u8 type, u8 blue_shift)
{
	u8 rgb[6] = {16, 8, 8, 8, blue_shift, 8};
	u8 rest[4] = {(u8)bpp, type, 0, 0};
	u32 t = tag(8);

	put64(0x80000000);
	put32(pitch);
	put32(1024);
	put32(768);
	put(rest, 4);
	put(rgb, 6);
	tag_end(t);
}

/* Parses a copy of exactly the block's size, so that a byte read past it is caught. */
static int parse(void)
{
	u8 *copy = malloc(block.size);

	memcpy(copy, block.data, block.size);
	why = NULL;
	int err = bootinfo_parse(&info, copy, block.size, ADDRESS, &why);

	free(copy);
	assert_true(err == 0 || why != NULL);
	return err;
}

static int finish(void)
{
	tag_end(tag(0));
	memcpy(block.data, &block.size, 4);
	return parse();
}

static void good_block(void)
{
	u8 old_rsdp[20] = "RSD PTR 1", new_rsdp[36] = "RSD PTR 2";

	begin();
	tag_string(1, "loglevel=debug mem=2G");
	tag_string(2, "GRUB 2.06");
	tag_module(0x200000, 0x210000, "l1 paging=4k");
	tag_module(0x300000, 0x300000, "");
	tag_memory();
	tag_framebuffer(32, 4096, 1, 0);
	tag_data(15, new_rsdp, sizeof(new_rsdp));
	tag_data(14, old_rsdp, sizeof(old_rsdp));
	tag_data(12, "EFI table", 8);
	tag_data(4711, "????", 4);
}

static void test_good(void **state)
{
	(void)state;
	good_block();
	assert_int_equal(finish(), 0);
	assert_int_equal(info.block_start, ADDRESS);
	assert_int_equal(info.block_end, ADDRESS + block.size);
	assert_string_equal(info.cmdline, "loglevel=debug mem=2G");
	assert_string_equal(info.loader, "GRUB 2.06");
	assert_int_equal(info.module_count, 2);
	assert_int_equal(info.modules[0].start, 0x200000);
	assert_int_equal(info.modules[0].end, 0x210000);
	assert_string_equal(info.modules[0].cmdline, "l1 paging=4k");
	assert_int_equal(info.range_count, 5);
	assert_int_equal(info.ranges[0].start, 0);
	assert_int_equal(info.ranges[0].end, 0x9fc00);
	assert_int_equal(info.ranges[3].kind, MEMORY_ACPI);
	assert_int_equal(info.ranges[4].kind, MEMORY_RESERVED);
	assert_int_equal(info.framebuffer.kind, FRAMEBUFFER_RGB);
	assert_int_equal(info.framebuffer.width, 1024);
	assert_int_equal(info.framebuffer.red_shift, 16);
	assert_int_equal(info.rsdp_size, 36);
	assert_memory_equal(info.rsdp, "RSD PTR 2", 9);
	assert_true(info.efi);
}

static void test_framebuffers(void **state)
{
	static const struct {
		u32 bpp, pitch;
		u8 type, blue_shift;
		enum framebuffer_kind kind;
	} cases[] = {
		{32, 4096, 1, 0, FRAMEBUFFER_RGB},   {24, 3072, 1, 0, FRAMEBUFFER_RGB},
		{16, 2048, 1, 0, FRAMEBUFFER_NONE},  {32, 4095, 1, 0, FRAMEBUFFER_NONE},
		{32, 4096, 1, 25, FRAMEBUFFER_NONE}, {24, 3072, 1, 17, FRAMEBUFFER_NONE},
		{16, 2048, 2, 0, FRAMEBUFFER_TEXT},  {16, 2047, 2, 0, FRAMEBUFFER_NONE},
		{8, 1024, 0, 0, FRAMEBUFFER_NONE},   {32, 1u << 31, 1, 0, FRAMEBUFFER_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin();
		tag_memory();
		tag_framebuffer(cases[i].bpp, cases[i].pitch, cases[i].type, cases[i].blue_shift);
		assert_int_equal(finish(), 0);
		assert_int_equal(info.framebuffer.kind, cases[i].kind);
	}
}

static void test_broken_structure(void **state)
{
	u32 v;

	(void)state;
	begin();
	assert_int_equal(finish(), -ENOENT);
	/* No end tag. */
	begin();
	tag_memory();
	memcpy(block.data, &block.size, 4);
	assert_int_equal(parse(), -EINVAL);
	/* The total size is larger than what there is, or smaller than its own header. */
	good_block();
	assert_int_equal(finish(), 0);
	v = block.size + 1;
	memcpy(block.data, &v, 4);
	assert_int_equal(parse(), -EINVAL);
	v = 7;
	memcpy(block.data, &v, 4);
	assert_int_equal(parse(), -EINVAL);
	block.size = 4;
	assert_int_equal(parse(), -EINVAL);
	/* A tag smaller than its header, and one that goes beyond the block. */
	for (int i = 0; i < 3; i++) {
		static const u32 sizes[] = {0, 7, 4000000000u};

		begin();
		tag_memory();
		put32(4711);
		put32(sizes[i]);
		assert_int_equal(finish(), -EINVAL);
	}
}

/* A memory map's tag, up to its entries. */
static u32 tag_map(u32 entry_size)
{
	u32 t = tag(6);

	put32(entry_size);
	put32(0);
	return t;
}

static void test_broken_memory(void **state)
{
	u32 t;

	(void)state;
	for (u32 entry_size = 0; entry_size < 24; entry_size += 8) {
		begin();
		t = tag_map(entry_size);
		memory(0, 4096, 1);
		tag_end(t);
		assert_int_equal(finish(), -EINVAL);
	}
	begin();
	t = tag_map(24);
	memory(~0ull - 4095, 8192, 1);
	tag_end(t);
	assert_int_equal(finish(), -EINVAL);
	begin();
	t = tag_map(24);
	for (u64 i = 0; i < BOOTINFO_RANGES + 1; i++)
		memory(i << 20, 4096, 1);
	tag_end(t);
	assert_int_equal(finish(), -E2BIG);
	/* The last entry is cut: what is whole counts. */
	begin();
	t = tag_map(24);
	memory(0, 4096, 1);
	put64(4096);
	tag_end(t);
	assert_int_equal(finish(), 0);
	assert_int_equal(info.range_count, 1);
}

static void test_broken_strings(void **state)
{
	char *longest = malloc(BOOTINFO_CMDLINE + 1);

	(void)state;
	memset(longest, 'a', BOOTINFO_CMDLINE);
	longest[BOOTINFO_CMDLINE] = '\0';
	begin();
	tag_memory();
	tag_string(1, longest);
	assert_int_equal(finish(), -E2BIG);
	begin();
	tag_memory();
	tag_string(1, longest + 1);
	assert_int_equal(finish(), 0);
	assert_int_equal(strlen(info.cmdline), BOOTINFO_CMDLINE - 1);
	/* Not terminated within its tag. */
	begin();
	tag_memory();
	tag_data(1, "abcdefgh", 8);
	assert_int_equal(finish(), -E2BIG);
	begin();
	tag_memory();
	tag_module(0, 0, longest);
	assert_int_equal(finish(), -E2BIG);
	free(longest);
}

static void test_broken_modules(void **state)
{
	(void)state;
	begin();
	tag_memory();
	tag_module(0x2000, 0x1000, "");
	assert_int_equal(finish(), -EINVAL);
	begin();
	tag_memory();
	tag_data(3, "????", 4);
	assert_int_equal(finish(), -EINVAL);
	begin();
	tag_memory();
	for (int i = 0; i < BOOTINFO_MODULES + 1; i++)
		tag_module(0x1000, 0x2000, "m");
	assert_int_equal(finish(), -E2BIG);
}

/* What must hold whenever the parser says that all is well. */
static void check_sane(void)
{
	assert_true(info.range_count > 0 && info.range_count <= BOOTINFO_RANGES);
	assert_true(info.module_count <= BOOTINFO_MODULES);
	for (u32 i = 0; i < info.range_count; i++)
		assert_true(info.ranges[i].start < info.ranges[i].end);
	for (u32 i = 0; i < info.module_count; i++) {
		assert_true(info.modules[i].start <= info.modules[i].end);
		assert_non_null(memchr(info.modules[i].cmdline, 0, BOOTINFO_MODULE_ARG));
	}
	assert_non_null(memchr(info.cmdline, 0, sizeof(info.cmdline)));
	assert_non_null(memchr(info.loader, 0, sizeof(info.loader)));
	assert_true(info.rsdp_size <= sizeof(info.rsdp));
	if (info.framebuffer.kind == FRAMEBUFFER_RGB)
		assert_true(info.framebuffer.pitch >=
			    info.framebuffer.width * info.framebuffer.bpp / 8);
}

static void mutate(void)
{
	for (int i = rand() % 6; i >= 0; i--) {
		u32 at = (u32)rand() % block.size;

		switch (rand() % 4) {
		case 0:
			block.data[at] ^= (u8)(1 << rand() % 8);
			break;
		case 1:
			block.data[at] = (u8)rand();
			break;
		case 2: /* a size or a type of some tag, most likely */
			at &= ~3u;
			memcpy(block.data + at, (u32[]){(u32)rand() % 64}, 4);
			break;
		default: /* cut */
			block.size = MAX(at, 1u);
		}
	}
	if (rand() % 2)
		memcpy(block.data, &block.size, 4);
}

static void test_mutations(void **state)
{
	int good = 0, bad = 0;

	(void)state;
	srand(11);
	for (int i = 0; i < 100000; i++) {
		good_block();
		assert_int_equal(finish(), 0);
		mutate();
		if (parse()) {
			bad++;
			continue;
		}
		good++;
		check_sane();
	}
	/* Both happen, or the loop tests nothing. */
	assert_true(good > 1000 && bad > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_framebuffers),
		cmocka_unit_test(test_broken_structure),
		cmocka_unit_test(test_broken_memory),
		cmocka_unit_test(test_broken_strings),
		cmocka_unit_test(test_broken_modules),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
