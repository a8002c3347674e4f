/* SPDX-License-Identifier: MIT */
/* A recorded stream taken apart, to be changed and put together again with right checksums. */
#pragma once

#include "migration/wire.h"
#include "tests/host/migration_model.h"

/* The sections of a recorded stream, by number, as a guest that writes nothing gives them. */
enum { CONFIG, ROUND_1, RAM_0, RAM_1, ROUND_2, CPU_0, UART, CPU_1, VERIFY, END, GO, SECTIONS };

struct sec {
	u32 type, instance;
	u8 *data;
	size_t len;
};

struct tape {
	struct sec sec[32];
	u32 n;
};

enum edit { SET, REMOVE, TWICE, SWAP, INSERT, SHORTER, LONGER, INSTANCE };

void tape_load(struct tape *t, const struct queue *q);
void tape_free(struct tape *t);
/* Changes section @at; what @arg and @val are depends on @edit. SET: @bytes of @val at @arg. */
void tape_edit(struct tape *t, enum edit edit, u32 at, u64 arg, u64 val, int bytes);
/* The tape as a stream with every checksum and, if told so, the totals right. */
struct queue tape_store(struct tape *t, bool fix_totals);
/* A transport that writes into .q */
struct tape_transport {
	struct transport t;
	struct queue q;
};
int tape_transport_write(struct transport *t, const void *buf, size_t len);
