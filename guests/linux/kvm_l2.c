// SPDX-License-Identifier: MIT
/*
 * A user of Linux's KVM, in L1: runs an L2 in real, protected and 64-bit mode by turns, with the
 * dirty log on, and checks each thing that L2 does: its memory, its ports, its accesses to a
 * device, its halts, and which pages KVM says were written. Goes on until the machine has been
 * migrated, and a while longer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Cleave's test device: guests/README.md. */
#define TESTDEV	      0xe0
#define SIGNATURE     0xc1
#define PORT_PHASE    0xe2
#define PORT_MIGRATED 0xe3
#define EXIT_PORT     0xf4
enum { PHASE_L1 = 1, PHASE_L2 = 2, PHASE_WARM = 3, PHASE_DONE = 4 };

#define LOW_SIZE     0xa0000u /* below the device's memory */
#define HIGH_BASE    0x100000u
#define HIGH_SIZE    0x200000u
#define CODE	     0x1000u
#define TABLES	     0x4000u
#define ROUND_PORT   0x10
#define DEVICE	     0xa0000u
#define WRITTEN	     0x12345678u
#define PAGE	     4096u
#define ROUNDS_WARM  30 /* of each mode, before the migration */
#define ROUNDS_AFTER 30
#define SECONDS_MOST 100 /* without a migration */

extern const char l2_real[], l2_real_end[], l2_protected[], l2_protected_end[], l2_long[],
	l2_long_end[];

enum mode { REAL, PROTECTED, LONG, MODES };
static const char *const mode_names[MODES] = {"real", "protected", "64-bit"};

struct l2 {
	enum mode mode;
	int vm, cpu;
	struct kvm_run *run;
	unsigned char *low, *high;
	unsigned rounds;
};

static int kvm;

static void die(const char *what)
{
	printf("KVM: FAILED: %s (%s)\n", what, strerror(errno));
	exit(1);
}

