// SPDX-License-Identifier: MIT
/* objects: ext/lz4.o migration/engine.o migration/round.o migration/switchover.o migration/dest*.o
 * migration/state_hash.o migration/stream*.o migration/memhash.o migration/hash.o
 */
// The stream's reader against streams that are damaged: cut anywhere, any byte altered, and,
// with all checksums right again, everything that the writer would never write.
#include "migration/hash.h"
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

/* A small machine with one page of each kind at the start of slot 0, and its stream. */
static struct model *record(void)
{
	struct model *m = model_new(16, 21);

	memset(m->src.mem[0], 0x11, PAGE_SIZE);
	for (size_t i = 0; i < PAGE_SIZE; i++)
		m->src.mem[0][PAGE_SIZE + i] = (u8)(model_random(m) >> 24);
	memset(m->src.mem[0] + 2 * PAGE_SIZE, 0, PAGE_SIZE);
	assert_int_equal(model_migrate(m, NULL), 0);
	return m;
}

static void tape_load(struct tape *t, const struct queue *q)
{
	size_t pos = STREAM_HEADER_SIZE;

	t->n = 0;
	while (pos < q->len) {
		const u8 *h = q->data + pos;
		struct sec *s = &t->sec[t->n++];

		s->type = (u32)wire_load(h, 4);
		s->instance = (u32)wire_load(h + 4, 4);
		s->len = wire_load(h + 16, 4);
		s->data = malloc(s->len + 1);
		memcpy(s->data, h + STREAM_SECTION_HEADER, s->len);
		pos += STREAM_SECTION_HEADER + s->len;
	}
	assert_int_equal(t->n, SECTIONS);
}

static void tape_free(struct tape *t)
{
	for (u32 i = 0; i < t->n; i++)
		free(t->sec[i].data);
}

struct tape_transport {
	struct transport t;
	struct queue q;
};

static int tape_transport_write(struct transport *t, const void *buf, size_t len)
{
	queue_put(&container_of(t, struct tape_transport, t)->q, buf, len);
	return 0;
}

/* Writes the tape as a stream with every checksum and, if told so, the totals right. */
static struct queue tape_store(struct tape *t, bool fix_totals)
{
	static u8 buf[STREAM_SECTION_HEADER + STREAM_MAX_PAYLOAD];
	struct tape_transport out = {.t = {tape_transport_write, NULL}};
	struct stream_writer w;

	stream_writer_init(&w, &out.t, buf, sizeof(buf));
	for (u32 i = 0; i < t->n; i++) {
		struct sec *s = &t->sec[i];

		if (s->type == SECTION_END && fix_totals) {
			wire_store(s->data + 8, w.bytes, 8);
			wire_store(s->data + 16, w.sequence, 8);
			wire_store(s->data + 24, w.hash, 8);
		}
		if (s->len)
			memcpy(stream_writer_payload(&w), s->data, s->len);
		assert_int_equal(stream_write_section(&w, s->type, s->instance, s->len), 0);
	}
	return out.q;
}

/* Gives @len bytes to a fresh destination. Returns its fault, after checking that it let go. */
static enum stream_fault replay(struct model *m, const u8 *data, size_t len)
{
	if (m->dst.exists) {
		m->dst.runs = false;
		model_abandon(m);
	}
	m->to_dest.len = m->to_dest.pos = 0;
	m->to_source.len = m->to_source.pos = 0;
	queue_put(&m->to_dest, data, len);
	migration_dest_init(&m->dest, &model_dest_ops, m, &m->dest_end);
	if (migration_dest_run(&m->dest) == 0) {
		assert_true(m->dst.runs);
		assert_int_equal(m->dest.error->fault, STREAM_NONE);
		return STREAM_NONE;
	}
	assert_false(m->dst.exists);
	assert_int_not_equal(m->dest.error->fault, STREAM_NONE);
	assert_true(m->dest.error->why[0] != '\0');
	return m->dest.error->fault;
}

static void test_replay(void **state)
{
	struct model *m = record();
	struct queue q;
	struct tape t;

	(void)state;
	assert_int_equal(replay(m, m->record.data, m->record.len), STREAM_NONE);
	assert_true(model_same_memory(m));
	/* Taking it apart and putting it together gives the same bytes. */
	tape_load(&t, &m->record);
	q = tape_store(&t, true);
	assert_int_equal(q.len, m->record.len);
	assert_memory_equal(q.data, m->record.data, q.len);
	free(q.data);
	tape_free(&t);
	model_free(m);
}

