// SPDX-License-Identifier: MIT
/* What Cleave is for, from the choice of the backend to the RESULT line. */
#include "kernel/bootinfo.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/exits.h"
#include "kernel/kmem.h"
#include "kernel/log.h"
#include "kernel/main.h"
#include "kernel/migrate.h"
#include "kernel/page_alloc.h"
#include "kernel/panic.h"
#include "kernel/params.h"
#include "kernel/platform.h"
#include "kernel/stats.h"
#include "kernel/vendor.h"
#include "kernel/vm.h"
#include "kernel/workers.h"
#include "lib/printf.h"

#define STATUS_MAX 93 /* machine_exit()'s largest */

/* Marks of the guest's, guests/README.md: it may be migrated now; it has nothing left to do. */
#define PHASE_MIGRATE 3
#define PHASE_DONE    4
#define PHASE_NEVER   256 /* not a byte */

#define DONE_TO_END_MS 1000

const struct vendor_ops *vendor;
struct vendor_caps vendor_caps;

static struct result result;

/* A failure: one line for people, the same in the result. Returns the machine's exit status. */
__printf(1, 2) static int fail(const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	log_err("%s", why);
	result_string(&result, "status", "failed");
	result_string(&result, "error-desc", why);
	return 1;
}

/* The line by which programs know how the run went: whole, and the last one. */
static void print_result(void)
{
	static char line[RESULT_SIZE + 16];
	int n = snprintf(line, sizeof(line), "RESULT %s\n", result_finish(&result));

	console_write(line, (size_t)n);
}

static bool cpu_says_svm(void)
{
	return cpuid(CPUID_EXT_MAX, 0).eax >= CPUID_EXT1 &&
	       (cpuid(CPUID_EXT1, 0).ecx & CPUID_EXT1_ECX_SVM);
}

/* 0, or the machine's exit status. */
static int choose_vendor(void)
{
	char why[192];

	if (cpu_says_svm())
		vendor = &svm_ops;
	else if (cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_VMX)
		vendor = &vmx_ops;
	else
		return fail("this processor has neither AMD SVM nor Intel VMX: use one that has, "
			    "or an emulator that shows it (QEMU: -cpu max,+svm)");
	if (vendor->probe(&vendor_caps, why, sizeof(why)))
		return fail("%s", why);
	if (vendor->cpu_enable())
		return fail("out of memory for switching %s on", vendor_caps.what);
	log_info("virtualization: %s, %u tags, nested pages up to %s", vendor_caps.what,
		 vendor_caps.tags, vendor_caps.huge_1g ? "1G" : "2M");
	return 0;
}

static void describe(const struct vm *vm, const struct boot_module *kernel)
{
	u64 pieces[4] = {0};

	vm_memory_pieces(vm, pieces);
	log_info("%s: %llu MiB of memory (pieces of 1G: %llu, 2M: %llu, 4K: %llu), kernel of %llu "
		 "KiB",
		 vm->name, (unsigned long long)vm->mem_bytes >> 20, (unsigned long long)pieces[3],
		 (unsigned long long)pieces[2], (unsigned long long)pieces[1],
		 (unsigned long long)(kernel->end - kernel->start) >> 10);
}

/* Loads the modules and puts vCPU 0 at the first one's entry point. 0, or the machine's exit
 * status. */
static int load_kernel(struct vm *vm)
{
	struct vcpu_state *state = kzalloc(sizeof(*state));
	char why[160] = "out of memory";
	int err = -ENOMEM;

	if (state) {
		vendor->get_state(vm->vcpus[0], state);
		err = platform_load(vm, bootinfo.modules, bootinfo.module_count, state, why,
				    sizeof(why));
	}
	if (!err && vendor->set_state(vm->vcpus[0], state))
		panic("the state at entry is not accepted");
	kfree(state);
	return err ? fail("cannot start the kernel that the first module holds: %s", why) : 0;
}

