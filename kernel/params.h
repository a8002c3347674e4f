/* SPDX-License-Identifier: MIT */
/*
 * Boot parameters: name=value words, as on Linux. One table (params.def) makes the struct that
 * the code reads, the parser and the help. Plain C, tested on the host. To add one: a line in
 * params.def, and for a choice of words its list here.
 */
#pragma once

#include "lib/types.h"

/* A word's '_' may be written '-' on the command line. */
#define PARAM_WORDS_loglevel(W) \
	W(loglevel, err) W(loglevel, warn) W(loglevel, info) W(loglevel, debug)
#define PARAM_WORDS_console(W) \
	W(console, auto) W(console, serial) W(console, screen) W(console, both)
#define PARAM_WORDS_exit(W) W(exit, none) W(exit, qemu) W(exit, bochs)
#define PARAM_WORDS_huge(W) W(huge, 4k) W(huge, 2m) W(huge, 1g)
#define PARAM_WORDS_nx_huge_pages(W) \
	W(nx_huge_pages, off) W(nx_huge_pages, on) W(nx_huge_pages, auto)
#define PARAM_WORDS_dirty(W)	  W(dirty, dbit) W(dirty, wp)
#define PARAM_WORDS_dirty_mode(W) W(dirty_mode, protect) W(dirty_mode, initially_all_set)
#define PARAM_WORDS_migrate(W)	  W(migrate, off) W(migrate, twin)
#define PARAM_WORDS_switchover(W) \
	W(switchover, any)        \
	W(switchover, l1)         \
	W(switchover, l2)         \
	W(switchover, transition) \
	W(switchover, event) W(switchover, gif0) W(switchover, halted)
#define PARAM_WORDS_cancel(W) W(cancel, off) W(cancel, setup) W(cancel, active) W(cancel, device)
#define PARAM_WORDS_stream(W) \
	W(stream, ok)         \
	W(stream, cut) W(stream, alter) W(stream, reorder) W(stream, newer)

/* The words' values: PARAM_loglevel_err is 0, PARAM_loglevel_warn 1, and so on. */
#define PARAM_WORD_ENUM(name, word)	 PARAM_##name##_##word,
#define PARAM_WORD(name, default_, help) enum { PARAM_WORDS_##name(PARAM_WORD_ENUM) };
#define PARAM_BOOL(name, default_, help)
#define PARAM_NUMBER(name, default_, min, max, help)
#define PARAM_STRING(name, default_, help)
#include "kernel/params.def"
#undef PARAM_WORD
#undef PARAM_BOOL
#undef PARAM_NUMBER
#undef PARAM_STRING

#define PARAM_STRING_SIZE 128

struct params {
#define PARAM_WORD(name, default_, help)	     u32 name;
#define PARAM_BOOL(name, default_, help)	     bool name;
#define PARAM_NUMBER(name, default_, min, max, help) u64 name;
#define PARAM_STRING(name, default_, help)	     char name[PARAM_STRING_SIZE];
#include "kernel/params.def"
#undef PARAM_WORD
#undef PARAM_BOOL
#undef PARAM_NUMBER
#undef PARAM_STRING
};

/* The machine's own, constant after boot. */
extern struct params params;

/* Every parameter at its default. */
void params_init(struct params *p);

/*
 * Reads the words of @cmdline into @p, the later one of two winning. All words that are right
 * take effect (so that exit= does even beside a wrong one). Returns 0, or -EINVAL with one line
 * about the first wrong word in @why.
 */
int __must_check params_parse(struct params *p, const char *cmdline, char *why, size_t why_size);

/*
 * The @index-th parameter as one line of help in @line; false when there are no more.
 */
bool params_help(unsigned int index, char *line, size_t size);
