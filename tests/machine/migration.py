# SPDX-License-Identifier: MIT
"""Migration at every instant, in every mode, and everything that can stop it. A small working set
keeps each run short; the audit looks at the tables after the split and after logging."""

DONE = r"^\[twin\] L1: done, all \d+ checks hold"
SMALL = "wmem=4M "


def moved(result):
    return (result["status"] == "completed" and result["verified"] is True and
            result["exit-status"] == 0 and result["leaks"] == 0 and result["source"]["leaks"] == 0)


def completes(name, cmdline="", l1_cmdline="", result=lambda r: True, **options):
    """The stack arrives, and L1 and L2 find everything right there."""
    return Test("migrate-" + name, cmdline="audit=on " + cmdline, l1_cmdline=SMALL + l1_cmdline,
                expect=[r"^\[twin\] L1: migrated, ", DONE], reject=[r"audit .* errors"],
                result=lambda r: moved(r) and result(r), timeout=150, **options)


def at(instant, l1_cmdline=""):
    in_l1 = instant in ("l1", "gif0")
    return completes("at-" + instant, "switchover=" + instant, l1_cmdline,
                     lambda r: r["switchover"] == instant and
                     r["l2-active-at-switchover"] is not in_l1)


def split(result, mmu, size):
    return result["split"][mmu][size]


TESTS = [
    at("l2"), at("l1"), at("transition"), at("event"), at("gif0"), at("halted", "hlt=l0"),
    completes("at-any", "switchover=any"),
]

TESTS += [
    completes("initially-all-set", "dirty_mode=initially_all_set", "np=aliased-split",
              lambda r: split(r, "tdp", "2m") > 0 and split(r, "nested", "2m") > 0),
    completes("no-eager-split", "eager_page_split=off", "np=aliased",
              lambda r: split(r, "tdp", "2m") == 0 and split(r, "nested", "2m") == 0),
    completes("aliased", "", "np=aliased", lambda r: split(r, "nested", "1g") >= 2),
    completes("aliased-split", "switchover=event", "np=aliased-split"),
    completes("4k", "", "np=4k", lambda r: split(r, "nested", "2m") == 0),
    completes("1g", "", "np=1g", lambda r: split(r, "nested", "1g") > 0),
    # What cannot be split stays huge, correct and tracked.
    completes("enospc", "max_shadow_pages=100", "", lambda r: r["split"]["enospc"] > 0),
    completes("enomem", "l0_mem=4M", "", lambda r: r["split"]["enomem"] > 0),
    # A guest that writes faster than a slow line carries.
    completes("throttled", "downtime_limit=1 max_bandwidth=8 max_rounds=8", "writes=100",
              lambda r: r["cpu-throttle-percentage"] >= 20),
]

TESTS.append(Test("migrate-unverified", cmdline="verify=off", l1_cmdline=SMALL, expect=[DONE],
                  result=lambda r: r["status"] == "completed" and r["verified"] is False,
                  timeout=150))


def stays(name, cmdline, status, why="", code=1, l1_cmdline="passes=150"):
    """It does not happen; the source runs to its own end and finds everything right."""
    return Test("migrate-" + name, cmdline="audit=on linger=60000 " + cmdline,
                l1_cmdline=SMALL + l1_cmdline, status=code, reject=[r"^\[twin\]", r"audit .* errors"],
                expect=[r"the source runs on", r"^\[L1\] L1: done, all \d+ checks hold",
                        r"^L1 ran on"],
                result=lambda r: r["status"] == status and why in r.get("error-desc", "") and
                r["source-runs"] is True and r["exit-status"] == 0 and r["leaks"] == 0,
                timeout=150)


TESTS += [stays("cancel-" + phase, "cancel=" + phase, "cancelled", code=0)
          for phase in ("setup", "active", "device")]

TESTS += [
    stays("stream-cut", "stream=cut", "failed", "(cut)"),
    stays("stream-alter", "stream=alter", "failed", "(checksum)"),
    stays("stream-reorder", "stream=reorder", "failed", "(reordered)"),
    stays("stream-newer", "stream=newer", "failed", "(newer)"),
    stays("instant-never", "switchover=halted switchover_timeout=500", "failed", "instant"),
    # Room for one VM only.
    stays("no-room", "mem=3G", "failed", "destination: "),
]
