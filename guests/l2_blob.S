/* SPDX-License-Identifier: MIT */
/* L2's image within L1's. */
	.section .blob, "a"
	.balign 4096
	.globl l2_image, l2_image_end
l2_image:
	.incbin L2_BIN
l2_image_end:

	.section .note.GNU-stack, "", @progbits
