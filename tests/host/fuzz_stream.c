// SPDX-License-Identifier: MIT
/* objects: ext/lz4.o migration/dest*.o migration/state_hash.o migration/stream*.o
 * migration/memhash.o migration/hash.o migration/engine.o migration/round.o migration/switchover.o
 * tests/host/migration_model*.o
 */
/* runs: 20000 */
// Feeds the destination with anything. Half of the inputs are the stream itself, bytes as they
// are; the other half is a list of sections, which get right checksums and sequence numbers, so
// that the fuzzer reaches what is behind those.
#include "migration/wire.h"
#include "tests/host/migration_model.h"

struct sink {
	struct transport t;
	struct queue *q;
};

static int sink_write(struct transport *t, const void *buf, size_t len)
{
	queue_put(container_of(t, struct sink, t)->q, buf, len);
	return 0;
}

/* The valid beginning of a stream for the model machine, so that deep states are near. */
static void put_prologue(struct stream_writer *w)
{
	static const struct migration_config cfg = {
		.mem_bytes = 64 * PAGE_SIZE,
		.nr_vcpus = 2,
		.vendor = "model",
		.nr_slots = MODEL_SLOTS,
		.slots = {{0, 0, 0, 64}, {7, 0, 0x100, 11}},
	};
	u8 *p = stream_writer_payload(w);

	(void)!config_write(w, &cfg);
	wire_store(p, 1, 4);
	wire_store(p + 4, 0, 4);
	(void)!stream_write_section(w, SECTION_ROUND, 0, 8);
}

/* type:1 instance:1 length:2 payload, again and again. */
static void put_sections(struct stream_writer *w, const uint8_t *data, size_t size)
{
	struct wire_in in;

	wire_in_init(&in, data, size);
	while (!in.cut && in.pos < in.len) {
		u32 type = (u32)wire_get(&in, 1), instance = (u32)wire_get(&in, 1);
		size_t len = wire_get_u16(&in);
		const u8 *p;

		len = MIN(len, in.len - in.pos);
		p = wire_get_bytes(&in, len);
		if (type & 0x80)
			type = (type & 0x7f) | (u32)SECTION_OPTIONAL;
		if (p && len)
			memcpy(stream_writer_payload(w), p, len);
		if (!in.cut)
			(void)!stream_write_section(w, type, instance, len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static u8 buf[STREAM_SECTION_HEADER + STREAM_MAX_PAYLOAD];
	static struct model *m;
	struct stream_writer w;
	struct sink sink;

	if (size == 0)
		return 0;
	if (!m)
		m = calloc(1, sizeof(*m));
	m->dest_end = (struct transport){model_dest_write, model_dest_read};
	m->to_dest.len = m->to_dest.pos = m->to_source.len = m->to_source.pos = 0;
	sink = (struct sink){{sink_write, NULL}, &m->to_dest};
	stream_writer_init(&w, &sink.t, buf, sizeof(buf));
	if (data[0] & 2)
		put_prologue(&w);
	if (data[0] & 1)
		put_sections(&w, data + 1, size - 1);
	else
		queue_put(&m->to_dest, data + 1, size - 1);
	migration_dest_init(&m->dest, &model_dest_ops, m, &m->dest_end);
	if (migration_dest_run(&m->dest) == 0) {
		/* Nobody can make up the hash of a machine; but a fuzzer may find an empty one. */
		m->dst.runs = false;
		model_abandon(m);
	} else if (m->dst.exists || m->dest.error->why[0] == '\0') {
		abort();
	}
	return 0;
}
