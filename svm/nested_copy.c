// SPDX-License-Identifier: MIT
/* Comparing and copying vmcb12, a word at a time: see nested_copy.h. */
#include "svm/nested_copy.h"

typedef u64 __attribute__((may_alias)) word;

/* What begins at @field, as a word, or a byte. L1 may change it: one load. */
#define WORD(area, field) (*(const volatile word *)&(area)->field)
#define BYTE(area, field) (*(const volatile u8 *)&(area)->field)

#define CONTROL_WORDS(X)              \
	X(intercepts[0])              \
	X(intercepts[2])              \
	X(intercepts[4])              \
	X(iopm_base)                  \
	X(msrpm_base)                 \
	X(tsc_offset)                 \
	X(asid) /* and TLB_CONTROL */ \
	X(nested_ctl)                 \
	X(ncr3)

#define EVENT_WORDS(X) X(vintr) X(int_state) X(event_inj) X(next_rip)

#define SEGMENT_WORDS(X, segment) X(segment.selector) X(segment.base)

#define SAVE_WORDS(X)          \
	SEGMENT_WORDS(X, es)   \
	SEGMENT_WORDS(X, cs)   \
	SEGMENT_WORDS(X, ss)   \
	SEGMENT_WORDS(X, ds)   \
	SEGMENT_WORDS(X, gdtr) \
	SEGMENT_WORDS(X, idtr) \
	X(efer)                \
	X(cr4)                 \
	X(cr3)                 \
	X(cr0)                 \
	X(dr7)                 \
	X(dr6)                 \
	X(g_pat)

#define FLOW_WORDS(X) X(rflags) X(rip) X(rsp) X(rax) X(cr2)

#define DIFFERS(field) differs |= *(const word *)&copy->field ^ WORD(vmcb12, field);
#define COPY(field)    *(word *)&copy->field = WORD(vmcb12, field);

bool svm_control_differs(const struct vmcb_control *copy, const struct vmcb_control *vmcb12)
{
	u64 differs = 0;

	CONTROL_WORDS(DIFFERS)
	return differs;
}

void svm_control_copy(struct vmcb_control *copy, const struct vmcb_control *vmcb12)
{
	CONTROL_WORDS(COPY)
}

void svm_control_copy_events(struct vmcb_control *copy, const struct vmcb_control *vmcb12)
{
	EVENT_WORDS(COPY)
}

bool svm_save_differs(const struct vmcb_save *copy, const struct vmcb_save *vmcb12)
{
	u64 differs = copy->cpl ^ BYTE(vmcb12, cpl);

	SAVE_WORDS(DIFFERS)
	return differs;
}

void svm_save_copy(struct vmcb_save *copy, const struct vmcb_save *vmcb12)
{
	SAVE_WORDS(COPY)
	copy->cpl = BYTE(vmcb12, cpl);
}

void svm_save_copy_flow(struct vmcb_save *copy, const struct vmcb_save *vmcb12)
{
	FLOW_WORDS(COPY)
}