#define must(x)                  \
	do {                     \
		if (!(x))        \
			die(#x); \
	} while (0)

/* --- making one ------------------------------------------------------------------------- */

static unsigned char *add_memory(const struct l2 *l, unsigned slot, unsigned base, unsigned size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {.slot = slot,
						     .flags = KVM_MEM_LOG_DIRTY_PAGES,
						     .guest_phys_addr = base,
						     .memory_size = size,
						     .userspace_addr = (unsigned long)p};

	must(p != MAP_FAILED);
	must(ioctl(l->vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	return p;
}

static void flat(struct kvm_segment *s, int type, int wide)
{
	*s = (struct kvm_segment){.limit = 0xffffffff,
				  .selector = type == 11 ? 8 : 16,
				  .type = (unsigned char)type,
				  .present = 1,
				  .db = !wide,
				  .s = 1,
				  .l = (unsigned char)wide,
				  .g = 1};
}

static void set_mode(struct l2 *l)
{
	struct kvm_regs r = {.rflags = 2, .rip = CODE, .rsp = 0x9000};
	unsigned long *table = (unsigned long *)(l->low + TABLES);
	struct kvm_sregs s;

	must(ioctl(l->cpu, KVM_GET_SREGS, &s) == 0);
	s.cs.base = s.cs.selector = 0;
	if (l->mode != REAL) {
		flat(&s.cs, 11, l->mode == LONG);
		flat(&s.ds, 3, 0);
		s.es = s.ss = s.ds;
		s.cr0 |= 1;
	}
	if (l->mode == LONG) {
		table[0] = TABLES + PAGE + 3;
		table[512] = TABLES + 2 * PAGE + 3;
		table[1024] = 0x83;
		table[1025] = 0x200083;
		s.cr3 = TABLES;
		s.cr4 |= 0x20;
		s.efer |= 0x500;
		s.cr0 |= 0x80000000;
	}
	must(ioctl(l->cpu, KVM_SET_SREGS, &s) == 0);
	must(ioctl(l->cpu, KVM_SET_REGS, &r) == 0);
}

static void make(struct l2 *l, enum mode mode)
{
	static const char *const code[MODES][2] = {
		{l2_real, l2_real_end}, {l2_protected, l2_protected_end}, {l2_long, l2_long_end}};

	memset(l, 0, sizeof(*l));
	l->mode = mode;
	must((l->vm = ioctl(kvm, KVM_CREATE_VM, 0)) >= 0);
	l->low = add_memory(l, 0, 0, LOW_SIZE);
	l->high = add_memory(l, 1, HIGH_BASE, HIGH_SIZE);
	memcpy(l->low + CODE, code[mode][0], (size_t)(code[mode][1] - code[mode][0]));
	must((l->cpu = ioctl(l->vm, KVM_CREATE_VCPU, 0)) >= 0);
	l->run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		      MAP_SHARED, l->cpu, 0);
	must(l->run != MAP_FAILED);
	set_mode(l);
}

/* --- one round -------------------------------------------------------------------------- */

static void run_to(struct l2 *l, unsigned reason)
{
	must(ioctl(l->cpu, KVM_RUN, 0) == 0);
	if (l->run->exit_reason == reason)
		return;
	printf("KVM: FAILED: %s L2 gave exit %u instead of %u\n", mode_names[l->mode],
	       l->run->exit_reason, reason);
	exit(1);
}

/* The pages that L2 counts in. */
static unsigned char *first_page(const struct l2 *l)
{
	return l->mode == REAL ? l->low + 0x10000 : l->high;
}

static unsigned nr_pages(const struct l2 *l)
{
	return l->mode == REAL ? 16 : 256;
}

/* What was written since the last round are those pages, all of them. */
static void check_dirty_log(const struct l2 *l)
{
	unsigned long bits[HIGH_SIZE / PAGE / 64] = {0};
	struct kvm_dirty_log log = {.slot = l->mode != REAL, .dirty_bitmap = bits};
	unsigned first = l->mode == REAL ? 16 : 0, found = 0;

	must(ioctl(l->vm, KVM_GET_DIRTY_LOG, &log) == 0);
	for (unsigned i = 0; i < nr_pages(l); i++)
		found += bits[(first + i) / 64] >> (first + i) % 64 & 1;
	must(found == nr_pages(l));
	for (unsigned i = nr_pages(l) + first; i < (l->mode == REAL ? 160 : 512); i++)
		must(!(bits[i / 64] >> i % 64 & 1));
}

static void round_once(struct l2 *l)
{
	struct kvm_regs r;

	run_to(l, KVM_EXIT_IO);
	must(l->run->io.direction == KVM_EXIT_IO_OUT && l->run->io.port == ROUND_PORT &&
	     *((unsigned char *)l->run + l->run->io.data_offset) == 0x5a);
	run_to(l, KVM_EXIT_MMIO);
	must(l->run->mmio.is_write && l->run->mmio.phys_addr == DEVICE && l->run->mmio.len == 4 &&
	     *(unsigned *)l->run->mmio.data == WRITTEN);
	run_to(l, KVM_EXIT_MMIO);
	must(!l->run->mmio.is_write && l->run->mmio.phys_addr == DEVICE + 4);
	*(unsigned *)l->run->mmio.data = ++l->rounds;
	run_to(l, KVM_EXIT_HLT);
	must(ioctl(l->cpu, KVM_GET_REGS, &r) == 0 && (unsigned)r.rbx == l->rounds);
	for (unsigned i = 0; i < nr_pages(l); i++)
		must(*(unsigned *)(first_page(l) + i * PAGE) == l->rounds);
	check_dirty_log(l);
}

/* --- all of it -------------------------------------------------------------------------- */

static int under_cleave(void)
{
	return ioperm(TESTDEV, 8, 1) == 0 && inb(TESTDEV) == SIGNATURE;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A line in the kernel's log, so that init can tell what was said afterwards. */
static void log_migrated(void)
{
	static const char line[] = "L1: migrated\n";
	int log = open("/dev/kmsg", O_WRONLY);

	must(log >= 0 && write(log, line, sizeof(line) - 1) == sizeof(line) - 1);
	close(log);
}

/* The status that Cleave, or QEMU's isa-debug-exit, ends with. */
static int end_machine(int status)
{
	must(ioperm(EXIT_PORT, 4, 1) == 0);
	outl((unsigned)status, EXIT_PORT);
	return 0;
}

int main(int argc, char **argv)
{
	int cleave = under_cleave(), migrated = 0;
	unsigned rounds = 0, after = 0;
	double began = now();
	struct l2 l2[MODES];

	if (argc == 3 && !strcmp(argv[1], "exit"))
		return end_machine(atoi(argv[2]));
	setvbuf(stdout, NULL, _IOLBF, 0);
	must((kvm = open("/dev/kvm", O_RDWR)) >= 0);
	for (int m = 0; m < MODES; m++)
		make(&l2[m], (enum mode)m);
	printf("KVM: three L2s, in real, protected and 64-bit mode\n");
	while (after < ROUNDS_AFTER && now() - began < SECONDS_MOST) {
		for (int m = 0; m < MODES; m++)
			round_once(&l2[m]);
		rounds++;
		if (cleave && rounds == ROUNDS_WARM) {
			printf("KVM: warm after %u rounds\n", rounds);
			outb(PHASE_WARM, PORT_PHASE);
		}
		if (!cleave && rounds == 2 * ROUNDS_WARM)
			break;
		if (migrated || (cleave && inb(PORT_MIGRATED))) {
			if (!migrated) {
				printf("KVM: migrated, %u rounds hold\n", rounds);
				log_migrated();
			}
			migrated = 1;
			after++;
		}
	}
	printf("KVM: all %u rounds of three L2s hold\n", rounds);
	if (cleave)
		outb(PHASE_DONE, PORT_PHASE);
	return 0;
}
