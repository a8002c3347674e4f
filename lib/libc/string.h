/* SPDX-License-Identifier: MIT */
/* <string.h> as code from packages (xxHash, LZ4) asks for it; ours is lib/string.h. */
#pragma once

#include "lib/string.h"
