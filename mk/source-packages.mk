# SPDX-License-Identifier: MIT
# Code that comes from Debian's source packages instead of from us: fetched into $(O)/ext, never
# committed, built freestanding for the image and with the sanitizers for the host.
#
#   LZ4     #include "lz4.h". No allocation, so use LZ4_compress_fast_extState(); the plain
#           functions keep 16 KiB of state on the stack, more than a kernel stack has.
#   xxHash  #define XXH_INLINE_ALL, then #include "xxhash.h": no object, and no SSE (XXH_VECTOR).

EXT := $(O)/ext

EXT_HEADERS  := $(EXT)/lz4/lz4.h $(EXT)/xxhash/xxhash.h
EXT_INCLUDES := $(EXT)/lz4 $(EXT)/xxhash
EXT_OBJS     := $(O)/image/ext/lz4.o
EXT_FLAGS    := $(addprefix -isystem ,$(EXT_INCLUDES)) -DXXH_VECTOR=0

$(EXT)/lz4/lz4.c $(EXT)/lz4/lz4.h &: scripts/source-package
	$(say) FETCH lz4
	$(Q)scripts/source-package $(EXT) lz4 lib/lz4.c lib/lz4.h

$(EXT)/xxhash/xxhash.h: scripts/source-package
	$(say) FETCH xxhash
	$(Q)scripts/source-package $(EXT) xxhash xxhash.h

# LZ4's own mem*() must be named where it has no <string.h>.
LZ4_FLAGS := -w -DLZ4_FREESTANDING=1 -DLZ4_memcpy=__builtin_memcpy \
	     -DLZ4_memmove=__builtin_memmove -DLZ4_memset=__builtin_memset

$(O)/image/ext/lz4.o: $(EXT)/lz4/lz4.c $(O)/flags
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -W%,$(CFLAGS)) $(LZ4_FLAGS) -c -o $@ $<

$(O)/host/ext/lz4.o: $(EXT)/lz4/lz4.c
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(filter-out -W%,$(HOST_CFLAGS)) $(LZ4_FLAGS) -c -o $@ $<
