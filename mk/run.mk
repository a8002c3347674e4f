# SPDX-License-Identifier: MIT
# Running the image. MACHINE= picks where, CMDLINE= adds boot parameters, L1= and L1_CMDLINE= pick
# the guest hypervisor, TIMEOUT= is the time limit in seconds.

TIMEOUT ?= 600

RUN := $(PYTHON) scripts/run --build $(O) --machine '$(MACHINE)' --timeout $(TIMEOUT)

# `run` installs what is missing before anything is built; hence the second make.
.PHONY: run gdb image
run: ## boot it and show the main job (MACHINE= CMDLINE= L1= L1_CMDLINE= L1_MODULES= TIMEOUT=)
	@scripts/deps $(if $(filter bochs%,$(MACHINE)),bochs,run)
	@$(if $(L1_NEEDS),scripts/deps $(L1_NEEDS))
	@+$(MAKE) -s --no-print-directory image $(if $(L1_NEEDS),$(L1))
	@$(RUN)

gdb: ## boot it in QEMU, stopped, with gdb attached
	@scripts/deps run gdb
	@+$(MAKE) -s --no-print-directory image
	@$(RUN) --gdb

image: $(O)/cleave.elf $(GUESTS)
