// SPDX-License-Identifier: MIT
// The stream's outer form, both directions: header, sections, sequence, checksums.
#include "migration/stream.h"

#include "lib/printf.h"
#include "lib/string.h"
#include "migration/hash.h"
#include "migration/wire.h"

/* Where the checksums stand: the last 8 bytes of both headers. They cover what is before. */
#define HEADER_CHECKED	24
#define SECTION_CHECKED 24

const char *stream_fault_name(enum stream_fault fault)
{
	static const char *const names[] = {
#define STREAM_FAULT_NAME(name, text) [STREAM_##name] = text,
		STREAM_FAULTS(STREAM_FAULT_NAME)
#undef STREAM_FAULT_NAME
	};

	return fault < STREAM_FAULT_NR ? names[fault] : "?";
}

int stream_fail(struct stream_error *e, enum stream_fault fault, const char *fmt, ...)
{
	va_list ap;

	if (e->fault == STREAM_NONE) {
		e->fault = fault;
		va_start(ap, fmt);
		vsnprintf(e->why, sizeof(e->why), fmt, ap);
		va_end(ap);
	}
	return -EBADMSG;
}

/* A section's checksum covers its header and, seeded by that, its payload. */
static u64 section_checksum(const u8 *header, const void *payload, size_t len)
{
	return hash64(payload, len, hash64(header, SECTION_CHECKED, 0));
}

/* The running hash that the end section holds: a chain through all checksums. */
static u64 chain(u64 hash, u64 checksum)
{
	u8 b[8];

	wire_store(b, checksum, 8);
	return hash64(b, sizeof(b), hash);
}

/* --- writing --- */

void stream_writer_init(struct stream_writer *w, struct transport *t, void *buf, size_t size)
{
	*w = (struct stream_writer){
		.transport = t,
		.buf = buf,
		.cap = size - STREAM_SECTION_HEADER,
	};
}

u8 *stream_writer_payload(struct stream_writer *w)
{
	return w->buf + STREAM_SECTION_HEADER;
}

static int write_header(struct stream_writer *w)
{
	u8 header[STREAM_HEADER_SIZE];
	struct wire_out out;

	wire_out_init(&out, header, sizeof(header));
	wire_put_bytes(&out, STREAM_MAGIC, 8);
	wire_put_u32(&out, STREAM_VERSION);
	wire_put_u32(&out, 0); /* flags */
	wire_put_u32(&out, PAGE_SIZE);
	wire_put_u32(&out, 0);
	wire_put_u64(&out, hash64(header, HEADER_CHECKED, 0));
	w->bytes += sizeof(header);
	w->opened = true;
	return w->transport->write(w->transport, header, sizeof(header));
}

int stream_write_section(struct stream_writer *w, u32 type, u32 instance, size_t len)
{
	struct wire_out out;
	u64 checksum;
	int err;

	if (!w->opened) {
		err = write_header(w);
		if (err)
			return err;
	}
	wire_out_init(&out, w->buf, STREAM_SECTION_HEADER);
	wire_put_u32(&out, type);
	wire_put_u32(&out, instance);
	wire_put_u64(&out, w->sequence);
	wire_put_u32(&out, (u32)len);
	wire_put_u32(&out, 0);
	checksum = section_checksum(w->buf, stream_writer_payload(w), len);
	wire_put_u64(&out, checksum);
	w->hash = chain(w->hash, checksum);
	w->sequence++;
	w->bytes += STREAM_SECTION_HEADER + len;
	return w->transport->write(w->transport, w->buf, STREAM_SECTION_HEADER + len);
}

/* --- reading --- */

void stream_reader_init(struct stream_reader *r, struct transport *t, void *buf, size_t cap)
{
	*r = (struct stream_reader){.transport = t, .buf = buf, .cap = cap};
}

