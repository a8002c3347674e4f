// SPDX-License-Identifier: MIT
// Migration into a second VM on the same machine. Source and destination are two tasks, and what
// the destination knows of the source is what comes out of the connection between them.
#include "kernel/kmem.h"
#include "kernel/log.h"
#include "kernel/migrate.h"
#include "kernel/params.h"
#include "kernel/platform.h"
#include "kernel/task.h"
#include "kernel/time.h"
#include "kernel/vendor.h"
#include "lib/printf.h"
#include "migration/dest.h"
#include "migration/engine.h"
#include "migration/pipe.h"
#include "migration/report.h"
#include "migration/vm_state.h"
#include "mmu/dirty_log.h"

struct twin {
	struct vm *src;
	struct vm *dst; /* made by the destination's task */
	struct memslot *src_slots[MIGRATION_MAX_SLOTS], *dst_slots[MIGRATION_MAX_SLOTS];
	struct connection link;
	struct report report;
	struct migration source;
	struct migration_dest dest;
	bool taken; /* dst runs; release/acquire */
};

/* --- the source's operations --- */

static void source_config(void *ctx, struct migration_config *cfg)
{
	struct twin *t = ctx;

	vm_config(t->src, cfg);
}

static void log_stop_below(struct twin *t, u32 n)
{
	for (u32 i = 0; i < n; i++)
		dirty_log_disable(&t->src->mmu, t->src_slots[i]);
}

static int source_log_start(void *ctx)
{
	struct twin *t = ctx;
	enum dirty_log_mode mode = params.dirty_mode == PARAM_dirty_mode_protect
					   ? DIRTY_PROTECT_ALL
					   : DIRTY_INITIALLY_SET;
	u64 started = time_ns();

	for (u32 i = 0; i < MIGRATION_MAX_SLOTS && t->src_slots[i]; i++) {
		int err = dirty_log_enable(&t->src->mmu, t->src_slots[i], mode);

		if (err) {
			log_stop_below(t, i);
			return err;
		}
	}
	t->report.split = t->src->mmu.stats;
	t->report.setup_ns = time_ns() - started;
	report_split(&t->report);
	vm_audit(t->src, "after the split");
	return 0;
}

static void source_log_stop(void *ctx)
{
	struct twin *t = ctx;
	u32 n = 0;

	while (n < MIGRATION_MAX_SLOTS && t->src_slots[n])
		n++;
	log_stop_below(t, n);
	vm_audit(t->src, "after logging");
}

static u64 source_dirty_read_clear(void *ctx, u32 slot, u64 first, u64 npages, u64 *bits)
{
	struct twin *t = ctx;

	return dirty_log_read_clear(&t->src->mmu, t->src_slots[slot], first, npages, bits);
}

static void source_dirty_sync(void *ctx)
{
	dirty_log_sync(&((struct twin *)ctx)->src->mmu);
}

static u64 source_dirty_count(void *ctx)
{
	struct twin *t = ctx;
	u64 n = 0;

	for (u32 i = 0; i < MIGRATION_MAX_SLOTS && t->src_slots[i]; i++)
		n += dirty_log_count(&t->src->mmu, t->src_slots[i]);
	return n;
}

static const void *source_page(void *ctx, u32 slot, u64 page)
{
	return vm_page(((struct twin *)ctx)->src_slots[slot], page);
}

static u32 wanted_instants(void)
{
	switch (params.switchover) {
	case PARAM_switchover_l1:
		return INSTANT_L1;
	case PARAM_switchover_l2:
		return INSTANT_L2;
	case PARAM_switchover_transition:
		return INSTANT_TRANSITION;
	case PARAM_switchover_event:
		return INSTANT_EVENT;
	case PARAM_switchover_gif0:
		return INSTANT_GIF0;
	case PARAM_switchover_halted:
		return INSTANT_HALTED;
	default:
		return 0;
	}
}

static int source_pause(void *ctx)
{
	struct twin *t = ctx;
	int err;

	t->report.wanted = wanted_instants();
	err = vm_pause(t->src, t->report.wanted, params.switchover_timeout);
	t->report.source_ended = err == -ECANCELED;
	if (!err)
		t->report.instants = vendor->instants(t->src->vcpus[0]);
	return err;
}

static void source_resume(void *ctx)
{
	vm_resume(((struct twin *)ctx)->src);
}

static void source_throttle(void *ctx, u32 percent)
{
	WRITE_ONCE(((struct twin *)ctx)->src->throttle, percent);
}

static u64 source_now(void *ctx)
{
	(void)ctx;
	return time_ns();
}

static void source_yield(void *ctx)
{
	(void)ctx;
	resched_point();
}

static void source_sleep(void *ctx, u64 ns)
{
	(void)ctx;
	task_sleep(ns);
}

/* Exact: nothing gets lost between two tasks, and the destination's flag is set before it runs. */
static bool source_dest_runs(void *ctx)
{
	return __atomic_load_n(&((struct twin *)ctx)->taken, __ATOMIC_ACQUIRE);
}

static void source_event(void *ctx, enum migration_event event)
{
	static const enum migration_event phases[] = {
		[PARAM_cancel_setup] = MIGRATION_SETUP,
		[PARAM_cancel_active] = MIGRATION_ROUND,
		[PARAM_cancel_device] = MIGRATION_PAUSED,
	};
	struct twin *t = ctx;

	report_event(&t->source, &t->report, event);
	if (params.cancel != PARAM_cancel_off && phases[params.cancel] == event)
		migration_cancel(&t->source);
}

