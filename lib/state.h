/* SPDX-License-Identifier: MIT */
/*
 * Plain data that moves in a migration, described field by field. A described struct holds no
 * pointers and no padding that matters; its fields cover it entirely, which the tests check, so
 * that nothing can be left out of the stream by mistake.
 */
#pragma once

#include "lib/types.h"

struct state_field {
	const char *name;
	u32 offset; /* bytes */
	u32 size;
};

struct state_desc {
	const char *name; /* of the section in the stream */
	u32 version;
	u32 size; /* of the struct */
	u32 nr_fields;
	const struct state_field *fields;
};

#define STATE_FIELD(type, member)                                  \
	{                                                          \
		.name = #member, .offset = offsetof(type, member), \
		.size = sizeof(((type *)0)->member)                \
	}
