/* SPDX-License-Identifier: MIT */
/*
 * What both ends of a migration share: the set of described states, the verdicts that the
 * destination returns, and the protocol.
 *
 *	source						destination
 *	CONFIG						makes the machine
 *							ANSWER(READY) or ANSWER(FAILED)
 *	(dirty logging is turned on)
 *	ROUND 1, RAM...  ROUND 2, RAM...		writes pages
 *	(the guest is paused)
 *	ROUND n (final), RAM..., STATE...		loads states
 *	VERIFY, END					compares hashes and totals
 *							ANSWER(VERIFIED) or ANSWER(FAILED)
 *	GO						ANSWER(TAKEN), then resumes
 *	(its guest never runs again)
 *
 * Until GO is sent the source can take everything back. A destination that fails says why in
 * ANSWER(FAILED) and lets go of its machine.
 */
#pragma once

#include "lib/state.h"
#include "migration/stream.h"
#include "migration/stream_config.h"

#define MIGRATION_MAX_STATES 64

/*
 * The states of one machine, the same list in the same order on both sides. They are loaded in
 * that order.
 */
struct state_set_ops {
	u32 (*count)(void *ctx); /* at most MIGRATION_MAX_STATES */
	/* *@instance tells states of the same desc apart. */
	const struct state_desc *(*desc)(void *ctx, u32 index, u32 *instance);
	/*
	 * Writes all desc->size bytes of @state. They hold a pattern before the call, another one
	 * on the other side, so that a field which save leaves out shows when the two sides'
	 * hashes are compared. 0 or -errno.
	 */
	int (*save)(void *ctx, u32 index, void *state);
	/* 0; -EINVAL when the contents are impossible; -ENOMEM. */
	int (*load)(void *ctx, u32 index, const void *state);
};

struct state_set {
	const struct state_set_ops *ops;
	void *ctx;
};

#define STATE_PATTERN_SOURCE 0xa5
#define STATE_PATTERN_DEST   0x5a

/* In SECTION_ROUND: number:4 flags:4 */
#define ROUND_FINAL BIT(0)

/*
 * In SECTION_VERIFY: flags:4 zero:4 memory.sum:8 memory.pages:8, then for each state
 * nr_fields:4 and each field's hash:8 (state_hash.h).
 */
#define VERIFY_MEMORY BIT(0) /* the memory was hashed */
#define VERIFY_HEADER 24

/* In SECTION_END: pages:8 bytes:8 sections:8 hash:8, each of all that came before. */
#define END_SIZE 32

/* In SECTION_ANSWER: verdict:4 zero:4 text(name) */
enum verdict { VERDICT_FAILED, VERDICT_READY, VERDICT_VERIFIED, VERDICT_TAKEN };
#define ANSWER_TEXT_MAX 200
#define ANSWER_MAX	(4 + 4 + 2 + ANSWER_TEXT_MAX)