static const struct migration_source_ops source_ops = {
	.config = source_config,
	.log_start = source_log_start,
	.log_stop = source_log_stop,
	.dirty_sync = source_dirty_sync,
	.dirty_read_clear = source_dirty_read_clear,
	.dirty_count = source_dirty_count,
	.page = source_page,
	.pause = source_pause,
	.resume = source_resume,
	.throttle = source_throttle,
	.now_ns = source_now,
	.yield = source_yield,
	.sleep = source_sleep,
	.dest_runs = source_dest_runs,
	.event = source_event,
};

/* --- the destination's operations --- */

/*
 * The tasks of its vCPUs are started here, parked, so that running the machine later needs
 * nothing that could be missing.
 */
static int dest_create(void *ctx, const struct migration_config *cfg, struct state_set *states,
		       char *why, size_t size)
{
	struct twin *t = ctx;
	int err = vm_create("twin", cfg->mem_bytes, &t->dst, why, size);

	if (err)
		return err;
	err = vm_config_check(t->dst, cfg, why, size);
	if (err)
		return err;
	err = vm_start_paused(t->dst);
	if (err) {
		snprintf(why, size, "no memory for the tasks of its vCPUs");
		return err;
	}
	vm_slots(t->dst, t->dst_slots);
	*states = (struct state_set){&vm_state_ops, t->dst};
	return 0;
}

static void *dest_page(void *ctx, u32 slot, u64 page)
{
	return vm_page(((struct twin *)ctx)->dst_slots[slot], page);
}

static void dest_resume(void *ctx)
{
	struct twin *t = ctx;

	__atomic_store_n(&t->taken, true, __ATOMIC_RELEASE);
	t->dst->migrated++;
	vm_resume(t->dst);
}

static void dest_abandon(void *ctx)
{
	struct twin *t = ctx;

	if (!t->dst)
		return;
	if (t->dst->state != VM_CREATED) {
		platform_drop_output(t->dst);
		vm_end(t->dst, -1, "the migration failed");
		vm_wait(t->dst);
	}
	vm_destroy(t->dst);
	t->dst = NULL;
}

static int dest_yield(void *ctx)
{
	(void)ctx;
	resched_point();
	return 0;
}

static const struct migration_dest_ops dest_ops = {
	.create = dest_create,
	.page = dest_page,
	.resume = dest_resume,
	.abandon = dest_abandon,
	.yield = dest_yield,
};

/* Hanging up lets the source see that nobody reads any more. */
static void dest_task(void *arg)
{
	struct twin *t = arg;

	if (migration_dest_run(&t->dest))
		log_debug("twin: %s", t->dest.error->why);
	connection_hang_up(&t->link);
}

/* --- both --- */

static void params_from_cmdline(struct migration_params *p)
{
	migration_params_default(p);
	p->downtime_limit_ns = params.downtime_limit * NSEC_PER_MSEC;
	p->max_bandwidth = params.max_bandwidth << 20;
	p->max_rounds = (u32)params.max_rounds;
	p->auto_converge = params.auto_converge;
	p->verify = params.verify;
}

/* 0, or -ENOMEM. */
static int open_link(struct twin *t)
{
	static const enum pipe_damage damages[] = {
		[PARAM_stream_ok] = PIPE_DAMAGE_NONE, [PARAM_stream_cut] = PIPE_CUT,
		[PARAM_stream_alter] = PIPE_ALTER,    [PARAM_stream_reorder] = PIPE_REORDER,
		[PARAM_stream_newer] = PIPE_NEWER,
	};
	int err = connection_open(&t->link);

	t->link.source.damage = damages[params.stream];
	t->link.source.damage_at = params.stream_at;
	return err;
}

/* Runs both sides. 0, or -errno with the source running. */
static int run(struct twin *t)
{
	struct state_set states = {&vm_state_ops, t->src};
	struct migration_params p;
	struct task *task;
	int err;

	params_from_cmdline(&p);
	vm_slots(t->src, t->src_slots);
	t->report.before = t->src->mmu.stats;
	migration_init(&t->source, &source_ops, t, &states, &p, &t->link.source.transport);
	migration_dest_init(&t->dest, &dest_ops, t, &t->link.dest.transport);
	task = task_create("twin", dest_task, t);
	if (!task) {
		log_err("migration: out of memory for the destination's task");
		return -ENOMEM;
	}
	err = migration_run(&t->source);
	connection_hang_up(&t->link);
	task_join(task);
	return err;
}

int migrate_to_twin(struct vm *src, struct vm **dst, struct result *r)
{
	struct twin *t = kzalloc(sizeof(*t));
	int err = -ENOMEM;

	if (t)
		err = open_link(t);
	if (err) {
		log_err("migration: out of memory for its buffers");
		result_string(r, "status", "failed");
		result_string(r, "error-desc", "out of memory for migration's buffers");
		kfree(t);
		return err;
	}
	t->src = src;
	err = run(t);
	report_result(r, &t->source, &t->report, &src->mmu.stats);
	*dst = err ? NULL : t->dst;
	connection_free(&t->link);
	kfree(t);
	return err;
}
