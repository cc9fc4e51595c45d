#!/usr/bin/python3
"""Count what one `meson test` really ran.

    summary.py TESTLOG.JSON

Prints 'passed failed skipped' as three numbers. A program that speaks TAP
counts by its test cases, a GstCheck program by its checks, any other as one.
A program that ended badly (crash, time out, plan not kept, leaks reported at
exit) counts as a failure of its own where none of its cases did.

SPDX-License-Identifier: MIT
"""
import json
import re
import sys

CASE = re.compile(r"^\s*(not )?ok\b(.*)$")
CHECKS = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)")


def count(program):
    """The passed, failed and skipped cases of one program."""
    passed = failed = skipped = 0
    for line in program.get("stdout", "").splitlines():
        case = CASE.match(line)
        checks = CHECKS.match(line)
        if case and re.search(r"#\s*skip", case.group(2), re.IGNORECASE):
            skipped += 1
        elif case and case.group(1):
            failed += 1
        elif case:
            passed += 1
        elif checks:
            bad = int(checks.group(2)) + int(checks.group(3))
            failed += bad
            passed += int(checks.group(1)) - bad
    result = program["result"]
    if result == "SKIP":
        skipped = max(skipped, 1)
    elif result in ("OK", "EXPECTEDFAIL"):
        if passed + skipped == 0:
            passed = 1
    elif failed == 0:
        failed = 1
    return passed, failed, skipped


def main():
    totals = [0, 0, 0]
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            totals = [a + b for a, b in zip(totals, count(json.loads(line)))]
    print(*totals)


if __name__ == "__main__":
    main()
