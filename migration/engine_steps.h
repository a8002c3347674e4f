/* SPDX-License-Identifier: MIT */
/* What engine.c, round.c and switchover.c share: the steps of one migration_run(). */
#pragma once

#include "migration/engine.h"

/* Lets others run. 0, or -ECANCELED. */
int __must_check migration_poll(struct migration *m);
/* Notes why, if nothing has been noted yet. Returns @err. */
__printf(3, 4) int migration_fail(struct migration *m, int err, const char *fmt, ...);

/*
 * One pass over the memory: round 1 sends everything, later ones what is dirty. Fills in
 * m->round but for `dirty`. 0; -ECANCELED; the transport's error.
 */
int __must_check migration_round(struct migration *m, bool final);
/* Pages that are dirty now. */
u64 migration_count_dirty(struct migration *m);
/* From stopping the guest to the destination running. 0 or -errno. */
int __must_check migration_switchover(struct migration *m);
/*
 * Waits for the destination's answer. 0 when it is @wanted; else -errno, and what it said is
 * noted.
 */
int migration_answer(struct migration *m, enum verdict wanted);
