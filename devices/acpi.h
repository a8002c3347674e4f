/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables of a VM. Their contents are in devices/acpi/ and compiled by iasl; here they get
 * addresses, and what leads to them.
 */
#pragma once

#include "devices/loader.h"

/* Puts them at LOADER_TABLES, where who looks for RSDP will find it. *@rsdp: its address. 0,
 * -ENOSPC. */
int __must_check acpi_install(struct loader *l, u64 *rsdp);
