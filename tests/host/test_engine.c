// SPDX-License-Identifier: MIT
/* objects: ext/lz4.o migration/engine.o migration/round.o migration/switchover.o migration/dest*.o
 * migration/state_hash.o migration/stream*.o migration/memhash.o migration/hash.o
 * tests/host/migration_model*.o
 */
// The migration engine, source and destination, on a model machine: a guest that keeps writing,
// a failure at every step, a cancel at every poll.

#include "tests/host/migration_model.h"

static void test_migrates_a_busy_guest(void **state)
{
	(void)state;
	for (u64 seed = 1; seed <= 8; seed++) {
		struct model *m = model_new(600, seed);
		struct migration_info *info = &m->source.info;

		m->ns_per_write = 20000;
		assert_int_equal(model_migrate(m, NULL), 0);
		assert_int_equal(info->status, MIGRATION_STATUS_COMPLETED);
		assert_true(m->dst.runs && !m->src.runs);
		assert_false(m->logging);
		assert_true(model_same_memory(m));
		assert_memory_equal(m->dst.cpu[0].regs, m->src.cpu[0].regs, 32);
		assert_int_equal(m->dst.cpu[1].mode, 0x5678);
		assert_int_equal(m->dst.uart.modem, 0x0b);
		assert_true(info->verified && m->dest.verified);
		assert_int_equal(info->total, 600 + 78);
		assert_true(info->normal + info->duplicate >= info->total);
		assert_int_equal(info->remaining, 0);
		assert_true(info->rounds >= 2);
		assert_int_equal(info->transferred, m->record.len);
		assert_true(info->downtime_ns > 0 && info->downtime_ns < info->total_time_ns);
		assert_true(info->verify_time_ns > 0 && info->verify_time_ns < info->downtime_ns);
		model_free(m);
	}
}

static void test_events_and_states_in_order(void **state)
{
	struct model *m = model_new(64, 3);

	(void)state;
	assert_int_equal(model_migrate(m, NULL), 0);
	assert_int_equal(m->status_at[MIGRATION_SETUP], MIGRATION_STATUS_SETUP);
	assert_int_equal(m->status_at[MIGRATION_ROUND], MIGRATION_STATUS_ACTIVE);
	assert_int_equal(m->status_at[MIGRATION_PAUSED], MIGRATION_STATUS_DEVICE);
	assert_int_equal(m->status_at[MIGRATION_ENDED], MIGRATION_STATUS_COMPLETED);
	assert_string_equal(migration_status_name(MIGRATION_STATUS_DEVICE), "device");
	model_free(m);
}

static void test_one_lost_dirty_bit_is_noticed(void **state)
{
	struct model *m = model_new(600, 5);

	(void)state;
	m->ns_per_write = 20000;
	m->lose_bit = true;
	assert_int_not_equal(model_migrate(m, NULL), 0);
	assert_false(m->lose_bit);
	assert_int_equal(m->dest.error->fault, STREAM_MEMORY_DIFFERS);
	assert_non_null(strstr(m->source.info.error, "memory-differs"));
	model_check_taken_back(m);
	model_free(m);
}

static void test_a_field_left_out_by_save_is_named(void **state)
{
	struct model *m = model_new(64, 6);

	(void)state;
	m->skip_save = true;
	assert_int_not_equal(model_migrate(m, NULL), 0);
	assert_int_equal(m->dest.error->fault, STREAM_STATE_DIFFERS);
	assert_non_null(strstr(m->source.info.error, "state cpu 1: field mode"));
	model_check_taken_back(m);
	model_free(m);
}

static void test_a_field_left_out_by_load_is_named(void **state)
{
	struct model *m = model_new(64, 6);

	(void)state;
	m->skip_load = true;
	assert_int_not_equal(model_migrate(m, NULL), 0);
	assert_non_null(strstr(m->source.info.error, "state cpu 0: field mode"));
	model_check_taken_back(m);
	model_free(m);
}

static void test_memory_written_while_paused(void **state)
{
	struct model *m = model_new(64, 7);

	(void)state;
	m->write_paused = true;
	assert_int_equal(model_migrate(m, NULL), 0); /* before the last round read it: sent */
	assert_true(model_same_memory(m));
	model_free(m);
}

static void test_the_guest_does_not_come_to_the_instant(void **state)
{
	struct model *m = model_new(64, 8);

	(void)state;
	m->pause_result = -ETIMEDOUT;
	assert_int_equal(model_migrate(m, NULL), -ETIMEDOUT);
	assert_non_null(strstr(m->source.info.error, "instant"));
	assert_int_equal(m->source.info.status, MIGRATION_STATUS_FAILED);
	model_check_taken_back(m);
	model_free(m);
}

/* Too late to be sent: whoever writes then is a bug of ours, and the copy is not the machine. */
static void test_memory_written_after_the_last_round(void **state)
{
	struct model *m = model_new(64, 7);

	(void)state;
	m->write_in_save = true;
	assert_int_equal(model_migrate(m, NULL), -EIO);
	assert_non_null(strstr(m->source.info.error, "1 pages were written"));
	model_check_taken_back(m);
	model_free(m);
}