static void test_every_prefix(void **state)
{
	struct model *m = record();

	(void)state;
	for (size_t len = 0; len < m->record.len; len++)
		assert_int_equal(replay(m, m->record.data, len), STREAM_CUT);
	model_free(m);
}

static void test_every_byte_altered(void **state)
{
	struct model *m = record();

	(void)state;
	for (size_t i = 0; i < m->record.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			m->record.data[i] ^= (u8)(1 << bit);
			assert_int_not_equal(replay(m, m->record.data, m->record.len), STREAM_NONE);
			m->record.data[i] ^= (u8)(1 << bit);
		}
	}
	assert_int_equal(replay(m, m->record.data, m->record.len), STREAM_NONE);
	model_free(m);
}

enum edit { SET, REMOVE, TWICE, SWAP, INSERT, SHORTER, LONGER, INSTANCE };

static void tape_insert(struct tape *t, u32 at, struct sec s)
{
	memmove(&t->sec[at + 1], &t->sec[at], (t->n - at) * sizeof(t->sec[0]));
	t->sec[at] = s;
	t->n++;
}

static void tape_edit(struct tape *t, enum edit edit, u32 at, u64 arg, u64 val, int bytes)
{
	struct sec *s = &t->sec[at], copy = *s;

	switch (edit) {
	case SET:
		assert_true(arg + (u64)bytes <= s->len);
		wire_store(s->data + arg, val, bytes);
		break;
	case REMOVE:
		free(s->data);
		memmove(s, s + 1, (--t->n - at) * sizeof(*s));
		break;
	case TWICE:
		copy.data = malloc(s->len + 1);
		memcpy(copy.data, s->data, s->len);
		tape_insert(t, at, copy);
		break;
	case SWAP:
		*s = t->sec[arg];
		t->sec[arg] = copy;
		break;
	case INSERT:
		tape_insert(t, at, (struct sec){(u32)val, 0, calloc(1, 8), 8});
		break;
	case SHORTER:
		s->len -= arg;
		break;
	case LONGER:
		s->data = realloc(s->data, s->len + arg);
		memset(s->data + s->len, 0, arg);
		s->len += arg;
		break;
	case INSTANCE:
		s->instance = (u32)arg;
	}
}

