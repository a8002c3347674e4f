/* SPDX-License-Identifier: MIT */
/* A virtual machine: memory, vCPUs, devices, and its life from creation to the last message. */
#pragma once

#include "kernel/result.h"
#include "kernel/task.h"
#include "kernel/vcpu.h"
#include "mmu/mmu.h"

#define VM_MAX_VCPUS 8
#define VM_MAX_PIO   24
#define VM_MAX_MMIO  2
#define PIO_LOW	     1024 /* ports below this are found by one look */

/* A device on I/O ports [base, base + len). Called by the vCPU's task. */
struct pio_device {
	u16 base, len;
	void *dev;
	u32 (*in)(void *dev, u16 offset, int size);
	void (*out)(void *dev, u16 offset, int size, u32 val);
};

/*
 * Registers in L1's physical memory, [base, base + len), where there is no RAM. Called by the
 * vCPU's task, which @vcpu is.
 */
struct mmio_device {
	u64 base, len;
	void *dev;
	u64 (*read)(void *dev, struct vcpu *vcpu, u64 offset, u32 len);
	void (*write)(void *dev, struct vcpu *vcpu, u64 offset, u32 len, u64 val);
};

enum vm_state { VM_CREATED, VM_RUNNING, VM_PAUSED, VM_ENDED };

struct mem_piece;

struct vm {
	struct list_head link; /* in the list of all VMs: vm_for_each() */
	char name[16];	       /* shown before each line it prints: "L1", "twin" */
	struct mmu mmu;
	u64 mem_bytes;
	struct mem_piece *pieces; /* host memory that backs it, freed with it */
	u64 nr_pieces;
	struct vcpu *vcpus[VM_MAX_VCPUS];
	int nr_vcpus;
	struct pio_device pio[VM_MAX_PIO];
	int nr_pio;
	u8 pio_low[PIO_LOW]; /* which of them has a port: its number and 1; 0: none */
	struct mmio_device mmio[VM_MAX_MMIO];
	int nr_mmio;
	void *devices; /* struct platform, by devices/platform.c */

	enum vm_state state;  /* written by vm.c only */
	int exit_status;      /* what the guest wrote to its exit port, or negative errno */
	char end_reason[160]; /* one line, set once when the VM ends */

	/* What keeps vCPU tasks from running the guest: between exits all of it is looked at once.
	 */
	union {
		struct {
			bool pause_wanted; /* by the one who pauses */
			bool ended;	   /* end_reason and exit_status are set; release/acquire */
			u32 throttle;	   /* percent of time that vCPUs are held back, 0 to 99 */
		};
		u64 attention;
	};

	/* Pausing. Written by the one who pauses, read by the vCPU tasks. */
	u32 pause_gen;	    /* number of the pause: parking for an older one does not count */
	u32 pause_instants; /* mask of enum vcpu_instant; 0: anywhere */
	u32 migrated;	    /* how often this VM has moved; guests may read it */
	u32 phase;	    /* the guest's last phase mark, see devices/testdev.c */

	/* vCPUs wait here: halted, parked, throttled. Woken by whoever changes one of these. */
	struct wait_queue vcpu_wait;
	/* Woken when a vCPU parks, the guest marks a phase, the VM ends. */
	struct wait_queue watch;
	u32 ending;	/* vm_end() was called: the first one counts */
	u64 next_event; /* time_ns() when platform_tick() is due, ~0: never. By the vCPU's task */
	struct {
		u64 runs, entries, errors;
	} audit; /* tally of vm_audit(), atomic */
};

/* As on a PC: where devices have their registers there is no memory, and what is left comes after.
 */
#define VM_HOLE_START 0xc0000000ull
#define VM_HOLE_END   0x100000000ull
static inline u64 vm_low_bytes(const struct vm *vm)
{
	return MIN(vm->mem_bytes, VM_HOLE_START);
}
static inline u64 vm_high_bytes(const struct vm *vm)
{
	return vm->mem_bytes - vm_low_bytes(vm);
}