/* A guest that ends meanwhile is a failure with a reason, not a cancel that nobody asked for. */
static void test_the_guest_ends_meanwhile(void **state)
{
	struct model *m = model_new(64, 8);

	(void)state;
	m->pause_result = -ECANCELED;
	assert_int_equal(model_migrate(m, NULL), -ENODEV);
	assert_non_null(strstr(m->source.info.error, "ended"));
	assert_int_equal(m->source.info.status, MIGRATION_STATUS_FAILED);
	model_check_taken_back(m);
	model_free(m);
}

static void test_the_destination_has_no_memory(void **state)
{
	struct model *m = model_new(64, 9);

	(void)state;
	m->refuse_create = true;
	assert_int_not_equal(model_migrate(m, NULL), 0);
	assert_non_null(strstr(m->source.info.error, "destination: not enough memory"));
	model_check_taken_back(m);
	model_free(m);
}

static void test_without_verify_nothing_is_claimed(void **state)
{
	struct model *m = model_new(64, 10);
	struct migration_params params;

	(void)state;
	migration_params_default(&params);
	params.verify = false;
	assert_int_equal(model_migrate(m, &params), 0);
	assert_true(model_same_memory(m));
	assert_false(m->source.info.verified);
	model_free(m);
}

static void test_cancel_at_every_poll(void **state)
{
	u64 at, last;

	(void)state;
	struct model *whole = model_new(200, 11);

	whole->ns_per_write = 50000;
	assert_int_equal(model_migrate(whole, NULL), 0);
	last = whole->polls;
	assert_true(last > 20);
	model_free(whole);
	for (at = 1; at <= last; at++) {
		struct model *m = model_new(200, 11);

		m->ns_per_write = 50000;
		m->cancel_at = at;
		assert_int_equal(model_migrate(m, NULL), -ECANCELED);
		assert_int_equal(m->source.info.status, MIGRATION_STATUS_CANCELLED);
		assert_string_equal(m->source.info.error, "cancelled");
		model_check_taken_back(m);
		model_free(m);
	}
}

static void test_cancel_in_each_phase(void **state)
{
	static const enum migration_event events[] = {
		MIGRATION_SETUP,
		MIGRATION_ROUND,
		MIGRATION_PAUSED,
		MIGRATION_VERIFY,
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(events); i++) {
		struct model *m = model_new(100, 12);

		m->cancel_event = (int)events[i];
		assert_int_equal(model_migrate(m, NULL), -ECANCELED);
		assert_int_equal(m->source.info.status, MIGRATION_STATUS_CANCELLED);
		model_check_taken_back(m);
		model_free(m);
	}
	/* Once the destination runs there is nothing to cancel. */
	struct model *m = model_new(100, 12);

	m->cancel_event = MIGRATION_SWITCHED;
	assert_int_equal(model_migrate(m, NULL), 0);
	assert_true(m->dst.runs && !m->src.runs);
	model_free(m);
}

/*
 * Whatever fails, one machine runs afterwards and one only. It is the source's unless the
 * destination had taken over already, of which the source then only missed the news.
 */
static void test_a_fault_at_every_step(void **state)
{
	u64 at = 0, late = 0;
	bool hit = true;

	(void)state;
	while (hit) {
		struct model *m = model_new(150, 13);
		int err;

		m->ns_per_write = 50000;
		m->fail_at = ++at;
		err = model_migrate(m, NULL);
		hit = m->ops_done >= m->fail_at;
		assert_true(m->src.runs != m->dst.runs);
		if (!hit) {
			assert_int_equal(err, 0);
		} else if (m->dst.runs) {
			assert_true(m->source.given_away);
			late++;
		} else {
			assert_int_not_equal(err, 0);
			assert_int_equal(m->source.info.status, MIGRATION_STATUS_FAILED);
			model_check_taken_back(m);
		}
		assert_false(m->logging);
		model_free(m);
	}
	assert_true(at > 50);
	assert_int_equal(late, 2); /* the two reads of TAKEN: header and payload */
}

static void test_damage_in_transit(void **state)
{
	static const struct {
		enum model_damage damage;
		u64 at;
		enum stream_fault fault;
	} cases[] = {
		{DAMAGE_NEWER, 0, STREAM_NEWER},       {DAMAGE_ALTER, 0, STREAM_CHECKSUM},
		{DAMAGE_ALTER, 1, STREAM_CHECKSUM},    {DAMAGE_ALTER, 4, STREAM_CHECKSUM},
		{DAMAGE_CUT, 3, STREAM_CUT},	       {DAMAGE_CUT, 6, STREAM_CUT},
		{DAMAGE_REORDER, 2, STREAM_REORDERED}, {DAMAGE_REORDER, 5, STREAM_REORDERED},
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model *m = model_new(100, 14);

		m->damage = cases[i].damage;
		m->damage_at = cases[i].at;
		assert_int_not_equal(model_migrate(m, NULL), 0);
		assert_int_equal(m->dest.error->fault, cases[i].fault);
		assert_non_null(strstr(m->source.info.error, stream_fault_name(cases[i].fault)));
		model_check_taken_back(m);
		model_free(m);
	}
}

