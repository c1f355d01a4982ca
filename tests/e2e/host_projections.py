#!/usr/bin/env python3
"""Read models over logs whose answers are known: projections in C++, and those of the command.

Fines outstanding by year, payments whose recorded running total is wrong, and what suppliers were
paid: live at each moment, and after a rebuild on one thread and on two, with equal digests. The
answers are those of expected.json, and of plain loops in Python, which know nothing of Daybook.
"""

import collections
import json
import os
import subprocess

import books
from books import END
from support import cases, check, equal, main, nanoseconds, rfc3339, run, skip

PROGRAM = os.environ.get("DAYBOOK_HOST_PROJECTIONS")


def projected(store, name, threads, positions):
    """The answers at the positions, which are also those after each rebuild."""
    process = subprocess.run([PROGRAM, store, name, threads, *map(str, positions)],
                             capture_output=True, check=False)
    equal(process.returncode, 0, process.stderr)
    lines = [json.loads(line) for line in process.stdout.splitlines()]
    live, rebuilt = lines[:len(positions)], lines[len(positions):]
    equal([line["position"] for line in live], positions)
    equal([str(line["threads"]) for line in rebuilt], threads.split(","))
    for line in rebuilt:
        equal(line["equal"], True, line["threads"])
        equal(line["new"], line["live"])
        equal(line["new"], rebuilt[0]["new"])
        equal(line["answer"], live[-1]["answer"])
    return [line["answer"] for line in live]


# --- Fines --------------------------------------------------------------------------------------


def open_by_year(lines, positions):
    """At each position, in their order: year of the first event -> fines and cents outstanding."""
    year, amount, expense, paid = {}, {}, collections.Counter(), collections.Counter()
    begin = 0
    for position in positions:
        for line in map(json.loads, lines[begin:position]):
            stream, kind, data = line["stream"], line["type"], line["data"]
            if stream not in year:
                year[stream] = rfc3339(nanoseconds(line["time"]))[:4]
            if kind in ("Create Fine", "Add penalty"):
                amount[stream] = data.get("amount_cents", amount.get(stream, 0))
            elif kind == "Send Fine":
                expense[stream] += data.get("expense_cents", 0)
            elif kind == "Payment":
                paid[stream] += data.get("paymentAmount_cents", 0)
        begin = position
        found = {name: {"fines": 0, "cents": 0} for name in year.values()}
        for stream, name in year.items():
            cents = amount.get(stream, 0) + expense[stream] - paid[stream]
            if cents > 0:
                found[name]["fines"] += 1
                found[name]["cents"] += cents
        yield found


def wrong_totals(lines):
    """[stream, position, recorded total, sum so far] of each payment where the two differ."""
    paid, wrong, payments = collections.Counter(), [], 0
    for position, line in enumerate(map(json.loads, lines), 1):
        if line["type"] == "Payment":
            payments += 1
            stream, data = line["stream"], line["data"]
            paid[stream] += data["paymentAmount_cents"]
            if data["totalPaymentAmount_cents"] != paid[stream]:
                wrong.append([stream, position, data["totalPaymentAmount_cents"], paid[stream]])
    return {"payments": payments, "wrong": sorted(wrong, key=lambda row: (row[0].encode(), row[1]))}


def check_fines(store, lines, positions):
    """The answers of the three projections of fines; the books at the positions."""
    fines = projected(store, "fines", "1,2", positions)
    years = projected(store, "years", "1", positions)
    equal(positions, sorted(positions))
    by_hand = open_by_year(lines, positions)
    for position, answer, by_year, expected in zip(positions, fines, years, by_hand, strict=True):
        equal(answer["years"], expected, position)
        equal(by_year["years"], expected, position)
        equal(sum(year["cents"] for year in expected.values()),
              answer["book"]["outstanding_cents"])
    audit = projected(store, "audit", "1,2", [len(lines)])[0]
    equal(audit, wrong_totals(lines))
    return fines, audit


