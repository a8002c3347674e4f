# SPDX-License-Identifier: MIT
# The tests: T=name picks some (a part of the name will do). Host tests are built with the
# sanitizers from the same sources as the image; tests/run/hostmk.py says how a test names its parts.

HOSTCC ?= clang
T      ?=
FUZZ_TIME ?= 300

# Coverage for the fuzzers is in every object, so that none is built twice.
HOST_CFLAGS := -std=gnu17 -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
	       -fsanitize=address,undefined,fuzzer-no-link -DCONFIG_DEBUG \
	       -Wall -Wextra -Werror -Wno-comment -Wno-override-init

host_compile = $(Q)mkdir -p $(@D) && \
	       $(HOSTCC) $(CPPFLAGS) $(EXT_FLAGS) $(HOST_CFLAGS) -c -o $@ $<
host_link    = $(Q)$(HOSTCC) $(HOST_CFLAGS) -o $@ $^ -lpthread

HOST_PLAIN_CFLAGS := -std=gnu17 -g -Wall -Wextra -Werror -Wno-comment -Wno-override-init

host_plain_compile = $(Q)mkdir -p $(@D) && \
	       $(HOSTCC) $(CPPFLAGS) $(EXT_FLAGS) $(HOST_PLAIN_CFLAGS) -c -o $@ $<
host_plain_link    = $(Q)$(HOSTCC) -o $@ $^ -lpthread

$(O)/host/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(HOSTCC) $(HOST_CFLAGS) $(HOST_PLAIN_CFLAGS)' | cmp -s - $@ || \
		echo '$(HOSTCC) $(HOST_CFLAGS) $(HOST_PLAIN_CFLAGS)' > $@

$(O)/host/%.o: %.c $(O)/host/flags | $(EXT_HEADERS)
	$(say) HOSTCC $<
	$(host_compile)

# Only the goals that want them read the host tests' rules.
ifneq ($(filter host-tests $(O)/host/%,$(MAKECMDGOALS)),)
$(O)/host/tests.mk: FORCE
	@mkdir -p $(@D)
	@$(PYTHON) tests/run/hostmk.py > $@.new
	@cmp -s $@.new $@ || cp $@.new $@
include $(O)/host/tests.mk
endif

.PHONY: host-tests test test-host test-machine fuzz scale deps
host-tests: $(HOST_BINARIES)

SUITE = $(PYTHON) tests/run/suite --build $(O) --filter '$(T)'

deps: ## install, by apt, what is missing here
	@scripts/deps all

# The suite builds what it runs, by `make -k`: what does not build is a failed test.
test: ## run all tests (T=name: those with that in their names)
	@scripts/deps test
	@+$(SUITE) host machine

test-host: ## run the unit tests and, for a while, the fuzzers
	@scripts/deps test
	@+$(SUITE) host

test-machine: ## run the tests that boot an emulator
	@scripts/deps test
	@+$(SUITE) machine

SCALE_GIB ?= 1 16 256 1024
scale: ## run the MMU's test of large VMs: up to 1 TiB, for which it takes 7 GiB of memory
	@scripts/deps test
	+$(Q)$(MAKE) --no-print-directory $(O)/host/test_scale
	$(Q)SCALE_GIB='$(SCALE_GIB)' $(O)/host/test_scale

fuzz: ## run each fuzzer for FUZZ_TIME= seconds
	@scripts/deps test
	@+$(SUITE) fuzz --fuzz-time $(FUZZ_TIME)