/* Where things are: stream_config.c, stream_ram.c, stream_state.c, migration.h. */
static const struct {
	enum edit edit;
	u32 at; /* section */
	u64 arg, val;
	int bytes;
	enum stream_fault fault;
} edits[] = {
	{INSERT, 2, 0, 99, 0, STREAM_UNKNOWN},
	{INSERT, 2, 0, SECTION_OPTIONAL | 99, 0, STREAM_NONE},
	{INSERT, GO, 0, SECTION_OPTIONAL | 99, 0, STREAM_NONE},
	{INSERT, 2, 0, SECTION_ANSWER, 0, STREAM_ORDER},
	{INSERT, 2, 0, SECTION_GO, 0, STREAM_ORDER},
	{REMOVE, CONFIG, 0, 0, 0, STREAM_ORDER},
	{TWICE, CONFIG, 0, 0, 0, STREAM_ORDER},
	{SHORTER, CONFIG, 1, 0, 0, STREAM_FORMAT},
	{SHORTER, CONFIG, 60, 0, 0, STREAM_FORMAT},
	{LONGER, CONFIG, 1, 0, 0, STREAM_FORMAT},
	{SET, CONFIG, 20, 0, 4, STREAM_CONFIG}, /* no slots */
	{SET, CONFIG, 20, 9, 4, STREAM_CONFIG}, /* too many */
	{SET, CONFIG, 20, 0xffffffff, 4, STREAM_CONFIG},
	{SET, CONFIG, 24, 0xffff, 2, STREAM_FORMAT}, /* the vendor's name */
	{SET, CONFIG, 59, 3, 8, STREAM_CONFIG},	     /* slot 1 begins within slot 0 */
	{SET, CONFIG, 59, ~0ull, 8, STREAM_CONFIG},
	{SET, CONFIG, 45, 0, 8, STREAM_CONFIG}, /* slot 0 is empty */
	{SET, CONFIG, 45, ~0ull, 8, STREAM_CONFIG},
	{SET, CONFIG, 45, BIT(20), 8, STREAM_CONFIG}, /* more than the machine has */
	{REMOVE, ROUND_1, 0, 0, 0, STREAM_ORDER},
	{TWICE, ROUND_1, 0, 0, 0, STREAM_ORDER},
	{SET, ROUND_1, 0, 2, 4, STREAM_ORDER},
	{SET, ROUND_1, 4, 2, 4, STREAM_ORDER},
	{SET, ROUND_1, 4, ROUND_FINAL, 4, STREAM_ORDER}, /* then round 2 comes after the last */
	{SHORTER, ROUND_1, 1, 0, 0, STREAM_FORMAT},
	{LONGER, ROUND_1, 1, 0, 0, STREAM_FORMAT},
	{SET, ROUND_2, 4, 0, 4, STREAM_ORDER}, /* states before the last round */
	{REMOVE, ROUND_2, 0, 0, 0, STREAM_ORDER},
	{SWAP, ROUND_1, RAM_0, 0, 0, STREAM_ORDER},
	{SWAP, RAM_0, RAM_1, 0, 0, STREAM_OVERLAP},
	{TWICE, RAM_0, 0, 0, 0, STREAM_OVERLAP},
	{TWICE, RAM_1, 0, 0, 0, STREAM_OVERLAP},
	{REMOVE, RAM_0, 0, 0, 0, STREAM_INCOMPLETE},
	{REMOVE, RAM_1, 0, 0, 0, STREAM_INCOMPLETE},
	{INSTANCE, RAM_1, 2, 0, 0, STREAM_GFN},
	{INSTANCE, RAM_1, 0xffffffff, 0, 0, STREAM_GFN},
	{INSTANCE, RAM_1, 0, 0, 0, STREAM_GFN},
	{SET, RAM_0, 0, 0, 4, STREAM_FORMAT}, /* entries */
	{SET, RAM_0, 0, 1, 4, STREAM_FORMAT},
	{SET, RAM_0, 0, 0xffffffff, 4, STREAM_FORMAT},
	{SET, RAM_0, 4, 1, 4, STREAM_FORMAT},
	{SHORTER, RAM_0, 1, 0, 0, STREAM_FORMAT},
	{SHORTER, RAM_0, 30, 0, 0, STREAM_FORMAT},
	{LONGER, RAM_0, 1, 0, 0, STREAM_FORMAT},
	{SET, RAM_0, 8, 16, 8, STREAM_GFN}, /* one after slot 0's last */
	{SET, RAM_0, 8, ~0ull, 8, STREAM_GFN},
	{SET, RAM_1, 8, 0xfffff, 8, STREAM_GFN}, /* one before slot 1's first */
	{SET, RAM_0, 16, 2, 4, STREAM_FORMAT},	 /* two pages, data for one */
	{SET, RAM_0, 16, 0, 4, STREAM_FORMAT},
	{SET, RAM_0, 20, RAM_ZERO, 2, STREAM_FORMAT}, /* zero, with data */
	{SET, RAM_0, 20, RAM_RAW, 2, STREAM_FORMAT},  /* raw, of an LZ4 page's size */
	{SET, RAM_0, 20, RAM_KIND_NR, 2, STREAM_FORMAT},
	{SET, RAM_0, 22, 0xffff, 2, STREAM_FORMAT}, /* size of the data */
	{SET, RAM_0, 22, 0, 2, STREAM_FORMAT},
	{SET, RAM_0, 24, 0xffffffff, 4, STREAM_COMPRESSION},
	{SET, RAM_0, 26, 0xffff, 2, STREAM_COMPRESSION}, /* a match before the beginning */
	{SWAP, RAM_1, CPU_0, 0, 0, STREAM_ORDER},
	{SWAP, CPU_0, UART, 0, 0, STREAM_ORDER},
	{REMOVE, UART, 0, 0, 0, STREAM_ORDER},
	{REMOVE, CPU_1, 0, 0, 0, STREAM_INCOMPLETE},
	{TWICE, CPU_0, 0, 0, 0, STREAM_STATE_TWICE},
	{INSTANCE, CPU_1, 5, 0, 0, STREAM_STATE_UNKNOWN},
	{SET, CPU_0, 2, 'x', 1, STREAM_STATE_UNKNOWN},
	{SET, CPU_0, 0, 0xffff, 2, STREAM_FORMAT},
	{SET, CPU_0, 5, 2, 4, STREAM_STATE_VERSION},
	{SET, CPU_0, 5, 0, 4, STREAM_STATE_VERSION},
	{SET, CPU_0, 9, 3, 4, STREAM_FORMAT}, /* fields */
	{SET, CPU_0, 9, 0xffffffff, 4, STREAM_FORMAT},
	{SET, CPU_0, 15, 'x', 1, STREAM_FIELD_UNKNOWN},
	{SET, CPU_0, 19, 31, 4, STREAM_FIELD_SIZE},
	{SET, CPU_0, 19, 0xffffffff, 4, STREAM_FORMAT},
	{SHORTER, CPU_0, 1, 0, 0, STREAM_FORMAT},
	{LONGER, CPU_0, 1, 0, 0, STREAM_FORMAT},
	{SET, CPU_0, 65, 0x4321, 4, STREAM_STATE_DIFFERS}, /* another value than the source's */
	{REMOVE, VERIFY, 0, 0, 0, STREAM_ORDER},
	{TWICE, VERIFY, 0, 0, 0, STREAM_ORDER},
	{SWAP, CPU_1, VERIFY, 0, 0, STREAM_INCOMPLETE},
	{SHORTER, VERIFY, 1, 0, 0, STREAM_FORMAT},
	{SHORTER, VERIFY, 100, 0, 0, STREAM_FORMAT},
	{LONGER, VERIFY, 1, 0, 0, STREAM_FORMAT},
	{SET, VERIFY, 0, 3, 4, STREAM_FORMAT}, /* flags */
	{SET, VERIFY, 4, 1, 4, STREAM_FORMAT},
	{SET, VERIFY, 8, 1, 8, STREAM_MEMORY_DIFFERS},
	{SET, VERIFY, 16, 1, 8, STREAM_MEMORY_DIFFERS},
	{SET, VERIFY, 24, 1, 4, STREAM_FORMAT}, /* fields of the first state */
	{SET, VERIFY, 28, 1, 8, STREAM_STATE_DIFFERS},
	{REMOVE, END, 0, 0, 0, STREAM_ORDER},
	{TWICE, END, 0, 0, 0, STREAM_ORDER},
	{SHORTER, END, 1, 0, 0, STREAM_FORMAT},
	{LONGER, END, 1, 0, 0, STREAM_FORMAT},
	{SET, END, 0, 1, 8, STREAM_TOTALS},
	{LONGER, GO, 1, 0, 0, STREAM_FORMAT},
	{REMOVE, GO, 0, 0, 0, STREAM_CUT},
};