def real_fines(folder):
    lines, expected = books.real_log("rtfmp")
    store = folder / "s"
    books.import_lines(store, lines)
    keys = [key for key in expected if key.startswith("Q1 ")]
    times = books.times_of(lines)
    equal(times, sorted(times))
    positions = [len(lines) if books.moment_in(key) == END else
                 books.known_at(books.moment_in(key), lines) for key in keys]
    found, audit = check_fines(store, lines, positions)
    for key, answer in zip(keys, found):
        equal(answer["book"], expected[key], key)
    key = "check: payments whose totalPaymentAmount != running sum of paymentAmount (in time order)"
    equal([len(audit["wrong"]), audit["payments"]], expected[key])
    check(len(found[-1]["years"]) > 10, "fines of few years")


def generated_fines(folder):
    """The same over a generated log, where payments record a total that is wrong now and then."""
    lines, paid = [], collections.Counter()
    events = books.generated(books.make_fine_event, 6000, 11)
    for number, line in enumerate(map(json.loads, events)):
        if line["type"] == "Payment":
            paid[line["stream"]] += line["data"]["paymentAmount_cents"]
            line["data"]["totalPaymentAmount_cents"] = paid[line["stream"]] + (number % 17 == 0)
        # A line of its own each, so that importing them all is adding them all.
        line["data"]["number"] = number
        lines.append(json.dumps(line).encode())
    store = folder / "s"
    books.import_lines(store, lines)
    _, audit = check_fines(store, lines, [1, 2500, 2501, len(lines)])
    check(len(audit["wrong"]) > 20, "few wrong totals")


# --- Suppliers ----------------------------------------------------------------------------------


def supplier_sums(lines):
    sums = {}
    for line in map(json.loads, lines):
        pair = sums.setdefault(line["stream"], [0, 0])
        pair[line["type"].startswith("Capital")] += line["data"]["amount_pence"]
    return sums


def shown(store, name):
    rows = run("projection", store, "show", name).lines()
    return {row["key"]: row["value"] for row in rows}


def check_suppliers(store, lines):
    """By a projection in C++, and by one of the command; what each was paid."""
    sums = supplier_sums(lines)
    half = len(lines) // 2
    equal(projected(store, "suppliers", "1,2", [half, len(lines)]),
          [supplier_sums(lines[:half]), sums])
    totals = {stream: sum(pair) for stream, pair in sums.items()}
    run("projection", store, "run", "totals", "--kind", "sum", "--by", "stream", "--field",
        "amount_pence")
    equal(shown(store, "totals"), totals)
    digests = set()
    for threads in (1, 2):
        run("projection", store, "rebuild", "totals", "--threads", threads)
        report = run("projection", store, "compare", "totals").json()
        equal((report["equal"], report["differences"]), (True, []), threads)
        digests |= {table["digest"] for side in ("live", "new") for table in report[side]["tables"]}
        run("projection", store, "promote", "totals")
        equal(shown(store, "totals"), totals)
    equal(len(digests), 1)
    return sums


def real_suppliers(folder):
    lines, expected = books.real_log("oxford_spend")
    store = folder / "s"
    books.import_lines(store, lines)
    sums = check_suppliers(store, lines)
    states = {stream: {"state": {"revenue_pence": pair[0], "capital_pence": pair[1]}}
              for stream, pair in sums.items()}
    equal(books.book_of_suppliers(states), expected["Q3 book at the end"])


def generated_suppliers(folder):
    lines = []
    for number, line in enumerate(map(json.loads, books.generated(books.make_payment, 5000, 12))):
        line["data"]["number"] = number
        lines.append(json.dumps(line).encode())
    store = folder / "s"
    books.import_lines(store, lines)
    check_suppliers(store, lines)


if __name__ == "__main__":
    if not PROGRAM:
        skip("DAYBOOK_HOST_PROJECTIONS names no program")
    real = [real_fines, real_suppliers]
    if not books.have_data():
        print(f"SKIPPED: no real event logs in {books.DATA}")
        real = []
    main(cases(generated_fines, generated_suppliers, *real))
