# SPDX-License-Identifier: MIT
# Code that comes from Debian's source packages instead of from us: fetched into $(O)/ext, never
# committed, built freestanding for the image and with the sanitizers for the host.
#
#   LZ4     #include "lz4.h". No allocation, so use LZ4_compress_fast_extState(); the plain
#           functions keep 16 KiB of state on the stack, more than a kernel stack has.
#   Zydis   #include <Zydis/Decoder.h>. Its decoder in minimal mode: which opcode, prefixes, ModRM,
#           displacement and immediates there are; no names and no operands. Its base library
#           comes as the headers of libzycore-dev.
#   xxHash  #define XXH_INLINE_ALL, then #include "xxhash.h": no object, and no SSE (XXH_VECTOR).

EXT := $(O)/ext

ZYDIS_SRCS := Decoder DecoderData SharedData
ZYDIS_H    := $(EXT)/zydis/include/Zydis/Decoder.h
ZYCORE_H   := $(EXT)/zycore/Zycore/Types.h

EXT_HEADERS  := $(EXT)/lz4/lz4.h $(EXT)/xxhash/xxhash.h $(ZYDIS_H) $(ZYCORE_H)
EXT_INCLUDES := $(EXT)/lz4 $(EXT)/xxhash $(EXT)/zydis/include $(EXT)/zycore
EXT_OBJS     := $(O)/image/ext/lz4.o $(ZYDIS_SRCS:%=$(O)/image/ext/zydis/%.o)
EXT_FLAGS    := $(addprefix -isystem ,$(EXT_INCLUDES)) -DXXH_VECTOR=0 -DZYAN_NO_LIBC \
		-DZYDIS_STATIC_BUILD -DZYCORE_STATIC_BUILD -DZYDIS_MINIMAL_MODE \
		-DZYDIS_DISABLE_FORMATTER -DZYDIS_DISABLE_ENCODER -DZYDIS_DISABLE_AVX512 \
		-DZYDIS_DISABLE_KNC

$(EXT)/lz4/lz4.c $(EXT)/lz4/lz4.h &: scripts/source-package
	$(say) FETCH lz4
	$(Q)scripts/source-package $(EXT) lz4 lib/lz4.c lib/lz4.h

$(EXT)/xxhash/xxhash.h: scripts/source-package
	$(say) FETCH xxhash
	$(Q)scripts/source-package $(EXT) xxhash xxhash.h

$(ZYDIS_SRCS:%=$(EXT)/zydis/src/%.c) $(ZYDIS_H) &: scripts/source-package
	$(say) FETCH zydis
	$(Q)scripts/source-package $(EXT) zydis include src

$(ZYCORE_H):
	@[ -e /usr/include/Zycore/Types.h ] || \
		{ echo 'source-packages: no /usr/include/Zycore: install libzycore-dev' >&2; exit 1; }
	$(Q)mkdir -p $(EXT)/zycore && cp -R /usr/include/Zycore $(EXT)/zycore/

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

$(O)/image/ext/zydis/%.o: $(EXT)/zydis/src/%.c $(O)/flags | $(EXT_HEADERS)
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -W%,$(CFLAGS)) -w $(EXT_FLAGS) -I$(EXT)/zydis/src -c -o $@ $<

$(O)/host/ext/zydis/%.o: $(EXT)/zydis/src/%.c | $(EXT_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(filter-out -W%,$(HOST_CFLAGS)) -w $(EXT_FLAGS) -I$(EXT)/zydis/src -c -o $@ $<
