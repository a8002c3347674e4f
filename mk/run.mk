# SPDX-License-Identifier: MIT
# Running the image. MACHINE= picks where, CMDLINE= adds boot parameters, L1= and L1_CMDLINE= pick
# the guest hypervisor, TIMEOUT= is the time limit in seconds.

TIMEOUT ?= 600

RUN := $(PYTHON) scripts/run --build $(O) --machine '$(MACHINE)' --timeout $(TIMEOUT)

.PHONY: run gdb
run: $(O)/cleave.elf $(GUESTS) ## boot it and show the main job (MACHINE= CMDLINE= L1= L1_CMDLINE=)
	@$(RUN) $(RUN_WORDS)

gdb: $(O)/cleave.elf $(GUESTS) ## boot it in QEMU, stopped, with gdb attached
	@$(RUN) $(RUN_WORDS) --gdb
