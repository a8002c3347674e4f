/* SPDX-License-Identifier: MIT */
/*
 * A buddy allocator of page frames, from 4K (order 0) to 1G (order 18). It never touches the
 * frames themselves: what it must remember stands in an array of struct frame that its owner
 * supplies. So the host tests it with made-up memory. No locks: the owner has one.
 */
#pragma once

#include "lib/types.h"

#define BUDDY_MAX_ORDER	     18
#define BUDDY_SECTION_FRAMES (1ull << BUDDY_MAX_ORDER)

enum frame_state {
	FRAME_NONE, /* not RAM, or not ours */
	FRAME_FREE, /* the first frame of a free block of 2^order */
	FRAME_USED, /* the first frame of a block in use */
	FRAME_TAIL, /* inside a block */
};

struct frame {
	union {
		u64 private; /* while in use: the user's word, 0 at first */
		struct {
			u32 next, prev; /* while free: neighbours in the list, frame numbers */
		};
	};
	u8 state; /* enum frame_state */
	u8 order;
	u8 reused; /* was handed out and given back before: it holds what somebody left there */
};

/*
 * Frames are numbered by address / 4K. Section n of 2^18 frames (1 GiB) has its array at
 * @sections[n], or NULL when there is no RAM in it.
 */
struct buddy {
	struct frame **sections;
	u64 section_count;
	u32 first[BUDDY_MAX_ORDER + 1];	      /* the lists of free blocks: frame numbers */
	u64 free_blocks[BUDDY_MAX_ORDER + 1]; /* their lengths */
	u64 free_frames, total_frames;
};

/* @sections and the arrays must be zeroed; no frame is free yet. */
void buddy_init(struct buddy *b, struct frame **sections, u64 section_count);

/* Gives frames [@first, @end) to the allocator. Each may be given once only. */
void buddy_add(struct buddy *b, u64 first, u64 end);

/*
 * Takes 2^@order frames, aligned to their size, from the smallest free block that holds them:
 * a big block is broken only when no smaller one will do. -ENOMEM when there is none.
 */
int __must_check buddy_alloc(struct buddy *b, unsigned int order, u64 *first);

/* Gives back what buddy_alloc gave with the same @order. Anything else is a bug: assertion. */
void buddy_free(struct buddy *b, u64 first, unsigned int order);

/* The frame's entry; NULL for a number outside all sections. */
struct frame *buddy_frame(const struct buddy *b, u64 number);

/* How many blocks of 2^@order frames could be had now. */
u64 buddy_available(const struct buddy *b, unsigned int order);
