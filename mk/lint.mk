# SPDX-License-Identifier: MIT
# What can be said about the sources without running them.

LINT_SRCS  := $(filter %.c,$(IMAGE_SRCS))
LINT_HDRS  := $(wildcard $(addsuffix /*.h,$(IMAGE_DIRS)))
FORMATTED  := $(sort $(foreach d,$(IMAGE_DIRS) guests tests/host tests/machine bench, \
		$(wildcard $(d)/*.c $(d)/*.h $(d)/*/*.c $(d)/*/*.h)))
LINT_STAMPS := $(patsubst %,$(O)/lint/%.tidy,$(LINT_SRCS))

.PHONY: lint lint-format lint-sources lint-tidy format
lint: ## clang-format, clang-tidy, include directions, lengths
	@scripts/deps lint
	@+$(MAKE) --no-print-directory -k lint-format lint-sources lint-tidy
	@echo "lint: clean"

lint-format:
	@clang-format --dry-run -Werror $(FORMATTED)

lint-sources:
	@scripts/check-sources

lint-tidy: $(LINT_STAMPS)

# A file is looked at again when it or any header changed. clang's view: its target, its words.
$(O)/lint/%.tidy: % $(LINT_HDRS) .clang-tidy | $(EXT_HEADERS)
	$(say) TIDY $<
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- --target=x86_64-linux-gnu -I. $(IMAGE_FLAGS) -DXXH_DEBUGLEVEL=1 \
		> $@.log 2>&1 || { grep -v 'warnings\? generated\|^Suppressed\|^Use -header' $@.log; \
		exit 1; }
	@touch $@

format: ## run clang-format on every source
	@clang-format -i $(FORMATTED)
