// SPDX-License-Identifier: MIT
/*
 * L0's reads and writes of guest memory. A write is made first and marked dirty afterwards, both
 * under mmu_lock: whoever takes the dirty bit reads the memory later, and sees the write.
 */
#include "mmu/guest_mem.h"

#include "lib/string.h"
#include "mmu/dirty_log.h"
#include "mmu/env.h"
#include "mmu/mmu.h"
#include "mmu/shadow_mmu.h"

/* Bytes of @len that lie in the page of @gpa. */
static size_t page_part(gpa_t gpa, size_t len)
{
	return MIN(len, (size_t)(PAGE_SIZE - gpa.v % PAGE_SIZE));
}

static void *page_va(const struct memslot *slot, gpa_t gpa)
{
	return (char *)env_va(memslot_hpa(slot, gpa_to_gfn(gpa), NULL)) + gpa.v % PAGE_SIZE;
}

static int check_range(struct mmu *mmu, gpa_t gpa, size_t len, bool write)
{
	if (len && gpa.v + len - 1 < gpa.v)
		return -EFAULT;
	while (len) {
		size_t part = page_part(gpa, len);
		const struct memslot *slot = memslot_find(mmu, gpa_to_gfn(gpa));

		if (!slot || (write && (slot->flags & MEMSLOT_READONLY)))
			return -EFAULT;
		gpa.v += part;
		len -= part;
	}
	return 0;
}

int guest_read(struct mmu *mmu, gpa_t gpa, void *dst, size_t len)
{
	int err = check_range(mmu, gpa, len, false);

	while (!err && len) {
		size_t part = page_part(gpa, len);

		memcpy(dst, page_va(memslot_find(mmu, gpa_to_gfn(gpa)), gpa), part);
		dst = (char *)dst + part;
		gpa.v += part;
		len -= part;
	}
	return err;
}

int guest_read_entry(struct mmu *mmu, gpa_t gpa, u64 *entry, int size)
{
	const struct memslot *slot = memslot_find(mmu, gpa_to_gfn(gpa));
	const void *p;

	if (!slot || !IS_ALIGNED(gpa.v, (u64)size))
		return -EFAULT;
	p = page_va(slot, gpa);
	if (size == 8)
		*entry = READ_ONCE(*(const u64 *)p);
	else if (size == 4)
		*entry = READ_ONCE(*(const u32 *)p);
	else
		*entry = size == 2 ? READ_ONCE(*(const u16 *)p) : READ_ONCE(*(const u8 *)p);
	return 0;
}

/*
 * Takes mmu_lock for a write of @len bytes at @gpa, within a page: for reading, so that neither
 * tracking nor the dirty log change under it; for writing when the gfn is tracked, and then drops
 * what shadows those bytes. True: for writing.
 */
static bool lock_for_write(struct mmu *mmu, struct memslot *slot, gpa_t gpa, size_t len,
			   struct flush_batch *b)
{
	gfn_t gfn = gpa_to_gfn(gpa);

	rwlock_read_lock(&mmu->lock);
	if (!slot->write_track[gfn.v - slot->base.v])
		return false;
	rwlock_read_unlock(&mmu->lock);
	rwlock_write_lock(&mmu->lock);
	shadow_write_entries(mmu, slot, gpa, (u32)len, b);
	return true;
}

static void unlock_after_write(struct mmu *mmu, bool exclusive, struct flush_batch *b)
{
	if (!exclusive) {
		rwlock_read_unlock(&mmu->lock);
		return;
	}
	flush_pay(mmu, b);
	rwlock_write_unlock(&mmu->lock);
}

int guest_write(struct mmu *mmu, gpa_t gpa, const void *src, size_t len)
{
	int err = check_range(mmu, gpa, len, true);

	while (!err && len) {
		struct flush_batch b = FLUSH_BATCH_INIT;
		size_t part = page_part(gpa, len);
		gfn_t gfn = gpa_to_gfn(gpa);
		struct memslot *slot = memslot_find(mmu, gfn);
		bool exclusive = lock_for_write(mmu, slot, gpa, part, &b);

		memcpy(page_va(slot, gpa), src, part);
		dirty_log_mark(slot, gfn);
		unlock_after_write(mmu, exclusive, &b);
		src = (const char *)src + part;
		gpa.v += part;
		len -= part;
	}
	return err;
}

