"""The work of scripts/stress."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

# The binaries that wait for something outside their own process.
WAITING = [
    "api_server_crds", "aws_sim", "certificates", "chart", "classes", "cluster", "control_plane", "demo", "fault_proxy",
    "governance", "guide", "moto", "node", "process", "rbac", "rights", "testkit",
]


def executables():
    """Builds the tests; the executables by name, each with its crate's folder. A name may stand for several."""
    command = ["cargo", "test", "--workspace", "--locked", "--no-run", "--message-format=json"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = {}
    for line in output.splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and message["profile"]["test"] and message.get("executable"):
            folder = os.path.dirname(message["manifest_path"])
            found.setdefault(message["target"]["name"], []).append((message["executable"], folder))
    return found


def run(name, executable, folder, kept):
    began = time.monotonic()
    environment = {**os.environ, "RUST_MIN_STACK": "8388608", "CARGO_MANIFEST_DIR": folder}
    done = subprocess.run(
        [executable], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode != 0:
        with open(os.path.join(kept, f"{name}-{time.time():.0f}.log"), "wb") as log:
            log.write(done.stdout)
    return done.returncode == 0, time.monotonic() - began


def series(runs, loops, programs, kept):
    """Runs every program so many times beside busy loops, round by round; the outcomes by program."""
    outcomes = {program: [] for program in programs}
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        for round in range(1, runs + 1):
            for program in programs:
                green, seconds = run(*program, kept)
                outcomes[program].append((green, seconds))
                print(f"  {program[0]:<16} run {round} beside {loops} loops: "
                      f"{'green' if green else 'RED'} after {seconds:.1f} s", flush=True)
    finally:
        for loop in busy:
            loop.kill()
            loop.wait()
    return outcomes


def cell(outcomes):
    if not outcomes:
        return "-"
    green, seconds = sum(ok for ok, _ in outcomes), sorted(took for _, took in outcomes)
    return f"{green}/{len(outcomes)} green, {seconds[0]:.0f}-{seconds[-1]:.0f} s"


def main():
    arguments = argparse.ArgumentParser(prog="scripts/stress", description=__doc__)
    arguments.add_argument("-i", "--idle", type=int, default=5, help="runs on the idle machine")
    arguments.add_argument("-b", "--busy", type=int, default=5, help="runs beside busy loops")
    arguments.add_argument("-l", "--loops", type=int, default=4, help="how many busy loops")
    arguments.add_argument("binaries", nargs="*", default=WAITING)
    given = arguments.parse_args()
    built = executables()
    unknown = [name for name in given.binaries if name not in built]
    if unknown:
        sys.exit(f"no such test binary: {', '.join(unknown)}; there are {', '.join(sorted(built))}")
    programs = [(name, *program) for name in given.binaries for program in built[name]]
    kept = tempfile.mkdtemp(prefix="stress-")
    idle = series(given.idle, 0, programs, kept)
    busy = series(given.busy, given.loops, programs, kept)
    print(f"\n{'binary':<18} {'idle':<26} beside {given.loops} busy loops")
    for program in programs:
        print(f"{program[0]:<18} {cell(idle[program]):<26} {cell(busy[program])}")
    red = [1 for outcomes in (idle, busy) for runs in outcomes.values() for ok, _ in runs if not ok]
    if red:
        sys.exit(f"{len(red)} red runs; their output is in {kept}")
    os.rmdir(kept)


main()
