#!/bin/sh
# SPDX-License-Identifier: MIT
# From `nm -n` of the image (stdin) to assembly (stdout): the functions' addresses and names, for
# backtraces. No input gives an empty table. The image is linked twice: first with the empty
# table, and again with the one made from the first. The table is the last of the read-only data,
# so no function moves between the two:
#	sh kernel/ksyms.sh < /dev/null > ksyms.0.S;  link cleave.0.elf
#	nm -n cleave.0.elf | sh kernel/ksyms.sh > ksyms.1.S;  link cleave.elf
LC_ALL=C exec awk '
BEGIN {
	n = 0
	print "\t.section .ksyms, \"a\""
	print "\t.global ksyms_count, ksyms_table, ksyms_names"
	print "\t.balign 8"
}
$2 == "t" || $2 == "T" {
	address[n] = $1
	name[n++] = $3
}
END {
	printf "ksyms_count:\n\t.long %d\n", n
	print "ksyms_table:"
	for (i = 0; i < n; i++) {
		printf "\t.long 0x%s, %d\n", address[i], at
		at += length(name[i]) + 1
	}
	print "ksyms_names:"
	for (i = 0; i < n; i++)
		printf "\t.asciz \"%s\"\n", name[i]
	print "\t.section .note.GNU-stack, \"\", @progbits"
}'