/* Has the VM ended? Its vCPUs leave the guest soon, if they have not yet. Any task. */
static inline bool vm_has_ended(const struct vm *vm)
{
	return __atomic_load_n(&vm->ended, __ATOMIC_ACQUIRE);
}

/*
 * Makes a VM with @mem bytes of memory in the largest pieces the machine has, its vCPU in reset
 * state, its devices. 0, or -ENOMEM, -EINVAL with one sentence in @why.
 */
int __must_check vm_create(const char *name, u64 mem, struct vm **out, char *why, size_t size);
/* Frees everything; returns the number of leaks found (each was reported). VM not running. */
int vm_destroy(struct vm *vm);
/* Calls @fn for each VM, in the order in which they were made. None ends meanwhile; @fn may sleep.
 */
void vm_for_each(void (*fn)(struct vm *vm, void *arg), void *arg);
/* Is nothing huge executable, by nx_huge_pages= and the processor? */
bool vm_nx_huge_pages(void);
/* Starts the vCPU tasks. 0 or -ENOMEM. */
int __must_check vm_start(struct vm *vm);
/* The same, but parked, as after vm_pause(): for a VM whose state is still to be loaded. */
int __must_check vm_start_paused(struct vm *vm);
/*
 * Parks all vCPUs at an instant of the mask (0: any); waits at most @timeout_ms.
 * 0, -ETIMEDOUT (the VM runs on), -ECANCELED (it ended meanwhile).
 */
int __must_check vm_pause(struct vm *vm, u32 instants, u64 timeout_ms);
void vm_resume(struct vm *vm);
/* Ends the VM: the first reason counts. Any task. */
__printf(3, 4) void vm_end(struct vm *vm, int status, const char *fmt, ...);
/* Sleeps until the VM has ended and its tasks are gone. Returns exit_status. */
int vm_wait(struct vm *vm);
/* Before the VM runs. 0, -EEXIST (ports taken), -ENOSPC. */
int __must_check vm_add_pio(struct vm *vm, const struct pio_device *dev);
int __must_check vm_add_mmio(struct vm *vm, const struct mmio_device *dev);
/* The device whose registers are at @gpa, or NULL. By a vCPU's task. */
static inline const struct mmio_device *vm_find_mmio(const struct vm *vm, gpa_t gpa)
{
	for (int i = 0; i < vm->nr_mmio; i++)
		if (gpa.v - vm->mmio[i].base < vm->mmio[i].len)
			return &vm->mmio[i];
	return NULL;
}
/*
 * Waits until the guest has marked phase @phase or a later one: 0, -ETIMEDOUT, -ECANCELED (the
 * VM ended).
 */
int __must_check vm_wait_phase(struct vm *vm, u32 phase, u64 timeout_ms);

/*
 * With audit=on: audits all tables now. What is wrong is printed, with @when it was found, and
 * counted. Tries slots_lock, takes mmu_lock for writing. Any task.
 */
void vm_audit(struct vm *vm, const char *when);
/* The same for a last time, and the tally into @r. Returns the number of errors of all audits. */
u64 vm_audit_finish(struct vm *vm, struct result *r);

/* --- between vm.c, vm_memory.c and vcpu.c --- */

/* The task of a vCPU: runs it until the VM ends. @arg: struct vcpu. */
void vcpu_task(void *arg);
/* The platform may have an interrupt for @vcpu (platform_interrupt()). Any task. */
void vcpu_kick(struct vcpu *vcpu);

/* Host memory for @vm->mem_bytes behind its slots. 0, -ENOMEM with a sentence in @why. */
int __must_check vm_memory_create(struct vm *vm, char *why, size_t size);
void vm_memory_destroy(struct vm *vm);
/* Counts the pieces behind @vm by their level, 1 to 3. */
void vm_memory_pieces(const struct vm *vm, u64 count[4]);
