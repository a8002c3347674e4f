// SPDX-License-Identifier: MIT
/* audit=on: the MMU's audit of a running VM, again and again, and the tally of what it found. */
#include "kernel/log.h"
#include "kernel/params.h"
#include "kernel/vm.h"
#include "mmu/audit.h"

void vm_audit(struct vm *vm, const char *when)
{
	struct audit a = {0};

	/* While another task has slots_lock, logging may be half on or half off. */
	if (!params.audit || !mutex_trylock(&vm->mmu.slots_lock))
		return;
	__atomic_fetch_add(&vm->audit.errors, mmu_audit(&vm->mmu, &a), __ATOMIC_RELAXED);
	__atomic_fetch_add(&vm->audit.entries, a.checked, __ATOMIC_RELAXED);
	__atomic_fetch_add(&vm->audit.runs, 1, __ATOMIC_RELAXED);
	mutex_unlock(&vm->mmu.slots_lock);
	if (a.errors)
		log_err("%s: audit %s: %llu errors, the first: %s", vm->name, when,
			(unsigned long long)a.errors, a.first);
	else
		log_debug("%s: audit %s: %llu entries, all right", vm->name, when,
			  (unsigned long long)a.checked);
}

u64 vm_audit_finish(struct vm *vm, struct result *r)
{
	if (!params.audit)
		return 0;
	vm_audit(vm, "at its end");
	if (!vm->audit.errors)
		log_info("%s: %llu audits, %llu entries, all right", vm->name,
			 (unsigned long long)vm->audit.runs, (unsigned long long)vm->audit.entries);
	result_object(r, "audit");
	result_u64(r, "runs", vm->audit.runs);
	result_u64(r, "entries", vm->audit.entries);
	result_u64(r, "errors", vm->audit.errors);
	result_end(r);
	return vm->audit.errors;
}
