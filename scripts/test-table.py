"""Copies the output of `cargo test` and ends with a table: each binary's tests, seconds, failures, and what was ignored.

The seconds are those between the line that announces a binary and the next such line, so a harness that reports no time
has one too.
"""

import re
import sys
import time

RUNNING = re.compile(r"^ *Running (?:unittests )?(\S+) \((\S+)\)")
DOC_TESTS = re.compile(r"^ *Doc-tests (\S+)")
RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;")
IGNORED = re.compile(r"^test (\S+) .*\.\.\. ignored(?:, (.*)| \((.*)\))?$")
# cargo's last words, after the last binary.
END = re.compile(r"^error: |^warning: build failed")


class Binary:
    def __init__(self, name):
        self.name, self.began, self.seconds = name, time.monotonic(), 0.0
        self.passed = self.failed = self.skipped = 0
        self.reported = False
        self.reasons = []

    def end(self):
        self.seconds = time.monotonic() - self.began

    def row(self):
        failed = str(self.failed) if self.reported else "broke off"
        tests = self.passed + self.failed + self.skipped
        return f"{self.name:<34} {tests:>5} {self.seconds:>8.1f} {failed:>9} {self.skipped:>8}"


def name_of(source, executable):
    """`cluster` of tests/cluster/main.rs, `testkit (src/lib.rs)` for the unit tests of a crate."""
    binary = re.sub(r"-[0-9a-f]{16}$", "", executable.rsplit("/", 1)[-1])
    return f"{binary} ({source})" if source.startswith("src/") else binary


def main():
    began, binaries, current = time.monotonic(), [], None

    def begin(name):
        nonlocal current
        if current:
            current.end()
        current = Binary(name)
        binaries.append(current)

    for line in sys.stdin:
        sys.stdout.write(line)
        sys.stdout.flush()
        if found := RUNNING.match(line):
            begin(name_of(*found.groups()))
        elif found := DOC_TESTS.match(line):
            begin(f"doc-tests of {found[1]}")
        elif current and (found := RESULT.match(line)):
            passed, failed, skipped = map(int, found.groups())
            current.passed += passed
            current.failed += failed
            current.skipped += skipped
            current.reported = True
            current.end()
        elif current and (found := IGNORED.match(line.rstrip())):
            current.reasons.append((found[1], found[2] or found[3] or "no reason given"))
        elif current and not current.reported and END.match(line):
            current.end()

    whole = time.monotonic() - began
    tests = sum(binary.seconds for binary in binaries)
    print(f"\n{'binary':<34} {'tests':>5} {'seconds':>8} {'failed':>9} {'ignored':>8}")
    for binary in binaries:
        print(binary.row())
    for binary in binaries:
        for test, reason in binary.reasons:
            print(f"ignored: {binary.name}: {test}: {reason}")
    print(f"{tests:.0f} s of tests, {whole - tests:.0f} s of building them, {whole:.0f} s in all")


main()
