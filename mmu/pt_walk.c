// SPDX-License-Identifier: MIT
/*
 * The walk of a guest's page tables. It first reads its way down to the leaf and decides; only an
 * access that is granted sets A and D, and if the guest changed an entry meanwhile all starts
 * again.
 */
#include "mmu/pt_walk.h"

#include "mmu/guest_mem.h"

/* A guest that changes an entry each time we look gets a fault, as if it had been not present. */
#define WALK_RETRIES 64

struct walker {
	struct mmu *mmu;
	const struct pt_mode *mode;
	u64 root, addr;
	u32 access;
	pt_translate_fn translate; /* NULL: the tables lie in guest memory directly */
	void *ctx;
	struct pt_walk *w;
};

/* Bits of @addr that no index covers must agree: all 0, or in long mode all equal. */
static bool addr_in_range(const struct pt_format *fmt, u64 addr)
{
	int width = PAGE_SHIFT + fmt->index_bits * (fmt->levels - 1) + fmt->root_bits;
	u64 rest = addr >> width;

	if (rest == 0)
		return true;
	return (fmt->id == PT_FMT_LONG4 || fmt->id == PT_FMT_LONG5) && rest == ~0ull >> width;
}

static u64 root_table(const struct pt_format *fmt, u64 root)
{
	/* The four PDPTEs of PAE need not start a page (APM 2 5.2.2). */
	return root & (fmt->id == PT_FMT_PAE ? GENMASK(51, 5) : GENMASK(51, 12));
}

static int fault(struct walker *k, int level, u32 why)
{
	struct pt_walk *w = k->w;

	w->level = level;
	w->error = why;
	if (why != PFERR_P) /* nothing is there, or nothing that counts */
		w->access = 0;
	if (k->access & ACC_WRITE)
		w->error |= PFERR_W;
	if (k->access & ACC_USER)
		w->error |= PFERR_U;
	if ((k->access & ACC_EXEC) && pt_fetch_shows(k->mode))
		w->error |= PFERR_I;
	return -EFAULT;
}

/* Where the entry for the walk's address in @table lies, for an access to it that needs @access. */
static int locate(struct walker *k, u64 table, int level, u32 access, gpa_t *gpa)
{
	const struct pt_format *fmt = k->mode->fmt;
	u64 addr = table + (u64)pt_index(fmt, k->addr, level) * fmt->entry_size;

	if (!k->translate) {
		*gpa = (gpa_t){addr};
		return 0;
	}
	if (k->translate(k->ctx, addr, access | ACC_USER, gpa)) {
		k->w->nested_fault = true;
		k->w->nested_addr = addr;
		return fault(k, level, 0);
	}
	return 0;
}

static u64 read_entry(struct walker *k, gpa_t gpa)
{
	int size = k->mode->fmt->entry_size;
	u64 entry;

	if (guest_read_entry(k->mmu, gpa, &entry, size))
		return size == 4 ? 0xffffffffull : ~0ull; /* where there is no memory */
	return entry;
}

static bool permitted(const struct walker *k, u32 granted)
{
	u32 need = k->access;

	/* Supervisor code writes where it likes as long as CR0.WP is clear; EPT knows no such. */
	if (k->mode->fmt->user && !(need & ACC_USER) && !k->mode->wp)
		need &= ~ACC_WRITE;
	/* EPT: an instruction may be fetched from where it cannot be read. */
	if (k->mode->fmt->exec && (need & ACC_EXEC))
		need &= ~ACC_READ;
	return !(need & ~granted);
}

/* Reads down to the leaf. 0, or -EFAULT. */
static int descend(struct walker *k)
{
	const struct pt_mode *mode = k->mode;
	const struct pt_format *fmt = mode->fmt;
	struct pt_walk *w = k->w;
	u64 table = root_table(fmt, k->root);

	w->access = ACC_ALL;
	for (int level = fmt->levels;; level--) {
		gpa_t gpa;
		u64 entry;
		bool leaf;

		w->table[level] = (gpa_t){table};
		if (locate(k, table, level, ACC_READ, &gpa))
			return -EFAULT;
		entry = w->entry[level] = read_entry(k, gpa);
		if (!(entry & fmt->present))
			return fault(k, level, 0);
		leaf = pt_is_leaf(mode, entry, level);
		if (pt_malformed(mode, entry, level, leaf))
			return fault(k, level, PFERR_P | PFERR_RSV);
		w->access &= pt_level_access(mode, entry, level);
		table = pt_entry_addr(mode, entry, level, leaf);
		if (!leaf)
			continue;
		w->level = level;
		w->gpa = (gpa_t){table | (k->addr & (pt_level_size(fmt, level) - 1))};
		return permitted(k, w->access) ? 0 : fault(k, level, PFERR_P);
	}
}

/* Which of A and D the processor would set in the entry at @level of a granted access. */
static u64 ad_bits(const struct walker *k, int level)
{
	const struct pt_format *fmt = k->mode->fmt;

	if (fmt->id == PT_FMT_PAE && level == 3)
		return 0; /* a PDPTE has neither */
	if (level == k->w->level && (k->access & ACC_WRITE))
		return fmt->accessed | fmt->dirty;
	return fmt->accessed;
}

/* 0, -EAGAIN when an entry is no longer what was read, -EFAULT when @translate refuses the write.
 */
static int set_accessed_dirty(struct walker *k)
{
	struct pt_walk *w = k->w;
	const struct pt_format *fmt = k->mode->fmt;

	for (int level = fmt->levels; level >= w->level; level--) {
		u64 old = w->entry[level], new = old | ad_bits(k, level);
		gpa_t gpa;
		int err;

		if (new == old)
			continue;
		if (locate(k, w->table[level].v, level, ACC_READ | ACC_WRITE, &gpa))
			return -EFAULT;
		err = guest_set_ad(k->mmu, gpa, old, new, fmt->entry_size);
		if (err == -EAGAIN)
			return err;
		if (!err) /* else it is ROM, which ignores writes */
			w->entry[level] = new;
	}
	return 0;
}

static int walk(struct walker *k)
{
	struct pt_walk *w = k->w;
	int err = -EAGAIN;

	*w = (struct pt_walk){0};
	if (!addr_in_range(k->mode->fmt, k->addr))
		return fault(k, k->mode->fmt->levels, 0);
	for (int i = 0; i < WALK_RETRIES && err == -EAGAIN; i++) {
		err = descend(k);
		if (!err && k->mode->ad)
			err = set_accessed_dirty(k);
	}
	if (err == -EAGAIN)
		return fault(k, w->level, 0);
	w->dirty = !k->mode->ad || (k->access & ACC_WRITE) ||
		   (w->entry[w->level] & k->mode->fmt->dirty);
	return err;
}

int pt_walk(struct mmu *mmu, const struct pt_mode *mode, gpa_t root, u64 addr, u32 access,
	    struct pt_walk *w)
{
	struct walker k = {
		.mmu = mmu, .mode = mode, .root = root.v, .addr = addr, .access = access, .w = w};

	return walk(&k);
}

int pt_walk_nested(struct mmu *mmu, const struct pt_mode *mode, u64 root, u64 addr, u32 access,
		   pt_translate_fn translate, void *ctx, struct pt_walk *w)
{
	struct walker k = {.mmu = mmu,
			   .mode = mode,
			   .root = root,
			   .addr = addr,
			   .access = access,
			   .translate = translate,
			   .ctx = ctx,
			   .w = w};

	return walk(&k);
}
