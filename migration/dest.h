/* SPDX-License-Identifier: MIT */
/*
 * The destination: takes a stream apart, section by section, and puts a machine together. It
 * trusts nothing in the stream, and gives the machine away to nobody before the source's hashes
 * are its own.
 */
#pragma once

#include "migration/memhash.h"
#include "migration/migration.h"
#include "migration/stream_ram.h"
#include "migration/stream_state.h"

/*
 * What the machine must offer. @ctx is the glue's. Pages are named by the slot's index in the
 * config and the page's number in the slot.
 */
struct migration_dest_ops {
	/*
	 * Makes the machine that @cfg describes, whatever its memory holds, and says which states
	 * it has. 0, or -errno with a sentence in @why. Called once.
	 */
	int (*create)(void *ctx, const struct migration_config *cfg, struct state_set *states,
		      char *why, size_t size);
	/* The page's memory, for reading and writing: the machine does not run yet. */
	void *(*page)(void *ctx, u32 slot, u64 page);
	/* Runs the machine. It cannot fail. */
	void (*resume)(void *ctx);
	/* Lets go of the machine that create() made; also called when create() failed. */
	void (*abandon)(void *ctx);
	/* Called often in long loops; others may run. 0, or -ECANCELED to stop. */
	int (*yield)(void *ctx);
};

enum dest_stage {
	DEST_CONFIG, /* waiting for the config */
	DEST_MEMORY, /* rounds */
	DEST_STATES, /* no pages any more */
	DEST_END,    /* verify is done */
	DEST_GO,     /* verified; waiting for the source to give the machine away */
	DEST_RUNNING,
	DEST_FAILED,
};

#define DEST_ANSWER_SIZE (STREAM_SECTION_HEADER + ANSWER_MAX)

struct migration_dest {
	const struct migration_dest_ops *ops;
	void *ctx;
	struct stream_reader in;
	struct stream_writer answers;
	struct migration_config cfg;
	struct state_set states;
	enum dest_stage stage;
	u32 round; /* number of the current one, 0: none yet */
	bool final;
	u32 cursor_slot; /* what this round has seen: everything before this slot and page */
	u64 cursor_gfn;
	u64 round_pages;	    /* received in this round */
	u64 pages;		    /* received in all rounds */
	u64 loaded;		    /* bit per state */
	bool created;		    /* create() was called, so abandon() is due on failure */
	bool verified;		    /* memory and state compared equal */
	struct stream_error *error; /* in.error */
	u8 answer_buf[DEST_ANSWER_SIZE];
	u8 page[PAGE_SIZE];
	u64 state[STATE_MAX_SIZE / 8];
	u8 payload[STREAM_MAX_PAYLOAD];
};

void migration_dest_init(struct migration_dest *d, const struct migration_dest_ops *ops, void *ctx,
			 struct transport *t);
/*
 * Reads and carries out one section. 1: more must come; 0: the machine runs here; -errno: it
 * failed, d->error says why, the source was told, and the machine is let go.
 */
int __must_check migration_dest_step(struct migration_dest *d);
/* Steps to the end. 0 or -errno. */
int __must_check migration_dest_run(struct migration_dest *d);