static int read_bytes(struct stream_reader *r, void *buf, size_t len)
{
	int err = r->transport->read(r->transport, buf, len);

	if (err == -EPIPE)
		stream_fail(&r->error, STREAM_CUT, "the stream ends in or before section %lu",
			    r->sequence);
	else if (err)
		stream_fail(&r->error, STREAM_TRANSPORT, "reading section %lu: error %d",
			    r->sequence, -err);
	else
		r->bytes += len;
	return err;
}

/*
 * The version is looked at before the checksum: what follows it may be laid out differently in
 * another version, and "newer" is the more useful answer.
 */
static int check_header(struct stream_reader *r, const u8 *header)
{
	struct stream_error *e = &r->error;
	u32 version = (u32)wire_load(header + 8, 4);
	u32 flags = (u32)wire_load(header + 12, 4);
	u32 page_size = (u32)wire_load(header + 16, 4);

	if (memcmp(header, STREAM_MAGIC, 8) != 0)
		return stream_fail(e, STREAM_NOT_OURS, "this is not a migration stream");
	if (version > STREAM_VERSION)
		return stream_fail(
			e, STREAM_NEWER,
			"the stream has version %u, newer than %u, the newest known here", version,
			STREAM_VERSION);
	if (version < STREAM_VERSION)
		return stream_fail(e, STREAM_OLDER, "the stream has version %u, here it is %u",
				   version, STREAM_VERSION);
	if (wire_load(header + HEADER_CHECKED, 8) != hash64(header, HEADER_CHECKED, 0))
		return stream_fail(e, STREAM_CHECKSUM, "the stream's header was altered");
	if (flags || wire_load(header + 20, 4))
		return stream_fail(e, STREAM_FLAGS, "the stream needs features 0x%x, unknown here",
				   flags);
	if (page_size != PAGE_SIZE)
		return stream_fail(e, STREAM_PAGE_SIZE, "pages of %u bytes, not of %lu", page_size,
				   PAGE_SIZE);
	return 0;
}

static int read_header(struct stream_reader *r)
{
	u8 header[STREAM_HEADER_SIZE];
	int err = read_bytes(r, header, sizeof(header));

	if (err)
		return err;
	r->opened = true;
	return check_header(r, header);
}

/* Everything about a section but its checksum, which needs the payload. */
static int check_section(struct stream_reader *r, const u8 *header, struct section *s)
{
	s->type = (u32)wire_load(header, 4);
	s->instance = (u32)wire_load(header + 4, 4);
	s->sequence = wire_load(header + 8, 8);
	s->len = (u32)wire_load(header + 16, 4);
	s->payload = r->buf;

	if (s->len > r->cap)
		return stream_fail(&r->error, STREAM_OVERSIZE,
				   "section %lu has %u bytes, at most %zu are allowed", s->sequence,
				   s->len, r->cap);
	if (s->sequence < r->sequence)
		return stream_fail(&r->error, STREAM_DUPLICATED,
				   "section %lu came again where %lu was due", s->sequence,
				   r->sequence);
	if (s->sequence > r->sequence)
		return stream_fail(&r->error, STREAM_REORDERED,
				   "section %lu came where %lu was due", s->sequence, r->sequence);
	if (wire_load(header + 20, 4))
		return stream_fail(&r->error, STREAM_FORMAT, "section %lu has an odd header",
				   s->sequence);
	return 0;
}

int stream_read_section(struct stream_reader *r, struct section *s)
{
	u8 header[STREAM_SECTION_HEADER];
	u64 checksum;
	int err = 0;

	if (r->error.fault)
		return -EBADMSG;
	if (!r->opened)
		err = read_header(r);
	if (!err)
		err = read_bytes(r, header, sizeof(header));
	if (!err)
		err = check_section(r, header, s);
	if (!err)
		err = read_bytes(r, r->buf, s->len);
	if (err)
		return err;
	checksum = wire_load(header + SECTION_CHECKED, 8);
	if (checksum != section_checksum(header, r->buf, s->len))
		return stream_fail(&r->error, STREAM_CHECKSUM,
				   "section %lu was altered: wrong checksum", s->sequence);
	r->hash = chain(r->hash, checksum);
	r->sequence++;
	return 0;
}
