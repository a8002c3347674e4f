/* SPDX-License-Identifier: MIT */
/*
 * A small JSON writer for the line that ends a run. Keys are written in the order of the calls;
 * strings are escaped. Plain C, tested on the host.
 */
#pragma once

#include "lib/types.h"

#define RESULT_SIZE  8192
#define RESULT_DEPTH 8

struct result {
	char text[RESULT_SIZE];
	size_t len;
	int depth;  /* objects open */
	bool empty; /* nothing stands in the innermost object yet */
	bool full;  /* something did not fit: result_finish() says so */
};

/* Starts the outermost object. */
void result_init(struct result *r);
void result_string(struct result *r, const char *key, const char *val);
void result_u64(struct result *r, const char *key, u64 val);
void result_s64(struct result *r, const char *key, s64 val);
void result_bool(struct result *r, const char *key, bool val);
/* @val counts units of 10^-@decimals (at most 9): 1234 with 3 decimals is 1.234. */
void result_fixed(struct result *r, const char *key, u64 val, int decimals);
/* Opens the object @key; what follows goes into it, until result_end(). */
void result_object(struct result *r, const char *key);
void result_end(struct result *r);
/*
 * Closes what is open and returns the text, without a newline. When something did not fit,
 * that is the object {"status":"failed","error-desc":...}: never half a line.
 */
const char *result_finish(struct result *r);
