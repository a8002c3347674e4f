// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/mmu_model*.o tests/host/nested_vm.o */
/* objects: tests/host/pt_oracle.o */
/* runs: 3000 */
/* options: -len_control=0 -max_len=400 */
/* timeout: 400 */
/* The whole MMU under operations that the fuzzer makes up, against the model. */
#include "tests/host/mmu_model.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	mmu_model_run(data, size);
	return 0;
}
