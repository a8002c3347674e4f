// SPDX-License-Identifier: MIT
/* A VM's life: creation, pause and resume, the end with its reason, and the count of leaks. */
#include "kernel/vm.h"
#include "kernel/cpu.h"
#include "kernel/kmem.h"
#include "kernel/log.h"
#include "kernel/params.h"
#include "kernel/platform.h"
#include "kernel/time.h"
#include "kernel/trace.h"
#include "kernel/vendor.h"
#include "lib/printf.h"
#include "lib/string.h"

static struct {
	struct mutex lock; /* the list, and that who is in it stays */
	struct list_head list;
} vms = {.list = LIST_HEAD_INIT(vms.list)};

void vm_for_each(void (*fn)(struct vm *vm, void *arg), void *arg)
{
	struct vm *vm;

	mutex_lock(&vms.lock);
	list_for_each_entry(vm, &vms.list, link) fn(vm, arg);
	mutex_unlock(&vms.lock);
}

/* SDM 4 IA32_ARCH_CAPABILITIES: a CPU without the bit may have the iTLB-multihit erratum. */
static bool cpu_has_multihit(void)
{
	u64 caps;

	if (strcmp(vendor->name, "vmx"))
		return false;
	if (!(cpuid(CPUID_EXT_FEATURES, 0).edx & CPUID_7_EDX_ARCH_CAP))
		return true;
	return rdmsr_safe(MSR_ARCH_CAPABILITIES, &caps) || !(caps & ARCH_CAP_PSCHANGE_MC_NO);
}

bool vm_nx_huge_pages(void)
{
	if (params.nx_huge_pages == PARAM_nx_huge_pages_auto)
		return cpu_has_multihit();
	return params.nx_huge_pages == PARAM_nx_huge_pages_on;
}

static int make_mmu(struct vm *vm)
{
	struct mmu_config cfg = {
		.fmt = vendor_caps.fmt,
		.maxphyaddr = (u8)cpu_physical_bits(),
		.max_leaf_level = MIN((int)params.huge + PG_LEVEL_4K,
				      vendor_caps.huge_1g ? PG_LEVEL_1G : PG_LEVEL_2M),
		.eager_page_split = params.eager_page_split,
		.nx_huge_pages = vm_nx_huge_pages(),
		.dirty = params.dirty == PARAM_dirty_dbit && !vendor_caps.no_dirty_bits ? DIRTY_DBIT
											: DIRTY_WP,
		.max_shadow_pages = params.max_shadow_pages,
	};

	return mmu_init(&vm->mmu, &cfg, vm);
}

static int make_vcpu(struct vm *vm, int id)
{
	struct vcpu *vcpu = vendor->vcpu_create(vm, id);

	if (!vcpu)
		return -ENOMEM;
	vcpu->parked = true; /* until its task starts */
	vm->vcpus[id] = vcpu;
	vm->nr_vcpus = id + 1;
	platform_add_vcpu(vcpu);
	return 0;
}

/* Everything but vm->mmu, which must be there to be destroyed. */
static int make_parts(struct vm *vm, char *why, size_t size)
{
	int err = vm_memory_create(vm, why, size);

	if (!err)
		err = platform_create(vm);
	if (!err)
		err = make_vcpu(vm, 0);
	return err;
}

int vm_create(const char *name, u64 mem, struct vm **out, char *why, size_t size)
{
	struct vm *vm;
	int err;

	if (!mem || !IS_ALIGNED(mem, PAGE_SIZE)) {
		snprintf(why, size, "mem=%llu is not a whole number of 4K pages",
			 (unsigned long long)mem);
		return -EINVAL;
	}
	snprintf(why, size, "out of memory for its structures");
	vm = kzalloc(sizeof(*vm));
	err = vm ? make_mmu(vm) : -ENOMEM;
	if (err) {
		kfree(vm);
		return err;
	}
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	vm->mem_bytes = mem;
	vm->next_event = PLATFORM_NEVER;
	wait_queue_init(&vm->vcpu_wait);
	wait_queue_init(&vm->watch);
	list_init(&vm->link);
	err = make_parts(vm, why, size);
	if (err) {
		vm_destroy(vm);
		return err;
	}
	mutex_lock(&vms.lock);
	list_add_tail(&vm->link, &vms.list);
	mutex_unlock(&vms.lock);
	*out = vm;
	return 0;
}

int vm_destroy(struct vm *vm)
{
	int leaks;

	mutex_lock(&vms.lock);
	list_del(&vm->link);
	mutex_unlock(&vms.lock);
	assert(vm->state != VM_RUNNING && vm->state != VM_PAUSED);
	for (int i = 0; i < vm->nr_vcpus; i++) {
		nested_mmu_unload(&vm->mmu, &vm->vcpus[i]->nested);
		nested_mmu_free(&vm->mmu, &vm->vcpus[i]->nested);
		vendor->vcpu_free(vm->vcpus[i]);
	}
	if (vm->devices)
		platform_destroy(vm);
	leaks = mmu_destroy(&vm->mmu);
	if (leaks)
		log_err("%s: %d leaks found at its end", vm->name, leaks);
	vm_memory_destroy(vm);
	kfree(vm);
	return leaks;
}

