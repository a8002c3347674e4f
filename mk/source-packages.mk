# SPDX-License-Identifier: MIT
# Code that comes from Debian's packages instead of from us, fetched into $(O)/ext.

EXT_OBJS     :=
EXT_HEADERS  :=
EXT_INCLUDES :=
