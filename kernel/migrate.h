/* SPDX-License-Identifier: MIT */
/* Migration as the kernel asks for it; migration/twin.c supplies it. */
#pragma once

#include "kernel/result.h"
#include "kernel/vm.h"

/*
 * Moves the running VM @src into a new one on this machine, as the boot parameters say, showing
 * the progress and writing what query-migrate would tell into @r: "status", "verified", "ram"
 * and so on, with "error-desc" when it failed.
 *
 * 0: *@dst runs; @src stays paused and is the caller's to end. -ECANCELED or another -errno:
 * @src runs on, and there is no other.
 */
int __must_check migrate_to_twin(struct vm *src, struct vm **dst, struct result *r);