static void test_everything_the_writer_would_not_write(void **state)
{
	struct model *m = record();
	u32 wrong = 0;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(edits); i++) {
		enum stream_fault fault;
		struct queue q;
		struct tape t;

		tape_load(&t, &m->record);
		tape_edit(&t, edits[i].edit, edits[i].at, edits[i].arg, edits[i].val,
			  edits[i].bytes);
		q = tape_store(&t, true);
		fault = replay(m, q.data, q.len);
		if (fault != edits[i].fault) {
			print_error("edit %u: %s instead of %s: %s\n", i, stream_fault_name(fault),
				    stream_fault_name(edits[i].fault), m->dest.error->why);
			wrong++;
		}
		free(q.data);
		tape_free(&t);
	}
	assert_int_equal(wrong, 0);
	model_free(m);
}

/* The end's totals notice what the sequence does not: a section more, or other bytes. */
static void test_totals(void **state)
{
	struct model *m = record();

	(void)state;
	for (u64 off = 8; off < END_SIZE; off += 8) {
		struct queue q;
		struct tape t;

		tape_load(&t, &m->record);
		tape_edit(&t, SET, END, off, 12345, 8);
		q = tape_store(&t, false);
		assert_int_equal(replay(m, q.data, q.len), STREAM_TOTALS);
		free(q.data);
		tape_free(&t);
	}
	model_free(m);
}

