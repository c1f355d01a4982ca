#!/usr/bin/env python3
"""Runs the fuzzers.

  tests/fuzz/run.py list
  tests/fuzz/run.py smoke [NAME...] [--seconds N]   each for some seconds, as in CI
  tests/fuzz/run.py soak  [NAME...] --seconds N     N seconds for all together; inputs are kept

A smoke fails where a fuzzer finds something, and also where it got nowhere: fewer executions, or
fewer inputs past the checksums, than the table says. A canary holds a bug, and fails where nothing
is found. What is found goes to BUILD/tests/fuzz/found/NAME-*; to try it again, give that file to
the program BUILD/tests/fuzz/daybook_NAME_fuzz.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Fuzzer:
    """One row of the table."""

    name: str
    what: str
    seconds: int  # of a smoke
    executions: int  # that a smoke must make at least
    accepted: int = 0  # inputs past the checksums, at least; 0: the fuzzer does not count them
    seeds: str = ""  # the folder of make_seeds
    bytes_max: int = 4096
    must_fail: bool = False


FUZZERS = [
    Fuzzer("canary", "a bug in plain sight: must be found", 20, 1, must_fail=True),
    Fuzzer("frames_canary", "a bug behind every checksum of a frame: must be found", 60, 1,
           seeds="segment", bytes_max=28928, must_fail=True),
    Fuzzer("text", "times and ids as text", 3, 20000),
    Fuzzer("event_body", "the codec of events against Cap'n Proto's reader", 5, 20000, 1000,
           "event_body", 2048),
    Fuzzer("frames", "frame scanner, resynchronisation, the decision about the tail", 7, 2000, 500,
           "segment", 28928),
    Fuzzer("segment", "segment header, commits, records, index over damage, salvage", 8, 1000, 200,
           "segment", 28928),
    Fuzzer("sidecar", "a sidecar's checks and lookups", 6, 3000, 300, "sidecar", 16384),
    Fuzzer("store_file", "STORE and the wake page", 5, 2000, 500, "store_file", 5000),
    Fuzzer("lmdb", "pages of LMDB: the check of them against LMDB itself", 8, 500, 100, "lmdb",
           65536),
    Fuzzer("import", "NDJSON and CSV of the importer", 7, 500, 20, "import", 4096),
]


def make_seeds(build, folder):
    subprocess.run([build / "tests/fuzz/daybook_fuzz_seeds", folder], check=True)


def numbers(text):
    """What libFuzzer and the tally of the fuzzer said."""
    found = {"executions": 0, "edges": 0, "accepted": 0}
    for key, pattern in (
        ("executions", r"stat::number_of_executed_units: (\d+)"),
        ("edges", r"cov: (\d+)"),
        ("accepted", r"tally: inputs \d+ accepted (\d+)"),
    ):
        matches = re.findall(pattern, text)
        if matches:
            found[key] = int(matches[-1])
    return found


def run(fuzzer, build, seeds, corpus, seconds):
    found = build / "tests/fuzz/found"
    found.mkdir(parents=True, exist_ok=True)
    program = build / f"tests/fuzz/daybook_{fuzzer.name}_fuzz"
    command = [program, f"-max_total_time={seconds}", "-print_final_stats=1", "-timeout=20",
               "-rss_limit_mb=2048", "-detect_leaks=0", f"-max_len={fuzzer.bytes_max}",
               "-use_value_profile=0", f"-artifact_prefix={found}/{fuzzer.name}-", corpus]
    if fuzzer.seeds:
        command.append(seeds / fuzzer.seeds)
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=seconds * 3 + 120)


def problems(fuzzer, result, counted, check_floor):
    if fuzzer.must_fail:
        caught = result.returncode != 0 and "deadly signal" in result.stdout
        return [] if caught else ["the bug in it was not found"]
    if result.returncode != 0:
        return [f"it ended with {result.returncode}"]
    said = []
    if check_floor and counted["executions"] < fuzzer.executions:
        said.append(f"{counted['executions']} executions, fewer than {fuzzer.executions}")
    if check_floor and counted["accepted"] < fuzzer.accepted:
        said.append(f"{counted['accepted']} inputs got past the checks,"
                    f" fewer than {fuzzer.accepted}")
    return said


def run_all(mode, fuzzers, build, seconds, corpora):
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        seeds = pathlib.Path(scratch) / "seeds"
        make_seeds(build, seeds)
        for fuzzer in fuzzers:
            corpus = pathlib.Path(scratch) / fuzzer.name
            if mode == "soak":
                corpus = corpora / fuzzer.name
            corpus.mkdir(parents=True, exist_ok=True)
            begin = time.monotonic()
            result = run(fuzzer, build, seeds, corpus, seconds or fuzzer.seconds)
            counted = numbers(result.stdout)
            wrong = problems(fuzzer, result, counted, mode == "soak" or not seconds)
            counted.update(suite=f"fuzz.{fuzzer.name}", mode=mode, findings=0 if fuzzer.must_fail
                           else int(result.returncode != 0), must_fail=fuzzer.must_fail,
                           seconds=round(time.monotonic() - begin, 1))
            if wrong:
                failed += 1
                print("\n".join(result.stdout.splitlines()[-60:]))
                print(f"FAILED: {fuzzer.name}: {'; '.join(wrong)}")
            print("counted: " + json.dumps(counted), flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=["list", "smoke", "soak"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/fuzz")
    parser.add_argument("--corpora", type=pathlib.Path, help="where a soak keeps its inputs")
    options = parser.parse_args()
    unknown = set(options.names) - {f.name for f in FUZZERS}
    if unknown:
        parser.error(f"no such fuzzer: {', '.join(sorted(unknown))}")
    chosen = [f for f in FUZZERS if not options.names or f.name in options.names]
    if options.mode == "list":
        for fuzzer in chosen:
            print(f"{fuzzer.name:14} {fuzzer.seconds:3} s  {fuzzer.what}")
        return 0
    if options.mode == "soak":
        chosen = [f for f in chosen if not f.must_fail]
        if options.seconds <= 0:
            parser.error("a soak needs --seconds")
        options.seconds = max(1, options.seconds // len(chosen))
    if "TMPDIR" not in os.environ and os.path.isdir("/dev/shm"):
        os.environ["TMPDIR"] = tempfile.tempdir = "/dev/shm"
    build = options.build.resolve()
    corpora = options.corpora or build / "tests/fuzz/corpora"
    if shutil.which(str(build / "tests/fuzz/daybook_fuzz_seeds")) is None:
        print(f"there are no fuzzers in {build}; build the target `fuzzers` of the preset fuzz")
        return 2
    return 1 if run_all(options.mode, chosen, build, options.seconds, corpora) else 0


if __name__ == "__main__":
    sys.exit(main())
