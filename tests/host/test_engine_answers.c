// SPDX-License-Identifier: MIT
/* objects: ext/lz4.o migration/engine.o migration/round.o migration/switchover.o migration/dest*.o
 * migration/state_hash.o migration/stream*.o migration/memhash.o migration/hash.o
 * tests/host/migration_model*.o
 */
// The source against a destination that says something else than it should: only the right
// verdict at each place lets it go on.
#include "migration/wire.h"
#include "tests/host/migration_model.h"

#define ANSWERS 3

struct said {
	u32 section, verdict, odd; /* odd: in the word that is zero */
	const char *text;
	size_t more; /* bytes after it */
};

/* A destination that has written all its answers beforehand. */
struct script {
	struct transport writing, reading;
	struct queue q;
};

static int script_put(struct transport *t, const void *buf, size_t len)
{
	queue_put(&container_of(t, struct script, writing)->q, buf, len);
	return 0;
}

static int script_get(struct transport *t, void *buf, size_t len)
{
	return queue_get(&container_of(t, struct script, reading)->q, buf, len);
}

static int ignore(struct transport *t, const void *buf, size_t len)
{
	(void)t, (void)buf, (void)len;
	return 0;
}

static void script_write(struct script *s, const struct said *said)
{
	u8 buf[STREAM_SECTION_HEADER + 512];
	struct stream_writer w;

	s->writing = (struct transport){script_put, NULL};
	s->reading = (struct transport){ignore, script_get};
	stream_writer_init(&w, &s->writing, buf, sizeof(buf));
	for (int i = 0; i < ANSWERS; i++) {
		struct wire_out out;

		wire_out_init(&out, stream_writer_payload(&w), w.cap);
		wire_put_u32(&out, said[i].verdict);
		wire_put_u32(&out, said[i].odd);
		wire_put_name(&out, said[i].text ? said[i].text : "");
		memset(out.buf + out.len, 0, said[i].more);
		assert_int_equal(
			stream_write_section(&w, said[i].section, 0, out.len + said[i].more), 0);
	}
}

/* What migration_run() returns when it hears @said; the source must run then, or be given away. */
static int run(const struct said *said, struct migration_info *info)
{
	struct model *m = model_new(64, 31);
	struct state_set states = {&model_source_states, m};
	struct migration_params params;
	struct script s = {0};
	int err;

	script_write(&s, said);
	migration_params_default(&params);
	migration_init(&m->source, &model_source_ops, m, &states, &params, &s.reading);
	err = migration_run(&m->source);
	*info = m->source.info;
	assert_int_equal(m->src.runs, err != 0);
	assert_false(m->logging);
	free(s.q.data);
	model_free(m);
	return err;
}

static const struct said right[ANSWERS] = {
	{SECTION_ANSWER, VERDICT_READY, 0, NULL, 0},
	{SECTION_ANSWER, VERDICT_VERIFIED, 0, NULL, 0},
	{SECTION_ANSWER, VERDICT_TAKEN, 0, NULL, 0},
};

static void test_right_answers(void **state)
{
	struct migration_info info;

	(void)state;
	assert_int_equal(run(right, &info), 0);
	assert_int_equal(info.status, MIGRATION_STATUS_COMPLETED);
	assert_true(info.verified);
}

static void test_every_other_verdict(void **state)
{
	(void)state;
	for (u32 at = 0; at < ANSWERS; at++) {
		for (u32 verdict = 0; verdict < 8; verdict++) {
			struct said said[ANSWERS] = {right[0], right[1], right[2]};
			struct migration_info info;

			if (verdict == right[at].verdict)
				continue;
			said[at].verdict = verdict;
			assert_int_equal(run(said, &info), -EPROTO);
			assert_int_equal(info.status, MIGRATION_STATUS_FAILED);
			assert_int_equal(info.verified, at > 1);
		}
	}
}

static void test_malformed_answers(void **state)
{
	(void)state;
	for (u32 at = 0; at < ANSWERS; at++) {
		struct said said[ANSWERS] = {right[0], right[1], right[2]};
		struct migration_info info;

		said[at].section = SECTION_GO;
		assert_int_equal(run(said, &info), -EBADMSG);
		said[at].section = SECTION_ANSWER;
		said[at].more = 1;
		assert_int_equal(run(said, &info), -EBADMSG);
		assert_true(info.error[0] != '\0');
	}
}

/* The destination's own reason is what the person reads. */
static void test_the_reason_is_told(void **state)
{
	(void)state;
	for (u32 at = 0; at < ANSWERS; at++) {
		struct said said[ANSWERS] = {right[0], right[1], right[2]};
		struct migration_info info;

		said[at].verdict = VERDICT_FAILED;
		said[at].text = "no room";
		assert_int_equal(run(said, &info), -EPROTO);
		assert_string_equal(info.error, "destination: no room");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_answers),
		cmocka_unit_test(test_every_other_verdict),
		cmocka_unit_test(test_malformed_answers),
		cmocka_unit_test(test_the_reason_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
