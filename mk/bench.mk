# SPDX-License-Identifier: MIT
# What Cleave costs, counted in instructions (bench/run), beside KVM's figures (bench/baseline.json).
# B=name picks some measurements (a part of the name will do).

B ?=

GUEST_BENCH := bench bench_exits bench_memory bench_loops bench_vmx bench_vmx_loops $(GUEST_VMX)

$(O)/guests/bench.elf64: $(call guest_objs,$(GUEST_COMMON) $(GUEST_BENCH)) guests/guest.ld
	$(Q)$(LD) $(GUEST_LDFLAGS) -T guests/guest.ld -o $@ $(filter %.o,$^)

.PHONY: bench bench-image
bench-image: image $(O)/guests/bench.elf

bench: ## count instructions and compare with KVM (B=name: those with that in their names)
	@scripts/deps bench
	@+$(MAKE) -s --no-print-directory bench-image
	@$(PYTHON) bench/run --build $(O) --filter '$(B)'
