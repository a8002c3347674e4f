// SPDX-License-Identifier: MIT
/*
 * The Multiboot2 information block (Multiboot2 3.6): a total size, then tags of {type, size},
 * each starting at a multiple of 8. Every size is checked before what it covers is read.
 */
#include "kernel/bootinfo.h"
#include "lib/string.h"

enum mb2_tag {
	MB2_END = 0,
	MB2_CMDLINE = 1,
	MB2_LOADER = 2,
	MB2_MODULE = 3,
	MB2_MEMORY_MAP = 6,
	MB2_FRAMEBUFFER = 8,
	MB2_EFI32 = 11,
	MB2_EFI64 = 12,
	MB2_RSDP_OLD = 14,
	MB2_RSDP_NEW = 15,
};

struct mb2_header {
	u32 total_size;
	u32 reserved;
};

struct mb2_tag_header {
	u32 type;
	u32 size; /* with this header, without the padding */
};

struct mb2_module {
	u32 start, end;
	/* then a string */
};

struct mb2_memory_map {
	u32 entry_size;
	u32 version;
	/* then the entries */
};

struct mb2_memory {
	u64 base, length;
	u32 kind;
	u32 reserved;
};

struct mb2_framebuffer {
	u64 address;
	u32 pitch, width, height;
	u8 bpp, type;
	u16 reserved;
};

struct mb2_rgb {
	u8 red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits;
};

/* A tag's body, which the parsers may read up to @size and not beyond. */
struct body {
	const u8 *data;
	size_t size;
};

static int fail(const char **why, const char *text, int err)
{
	*why = text;
	return err;
}

/* Copies a NUL-terminated string out of @b; false when it is not terminated or does not fit. */
static bool copy_string(char *to, size_t room, struct body b)
{
	for (size_t i = 0; i < b.size && i < room; i++) {
		to[i] = (char)b.data[i];
		if (!to[i])
			return true;
	}
	to[0] = '\0';
	return false;
}

static int parse_module(struct bootinfo *info, struct body b, const char **why)
{
	struct boot_module *m = &info->modules[info->module_count];
	struct mb2_module raw;

	if (info->module_count == BOOTINFO_MODULES)
		return fail(why, "more boot modules than the 16 that there is room for", -E2BIG);
	if (b.size < sizeof(raw))
		return fail(why, "a boot module's tag is too short", -EINVAL);
	memcpy(&raw, b.data, sizeof(raw));
	if (raw.end < raw.start)
		return fail(why, "a boot module ends before it starts", -EINVAL);
	m->start = raw.start;
	m->end = raw.end;
	if (!copy_string(m->cmdline, sizeof(m->cmdline),
			 (struct body){b.data + sizeof(raw), b.size - sizeof(raw)}))
		return fail(why, "a boot module's parameters are longer than 255 characters",
			    -E2BIG);
	info->module_count++;
	return 0;
}

static int add_range(struct bootinfo *info, const struct mb2_memory *raw, const char **why)
{
	struct memory_range *r = &info->ranges[info->range_count];

	if (raw->length == 0)
		return 0;
	if (info->range_count == BOOTINFO_RANGES)
		return fail(why, "more memory ranges than the 128 that there is room for", -E2BIG);
	if (raw->base + raw->length < raw->base)
		return fail(why, "a memory range wraps around", -EINVAL);
	r->start = raw->base;
	r->end = raw->base + raw->length;
	/* Kinds that Multiboot2 does not name are reserved (3.6.8). */
	r->kind = raw->kind >= MEMORY_RAM && raw->kind <= MEMORY_BAD ? (enum memory_kind)raw->kind
								     : MEMORY_RESERVED;
	info->range_count++;
	return 0;
}

static int parse_memory_map(struct bootinfo *info, struct body b, const char **why)
{
	struct mb2_memory_map map;
	struct mb2_memory raw;

	if (b.size < sizeof(map))
		return fail(why, "the memory map's tag is too short", -EINVAL);
	memcpy(&map, b.data, sizeof(map));
	if (map.entry_size < sizeof(raw) || map.entry_size % 8 != 0)
		return fail(why, "the memory map's entry size is wrong", -EINVAL);
	for (size_t at = sizeof(map); b.size - at >= map.entry_size; at += map.entry_size) {
		memcpy(&raw, b.data + at, sizeof(raw));
		int err = add_range(info, &raw, why);

		if (err)
			return err;
	}
	return 0;
}

