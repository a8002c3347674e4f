/* SPDX-License-Identifier: MIT */
/* What iasl made of devices/acpi/. */
	.section .rodata

	.macro	table name
	.global	acpi_\name, acpi_\name\()_end
	.balign	8
acpi_\name:
	.incbin	"acpi/\name\().aml"
acpi_\name\()_end:
	.endm

	table	dsdt
	table	fadt
	table	madt
