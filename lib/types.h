/* SPDX-License-Identifier: MIT */
/*
 * The vocabulary that every folder shares: fixed-width integers, the four kinds of
 * address that must not be mixed up, error numbers and a handful of macros.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

/*
 * Addresses are one-field structs, so that an L2 address cannot be used where an L1 or a
 * host address is meant. They cost nothing: the ABI passes them in a register.
 */
typedef struct {
	u64 v;
} hpa_t; /* host physical, bytes */
typedef struct {
	u64 v;
} gpa_t; /* physical as L1 sees it, bytes */
typedef struct {
	u64 v;
} ngpa_t; /* physical as L2 sees it (nested guest physical), bytes */
typedef struct {
	u64 v;
} gfn_t; /* a gpa_t in 4K pages */

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ul
#define PAGE_MASK  (~(PAGE_SIZE - 1))

static inline gfn_t gpa_to_gfn(gpa_t gpa)
{
	return (gfn_t){gpa.v >> PAGE_SHIFT};
}

static inline gpa_t gfn_to_gpa(gfn_t gfn)
{
	return (gpa_t){gfn.v << PAGE_SHIFT};
}

/*
 * Error numbers have Linux's values, so that the host build may include <errno.h> beside
 * this file. Functions return 0 or the negated number.
 */
#define EPERM	  1
#define ENOENT	  2
#define EINTR	  4
#define EIO	  5
#define E2BIG	  7
#define ENOEXEC	  8
#define EAGAIN	  11
#define ENOMEM	  12
#define EFAULT	  14
#define EBUSY	  16
#define EEXIST	  17
#define ENODEV	  19
#define EINVAL	  22
#define ENOSPC	  28
#define EPIPE	  32
#define ERANGE	  34
#define EPROTO	  71
#define EBADMSG	  74
#define EOVERFLOW 75
#define ETIMEDOUT 110
#define ECANCELED 125

#define BIT(n)		   (1ull << (n))
#define GENMASK(hi, lo)	   ((~0ull >> (63 - (hi))) & (~0ull << (lo)))
#define ARRAY_SIZE(a)	   (sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, a)	   (((x) + ((a)-1)) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a)   ((x) & ~((__typeof__(x))(a)-1))
#define IS_ALIGNED(x, a)   (((x) & ((__typeof__(x))(a)-1)) == 0)
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))

#define MIN(a, b)                       \
	({                              \
		__typeof__(a) a_ = (a); \
		__typeof__(b) b_ = (b); \
		a_ < b_ ? a_ : b_;      \
	})
#define MAX(a, b)                       \
	({                              \
		__typeof__(a) a_ = (a); \
		__typeof__(b) b_ = (b); \
		a_ > b_ ? a_ : b_;      \
	})

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#ifndef __must_check
#define __must_check __attribute__((warn_unused_result))
#endif
#define __packed     __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __noreturn   __attribute__((noreturn))
#define __noinline   __attribute__((noinline))
/* What is rare: kept out of the way of what is not, with its registers. */
#define __rare	       __attribute__((noinline, cold))
#define __printf(f, a) __attribute__((format(printf, f, a)))

/* One load or store of memory that somebody else changes at the same time. */
#define READ_ONCE(x)	 (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