static bool rgb_usable(const struct mb2_framebuffer *fb, const struct mb2_rgb *rgb)
{
	u32 highest = MAX(rgb->red_shift, rgb->green_shift);

	highest = MAX(highest, rgb->blue_shift);
	return (fb->bpp == 24 || fb->bpp == 32) && highest <= fb->bpp - 8u &&
	       fb->pitch <= 1 << 20 && fb->pitch >= fb->width * (fb->bpp / 8);
}

/* A screen that cannot be used is no reason not to boot: it is left out. */
static void parse_framebuffer(struct bootinfo *info, struct body b)
{
	struct mb2_framebuffer raw;
	struct mb2_rgb rgb = {16, 8, 8, 8, 0, 8};
	struct framebuffer *fb = &info->framebuffer;

	if (b.size < sizeof(raw))
		return;
	memcpy(&raw, b.data, sizeof(raw));
	if (raw.type == 1 && b.size >= sizeof(raw) + sizeof(rgb))
		memcpy(&rgb, b.data + sizeof(raw), sizeof(rgb));
	*fb = (struct framebuffer){
		.address = raw.address,
		.pitch = raw.pitch,
		.width = raw.width,
		.height = raw.height,
		.bpp = raw.bpp,
		.red_shift = rgb.red_shift,
		.green_shift = rgb.green_shift,
		.blue_shift = rgb.blue_shift,
	};
	if (raw.width > 16384 || raw.height > 16384 || raw.address + (1ull << 40) < raw.address)
		return;
	if (raw.type == 2 && raw.pitch >= 2 * raw.width)
		fb->kind = FRAMEBUFFER_TEXT;
	if (raw.type == 1 && rgb_usable(&raw, &rgb))
		fb->kind = FRAMEBUFFER_RGB;
}

static void parse_rsdp(struct bootinfo *info, struct body b)
{
	u32 size = (u32)MIN(b.size, sizeof(info->rsdp));

	/* The newer one wins over the older, in whatever order they come. */
	if (size < 20 || size < info->rsdp_size)
		return;
	memcpy(info->rsdp, b.data, size);
	info->rsdp_size = size;
}

static int parse_tag(struct bootinfo *info, u32 type, struct body b, const char **why)
{
	switch (type) {
	case MB2_CMDLINE:
		if (!copy_string(info->cmdline, sizeof(info->cmdline), b))
			return fail(why, "the command line is longer than 1023 characters", -E2BIG);
		return 0;
	case MB2_LOADER:
		(void)copy_string(info->loader, sizeof(info->loader), b);
		return 0;
	case MB2_MODULE:
		return parse_module(info, b, why);
	case MB2_MEMORY_MAP:
		return parse_memory_map(info, b, why);
	case MB2_FRAMEBUFFER:
		parse_framebuffer(info, b);
		return 0;
	case MB2_EFI32:
	case MB2_EFI64:
		info->efi = true;
		return 0;
	case MB2_RSDP_OLD:
	case MB2_RSDP_NEW:
		parse_rsdp(info, b);
		return 0;
	default:
		return 0;
	}
}

static int parse_tags(struct bootinfo *info, const u8 *block, size_t size, const char **why)
{
	struct mb2_tag_header tag;

	for (size_t at = sizeof(struct mb2_header); size - at >= sizeof(tag);) {
		memcpy(&tag, block + at, sizeof(tag));
		if (tag.type == MB2_END)
			return 0;
		if (tag.size < sizeof(tag) || tag.size > size - at)
			return fail(why, "a boot information tag's size is wrong", -EINVAL);
		struct body b = {block + at + sizeof(tag), tag.size - sizeof(tag)};
		int err = parse_tag(info, tag.type, b, why);

		if (err)
			return err;
		at += MIN(ALIGN_UP((size_t)tag.size, 8), size - at);
	}
	return fail(why, "the boot information has no end tag", -EINVAL);
}

int bootinfo_parse(struct bootinfo *info, const void *block, size_t limit, u64 address,
		   const char **why)
{
	struct mb2_header header;

	*info = (struct bootinfo){0};
	if (limit < sizeof(header))
		return fail(why, "the boot information is too short", -EINVAL);
	memcpy(&header, block, sizeof(header));
	if (header.total_size < sizeof(header) || header.total_size > limit)
		return fail(why, "the boot information's total size is wrong", -EINVAL);
	info->block_start = address;
	info->block_end = address + header.total_size;
	int err = parse_tags(info, block, header.total_size, why);

	if (err)
		return err;
	if (info->range_count == 0)
		return fail(why, "the boot loader gives no memory map", -ENOENT);
	return 0;
}
