// SPDX-License-Identifier: MIT
/* The buddy allocator: blocks of 2^n frames, split in halves and joined with their other half. */
#include "kernel/buddy.h"
#include "lib/assert.h"

#define NIL 0xffffffffu

void buddy_init(struct buddy *b, struct frame **sections, u64 section_count)
{
	*b = (struct buddy){.sections = sections, .section_count = section_count};
	for (int order = 0; order <= BUDDY_MAX_ORDER; order++)
		b->first[order] = NIL;
}

struct frame *buddy_frame(const struct buddy *b, u64 number)
{
	u64 section = number / BUDDY_SECTION_FRAMES;

	if (section >= b->section_count || !b->sections[section])
		return NULL;
	return &b->sections[section][number % BUDDY_SECTION_FRAMES];
}

static struct frame *frame_at(const struct buddy *b, u64 number)
{
	struct frame *f = buddy_frame(b, number);

	assert(f);
	return f;
}

static void list_push(struct buddy *b, u64 number, unsigned int order)
{
	struct frame *f = frame_at(b, number);

	f->state = FRAME_FREE;
	f->order = (u8)order;
	f->prev = NIL;
	f->next = b->first[order];
	if (f->next != NIL)
		frame_at(b, f->next)->prev = (u32)number;
	b->first[order] = (u32)number;
	b->free_blocks[order]++;
}

static void list_unlink(struct buddy *b, u64 number, unsigned int order)
{
	struct frame *f = frame_at(b, number);

	if (f->prev != NIL)
		frame_at(b, f->prev)->next = f->next;
	else
		b->first[order] = f->next;
	if (f->next != NIL)
		frame_at(b, f->next)->prev = f->prev;
	f->private = 0;
	f->state = FRAME_TAIL;
	b->free_blocks[order]--;
}

/* Makes a block free, joined with its other half as often as that is free too. */
static void release(struct buddy *b, u64 number, unsigned int order)
{
	while (order < BUDDY_MAX_ORDER) {
		u64 other = number ^ BIT(order);
		struct frame *f = buddy_frame(b, other);

		if (!f || f->state != FRAME_FREE || f->order != order)
			break;
		list_unlink(b, other, order);
		frame_at(b, number)->state = FRAME_TAIL;
		number &= ~BIT(order);
		order++;
	}
	list_push(b, number, order);
}

void buddy_add(struct buddy *b, u64 first, u64 end)
{
	b->total_frames += end - first;
	b->free_frames += end - first;
	while (first < end) {
		unsigned int order = 0;

		while (order < BUDDY_MAX_ORDER && IS_ALIGNED(first, BIT(order + 1)) &&
		       first + BIT(order + 1) <= end)
			order++;
		for (u64 i = 0; i < BIT(order); i++) {
			struct frame *f = frame_at(b, first + i);

			assert(f->state == FRAME_NONE);
			f->state = FRAME_TAIL;
		}
		release(b, first, order);
		first += BIT(order);
	}
}

int buddy_alloc(struct buddy *b, unsigned int order, u64 *first)
{
	unsigned int from = order;

	assert(order <= BUDDY_MAX_ORDER);
	while (from <= BUDDY_MAX_ORDER && b->first[from] == NIL)
		from++;
	if (from > BUDDY_MAX_ORDER)
		return -ENOMEM;
	u64 number = b->first[from];
	struct frame *f = frame_at(b, number);

	list_unlink(b, number, from);
	/* Keep the lower half, free the upper one, until the size is right. */
	while (from > order) {
		from--;
		list_push(b, number + BIT(from), from);
	}
	f->state = FRAME_USED;
	f->order = (u8)order;
	b->free_frames -= BIT(order);
	*first = number;
	return 0;
}

void buddy_free(struct buddy *b, u64 first, unsigned int order)
{
	struct frame *f = frame_at(b, first);

	assert(f->state == FRAME_USED && f->order == order);
	f->state = FRAME_TAIL;
	for (u64 i = 0; i < BIT(order); i++) {
		frame_at(b, first + i)->private = 0;
		frame_at(b, first + i)->reused = true;
	}
	b->free_frames += BIT(order);
	release(b, first, order);
}

u64 buddy_available(const struct buddy *b, unsigned int order)
{
	u64 n = 0;

	for (unsigned int o = order; o <= BUDDY_MAX_ORDER; o++)
		n += b->free_blocks[o] << (o - order);
	return n;
}
