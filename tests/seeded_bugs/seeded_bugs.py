#!/usr/bin/env python3
"""Seeds one bug after another and shows which suites find it.

seeded_bugs.py PROGRAMS [--all] [--only BUG] [--suite SUITE]

PROGRAMS is the folder of the suites that were linked with seeded bugs. Without --all each bug meets
the suites that are known to find it, and each of these must; and each suite must pass without a
bug. With --all every bug meets every suite, and one must find it.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT = 120  # of one suite
HANG = 45  # of a suite that counts, with a bug: several times what it takes without
# A suite that names its cases hangs where it is silent for longer than this, and for so many times
# its longest silence without a bug; one that is slow on a busy machine does not.
SILENT, SILENT_TIMES = 5, 2

# How much of a suite is run, and what in its output counts how far it came. States are so many with
# a bug, and WITHOUT where there is none: more than it takes to find one, for the same seed.
CATCH = ["--abort", "--reporter", "xml"]
WITHOUT = 5000
Suite = collections.namedtuple("Suite", "program options counted unit states", defaults=[0])
EXPLORE = ["--seed", "1", "--workers", "1", "--failures", "{folder}", "--failures-max", "1"]
SUITES = {
    "crash_states": Suite("seeded_crash_states", ["--states", "{states}", *EXPLORE],
                          r'"states":(\d+)', "states", 10000),
    # What stands behind a write that was lost; more of the states in which it matters.
    "crash_states_buffered": Suite(
        "seeded_crash_states", ["--states", "{states}", "--workload", "buffered", *EXPLORE],
        r'"states":(\d+)', "states", 20000),
    "system_errors": Suite(
        "seeded_system_errors", ["--stride", "7", "--workers", "1", "--failures-max", "1"],
        r'"runs":(\d+)', "faults"),
    "recovery": Suite("seeded_crash_test", ["[recovery]", *CATCH], None, "cases"),
    "kill": Suite("seeded_kill_test", CATCH, None, "cases"),
}
for _name in ["log", "index", "append", "read", "store", "store_facade", "store_concurrency",
              "corruption", "model", "projections", "projections_reader", "publish"]:
    SUITES[_name] = Suite(f"seeded_{_name}_test", CATCH, None, "cases")

# A bug, or several at once where the one would stop what the other lets through, and the suites
# that find it.
ROWS = {
    "acknowledge_before_sync": ["crash_states", "system_errors"],
    "reader_sees_unsynced": ["crash_states"],
    "reader_believes_page_cache": ["crash_states_buffered"],
    "promise_too_early": ["crash_states", "log"],
    "failed_sync_retried": ["system_errors"],
    "goes_on_after_failed_sync": ["system_errors"],
    "poisoned_shows_unsynced": ["system_errors"],
    "short_write_ignored": ["system_errors"],
    "segment_file_not_synced": ["crash_states"],
    "segment_folder_not_synced": ["crash_states"],
    "checksum_skipped": ["crash_states", "log"],
    "frame_hash_skipped": ["log"],
    "chain_skipped": ["log"],
    "torn_tail_kept": ["recovery"],
    "chain_skipped,torn_tail_kept": ["crash_states_buffered", "log", "recovery"],
    "page_cache_believed": ["system_errors"],
    "later_promise_ignored": ["log"],
    "last_head_dropped": ["crash_states"],
    "last_tag_dropped": ["crash_states"],
    "sidecar_checksum_skipped": ["index"],
    "conflict_on_its_way_missed": ["append", "store_concurrency"],
    "id_on_its_way_missed": ["append"],
    "id_in_sealed_missed": ["read", "store_facade", "model"],
    "clock_believed": ["append"],
    "checkpoint_before_rows": ["projections_reader"],
    "batch_twice": ["projections", "projections_reader"],
    "filtered_batch_stays": ["projections"],
    "order_broken_on_two_threads": ["projections"],
    "parked_key_overtaken": ["projections"],
    "retry_goes_on": ["projections"],
    "parked_forgotten": ["projections"],
    "cursor_before_ack": ["publish"],
    "rewind_too_short": ["publish"],
    "waiting_not_recorded": ["publish"],
    "letter_overtaken": ["publish"],
    "broker_not_believed": ["publish"],
}
# These run too, and it is told whether they find it: a killed process leaves the page cache as it
# is, so that nothing that was not synced is missing.
TOLD = {bug: ["kill"] for bug in
        ["acknowledge_before_sync", "segment_file_not_synced", "segment_folder_not_synced"]}

Outcome = collections.namedtuple("Outcome", "caught count seconds how silent")


def progress(suite, text):
    """How far a suite came: states, faults, or test cases begun; None where it died untold."""
    if suite.counted is None:
        return len(re.findall(r"<TestCase ", text)) or None
    found = re.search(suite.counted, text)
    return int(found.group(1)) if found and int(found.group(1)) else None


def first_complaint(suite, text):
    if suite.counted is None:
        names = re.findall(r'<TestCase name="([^"]*)"', text)
        return names[-1] if names else text.strip()[:120]
    lines = [line for line in text.splitlines() if line and not line.startswith(
        ("counted:", "crash states:", "  replay:", "daybook:"))]
    return re.sub(r"^.*?, acknowledged ", "acknowledged ", lines[0])[:120] if lines else ""


def watch(child, output, seconds_max, silent_max):
    """Waits for the child. Returns its exit code, None where it hung, and its longest silence."""
    begin = spoke = time.monotonic()
    size, silent = 0, 0
    while child.poll() is None:
        time.sleep(0.05)
        now = time.monotonic()
        if os.fstat(output.fileno()).st_size != size:
            size, spoke = os.fstat(output.fileno()).st_size, now
        silent = max(silent, now - spoke)
        if now - begin > seconds_max or now - spoke > silent_max:
            os.killpg(child.pid, 9)
            child.wait()
            return None, silent
    return child.returncode, silent


def run(programs, bug, suite_name, without=None):
    """Runs a suite; `without` is how it went without a bug."""
    suite = SUITES[suite_name]
    program = programs / suite.program
    if not program.is_file():
        sys.exit(f"{program} was not built")
    seconds_max = HANG if bug and suite.counted else TIMEOUT
    silent_max = seconds_max
    if without is not None and suite.counted is None:
        silent_max = max(SILENT, SILENT_TIMES * without.silent)
    with tempfile.TemporaryDirectory(prefix="daybook-seeded-") as folder, \
            tempfile.TemporaryFile() as output:
        environment = dict(os.environ, DAYBOOK_SEEDED_BUG=bug, DAYBOOK_TEST_SHORT="1")
        states = suite.states if bug else min(suite.states, WITHOUT)
        options = [option.format(folder=folder, states=states) for option in suite.options]
        begin = time.monotonic()
        child = subprocess.Popen([program, *options], stdout=output, stderr=subprocess.STDOUT,
                                 env=environment, cwd=folder, start_new_session=True)
        code, silent = watch(child, output, seconds_max, silent_max)
        seconds = time.monotonic() - begin
        output.seek(0)
        text = output.read().decode(errors="replace")
    how = "hangs" if code is None else first_complaint(suite, text) if code else ""
    if code is not None and code < 0:
        how = f"signal {-code} in: {how}"
    return Outcome(code != 0, progress(suite, text), seconds, how, silent)


def check_lists():
    """The header and this file speak of the same bugs."""
    header = (ROOT / "core/base/seeded_bug.h").read_text()
    named = [re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
             for name in re.findall(r"^  k([A-Z]\w+),", header, re.M)]
    tried = {bug for row in ROWS for bug in row.split(",")}
    if set(named) != tried:
        sys.exit(f"bugs that are in one list only: {sorted(set(named) ^ tried)}")


def text_of(suite_name, outcome):
    count = f"after {outcome.count} {SUITES[suite_name].unit}" if outcome.count else "died"
    return f"{suite_name} ({count}, {outcome.seconds:.1f} s)"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", action="append", help="a row of the table")
    parser.add_argument("--suite", action="append", choices=SUITES)
    arguments = parser.parse_args()
    check_lists()

    rows = arguments.only or list(ROWS)
    must = {(row, suite) for row in rows for suite in ROWS[row]}
    runs = {(row, suite) for row in rows
            for suite in (SUITES if arguments.all else ROWS[row] + TOLD.get(row, []))
            if not arguments.suite or suite in arguments.suite}
    begin = time.monotonic()
    outcomes = {}
    suites = sorted({suite for _, suite in runs}, key=list(SUITES).index)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for order in ([("", suite) for suite in suites],
                      sorted(runs, key=lambda one: list(SUITES).index(one[1]))):
            found = pool.map(lambda one: run(arguments.programs.resolve(), *one,
                                             outcomes.get(("", one[1]))), order)
            outcomes |= dict(zip(order, list(found)))

    failed = False
    for suite in SUITES:
        outcome = outcomes.get(("", suite))
        if outcome is None:
            continue
        print(f"no bug: {suite} " + (f"FAILS: {outcome.how}" if outcome.caught else
                                     f"passes ({outcome.count} {SUITES[suite].unit}, "
                                     f"{outcome.seconds:.1f} s)"))
        failed |= outcome.caught
    table = {}
    for row in rows:
        met = [suite for suite in SUITES if (row, suite) in outcomes]
        by = [suite for suite in met if outcomes[row, suite].caught]
        table[row] = {suite: outcomes[row, suite].count for suite in by}
        missed = [suite for suite in met if suite not in by]
        print(f"\n{row}: " + (", ".join(text_of(s, outcomes[row, s]) for s in by)
                              or "NOT CAUGHT"))
        for suite in by[:2]:
            print(f"    {suite}: {outcomes[row, suite].how}")
        if missed:
            print(f"    not found by {', '.join(missed)}")
        lacking = [s for s in missed if (row, s) in must]
        if lacking or (met and not by):
            print(f"    FAILS: {', '.join(lacking) or 'none'} should have found it")
            failed = True
    print("counted: " + json.dumps(
        {"suite": "seeded_bugs", "bugs": len(rows),
         "caught": sum(1 for by in table.values() if by), "failures": int(failed),
         "seconds": round(time.monotonic() - begin, 1), "runs": len(outcomes),
         "not_found_by_kill": sorted(row for row in rows if (row, "kill") in outcomes
                                     and not outcomes[row, "kill"].caught),
         "by": table}, separators=(",", ":")))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