/* Whole sections, with their own checksums right, in the wrong place. */
static void test_sequence(void **state)
{
	struct model *m = record();
	size_t first = STREAM_HEADER_SIZE;
	size_t len = STREAM_SECTION_HEADER + wire_load(m->record.data + first + 16, 4);
	struct queue q = {0};

	(void)state;
	queue_put(&q, m->record.data, first + len);
	queue_put(&q, m->record.data + first, m->record.len - first);
	assert_int_equal(replay(m, q.data, q.len), STREAM_DUPLICATED);
	q.len = 0;
	queue_put(&q, m->record.data, first);
	queue_put(&q, m->record.data + first + len, m->record.len - first - len);
	assert_int_equal(replay(m, q.data, q.len), STREAM_REORDERED);
	free(q.data);
	model_free(m);
}

static void test_header(void **state)
{
	static const struct {
		size_t off;
		u32 val;
		bool fix; /* the checksum */
		enum stream_fault fault;
	} cases[] = {
		{0, 0, true, STREAM_NOT_OURS}, {8, STREAM_VERSION + 1, false, STREAM_NEWER},
		{8, 0, true, STREAM_OLDER},    {12, 4, false, STREAM_CHECKSUM},
		{12, 4, true, STREAM_FLAGS},   {16, 8192, true, STREAM_PAGE_SIZE},
		{20, 1, true, STREAM_FLAGS},   {24, 1, false, STREAM_CHECKSUM},
	};
	struct model *m = record();

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		u8 *copy = malloc(m->record.len);

		memcpy(copy, m->record.data, m->record.len);
		wire_store(copy + cases[i].off, cases[i].val, 4);
		if (cases[i].fix)
			wire_store(copy + 24, hash64(copy, 24, 0), 8);
		assert_int_equal(replay(m, copy, m->record.len), cases[i].fault);
		free(copy);
	}
	model_free(m);
}

static void test_oversize(void **state)
{
	struct model *m = record();
	u8 *h = m->record.data + STREAM_HEADER_SIZE;

	(void)state;
	wire_store(h + 16, STREAM_MAX_PAYLOAD + 1, 4);
	assert_int_equal(replay(m, m->record.data, m->record.len), STREAM_OVERSIZE);
	wire_store(h + 16, 0xffffffff, 4);
	assert_int_equal(replay(m, m->record.data, m->record.len), STREAM_OVERSIZE);
	model_free(m);
}

/* Each fault has a word of its own, for people and for scripts. */
static void test_fault_names(void **state)
{
	(void)state;
	for (u32 i = 0; i < STREAM_FAULT_NR; i++) {
		for (u32 k = 0; k < i; k++)
			assert_string_not_equal(stream_fault_name(i), stream_fault_name(k));
	}
	assert_string_equal(stream_fault_name(STREAM_FAULT_NR), "?");
}

/* --- batches of pages --- */

struct batch_fixture {
	struct tape_transport t;
	struct stream_writer w;
	struct ram_batch batch;
	u8 buf[STREAM_SECTION_HEADER + STREAM_MAX_PAYLOAD];
	u8 pages[100][PAGE_SIZE];
};

