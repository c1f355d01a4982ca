#!/usr/bin/env python3
"""What was known then about a time before: at pairs of an effective time E and a position K.

Payments are appended in the order of their (source, voucher), as strings, so that many come behind
a later one of their stream. A fold that does not commute, a hash chain, must be what a program of
its own computes by brute force; the same in order of position is another.
"""

import json

import books
from books import moment, past_states, sql
from support import cases, check, equal, main, nanoseconds, rfc3339, run, skip


def in_order_of_source(lines):
    def key(line):
        data = json.loads(line)["data"]
        return data["source"], data["voucher"]
    return sorted(lines, key=key)


def late_comers(lines):
    """(events that stand behind a later-dated one of their stream, streams that have such)."""
    latest, late, streams = {}, 0, set()
    for text in lines:
        line = json.loads(text)
        time = nanoseconds(line["time"])
        before = latest.get(line["stream"], time)
        if before > time:
            late += 1
            streams.add(line["stream"])
        latest[line["stream"]] = max(before, time)
    return late, len(streams)


def pairs(lines):
    """At least 20 (E, K), K in the middle of the log and of each of its parts."""
    times = sorted({nanoseconds(json.loads(line)["time"]) for line in lines})
    at = [times[len(times) * part // 10] for part in (1, 3, 5, 7, 9)]
    positions = [len(lines) * part // 20 for part in (7, 9, 10, 12, 15)]
    found = [(time, position) for time in at for position in positions]
    found.append((at[2] - 1, len(lines) // 2))
    return [moment(position, rfc3339(time)) for time, position in found]


def check_pairs(folder, lines):
    store = folder / "s"
    books.import_lines(store, lines)
    asked = pairs(lines)
    check(len(asked) >= 20, asked)
    expected = books.brute_force(lines, "chain", asked)
    found, _ = past_states(store, "chain", asked)
    differ = 0
    by_position = books.brute_force(lines, "chain", [{**one, "order": "position"} for one in asked])
    for one, states, answer, other in zip(asked, found, expected, by_position):
        equal(states, answer, one)
        # The same events in the order in which they were recorded: another chain, the same sum.
        equal({name: (line["events"], line["state"]["pence"]) for name, line in other.items()},
              {name: (line["events"], line["state"]["pence"]) for name, line in answer.items()})
        differ += sum(other[name]["state"] != line["state"] for name, line in answer.items())
    check(differ > 100, "order makes no difference, so this shows nothing:", differ)
    print(f"  {len(asked)} pairs, {sum(map(len, found))} states, {differ} by position differ",
          flush=True)
    check_command(store, asked, expected)
    return store, asked, expected


def check_command(store, asked, expected):
    """The same sums by SQL, and the last event in the order of effective time by state."""
    for one, answer in list(zip(asked, expected))[::5]:
        options = books.as_options(one)
        sums = {name: (line["events"], line["state"]["pence"]) for name, line in answer.items()}
        rows = sql(store, "SELECT stream, count(*) AS n, sum(data->>'$.amount_pence') AS pence "
                          "FROM events GROUP BY stream", *options)
        equal({row["stream"]: (row["n"], row["pence"]) for row in rows}, sums, one)
        rows = sql(store, "SELECT stream, CAST(state AS INTEGER) AS pence FROM state", "--fold",
                   "sum:amount_pence", *options)
        equal({row["stream"]: row["pence"] for row in rows},
              {name: pence for name, (_, pence) in sums.items()}, one)
        stream = max(answer, key=lambda name: answer[name]["events"])
        state = run("state", store, stream, "--fold", "last", *options).json()
        equal((state["events"], state["order"]), (answer[stream]["events"], "effective"))
        equal((state["basis"]["position"] <= one["position"], state["basis"]["effective_at"]),
              (True, one["effective"]))
        last = sql(store, f"SELECT data FROM events WHERE stream = '{stream}' "
                          "ORDER BY effective_ns DESC, position DESC LIMIT 1", *options)
        equal(state["state"], json.loads(last[0]["data"]))


def council_payments(folder):
    if not books.have_data():
        return
    lines = in_order_of_source(books.real_log("oxford_spend")[0])
    equal(late_comers(lines), (10355, 388))
    check_pairs(folder, lines)


def generated_payments(folder):
    lines = in_order_of_source(books.generated(books.make_payment, 3000, seed=31))
    late, streams = late_comers(lines)
    check(late > 500 and streams > 50, late, streams)
    store, asked, expected = check_pairs(folder, lines)
    # What is appended later changes nothing of it.
    books.import_lines(store, books.generated(books.make_payment, 500, seed=32))
    equal(past_states(store, "chain", asked)[0], expected)
    # Snapshots are there; a bitemporal load goes without them and gives the same.
    past_states(store, "chain", [{}], "--snapshots", 4)
    equal(past_states(store, "chain", asked, "--snapshots", 4)[0], expected)


if __name__ == "__main__":
    if books.PAST_STATES is None:
        skip("DAYBOOK_PAST_STATES names no program")
    main(cases(generated_payments, council_payments))
