#!/usr/bin/env python3
"""Real event logs, where they are at hand: what `expected.json` says comes out of `daybook read`.

The files stand in ../shared/data beside the repository, or in the folder that DAYBOOK_SHARED_DATA
names; they are no part of it.
"""

import collections
import json
import os
import pathlib
import re
import time

from support import cases, check, equal, main, run, skip

DATA = pathlib.Path(os.environ.get("DAYBOOK_SHARED_DATA")
                    or pathlib.Path(__file__).resolve().parents[3] / "shared" / "data")
AT = re.compile(r" at (\d{4}-\S+Z|the end)$")
END = "2100-01-01T00:00:00Z"


def stopwatch(what, start):
    print(f"  {what}: {time.monotonic() - start:.1f} s", flush=True)


def load(folder, name):
    """Imports a file, twice, and returns its answers and what `read` takes to see it at a time."""
    with open(DATA / "expected.json", encoding="utf-8") as file:
        expected = json.load(file)[name]
    store, path = folder / "s", DATA / f"{name}.ndjson.gz"
    start = time.monotonic()
    counts = run("import", store, path).json()
    stopwatch("import", start)
    equal((counts["events"], counts["skipped"], counts["duplicates"], counts["streams"]),
          (expected["events"], 0, 0, expected["streams"]))
    start = time.monotonic()
    again = run("import", store, path, "--batch", 4096).json()
    stopwatch("import again", start)
    equal((again["events"], again["duplicates"], again["position"]),
          (0, expected["events"], expected["events"]))

    def events(*arguments):
        return map(json.loads, run("read", store, *arguments).out.splitlines())

    return expected, events


def as_of(key):
    """The options of `read` for a key such as "Q1 book at 2010-01-01T00:00:00.000Z"."""
    moment = AT.search(key).group(1)
    return ["--as-of-effective", END if moment == "the end" else moment]


def check_counts(folder, expected, events):
    start = time.monotonic()
    types, streams, times = collections.Counter(), collections.Counter(), set()
    for event in events():
        types[event["type"]] += 1
        streams[event["stream"]] += 1
        times.add(event["effective_at"])
        equal(event["version"], streams[event["stream"]])
    stopwatch("read and count", start)
    equal(dict(types), expected["per_type"])
    equal(len(types), expected["types"])
    equal(len(times), expected["distinct_times"])
    first = expected["first_time"].replace("Z", "000000Z")
    last = expected["last_time"].replace("Z", "000000Z")
    equal((min(times), max(times)), (first, last))
    equal(streams[expected["longest_stream"][0]], expected["longest_stream"][1])
    equal(max(streams.values()), expected["longest_stream"][1])
    start = time.monotonic()
    listed = {line["stream"]: line["version"] for line in run("streams", folder / "s").lines()}
    stopwatch("streams", start)
    equal(listed, dict(streams))
    start = time.monotonic()
    report = run("verify", folder / "s").json()
    stopwatch("verify", start)
    equal(report, {"ok": True, "positions": expected["events"], "findings": []})


class Fine:
    """The state of one fine: its events folded in order of effective time, then position."""

    def __init__(self):
        self.version = self.amount = self.expense = self.paid = 0
        self.last_type = None
        self.in_collection = False

    def apply(self, event):
        data = event["data"]
        self.version += 1
        self.last_type = event["type"]
        if event["type"] in ("Create Fine", "Add penalty"):
            self.amount = data.get("amount_cents", self.amount)
        elif event["type"] == "Send Fine":
            self.expense += data.get("expense_cents", 0)
        elif event["type"] == "Payment":
            self.paid += data["paymentAmount_cents"]
        elif event["type"] == "Send for Credit Collection":
            self.in_collection = True

    @property
    def due(self):
        return self.amount + self.expense


def fines(events):
    found = collections.defaultdict(Fine)
    for event in sorted(events, key=lambda event: (event["effective_at"], event["position"])):
        found[event["stream"]].apply(event)
    return found


