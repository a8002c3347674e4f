/* SPDX-License-Identifier: MIT */
/*
 * The stream's outer form: a header, then sections, each with a type, a sequence number, a
 * length and a checksum over all of it. What the sections hold is the business of the
 * stream_*.h files beside this one.
 *
 *	header   magic[8] version:4 flags:4 page_size:4 zero:4 checksum:8
 *	section  type:4 instance:4 sequence:8 length:4 zero:4 checksum:8 payload[length]
 *
 * All numbers are little-endian. The reader takes nothing on trust: whatever is not exactly
 * what the writer makes is refused with a fault of its own and a sentence.
 */
#pragma once

#include "lib/types.h"

#define STREAM_MAGIC	      "CLEAVEMG"
#define STREAM_VERSION	      1u
#define STREAM_HEADER_SIZE    32
#define STREAM_SECTION_HEADER 32
#define STREAM_MAX_PAYLOAD    (128u << 10) /* bytes; what a reader must be able to hold */

/* A byte stream to and from the other side. Both calls block until all is done. */
struct transport {
	/* 0; -EPIPE when the other side is gone; -ECANCELED; -EIO. */
	int (*write)(struct transport *t, const void *buf, size_t len);
	/* The same; -EPIPE also when the stream ends before @len bytes. */
	int (*read)(struct transport *t, void *buf, size_t len);
};

enum section_type {
	SECTION_CONFIG = 1, /* what machine this is; once, first */
	SECTION_ROUND,	    /* a pass over the memory begins */
	SECTION_RAM,	    /* pages; instance: index of the slot */
	SECTION_STATE,	    /* one described struct; instance: e.g. the vCPU's number */
	SECTION_VERIFY,	    /* hashes of the paused source */
	SECTION_END,	    /* totals, and a hash over all that came before */
	SECTION_GO,	    /* the source gives the machine away */
	SECTION_ANSWER,	    /* from the destination: a verdict */
};
/* A reader that does not know a type with this bit skips the section; others it must refuse. */
#define SECTION_OPTIONAL BIT(31)

/* What can be wrong with a stream. */
#define STREAM_FAULTS(F)                                                                      \
	F(NONE, "none")                                                                       \
	F(CUT, "cut")		  /* it ended too early */                                    \
	F(TRANSPORT, "transport") /* reading or writing failed for another reason */          \
	F(NOT_OURS, "not-ours")	  /* not a stream of ours */                                  \
	F(NEWER, "newer")	  /* of a version that this program does not know */          \
	F(OLDER, "older")                                                                     \
	F(FLAGS, "flags") /* asks for what this program cannot do */                          \
	F(PAGE_SIZE, "page-size")                                                             \
	F(CHECKSUM, "checksum")	      /* altered on the way */                                \
	F(DUPLICATED, "duplicated")   /* a section that was there before */                   \
	F(REORDERED, "reordered")     /* a section that is not due yet */                     \
	F(OVERSIZE, "oversize")	      /* longer than any section may be */                    \
	F(UNKNOWN, "unknown")	      /* a section that must be understood and is not */      \
	F(ORDER, "order")	      /* a known section where it has no place */             \
	F(FORMAT, "format")	      /* a payload that is too long, too short or odd */      \
	F(CONFIG, "config")	      /* a machine that this side cannot be */                \
	F(GFN, "gfn")		      /* a page outside of the slots */                       \
	F(OVERLAP, "overlap")	      /* a page twice, or out of order, in one round */       \
	F(COMPRESSION, "compression") /* not a page after decompression */                    \
	F(INCOMPLETE, "incomplete")   /* pages or states were never sent */                   \
	F(STATE_UNKNOWN, "state-unknown")                                                     \
	F(STATE_VERSION, "state-version")                                                     \
	F(STATE_TWICE, "state-twice")                                                         \
	F(FIELD_UNKNOWN, "field-unknown")                                                     \
	F(FIELD_SIZE, "field-size")                                                           \
	F(FIELD_TWICE, "field-twice")                                                         \
	F(FIELD_MISSING, "field-missing")                                                     \
	F(STATE_REFUSED, "state-refused")   /* well-formed, but the machine cannot load it */ \
	F(TOTALS, "totals")		    /* the end section counts something else */       \
	F(MEMORY_DIFFERS, "memory-differs") /* hashes of the two sides' memory */             \
	F(STATE_DIFFERS, "state-differs")

#define STREAM_FAULT_ENUM(name, text) STREAM_##name,
enum stream_fault { STREAM_FAULTS(STREAM_FAULT_ENUM) STREAM_FAULT_NR };
#undef STREAM_FAULT_ENUM

const char *stream_fault_name(enum stream_fault fault);

struct stream_error {
	enum stream_fault fault; /* the first one */
	char why[160];		 /* a sentence without a full stop */
};

/* Notes the first fault. Returns -EBADMSG, for `return stream_fail(...)`. */
__printf(3, 4) int stream_fail(struct stream_error *e, enum stream_fault fault, const char *fmt,
			       ...);

struct stream_writer {
	struct transport *transport;
	u64 sequence; /* of the next section */
	u64 bytes;    /* written so far */
	u64 hash;     /* over the checksums of all sections so far */
	bool opened;  /* the header is out */
	u8 *buf;      /* STREAM_SECTION_HEADER + cap bytes, the caller's */
	size_t cap;   /* largest payload */
};

/* @buf holds @size bytes, the largest payload plus STREAM_SECTION_HEADER. */
void stream_writer_init(struct stream_writer *w, struct transport *t, void *buf, size_t size);
/* Where to build the next section's payload: w->cap bytes. */
u8 *stream_writer_payload(struct stream_writer *w);
/*
 * Sends the @len bytes at stream_writer_payload() as one section, in one write; before the
 * first one the header. Returns 0 or what the transport said.
 */
int __must_check stream_write_section(struct stream_writer *w, u32 type, u32 instance, size_t len);

struct section {
	u32 type, instance;
	u64 sequence;
	u32 len;	   /* bytes */
	const u8 *payload; /* valid until the next section is read */
};

struct stream_reader {
	struct transport *transport;
	u64 sequence, bytes, hash; /* as in the writer */
	bool opened;
	u8 *buf; /* cap bytes, the caller's */
	size_t cap;
	struct stream_error error;
};

void stream_reader_init(struct stream_reader *r, struct transport *t, void *buf, size_t cap);
/*
 * Reads one section (before the first one: the header) and checks its form, its place in the
 * sequence and its checksum. Returns 0; -EBADMSG, with r->error filled in; or the
 * transport's error, likewise with r->error.
 */
int __must_check stream_read_section(struct stream_reader *r, struct section *s);