int guest_page_find(struct mmu *mmu, gfn_t gfn, struct guest_page *page)
{
	struct memslot *slot = memslot_find(mmu, gfn);

	if (!slot || (slot->flags & MEMSLOT_READONLY))
		return -EFAULT;
	page->slot = slot;
	page->gfn = gfn;
	page->va = page_va(slot, gfn_to_gpa(gfn));
	return 0;
}

void guest_page_write_begin(struct mmu *mmu, struct guest_page *page)
{
	page->b = FLUSH_BATCH_INIT;
	page->exclusive =
		lock_for_write(mmu, page->slot, gfn_to_gpa(page->gfn), PAGE_SIZE, &page->b);
}

void guest_page_write_end(struct mmu *mmu, struct guest_page *page)
{
	dirty_log_mark(page->slot, page->gfn);
	unlock_after_write(mmu, page->exclusive, &page->b);
}

const void *guest_page_read(struct mmu *mmu, gfn_t gfn)
{
	const struct memslot *slot = memslot_find(mmu, gfn);

	return slot ? page_va(slot, gfn_to_gpa(gfn)) : NULL;
}

static void store(void *p, u64 value, int size)
{
	if (size == 8)
		WRITE_ONCE(*(u64 *)p, value);
	else if (size == 4)
		WRITE_ONCE(*(u32 *)p, (u32)value);
	else if (size == 2)
		WRITE_ONCE(*(u16 *)p, (u16)value);
	else
		WRITE_ONCE(*(u8 *)p, (u8)value);
}

int guest_write_entry(struct mmu *mmu, gpa_t gpa, u64 value, int size)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	gfn_t gfn = gpa_to_gfn(gpa);
	struct memslot *slot = memslot_find(mmu, gfn);
	bool exclusive;

	if (!slot || (slot->flags & MEMSLOT_READONLY) || !IS_ALIGNED(gpa.v, (u64)size))
		return -EFAULT;
	exclusive = lock_for_write(mmu, slot, gpa, (size_t)size, &b);
	store(page_va(slot, gpa), value, size);
	dirty_log_mark(slot, gfn);
	unlock_after_write(mmu, exclusive, &b);
	return 0;
}

static bool exchange(void *p, u64 old, u64 new, int size)
{
	u32 old32 = (u32)old;
	u16 old16 = (u16)old;
	u8 old8 = (u8)old;

	if (size == 1)
		return __atomic_compare_exchange_n((u8 *)p, &old8, (u8) new, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	if (size == 2)
		return __atomic_compare_exchange_n((u16 *)p, &old16, (u16) new, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	if (size == 4)
		return __atomic_compare_exchange_n((u32 *)p, &old32, (u32) new, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return __atomic_compare_exchange_n((u64 *)p, &old, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static int cmpxchg(struct mmu *mmu, gpa_t gpa, u64 old, u64 new, int size, bool tracking)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	gfn_t gfn = gpa_to_gfn(gpa);
	struct memslot *slot = memslot_find(mmu, gfn);
	bool exclusive = false, done;

	if (!slot || (slot->flags & MEMSLOT_READONLY) || !IS_ALIGNED(gpa.v, (u64)size))
		return -EFAULT;
	if (tracking)
		exclusive = lock_for_write(mmu, slot, gpa, (size_t)size, &b);
	else
		rwlock_read_lock(&mmu->lock);
	done = exchange(page_va(slot, gpa), old, new, size);
	if (done)
		dirty_log_mark(slot, gfn);
	unlock_after_write(mmu, exclusive, &b);
	return done ? 0 : -EAGAIN;
}

int guest_cmpxchg(struct mmu *mmu, gpa_t gpa, u64 old, u64 new, int size)
{
	return cmpxchg(mmu, gpa, old, new, size, true);
}

int guest_set_ad(struct mmu *mmu, gpa_t gpa, u64 old, u64 new, int size)
{
	return cmpxchg(mmu, gpa, old, new, size, false);
}

bool guest_set_ad_locked(struct memslot *slot, gfn_t gfn, u64 *entry, u64 old, u64 new)
{
	if ((slot->flags & MEMSLOT_READONLY) || !exchange(entry, old, new, sizeof(*entry)))
		return false;
	dirty_log_mark(slot, gfn);
	return true;
}
