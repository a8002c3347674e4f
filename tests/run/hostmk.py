#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the make rules of the host tests. A test says in its comments what it is made of:

    // objects: lib/printf.o mmu/*.o !mmu/x.o tests/host/env*.o    host builds to link, globs allowed
    // cflags: -DTHIS=1        for this test and its objects, which are then built for it alone
    // plain: -O2              with these flags instead of the sanitizers', and no debug checks
    // timeout: 60             seconds that it may take (default 120)
    // runs: 20000             a fuzzer's inputs in `make test`
    // options: -max_len=300   for libFuzzer, here and in `make fuzz`

A test_NAME.c is a cmocka program, a fuzz_NAME.c has a libFuzzer entry point. Longer lists take
several lines of `// objects:`, or one block comment."""

import glob
import os
import re
import sys


def setting(text, name, default=""):
    """All values of a `name:` comment in one string."""
    values = re.findall(r"^//\s*%s:(.*)$" % name, text, re.MULTILINE)
    for block in re.findall(r"/\*\s*%s:(.*?)\s\*/" % name, text, re.DOTALL):
        values.append(re.sub(r"\n\s*\*(?=\s)", " ", block))
    return " ".join(values).strip() or default


def objects(text):
    """The objects' names, below the host's build folder; a glob without a match is an error."""
    chosen = []
    for word in setting(text, "objects").split():
        drop = word.startswith("!")
        word = word.lstrip("!")
        if word.startswith("ext/"):
            names = [word]
        else:
            names = sorted(f[:-2] + ".o" for f in glob.glob(word[:-2] + ".c"))
        if not names:
            raise ValueError("no source for object '%s'" % word)
        chosen = [c for c in chosen if c not in names] + ([] if drop else names)
    return chosen


def rules(source, text):
    name = os.path.basename(source)[:-2]
    fuzzer = name.startswith("fuzz_")
    cflags, plain = setting(text, "cflags"), setting(text, "plain")
    folder = "$(O)/host/%s.d" % name if cflags or plain else "$(O)/host"
    own = "%s/%s.o" % (folder, source[:-2])
    parts = [("$(O)/host/" if o.startswith("ext/") else folder + "/") + o for o in objects(text)]
    lines = ["HOST_BINARIES += $(O)/host/%s" % name]
    if cflags or plain:
        compile_ = "$(host_plain_compile)" if plain else "$(host_compile)"
        lines += ["%s/%%.o: %%.c $(O)/host/flags | $(EXT_HEADERS)" % folder,
                  "\t%s %s" % (compile_, " ".join([plain, cflags]))]
    link = "$(host_plain_link)" if plain else "$(host_link)"
    lines += ["$(O)/host/%s: %s" % (name, " ".join([own] + parts)),
              "\t%s %s" % (link, "-fsanitize=fuzzer" if fuzzer else "-lcmocka"),
              "-include " + " ".join(p[:-2] + ".d" for p in [own] + parts)]
    return lines


def main():
    out = []
    for source in sorted(glob.glob("tests/host/test_*.c") + glob.glob("tests/host/fuzz_*.c")):
        with open(source) as f:
            text = f.read()
        try:
            out += rules(source, text)
        except ValueError as e:
            name = os.path.basename(source)[:-2]
            out += ["HOST_BINARIES += $(O)/host/%s" % name, "$(O)/host/%s: FORCE" % name,
                    "\t@echo \"%s: %s\"; false" % (source, e)]
    print("\n".join(out))


if __name__ == "__main__":
    sys.exit(main())