def book_of_fines(events):
    found = fines(events)
    owed = [fine for fine in found.values() if fine.due > fine.paid]
    early = [fine for fine in owed if not fine.in_collection]
    return {
        "events_at_T": sum(fine.version for fine in found.values()),
        "fines": len(found),
        "due_cents": sum(fine.due for fine in found.values()),
        "paid_cents": sum(fine.paid for fine in found.values()),
        "outstanding_fines": len(owed),
        "outstanding_cents": sum(fine.due - fine.paid for fine in owed),
        "outstanding_not_in_collection_fines": len(early),
        "outstanding_not_in_collection_cents": sum(fine.due - fine.paid for fine in early),
    }


def traffic_fines(folder):
    expected, events = load(folder, "rtfmp")
    check_counts(folder, expected, events)
    for key, answer in expected.items():
        if key.startswith("Q1 "):
            equal(book_of_fines(events(*as_of(key))), answer, key)
        elif key.startswith("Q2 "):
            stream = key.split()[1]
            equal(state_of(fines(events(stream, *as_of(key)))[stream]), answer, key)
    payments = collections.Counter(event["stream"] for event in events("--type", "Payment"))
    most = expected["Q3 most payments"]
    equal((payments[most[0]], max(payments.values())), (most[1], most[1]))
    equal(state_of(fines(events(most[0]))[most[0]]), expected["Q3 its state at the end"])
    check_running_totals(expected, events)


def state_of(fine):
    return {"version": fine.version, "last_type": fine.last_type, "amount_cents": fine.amount,
            "expense_cents": fine.expense, "paid_cents": fine.paid}


def check_running_totals(expected, events):
    paid, wrong, count = collections.Counter(), 0, 0
    for event in events("--type", "Payment"):
        count += 1
        paid[event["stream"]] += event["data"]["paymentAmount_cents"]
        wrong += event["data"]["totalPaymentAmount_cents"] != paid[event["stream"]]
    key = "check: payments whose totalPaymentAmount != running sum of paymentAmount (in time order)"
    equal([wrong, count], expected[key])


def council_payments(folder):
    expected, events = load(folder, "oxford_spend")
    check_counts(folder, expected, events)
    for key, answer in expected.items():
        if not re.match(r"Q\d ", key):
            continue
        sums, kinds = collections.Counter(), collections.Counter()
        for event in events(*as_of(key)):
            sums[event["stream"]] += event["data"]["amount_pence"]
            kinds[event["type"][:7]] += event["data"]["amount_pence"]
        equal({"suppliers": len(sums), "total_pence": sum(sums.values()),
               "revenue_pence": kinds["Revenue"], "capital_pence": kinds["Capital"],
               "top3": [list(item) for item in sums.most_common(3)]}, answer, key)


def balances(events):
    found = collections.Counter()
    supply = 0
    for event in events:
        value = event["data"]["value_sat"]
        supply += value if event["type"] == "BlockReward" else 0
        found[event["stream"]] += -value if event["type"] == "Debited" else value
        check(found[event["stream"]] >= 0, "a balance below zero:", event)
    return found, supply


def bitcoin_blocks(folder):
    expected, events = load(folder, "btc_blocks_1_255")
    check_counts(folder, expected, events)
    block = ["--as-of-effective", expected["time_of_block_170"]]
    then, supply_then = balances(events(*block))
    end, supply_end = balances(events())
    equal(supply_then, expected["Q1 supply at block 170, sat (must be 170*50e8)"])
    equal(supply_end, expected["Q1 supply at the end, sat (must be 255*50e8)"])
    key = "Q2 account-786929a9e558952c at block 170, at the end, sat"
    account = key.split()[1].rstrip(",")
    equal([then[account], end[account]], expected[key])
    equal([sum(value > 0 for value in found.values()) for found in (then, end)],
          expected["Q3 accounts with a balance at block 170, at the end"])
    equal(balances(events(account, *block))[0][account], expected[key][0])


if __name__ == "__main__":
    if not (DATA / "expected.json").exists():
        skip(f"no real event logs in {DATA}")
    main(cases(bitcoin_blocks, council_payments, traffic_fines))