/*
 * A source that was not moved goes on. Ours would do so for ever, so it is given a while, and
 * ended in good order when it has used it.
 */
static void let_source_go_on(struct vm *vm)
{
	u64 exits = vm->vcpus[0]->stats.exits;
	int err = vm_wait_phase(vm, PHASE_DONE, params.linger);
	bool alive;

	/* One that is done ends itself in a moment, with a status of its own. */
	if (!err)
		err = vm_wait_phase(vm, PHASE_NEVER, DONE_TO_END_MS);
	if (err == -ECANCELED)
		alive = vm->exit_status == 0;
	else
		alive = vm->vcpus[0]->stats.exits > exits;
	log_info("%s %s after the migration that did not happen", vm->name,
		 alive ? "ran on" : "did not run on");
	result_bool(&result, "source-runs", alive);
	if (!vm_has_ended(vm))
		vm_end(vm, alive ? 0 : -EIO, "it was stopped %llu ms after the migration",
		       (unsigned long long)params.linger);
}

/* @vm has ended. Shows its figures, frees it. False when it leaked or an audit found errors. */
static bool retire(struct vm *vm)
{
	u64 errors;
	int leaks;

	stats_print(vm);
	stats_result(&result, vm);
	errors = vm_audit_finish(vm, &result);
	leaks = vm_destroy(vm);
	result_s64(&result, "leaks", leaks);
	return !errors && !leaks;
}

/*
 * Migrates *@vm when its time has come. *@vm is then the one that runs. Returns the machine's
 * exit status as far as migration determines it.
 */
static int migrate(struct vm **vm)
{
	struct vm *src = *vm, *dst;
	int status = 0, err;

	if (params.migrate == PARAM_migrate_off ||
	    vm_wait_phase(src, PHASE_MIGRATE, params.migrate_after) == -ECANCELED) {
		result_string(&result, "status", "none");
		return 0;
	}
	err = migrate_to_twin(src, &dst, &result);
	if (err) {
		let_source_go_on(src);
		return err == -ECANCELED ? 0 : 1;
	}
	*vm = dst;
	vm_end(src, 0, "it has moved to %s", dst->name);
	platform_drop_output(src);
	vm_wait(src);
	log_info("%s ended: %s", src->name, src->end_reason);
	result_object(&result, "source");
	status = retire(src) ? 0 : 1;
	result_end(&result);
	return status;
}

/* Runs @vm, or what becomes of it, to its end. Returns the machine's exit status. */
static int run_to_the_end(struct vm *vm)
{
	int status, guest;

	if (vm_start(vm)) {
		status = fail("%s: out of memory for its tasks", vm->name);
		vm_destroy(vm);
		return status;
	}
	status = migrate(&vm);
	guest = vm_wait(vm);
	log_line(guest ? LOG_ERR : LOG_INFO, "%s ended: %s", vm->name, vm->end_reason);
	if (guest)
		result_string(&result, "guest-error", vm->end_reason);
	result_s64(&result, "exit-status", guest);
	if (!retire(vm) || guest < 0)
		status = MAX(status, 1);
	return guest > 0 ? MIN(guest, STATUS_MAX) : status;
}

static int run_l1(void)
{
	char why[192];
	struct vm *vm;
	int status;

	if (!bootinfo.module_count)
		return fail("no guest: the boot loader passed no module; say 'module2 "
			    "/boot/l1.elf' in grub.cfg");
	if (nx_recovery_start() || reclaim_start())
		return fail("out of memory for L0's own tasks");
	if (vm_create("L1", params.mem, &vm, why, sizeof(why)))
		return fail("L1 cannot be created: %s", why);
	describe(vm, &bootinfo.modules[0]);
	status = load_kernel(vm);
	if (!status)
		return run_to_the_end(vm);
	vm_destroy(vm);
	return status;
}

int hypervisor_main(void)
{
	int status;

	result_init(&result);
	cpuid_init();
	status = choose_vendor();
	if (!status)
		status = run_l1();
	print_result();
	return status;
}
