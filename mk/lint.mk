# SPDX-License-Identifier: MIT
# What can be said about the sources without running them.

LINT_SRCS   := $(filter %.c,$(IMAGE_SRCS))
LINT_GUESTS := $(wildcard guests/*.c)
FORMATTED   := $(sort $(foreach d,$(IMAGE_DIRS) guests tests/host tests/machine bench, \
		$(wildcard $(d)/*.c $(d)/*.h $(d)/*/*.c $(d)/*/*.h)))

.PHONY: lint lint-format lint-sources lint-tidy format
lint: ## clang-format, clang-tidy, include directions, lengths
	@scripts/deps lint
	@+$(MAKE) --no-print-directory -k lint-format lint-sources lint-tidy
	@echo "lint: clean"

lint-format:
	@clang-format --dry-run -Werror $(FORMATTED)

lint-sources:
	@scripts/check-sources

# clang's view: its target, its words. What was found clean once is remembered by its content.
lint-tidy: | $(EXT_HEADERS)
	@scripts/tidy $(O)/tidy $(LINT_SRCS) -- --target=x86_64-linux-gnu -I. $(IMAGE_FLAGS) \
		-DXXH_DEBUGLEVEL=1
	@scripts/tidy $(O)/tidy $(LINT_GUESTS) -- --target=x86_64-linux-gnu -I. $(GUEST_CFLAGS)

format: ## run clang-format on every source
	@clang-format -i $(FORMATTED)
