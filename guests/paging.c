// SPDX-License-Identifier: MIT
/* Paging of the 64-bit kernels, which boot.S has switched on: of 4 or 5 levels. */
#include "guests/paging.h"
#include "guests/guest.h"

/* What the kernel was built for (boot.S). */
extern const u32 boot_levels;

const struct npt_format *paging_format(void)
{
	return &npt_formats[read_cr4() & CR4_LA57 ? NPT_LONG5 : NPT_LONG4];
}

void paging_init(void)
{
	const char *const names[] = {paging_format()->name, NULL};

	if (paging_format()->levels != boot_levels)
		die("this processor has no paging of %u levels", boot_levels);
	option_choice("npt", names);
}
