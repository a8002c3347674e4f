// SPDX-License-Identifier: MIT
/*
 * kmalloc: small objects share pages (slabs), one size per page; a page whose last object is
 * freed goes back. A slab begins with its header, so no small object is ever page-aligned, and
 * kfree knows a small object from a large one by its address.
 */
#include "kernel/kmem.h"
#include "kernel/page_alloc.h"
#include "kernel/panic.h"
#include "lib/list.h"
#include "lib/lock.h"
#include "lib/string.h"

static const u16 class_sizes[] = {32, 64, 96, 128, 192, 256, 384, 512, 672, 1008, 1344, 2016};

#define CLASS_COUNT ARRAY_SIZE(class_sizes)
#define SLAB_MAGIC  0x51ab51abu

struct slab {
	struct list_head list; /* in the class's list while an object is free */
	void *free;	       /* the first free object; each holds the next one's address */
	u32 used;
	u32 class_index;
	u32 magic;
	u32 reserved[7];
};
_Static_assert(sizeof(struct slab) == 64, "objects start 64 bytes into the page");

static struct {
	struct spinlock lock;		       /* all of this and every slab */
	struct list_head partial[CLASS_COUNT]; /* slabs with free objects */
	bool ready;
	u64 used; /* bytes */
} kmem;

/* Under the lock. */
static void kmem_setup(void)
{
	for (size_t i = 0; i < CLASS_COUNT; i++)
		list_init(&kmem.partial[i]);
	kmem.ready = true;
}

static unsigned int size_order(size_t size)
{
	unsigned int order = 0;

	while ((PAGE_SIZE << order) < size)
		order++;
	return order;
}

static u32 size_class(size_t size)
{
	u32 i = 0;

	while (class_sizes[i] < size)
		i++;
	return i;
}

static struct slab *slab_create(u32 class_index)
{
	struct slab *s = page_alloc();
	u32 size = class_sizes[class_index];

	if (!s)
		return NULL;
	s->class_index = class_index;
	s->magic = SLAB_MAGIC;
	for (u64 at = sizeof(*s); at + size <= PAGE_SIZE; at += size) {
		void **object = (void **)((char *)s + at);

		*object = s->free;
		s->free = object;
	}
	list_add(&s->list, &kmem.partial[class_index]);
	return s;
}

static void *small_alloc(size_t size)
{
	u32 class_index = size_class(size);

	if (!kmem.ready)
		kmem_setup();
	struct slab *s = list_first_entry_or_null(&kmem.partial[class_index], struct slab, list);

	if (!s)
		s = slab_create(class_index);
	if (!s)
		return NULL;
	void **object = s->free;

	s->free = *object;
	s->used++;
	if (!s->free)
		list_del(&s->list);
	kmem.used += class_sizes[class_index];
	return object;
}

static void small_free(void *p)
{
	struct slab *s = (struct slab *)((u64)p & PAGE_MASK);
	void **object = p;

	assert(s->magic == SLAB_MAGIC && s->used > 0);
	assert(((u64)p - (u64)s - sizeof(*s)) % class_sizes[s->class_index] == 0);
	if (!s->free)
		list_add(&s->list, &kmem.partial[s->class_index]);
	*object = s->free;
	s->free = object;
	kmem.used -= class_sizes[s->class_index];
	if (--s->used == 0) {
		list_del(&s->list);
		s->magic = 0;
		page_free(s);
	}
}

/* Large pieces keep their order in the first frame's private word. */
static void *large_alloc(size_t size)
{
	unsigned int order = size_order(size);
	hpa_t hpa;

	if (size > SIZE_MAX / 2 || order > 18 || mem_alloc_order(order, &hpa))
		return NULL;
	page_set_private(hpa, order);
	kmem.used += PAGE_SIZE << order;
	return hpa_to_ptr(hpa);
}

static void large_free(void *p)
{
	unsigned int order = (unsigned int)page_private(ptr_to_hpa(p));

	kmem.used -= PAGE_SIZE << order;
	mem_free_order(ptr_to_hpa(p), order);
}

void *kmalloc(size_t size)
{
	void *p;

	spin_lock(&kmem.lock);
	p = size <= class_sizes[CLASS_COUNT - 1] ? small_alloc(size) : large_alloc(size);
	spin_unlock(&kmem.lock);
	return p;
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	return p ? memset(p, 0, size) : NULL;
}

void kfree(void *p)
{
	if (!p)
		return;
	spin_lock(&kmem.lock);
	if (IS_ALIGNED((u64)p, PAGE_SIZE))
		large_free(p);
	else
		small_free(p);
	spin_unlock(&kmem.lock);
}

u64 kmem_used(void)
{
	return READ_ONCE(kmem.used);
}
