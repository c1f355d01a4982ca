#!/usr/bin/env python3
"""Makes the table of docs/reliability.md from what the suites counted.

    tests/report/reliability.py JUNIT_XML... [--docs docs/reliability.md]

A suite prints lines `counted: {"suite": NAME, ...}`. Prints the table; with --docs also writes the
page, from reliability.page beside this program. Fails where something was lost; where a suite did
not run that is said, and no page is written.
"""

import argparse
import datetime
import json
import pathlib
import platform
import re
import sys
import xml.etree.ElementTree as ElementTree

COUNTED = re.compile(r"^counted: (\{.*\})$", re.M)
NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")

CRASH = "tests/crash/daybook_crash_test"
DAMAGE = "tests/corruption/daybook_damage"
CONCURRENT = "tests/concurrency/daybook_concurrency_test"

# What was tried, the suites (by the beginning of their names), what they counted, which of their
# numbers are losses, and the command. The sums of all suites of a row stand in the text.
ROWS = [
    ("crash states", ["crash_states"],
     "{states:,} states of {operations:,} operations, {verified:,} also verified", ["failures"],
     "tests/simulation/daybook_crash_states"),
    ("errors of the system", ["system_errors"],
     "{runs:,} runs, {strikes:,} failed calls, {poisoned:,} poisoned stores", ["failures"],
     "tests/simulation/daybook_system_errors"),
    ("damage: bits of the log", ["damage.log_bits"],
     "{cases:,} flips, {window:,} of them in the window", ["failed"],
     f"{DAMAGE} --suite log_bits"),
    ("damage: bits of what is derived", ["damage.derived_bits"], "{cases:,} flips", ["failed"],
     f"{DAMAGE} --suite derived_bits"),
    ("damage: lengths", ["damage.cuts"], "{cases:,} files cut off", ["failed"],
     f"{DAMAGE} --suite cuts"),
    ("damage: sectors", ["damage.sectors", "damage.swaps"],
     "{cases:,} sectors zeroed, doubled or swapped, {window:,} in the window", ["failed"],
     f"{DAMAGE} --suite sectors"),
    ("kill -9", ["kill"],
     "{kills:,} writers and {reader_kills:,} readers killed, {acknowledged_events:,} events "
     "acknowledged", ["lost"], f'{CRASH} "[kill]"'),
    ("power losses", ["power"],
     "{power_losses:,} losses, {sectors_undone:,} sectors and {names_undone:,} names taken back, "
     "{acknowledged_events:,} events acknowledged", ["lost", "damaged"], f'{CRASH} "[power]"'),
    ("failed syncs", ["poison"],
     "{runs:,} runs, {acknowledged_events:,} events acknowledged, {unknown_commits:,} outcomes "
     "unknown", ["lost"], f'{CRASH} "[poison]"'),
    ("full disks", ["full_disk"],
     "{full_disks:,} full disks, {acknowledged:,} events acknowledged", ["lost"],
     f'{CRASH} "[full_disk]"'),
    ("backups and restores killed", ["backup_kills", "restore_kills"],
     "{runs:,} runs, {killed:,} of them killed", ["lost"], f'{CRASH} "[backup]"'),
    ("snapshots", ["snapshots"],
     "{cases:,} times damaged, {full_disks:,} full disks", ["failed"],
     'tests/derived/daybook_derived_test "[snapshots]"'),
    ("projections killed", ["projections.kill"],
     "{kills:,} kills, {events:,} events posted, {parked:,} parked, {skipped:,} skipped", ["lost"],
     'tests/projections/daybook_projections_crash_test "[kill]"'),
    ("projections after power losses", ["projections.power"],
     "{power_losses:,} losses, {sectors_undone:,} sectors taken back, {events:,} events posted",
     ["lost"], 'tests/projections/daybook_projections_crash_test "[power]"'),
    ("publishing to files", ["publish.file"],
     "{kills:,} publishers killed, {in_flight_at_kills:,} with lines behind the cursor; "
     "{resends:,} lines written again, {rotations:,} rotations; {events:,} events read back; "
     "{backups:,} backups meanwhile", ["lost", "doubled", "swapped", "changed"],
     "tests/e2e/publish_kills.py"),
    ("publishing to NATS JetStream", ["publish.nats"],
     "{kills:,} kills of servers, leaders and publishers, and pauses, {in_flight_at_kills:,} with "
     "events on their way; {resends:,} sent again, {duplicates:,} known as duplicates; {events:,} "
     "events read back", ["wrong"], "tests/brokers/nats_faults.py"),
    ("publishing to Kafka, transactional", ["publish.kafka.transactional"],
     "{kills:,} kills of brokers and publishers, and pauses, {in_flight_at_kills:,} with events on "
     "their way; {resends:,} sent again; {events:,} events read back", ["wrong"],
     "tests/brokers/kafka_faults.py"),
    ("publishing to Kafka, idempotent", ["publish.kafka.idempotent"],
     "{kills:,} kills of brokers and publishers, and pauses, {in_flight_at_kills:,} with events on "
     "their way; {resends:,} sent again; {events:,} events read back, {repeats:,} of them repeats",
     ["wrong"], "tests/brokers/kafka_faults.py"),
    ("publishing to SQS, FIFO", ["publish.sqs.fifo"],
     "{events:,} events, {faults:,} faults of a proxy, {kills:,} publishers killed, {swallowed:,} "
     "repeats dropped by the queue", ["lost", "doubled", "swapped"],
     "tests/brokers/sqs_faults.py fifo"),
    ("publishing to SQS, standard", ["publish.sqs.standard"],
     "{events:,} events, {faults:,} faults of a proxy, {kills:,} publishers killed, {repeats:,} "
     "repeats", ["lost"], "tests/brokers/sqs_faults.py standard"),
    ("linearizability", ["linear"],
     "{histories:,} histories, {operations:,} operations, {overlapping_pairs:,} overlapping pairs",
     ["violations"], f'{CONCURRENT} "[linear]"'),
    ("readers and the durable position", ["watermark"],
     "{phases:,} phases, {events:,} events", ["failed"], f'{CONCURRENT} "[watermark]"'),
    ("seeded bugs", ["seeded_bugs"], "{bugs:,} bugs, {caught:,} caught", ["failures"],
     "ctest -R seeded_bugs"),
    ("fuzzing", ["fuzz."],
     "{executions:,} executions, {accepted:,} past the checksums", ["findings"],
     "tests/fuzz/run.py smoke"),
]
# Made to fail: what they count is no loss.
NOT_COUNTED = ("power.lying_disk", "damage.must_fail", "fuzz.canary", "fuzz.frames_canary")


