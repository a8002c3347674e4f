# SPDX-License-Identifier: MIT
"""A copy of the sources to change and build in, and its build folder, which is put back after each
change: only what a mutant touches is ever built again."""

import os
import shutil
import subprocess


def listed(top):
    """The files that make up the sources, as git sees them; ignored ones are not among them."""
    out = subprocess.run(["git", "-C", top, "ls-files", "-z", "-co", "--exclude-standard"],
                         check=True, stdout=subprocess.PIPE).stdout.decode()
    return sorted(f for f in set(out.split("\0")) if f and os.path.isfile(os.path.join(top, f)))


def files(top):
    """(path below @top, its stat) of each file there."""
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            yield os.path.relpath(path, top), os.lstat(path)


def same_content(a, b):
    if not os.path.exists(b):
        return False
    with open(a, "rb") as f, open(b, "rb") as g:
        return f.read() == g.read()


class Tree:
    def __init__(self, place):
        self.top = os.path.join(place, "tree")
        self.build = os.path.join(self.top, "build")
        self.kept = os.path.join(place, "kept")

    def update(self, source):
        """Makes the tree a copy of @source; a file that is the same keeps its time."""
        wanted = listed(source)
        for f in wanted:
            target = os.path.join(self.top, f)
            if not same_content(os.path.join(source, f), target):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(os.path.join(source, f), target)
        for f, _ in list(files(self.top)):
            if f not in set(wanted) and not f.startswith("build" + os.sep):
                os.unlink(os.path.join(self.top, f))

    def borrow(self, fetched):
        """Packages that were fetched already need not be fetched again."""
        target = os.path.join(self.build, "ext")
        if os.path.isdir(fetched) and not os.path.isdir(target):
            shutil.copytree(fetched, target, symlinks=True)

    def keep(self):
        """Remembers the build folder as it is now."""
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(self.build, self.kept, symlinks=True)

    def put_back(self):
        """Makes the build folder what it was, with all times."""
        before = {f: (s.st_mtime_ns, s.st_size) for f, s in files(self.kept)}
        for f, s in list(files(self.build)):
            path = os.path.join(self.build, f)
            if f not in before:
                os.unlink(path)
            elif before[f] != (s.st_mtime_ns, s.st_size):
                os.unlink(path)
                shutil.copy2(os.path.join(self.kept, f), path, follow_symlinks=False)
        for f in before:
            if not os.path.lexists(os.path.join(self.build, f)):
                shutil.copy2(os.path.join(self.kept, f), os.path.join(self.build, f),
                             follow_symlinks=False)

    def change(self, file, text):
        """Writes @text to @file of the tree. Returns a function that undoes it and what was built
        from it."""
        path = os.path.join(self.top, file)
        stat = os.stat(path)
        with open(path) as f:
            before = f.read()
        with open(path, "w") as f:
            f.write(text)

        def undo():
            self.put_back()
            with open(path, "w") as f:
                f.write(before)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        return undo