/* A guest that writes pages about as fast as the link carries them. */
static struct model *fast_guest(void)
{
	struct model *m = model_new(2000, 15);

	m->ns_per_byte = 10;
	m->ns_per_write = 8000;
	m->working_set = 2000;
	return m;
}

static void test_throttling_makes_it_converge(void **state)
{
	struct migration_params params;
	struct model *m = fast_guest();

	(void)state;
	migration_params_default(&params);
	params.downtime_limit_ns = 1000000;
	params.max_rounds = 200;
	assert_int_equal(model_migrate(m, &params), 0);
	assert_true(m->throttle_max >= 40);
	assert_int_equal(m->throttle_max % 10, m->throttle_max == 99 ? 9 : 0);
	assert_int_equal(m->throttle, 0);
	assert_int_equal(m->events[MIGRATION_THROTTLE],
			 m->throttle_max == 99 ? 9 : (m->throttle_max - 20) / 10 + 1);
	assert_true(m->source.info.rounds < 200);
	assert_true(model_same_memory(m));
	model_free(m);

	m = fast_guest();
	params.auto_converge = false;
	params.max_rounds = 12;
	assert_int_equal(model_migrate(m, &params), 0);
	assert_int_equal(m->throttle_max, 0);
	assert_int_equal(m->source.info.rounds, 12 + 1);
	assert_true(model_same_memory(m));
	model_free(m);
}

/* The longer the pause that is allowed, the sooner the guest is stopped, with more left. */
static void test_downtime_limit_decides_when(void **state)
{
	static const u64 limits_ms[] = {1, 4, 16, 64};
	u32 rounds = 1000;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(limits_ms); i++) {
		struct model *m = model_new(2000, 16);
		struct migration_params params;

		migration_params_default(&params);
		params.downtime_limit_ns = limits_ms[i] * 1000000;
		params.verify = false;
		params.auto_converge = false;
		params.max_rounds = 100;
		m->ns_per_byte = 10;
		m->ns_per_write = 40000;
		m->working_set = 2000;
		assert_int_equal(model_migrate(m, &params), 0);
		assert_true(m->source.info.rounds < 100);
		assert_true(m->source.info.rounds <= rounds);
		/* What was promised is about what came: each page's cost varies with its kind. */
		assert_true(m->source.info.downtime_ns < 2 * params.downtime_limit_ns + 1000000);
		rounds = m->source.info.rounds;
		model_free(m);
	}
	assert_true(rounds <= 3);
}

static void test_bandwidth_limit(void **state)
{
	struct migration_params params;
	struct model *m = model_new(2000, 17);
	u64 us, rate;

	(void)state;
	migration_params_default(&params);
	params.max_bandwidth = 4 << 20;
	assert_int_equal(model_migrate(m, &params), 0);
	us = m->source.info.total_time_ns / 1000;
	rate = m->source.info.transferred * 1000000 / us;
	assert_true(rate < (4 << 20) + (1 << 16)); /* the states are beside it */
	assert_true(rate > 3 << 20);
	model_free(m);

	m = model_new(2000, 17);
	assert_int_equal(model_migrate(m, NULL), 0);
	assert_true(m->source.info.total_time_ns / 1000 < us / 4);
	model_free(m);
}

static void test_percent(void **state)
{
	struct migration *m = calloc(1, sizeof(*m));

	(void)state;
	assert_int_equal(migration_percent(m), 100);
	m->info.resident = 200;
	m->round.dirty = 50;
	assert_int_equal(migration_percent(m), 75);
	m->round.dirty = 5000;
	assert_int_equal(migration_percent(m), 0);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_migrates_a_busy_guest),
		cmocka_unit_test(test_events_and_states_in_order),
		cmocka_unit_test(test_one_lost_dirty_bit_is_noticed),
		cmocka_unit_test(test_a_field_left_out_by_save_is_named),
		cmocka_unit_test(test_a_field_left_out_by_load_is_named),
		cmocka_unit_test(test_memory_written_while_paused),
		cmocka_unit_test(test_memory_written_after_the_last_round),
		cmocka_unit_test(test_the_guest_does_not_come_to_the_instant),
		cmocka_unit_test(test_the_guest_ends_meanwhile),
		cmocka_unit_test(test_the_destination_has_no_memory),
		cmocka_unit_test(test_without_verify_nothing_is_claimed),
		cmocka_unit_test(test_cancel_at_every_poll),
		cmocka_unit_test(test_cancel_in_each_phase),
		cmocka_unit_test(test_a_fault_at_every_step),
		cmocka_unit_test(test_damage_in_transit),
		cmocka_unit_test(test_throttling_makes_it_converge),
		cmocka_unit_test(test_downtime_limit_decides_when),
		cmocka_unit_test(test_bandwidth_limit),
		cmocka_unit_test(test_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