static void test_batches_of_pages(void **state)
{
	struct batch_fixture *f = calloc(1, sizeof(*f));
	const struct migration_config cfg = {.nr_slots = 1, .slots = {{0, 0, 1000, 5000}}};
	u32 kinds[RAM_KIND_NR] = {0}, sections = 0;
	u8 page[PAGE_SIZE];
	size_t pos = STREAM_HEADER_SIZE;
	u64 next = 1000;

	(void)state;
	f->t.t.write = tape_transport_write;
	stream_writer_init(&f->w, &f->t.t, f->buf, sizeof(f->buf));
	ram_batch_init(&f->batch, &f->w, true);
	for (u64 i = 0; i < 5000; i++) {
		u8 *p = f->pages[i % 100];

		for (size_t k = 0; k < PAGE_SIZE && i < 100; k++)
			p[k] = i % 3 == 0 ? 0 : i % 3 == 1 ? (u8)i : (u8)rand();
		assert_int_equal(
			ram_batch_add(&f->batch, 0, 1000 + i, i % 3 == 0 || i >= 2000 ? NULL : p),
			0);
	}
	assert_int_equal(ram_batch_flush(&f->batch), 0);
	assert_int_equal(ram_batch_flush(&f->batch), 0); /* empty: sends nothing */
	for (; pos < f->t.q.len; sections++) {
		const u8 *h = f->t.q.data + pos;
		struct section s = {
			.type = SECTION_RAM,
			.len = (u32)wire_load(h + 16, 4),
			.payload = h + STREAM_SECTION_HEADER,
		};
		struct stream_error e = {0};
		struct ram_reader r;
		struct ram_entry entry;

		assert_true(s.len <= STREAM_MAX_PAYLOAD);
		assert_int_equal(ram_reader_init(&r, &s, &cfg, next, &e), 0);
		while (ram_reader_next(&r, &entry, &e) > 0) {
			assert_int_equal(entry.gfn, next);
			next += entry.npages;
			kinds[entry.kind] += entry.npages;
			if (entry.kind == RAM_ZERO)
				continue;
			assert_int_equal(ram_entry_decode(&entry, page, &e), 0);
			assert_memory_equal(page, f->pages[(entry.gfn - 1000) % 100], PAGE_SIZE);
		}
		assert_int_equal(e.fault, STREAM_NONE);
		pos += STREAM_SECTION_HEADER + s.len;
	}
	assert_int_equal(next, 6000);
	assert_int_equal(kinds[RAM_ZERO] + kinds[RAM_RAW] + kinds[RAM_LZ4], 5000);
	assert_true(kinds[RAM_LZ4] > 400 && kinds[RAM_RAW] > 400);
	assert_true(sections > 1);
	free(f->t.q.data);
	free(f);
}

/* --- states --- */

struct pair {
	u16 one, two;
};
static const struct state_field pair_fields[] = {
	STATE_FIELD(struct pair, one),
	STATE_FIELD(struct pair, two),
};
static const struct state_desc pair_desc = {"pair", 1, sizeof(struct pair), 2, pair_fields};

static enum stream_fault read_pair(const char *names[], u32 n, struct pair *p)
{
	u8 buf[200];
	struct wire_out out;
	struct section s = {.type = SECTION_STATE, .payload = buf};
	struct stream_error e = {0};

	wire_out_init(&out, buf, sizeof(buf));
	wire_put_name(&out, "pair");
	wire_put_u32(&out, 1);
	wire_put_u32(&out, n);
	for (u32 i = 0; i < n; i++) {
		wire_put_name(&out, names[i]);
		wire_put_u32(&out, 2);
		wire_put_u16(&out, (u16)(100 + i));
	}
	s.len = (u32)out.len;
	assert_int_equal(state_read(&s, &pair_desc, p, &e), e.fault ? -EBADMSG : 0);
	return e.fault;
}

static void test_fields(void **state)
{
	struct pair p = {0};

	(void)state;
	assert_int_equal(read_pair((const char *[]){"one", "two"}, 2, &p), STREAM_NONE);
	assert_true(p.one == 100 && p.two == 101);
	assert_int_equal(read_pair((const char *[]){"two", "one"}, 2, &p), STREAM_NONE);
	assert_true(p.two == 100 && p.one == 101);
	assert_int_equal(read_pair((const char *[]){"one", "one"}, 2, &p), STREAM_FIELD_TWICE);
	assert_int_equal(read_pair((const char *[]){"one"}, 1, &p), STREAM_FIELD_MISSING);
	assert_int_equal(read_pair((const char *[]){"two"}, 1, &p), STREAM_FIELD_MISSING);
	assert_int_equal(read_pair((const char *[]){"one", "two", "six"}, 3, &p),
			 STREAM_FIELD_UNKNOWN);
	assert_int_equal(read_pair(NULL, 0, &p), STREAM_FIELD_MISSING);
}

/* xxHash64's own published values: a stream must mean the same to another implementation. */
static void test_hash(void **state)
{
	(void)state;
	assert_int_equal(hash64("", 0, 0), 0xef46db3751d8e999ull);
	assert_int_equal(hash64("abc", 3, 0), 0x44bc2cf5ad770999ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_every_byte_altered),
		cmocka_unit_test(test_everything_the_writer_would_not_write),
		cmocka_unit_test(test_totals),
		cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_oversize),
		cmocka_unit_test(test_fault_names),
		cmocka_unit_test(test_batches_of_pages),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
