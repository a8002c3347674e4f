/* SPDX-License-Identifier: MIT */
/*
 * The source's side of a live migration: pre-copy rounds driven by the dirty log, throttling,
 * stop-and-copy, and the hand-over. The names of states and figures are QEMU's.
 *
 * One task calls migration_run(). migration_cancel() may be called by any other, at any time.
 */
#pragma once

#include "migration/memhash.h"
#include "migration/migration.h"
#include "migration/stream_ram.h"
#include "migration/stream_state.h"

#define MIGRATION_CHUNK_PAGES 4096 /* of the dirty log, taken at a time */

struct migration;

enum migration_event {
	MIGRATION_SETUP,    /* begins */
	MIGRATION_ROUND,    /* a round has ended */
	MIGRATION_THROTTLE, /* the guest is held back more */
	MIGRATION_PAUSED,   /* the guest stands still */
	MIGRATION_VERIFY,   /* all is sent; hashes are made */
	MIGRATION_SWITCHED, /* the destination runs */
	MIGRATION_ENDED,    /* completed, failed or cancelled: the last event */
};

/* What the machine must offer. Pages are named by the slot's index and the page's number. */
struct migration_source_ops {
	/* What it is. */
	void (*config)(void *ctx, struct migration_config *cfg);
	/* Dirty logging of all slots. 0, or -errno and then none is logged. */
	int (*log_start)(void *ctx);
	void (*log_stop)(void *ctx);
	/* Brings what the processors have noted of the guest's writes into the dirty log. */
	void (*dirty_sync)(void *ctx);
	/*
	 * Takes the dirty bits of @npages pages from @first on, both multiples of 64 or ending at
	 * the slot's end; memory read afterwards is no older than the bits. Returns how many.
	 */
	u64 (*dirty_read_clear)(void *ctx, u32 slot, u64 first, u64 npages, u64 *bits);
	/* Dirty pages in the log, in all slots. */
	u64 (*dirty_count)(void *ctx);
	const void *(*page)(void *ctx, u32 slot, u64 page);
	/*
	 * Stops the guest where the user wants it. 0; -ETIMEDOUT: it runs on; -ECANCELED: it has
	 * ended.
	 */
	int (*pause)(void *ctx);
	void (*resume)(void *ctx);
	/* Holds the guest back for that share of the time, 0 to 99. */
	void (*throttle)(void *ctx, u32 percent);
	u64 (*now_ns)(void *ctx);
	/* Called often in long loops: others may run. */
	void (*yield)(void *ctx);
	/* Sleeps for about @ns, for the bandwidth limit. */
	void (*sleep)(void *ctx, u64 ns);
	/*
	 * The answer to GO was lost: does the destination run? When that cannot be known, true: a
	 * machine must not run twice.
	 */
	bool (*dest_runs)(void *ctx);
	/* For showing progress; may call migration_cancel(). */
	void (*event)(void *ctx, enum migration_event event);
};

enum migration_status {
	MIGRATION_STATUS_NONE,
	MIGRATION_STATUS_SETUP,
	MIGRATION_STATUS_ACTIVE,
	MIGRATION_STATUS_DEVICE,
	MIGRATION_STATUS_CANCELLING,
	MIGRATION_STATUS_COMPLETED,
	MIGRATION_STATUS_FAILED,
	MIGRATION_STATUS_CANCELLED,
};

/* QEMU's word for it. */
const char *migration_status_name(enum migration_status status);

struct migration_params {
	u64 downtime_limit_ns;
	u64 max_bandwidth;	/* bytes per second, 0: no limit */
	u32 max_rounds;		/* then the guest is stopped whatever is left */
	bool auto_converge;	/* throttle a guest that dirties too fast */
	u32 throttle_initial;	/* percent */
	u32 throttle_increment; /* percent */
	bool verify;		/* compare hashes of the whole memory */
	bool compress;
};

void migration_params_default(struct migration_params *p);

/* As query-migrate shows it. Pages, bytes, nanoseconds. */
struct migration_info {
	enum migration_status status;
	u64 total_time_ns, setup_time_ns, downtime_ns, expected_downtime_ns, verify_time_ns;
	u32 throttle;	 /* percent */
	u32 rounds;	 /* dirty-sync-count */
	u64 transferred; /* bytes of the stream */
	u64 precopy_bytes, downtime_bytes;
	u64 remaining;			  /* pages */
	u64 total;			  /* pages */
	u64 duplicate;			  /* zero pages */
	u64 normal;			  /* pages with contents */
	u64 resident;			  /* pages with contents that the first round saw */
	u64 dirty_rate;			  /* pages per second, of the last round */
	u64 page_rate;			  /* pages per second, of the last round */
	u64 bandwidth;			  /* bytes per second, of the last round */
	bool verified;			  /* memory and state were compared, and are equal */
	char error[ANSWER_TEXT_MAX + 40]; /* why it failed */
};

/* One round, for the progress line and for the decision to stop. */
struct migration_round {
	u64 started_ns, duration_ns;
	u64 sent;   /* pages, zero pages included */
	u64 normal; /* pages with contents */
	u64 bytes;  /* of the stream */
	u64 dirty;  /* pages, when it ended */
};

#define SOURCE_ANSWER_SIZE 512

struct migration {
	const struct migration_source_ops *ops;
	void *ctx;
	struct state_set states;
	struct migration_params params;
	struct migration_config cfg;
	struct migration_info info;
	struct migration_round round;
	struct stream_writer out;
	struct stream_reader answers;
	struct ram_batch batch;
	bool logging, paused, given_away;
	bool cancel;	    /* atomic */
	u32 dirty_too_fast; /* rounds in a row */
	u64 page_cost_ns; /* to send a page with contents, by the last round that was long enough */
	u64 started_ns, paused_ns;
	u64 bits[MIGRATION_CHUNK_PAGES / 64];
	u64 state[STATE_MAX_SIZE / 8];
	u8 answer_buf[SOURCE_ANSWER_SIZE];
	u8 buf[STREAM_SECTION_HEADER + STREAM_MAX_PAYLOAD];
};

/* @m may be uninitialized memory; it is large, about 240 KiB. */
void migration_init(struct migration *m, const struct migration_source_ops *ops, void *ctx,
		    const struct state_set *states, const struct migration_params *params,
		    struct transport *t);
/*
 * Migrates. 0: the destination runs, and the source's guest stays stopped for good. -errno: the
 * source's guest runs, logging is off, m->info.error says why.
 */
int __must_check migration_run(struct migration *m);
/* Asks for the end. Any task. */
void migration_cancel(struct migration *m);

/* How much of what is in memory the destination has, percent, for a progress bar. */
u32 migration_percent(const struct migration *m);
