/* SPDX-License-Identifier: MIT */
/* Port F4h: whoever writes to it ends the VM, and what is written is its status; 0 is success. */
#pragma once

#include "lib/types.h"

#define EXIT_PORT  0xf4
#define EXIT_PORTS 4

struct vm;

u32 exit_port_in(void *vm, u16 offset, int size);
void exit_port_out(void *vm, u16 offset, int size, u32 val);
