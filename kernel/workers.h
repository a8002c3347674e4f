/* SPDX-License-Identifier: MIT */
/* Tasks that work for all VMs' MMUs, beside those that run them. Started once, before any VM. */
#pragma once

/* Recovers NX huge pages, if there are any to be; kernel/nx_recovery.c. 0 or -ENOMEM. */
int __must_check nx_recovery_start(void);
/* Gives memory back when little is left; kernel/reclaim.c. 0 or -ENOMEM. */
int __must_check reclaim_start(void);
