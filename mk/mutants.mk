# SPDX-License-Identifier: MIT
# Bugs put in on purpose, each of which a test must notice; tests/mutants/ lists them. Too long for
# `make test`. M=name picks some by a part of their names, KIND=host|machine one kind.

M    ?=
KIND ?= host,machine

.PHONY: mutants
mutants: ## prove that the tests notice each bug of tests/mutants/ (M=name: some)
	@scripts/deps test
	@nice $(PYTHON) tests/mutants/run --build $(O) --filter '$(M)' --kind '$(KIND)'
