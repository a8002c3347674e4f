// SPDX-License-Identifier: MIT
/* Sorted sets of address ranges. */
#include "kernel/ranges.h"
#include "lib/string.h"

/* Replaces the @old ranges from @i on by @new uninitialised ones. */
static int replace(struct ranges *s, u32 i, u32 old, u32 new)
{
	if (s->count - old + new > RANGES_MAX)
		return -ENOSPC;
	memmove(&s->r[i + new], &s->r[i + old], (s->count - i - old) * sizeof(s->r[0]));
	s->count = s->count - old + new;
	return 0;
}

int ranges_add(struct ranges *s, u64 start, u64 end)
{
	u32 i = 0, n = 0;

	if (start >= end)
		return 0;
	while (i < s->count && s->r[i].end < start)
		i++;
	/* The n ranges from i on touch the new one and become part of it. */
	for (; i + n < s->count && s->r[i + n].start <= end; n++) {
		start = MIN(start, s->r[i + n].start);
		end = MAX(end, s->r[i + n].end);
	}
	int err = replace(s, i, n, 1);

	if (err)
		return err;
	s->r[i] = (struct range){start, end};
	return 0;
}

int ranges_remove(struct ranges *s, u64 start, u64 end)
{
	for (u32 i = 0; start < end && i < s->count;) {
		struct range r = s->r[i];
		u32 left = 0;

		if (r.end <= start || r.start >= end) {
			i++;
			continue;
		}
		left += r.start < start;
		left += r.end > end;
		int err = replace(s, i, 1, left);

		if (err)
			return err;
		if (r.start < start)
			s->r[i++] = (struct range){r.start, start};
		if (r.end > end)
			s->r[i++] = (struct range){end, r.end};
	}
	return 0;
}

int ranges_take(struct ranges *s, u64 size, u64 align, u64 limit, u64 *at)
{
	for (u32 i = 0; i < s->count; i++) {
		u64 start = ALIGN_UP(s->r[i].start, align);
		u64 end = MIN(s->r[i].end, limit);

		if (start < s->r[i].start || start >= end || end - start < size)
			continue;
		*at = start;
		return ranges_remove(s, start, start + size) ? -ENOMEM : 0;
	}
	return -ENOMEM;
}

u64 ranges_total(const struct ranges *s)
{
	u64 total = 0;

	for (u32 i = 0; i < s->count; i++)
		total += s->r[i].end - s->r[i].start;
	return total;
}

bool ranges_contain(const struct ranges *s, u64 start, u64 end)
{
	for (u32 i = 0; i < s->count; i++) {
		if (s->r[i].start <= start && end <= s->r[i].end)
			return true;
	}
	return false;
}

bool ranges_touch(const struct ranges *s, u64 start, u64 end)
{
	for (u32 i = 0; i < s->count; i++) {
		if (s->r[i].start < end && start < s->r[i].end)
			return true;
	}
	return false;
}