static int start_tasks(struct vm *vm)
{
	char name[24];

	for (int i = 0; i < vm->nr_vcpus; i++) {
		struct vcpu *vcpu = vm->vcpus[i];

		snprintf(name, sizeof(name), "%s.%d", vm->name, i);
		vcpu->task = task_create(name, vcpu_task, vcpu);
		if (vcpu->task)
			continue;
		vm_end(vm, -ENOMEM, "out of memory for a task");
		vm_wait(vm);
		return -ENOMEM;
	}
	return 0;
}

int vm_start(struct vm *vm)
{
	assert(vm->state == VM_CREATED);
	vm->state = VM_RUNNING;
	platform_thaw(vm);
	return start_tasks(vm);
}

static bool all_parked(const struct vm *vm)
{
	for (int i = 0; i < vm->nr_vcpus; i++)
		if (__atomic_load_n(&vm->vcpus[i]->parked_gen, __ATOMIC_ACQUIRE) != vm->pause_gen)
			return false;
	return true;
}

static void unpark(struct vm *vm)
{
	WRITE_ONCE(vm->pause_wanted, false);
	wait_wake(&vm->vcpu_wait);
}

static int pause_wait(struct vm *vm, u64 timeout_ms)
{
	wait_event_timeout(&vm->watch, all_parked(vm) || vm_has_ended(vm),
			   timeout_ms * NSEC_PER_MSEC);
	if (vm_has_ended(vm))
		return -ECANCELED;
	return all_parked(vm) ? 0 : -ETIMEDOUT;
}

static void pause_want(struct vm *vm, u32 instants)
{
	__atomic_store_n(&vm->pause_gen, vm->pause_gen + 1, __ATOMIC_RELEASE);
	WRITE_ONCE(vm->pause_instants, instants);
	__atomic_store_n(&vm->pause_wanted, true, __ATOMIC_RELEASE);
}

int vm_pause(struct vm *vm, u32 instants, u64 timeout_ms)
{
	int err;

	assert(vm->state != VM_PAUSED);
	if (vm->state != VM_RUNNING)
		return vm->state == VM_CREATED ? 0 : -ECANCELED;
	pause_want(vm, instants);
	wait_wake(&vm->vcpu_wait);
	err = pause_wait(vm, timeout_ms);
	trace(pause, instants, timeout_ms, (u64)(s64)err, 0);
	if (err) {
		unpark(vm);
		return err;
	}
	platform_freeze(vm);
	vm->state = VM_PAUSED;
	return 0;
}

int vm_start_paused(struct vm *vm)
{
	int err;

	assert(vm->state == VM_CREATED);
	vm->state = VM_RUNNING;
	pause_want(vm, 0);
	err = start_tasks(vm);
	if (err)
		return err;
	wait_event(&vm->watch, all_parked(vm));
	vm->state = VM_PAUSED;
	return 0;
}

void vm_resume(struct vm *vm)
{
	if (vm->state != VM_PAUSED)
		return;
	vm->state = VM_RUNNING;
	platform_thaw(vm);
	unpark(vm);
}

void vm_end(struct vm *vm, int status, const char *fmt, ...)
{
	va_list ap;

	if (__atomic_exchange_n(&vm->ending, 1, __ATOMIC_ACQ_REL))
		return;
	va_start(ap, fmt);
	vsnprintf(vm->end_reason, sizeof(vm->end_reason), fmt, ap);
	va_end(ap);
	vm->exit_status = status;
	__atomic_store_n(&vm->ended, true, __ATOMIC_RELEASE);
	wait_wake(&vm->vcpu_wait);
	wait_wake(&vm->watch);
}

int vm_wait(struct vm *vm)
{
	if (vm->state == VM_ENDED)
		return vm->exit_status;
	wait_event(&vm->watch, vm_has_ended(vm));
	for (int i = 0; i < vm->nr_vcpus; i++) {
		if (vm->vcpus[i]->task)
			task_join(vm->vcpus[i]->task);
		vm->vcpus[i]->task = NULL;
	}
	vm->state = VM_ENDED;
	platform_end(vm);
	return vm->exit_status;
}

int vm_wait_phase(struct vm *vm, u32 phase, u64 timeout_ms)
{
	wait_event_timeout(&vm->watch, READ_ONCE(vm->phase) >= phase || vm_has_ended(vm),
			   timeout_ms * NSEC_PER_MSEC);
	if (vm_has_ended(vm))
		return -ECANCELED;
	return READ_ONCE(vm->phase) >= phase ? 0 : -ETIMEDOUT;
}

int vm_add_pio(struct vm *vm, const struct pio_device *dev)
{
	if (vm->nr_pio == VM_MAX_PIO)
		return -ENOSPC;
	for (int i = 0; i < vm->nr_pio; i++)
		if (dev->base < vm->pio[i].base + vm->pio[i].len &&
		    vm->pio[i].base < dev->base + dev->len)
			return -EEXIST;
	vm->pio[vm->nr_pio++] = *dev;
	for (u32 port = dev->base; port < MIN((u32)dev->base + dev->len, (u32)PIO_LOW); port++)
		vm->pio_low[port] = (u8)vm->nr_pio;
	return 0;
}

int vm_add_mmio(struct vm *vm, const struct mmio_device *dev)
{
	if (vm->nr_mmio == VM_MAX_MMIO)
		return -ENOSPC;
	vm->mmio[vm->nr_mmio++] = *dev;
	return 0;
}
