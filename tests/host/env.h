/* SPDX-License-Identifier: MIT */
/*
 * The MMU's world on the host (mmu/env.h), with everything a test wants to know or to provoke.
 *
 * hpa == address of the host: env_hpa() and env_va() only convert. Page-table pages are separate
 * allocations, so that ASan sees an overrun; guest memory comes from 1G-aligned arenas.
 * Whatever is wrong with how mmu/ used this world counts as a violation, printed and counted.
 * Link tests/host/env*.o.
 */
#pragma once

#include "mmu/env.h"
#include "mmu/mmu.h"

/* Forgets everything: hooks, history, TLB, counters. Does not free what is allocated. */
void env_reset(void);

/* --- the VM under test ------------------------------------------------------------------ */

/*
 * mmu_init() with @cfg (NULL: 4-level NPT, leaves up to 1G, eager splitting). From now on
 * violations of mmu_lock's rules by this VM are noticed. One VM at a time may be watched.
 */
int env_mmu_make(struct mmu *mmu, const struct mmu_config *cfg);
/* mmu_destroy(), which must report no leak, and env_live_allocs() must be 0: number of errors. */
int env_mmu_end(struct mmu *mmu);

/*
 * @bytes of guest memory, aligned to 1G, zeroed, not backed until touched. Lives until
 * env_guest_free(), which frees all.
 */
void *env_guest_memory(size_t bytes);
void env_guest_free(void);
/*
 * memslot_add() of @npages at @base with memory of @level pieces where alignment allows, smaller
 * else. The memory starts at the same offset within 1G as @base.
 */
struct memslot *env_slot(struct mmu *mmu, u16 id, u64 base, u64 npages, u32 flags, int level);

/*
 * Several threads are at work: that somebody holds mmu_lock is then no sign that an allocation is
 * made under it.
 */
extern bool env_threaded;

/* --- allocations ------------------------------------------------------------------------ */

/* The @n-th allocation from now on fails (1: the next), and only that; 0: none does. */
void env_fail_after(u64 n);
/* From the @n-th on all fail; 0: none does. */
void env_fail_from(u64 n);
/* Allocations made since env_reset(), failed ones included; those that failed. */
u64 env_alloc_count(void);
u64 env_alloc_failed(void);
/* Pages and objects of after env_reset() that are not freed yet. */
u64 env_live_allocs(void);

/* --- changes of entries ----------------------------------------------------------------- */

struct env_change {
	u64 *p;
	u64 old, new;
	bool success;
};
/* Every env_pte_cmpxchg() since env_reset() or env_history_clear(). */
const struct env_change *env_history(u64 *count);
void env_history_clear(void);

/* Called after each change that took place. */
extern void (*env_on_change)(u64 *p, u64 old, u64 new);
/* Called before each exchange: the place to play the processor, by env_hw_set(). */
extern void (*env_before_cmpxchg)(u64 *p, u64 old, u64 new);
/* The processor sets bits (A, D) in a visible entry. */
void env_hw_set(u64 *p, u64 bits);
/* Makes a page part of what is visible; table pages that entries lead to follow by themselves. */
void env_watch_root(void *page);
/*
 * Compares each visible page with the history replayed: a difference is a plain store. Returns how
 * many, each also a violation.
 */
u64 env_check_no_plain_stores(void);

/* Called when a flush of @trees takes place, before the model TLB forgets. */
extern void (*env_on_flush)(struct mmu *mmu, u32 trees);

/* What env_random() says. */
extern u64 env_random_value;

/* --- interruptions ---------------------------------------------------------------------- */

/* env_need_resched() is true at every @n-th call; 0: never. */
void env_contend_after(u64 n);
/* What "other tasks" do in env_resched(); no lock is held but slots_lock. */
extern void (*env_on_resched)(void);
u64 env_resched_count(void);

/* --- model of a processor --------------------------------------------------------------- */

/*
 * Accesses @addr through the tree at @root as a processor may: by a cached translation, or by a
 * walk from the root or from any table that a cached entry leads to. It sets A and D on its way,
 * D only where no cached translation has it already, and caches what it finds. @error: PFERR_W,
 * PFERR_I or 0. True with the host address in @va; else it faults: *@present tells whether
 * something was mapped.
 */
bool cpu_access(struct mmu *mmu, enum mmu_tree tree, const u64 *root, u64 addr, u64 error,
		void **va, bool *present);
/*
 * What a walk from @root would find now, leaving no trace: ACC_* and the host address. False:
 * nothing.
 */
bool cpu_look(struct mmu *mmu, const u64 *root, u64 addr, u32 *access, void **va);
/*
 * Which of @n ways to take, 0 to @n - 1: what is cached nearest to the access comes first. NULL:
 * the first that is no fault by what the tables no longer say.
 */
extern u32 (*env_choose)(u32 n);
/*
 * A walk that the processor makes on its own account: sets A, caches what it finds, tables
 * included. False when nothing translates there.
 */
bool tlb_touch_root(struct mmu *mmu, enum mmu_tree tree, const u64 *root, u64 addr);
/* The same for the TDP tree from its root. */
bool tlb_touch(struct mmu *mmu, u64 addr);
/*
 * Number of cached translations that grant more than the tables do now, D being a grant too; and of
 * cached entries that no longer lead where they did, or lack A.
 */
u64 tlb_stale(struct mmu *mmu);
/* Number of cached translations. */
u64 tlb_cached(struct mmu *mmu);
void tlb_drop(void);

/* --- a vCPU of L1 ----------------------------------------------------------------------- */

/*
 * Accesses L1's memory as a running vCPU would, by cpu_access(); on a violation through
 * mmu_tdp_fault(). Returns its result, FAULT_FIXED when the access was made, by L0 if need be. @len
 * bytes within one page. @exec: fetches instead of reads.
 */
int env_vcpu_read(struct mmu *mmu, u64 gpa, void *dst, size_t len);
int env_vcpu_write(struct mmu *mmu, u64 gpa, const void *src, size_t len);
int env_vcpu_fetch(struct mmu *mmu, u64 gpa);
/* Writes only if that takes no fault, as a vCPU may while L0 is at work on the tables. */
bool env_vcpu_try_write(struct mmu *mmu, u64 gpa, const void *src, size_t len);

/* --- what was noticed ------------------------------------------------------------------- */

extern bool env_quiet;	  /* do not print warnings and violations (tests that provoke them) */
u64 env_violations(void); /* uses of this world against its rules */
u64 env_warnings(void);	  /* env_warn() calls */
const char *env_last_warning(void);
u64 env_traced(enum mmu_event ev);	       /* number of such events */
u64 env_trace_arg(enum mmu_event ev, int arg); /* argument 0 to 3 of the last one */
u64 env_flushes(u32 trees);		       /* env_flush() calls that covered any of @trees */