def counts(paths):
    """All that was counted, by suite."""
    found = {}
    for path in paths:
        # What a test printed may hold control characters, which XML does not know.
        tree = ElementTree.fromstring(NOT_XML.sub("?", path.read_text(errors="replace")))
        for case in tree.iter("testcase"):
            for line in COUNTED.findall(case.findtext("system-out") or ""):
                counted = json.loads(line)
                if "suite" not in counted:  # of a comparison: the suite prints its own line
                    continue
                # A suite that runs twice is one run in short and one in full.
                if size(counted) >= size(found.get(counted["suite"], {})):
                    found[counted["suite"]] = counted
    return found


def size(counted):
    return sum(value for value in counted.values() if isinstance(value, int))


def of_row(found, prefixes):
    """The numbers of all suites of a row, added; None where there is none."""
    suites = [counted for name, counted in found.items()
              if name not in NOT_COUNTED
              and any(name == p or name.startswith(p.rstrip(".") + ".") for p in prefixes)]
    if not suites:
        return None
    sums = {}
    for counted in suites:
        for name, value in counted.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                sums[name] = sums.get(name, 0) + value
    return sums


def table(found):
    """The table's lines, what is missing in it, and what lost something."""
    lines = ["| what was tried | how often | lost | command |", "|---|---|---|---|"]
    missing, losing = [], []
    for what, prefixes, text, losses, command in ROWS:
        sums = of_row(found, prefixes)
        if sums is None:
            missing.append(what)
            continue
        lost = sum(sums.get(name, 0) for name in losses)
        if lost:
            losing.append(what)
        lines.append(f"| {what} | {text.format(**sums)} | {lost:,} | `{command}` |")
    return lines, missing, losing


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("junit", nargs="+", type=pathlib.Path)
    parser.add_argument("--docs", type=pathlib.Path)
    options = parser.parse_args()
    lines, missing, losing = table(counts(options.junit))
    print("\n".join(lines))
    for what in missing:
        print(f"reliability: nothing was counted of {what}")
    for what in losing:
        print(f"reliability: LOST in {what}")
    if options.docs and missing:
        return 1
    if options.docs:
        page = (pathlib.Path(__file__).parent / "reliability.page").read_text()
        when = f"\n\nRun on {datetime.date.today()}, Linux {platform.release()}, 2 cores."
        options.docs.write_text(page.replace("<!-- table -->", "\n".join(lines) + when))
    return 1 if losing else 0


if __name__ == "__main__":
    sys.exit(main())
