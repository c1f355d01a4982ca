#!/usr/bin/env python3
"""The past by the command: known answers come out of `daybook sql` and `daybook state`, at each of
their moments, before and after later appends, with and without snapshots.
"""

import json

import books
from books import END, moment, sql
from support import cases, check, equal, main, nanoseconds, run

LATER = "2100-01-01T00:00:00Z"


def moments_for(key, lines, in_time_order):
    """The ways to ask for the moment in `key` in a store that holds nothing but `lines`."""
    text = books.moment_in(key)
    if text == END:
        return [{}, moment(position=len(lines))]
    if not in_time_order:
        return [moment(effective=text), moment(len(lines), text)]
    return [moment(effective=text), moment(position=books.known_at(text, lines))]


def still_good(asked, lines):
    """The same moment once other facts are there that are effective later."""
    return asked if asked else moment(position=len(lines))


def known_then(asked, lines):
    """The same moment once facts are there that came late."""
    return asked if "position" in asked else {"position": len(lines), **asked}


def append(store, stream, kind, data, time):
    run("append", store, stream, "--type", kind, "--data", json.dumps(data), "--effective-at", time)


def ask_thrice(folder, lines, questions, later_event):
    """Asks, appends what is effective later, asks, appends what came late, and asks.

    `questions` are (how to ask, moments, answer); `later_event` is (stream, type, data).
    """
    store = folder / "s"
    books.import_lines(store, lines)
    for ask, asked_ways, answer in questions:
        for asked in asked_ways:
            equal(ask(store, asked), answer, asked)
    append(store, *later_event, LATER)
    for ask, asked_ways, answer in questions:
        equal(ask(store, still_good(asked_ways[0], lines)), answer, asked_ways[0])
    append(store, *later_event, "1990-01-01T00:00:00Z")
    for ask, asked_ways, answer in questions:
        equal(ask(store, known_then(asked_ways[0], lines)), answer, asked_ways[0])
    # What was appended is there, and is seen where nothing bounds what is known.
    check(any(ask(store, asked_ways[0]) != answer for ask, asked_ways, answer in questions
              if "effective" in asked_ways[0]), "what came late makes no difference")
    equal(run("state", store, later_event[0], "--fold", "last").json()["state"], later_event[2])


# --- state, with and without snapshots ----------------------------------------------------------


def states_are_the_same_with_snapshots(store, questions):
    """`state` for each (stream, fold, moment, value): three times, the first without snapshots.

    Returns how many snapshots there are then.
    """
    for stream, fold, asked, value in questions:
        ask = ["state", store, stream, "--fold", fold, *books.as_options(asked)]
        plain = run(*ask)
        equal(value(plain.json()), True, plain)
        for _ in range(2):
            equal(run(*ask, "--snapshots", "--snapshot-every", 4).out, plain.out)
    listed = run("snapshot", "list", store).lines()
    equal(run("verify", store, "--snapshots").json()["ok"], True)
    equal(sum(line["bytes"] for line in listed) > 0, bool(listed))
    return listed


def state_is(answer, events=None):
    def holds(printed):
        return printed["state"] == answer and (events is None or printed["events"] == events)
    return holds


def fine_is(answer):
    """The parts of a fine that a merge of its events shows."""
    def holds(printed):
        return (printed["events"] == answer["version"]
                and printed["state"].get("amount_cents", 0) == answer["amount_cents"]
                and printed["state"].get("expense_cents", 0) == answer["expense_cents"])
    return holds


# --- Fines --------------------------------------------------------------------------------------


def check_fines(folder, lines, answers, one_fine, later_event, in_time_order):
    questions = [(books.fines_by_sql, moments_for(key, lines, in_time_order), answer)
                 for key, answer in answers.items()]
    single = [(stream, asked, answer) for stream, key, answer in one_fine
              for asked in moments_for(key, lines, in_time_order)]
    for stream, key, answer in one_fine:
        def ask(store, asked, stream=stream):
            return books.one_fine_by_sql(store, stream, asked)
        questions.append((ask, moments_for(key, lines, in_time_order), answer))
    ask_thrice(folder, lines, questions, later_event)
    by_state = []
    for stream, asked, answer in single:
        then = known_then(asked, lines)
        by_state += [(stream, "merge", then, fine_is(answer)),
                     (stream, "count", then, state_is(answer["version"])),
                     (stream, "sum:paymentAmount_cents", then, state_is(answer["paid_cents"])),
                     (stream, "sum:/expense_cents", then, state_is(answer["expense_cents"]))]
    return states_are_the_same_with_snapshots(folder / "s", by_state)


def traffic_fines(folder):
    if not books.have_data():
        return
    lines, expected = books.real_log("rtfmp")
    answers = {key: answer for key, answer in expected.items() if key.startswith("Q1 ")}
    one_fine = [(key.split()[1], key, answer) for key, answer in expected.items()
                if key.startswith("Q2 ")]
    one_fine.append((expected["Q3 most payments"][0], "its state at the end",
                     expected["Q3 its state at the end"]))
    listed = check_fines(folder, lines, answers, one_fine,
                         ("fine-C20817", "Payment", {"paymentAmount_cents": 1}),
                         in_time_order=True)
    check(any(line["version"] == 20 for line in listed), listed)
    store, key = folder / "s", "Q3 most payments"
    counted = "SELECT stream, count(*) AS n FROM events WHERE type = 'Payment' " \
              "GROUP BY stream ORDER BY n DESC, stream LIMIT 1"
    row = sql(store, counted, "--as-of-position", len(lines))[0]
    equal([row["stream"], row["n"]], expected[key])
    wrong = "SELECT count(*) FILTER (WHERE total <> paid) AS wrong, count(*) AS n FROM (" \
            "SELECT data->>'$.totalPaymentAmount_cents' AS total, sum(data->>" \
            "'$.paymentAmount_cents') OVER (PARTITION BY stream ORDER BY effective_at, position) " \
            "AS paid FROM events WHERE type = 'Payment')"
    row = sql(store, wrong, "--as-of-position", len(lines))[0]
    key = next(key for key in expected if key.startswith("check: payments"))
    equal([row["wrong"], row["n"]], expected[key])


def generated_fines(folder):
    lines = books.generated(books.make_fine_event, 3000, seed=11)
    times = books.moments_of(lines)[1:]
    found = books.brute_force(lines, "fine", [moment(effective=time) for time in times] + [{}])
    keys = [f"Q1 book at {time}" for time in times] + ["Q1 book at the end"]
    answers = {key: books.book_of_fines(states) for key, states in zip(keys, found)}
    busiest = max(found[-1], key=lambda stream: found[-1][stream]["events"])
    one_fine = [(busiest, key, books.state_of_fine(states, busiest))
                for key, states in zip(keys[2:], found[2:])]
    listed = check_fines(folder, lines, answers, one_fine,
                         (busiest, "Payment", {"paymentAmount_cents": 1}), in_time_order=False)
    check(listed, "snapshots were taken")


# --- Suppliers ----------------------------------------------------------------------------------


def check_suppliers(folder, lines, answers, in_time_order):
    questions = [(books.suppliers_by_sql, moments_for(key, lines, in_time_order), answer)
                 for key, answer in answers.items()]
    first = next(iter(answers.values()))["top3"][0][0]
    ask_thrice(folder, lines, questions, (first, "RevenuePayment", {"amount_pence": 1}))
    by_state = [(stream, "sum:amount_pence", known_then(asked, lines), state_is(pence))
                for key, answer in answers.items() for stream, pence in answer["top3"]
                for asked in moments_for(key, lines, in_time_order)]
    listed = states_are_the_same_with_snapshots(folder / "s", by_state)
    check({"json.sum:amount_pence"} == {line["fold"] for line in listed}, listed)


def council_payments(folder):
    if not books.have_data():
        return
    lines, expected = books.real_log("oxford_spend")
    answers = {key: answer for key, answer in expected.items() if " book at " in key}
    equal(len(answers), 3)
    check_suppliers(folder, lines, answers, in_time_order=True)


def generated_payments(folder):
    lines = books.generated(books.make_payment, 3000, seed=12)
    times = books.moments_of(lines)[3:]
    found = books.brute_force(lines, "supplier", [moment(effective=time) for time in times] + [{}])
    keys = [f"Q book at {time}" for time in times] + ["Q book at the end"]
    answers = {key: books.book_of_suppliers(states) for key, states in zip(keys, found)}
    check_suppliers(folder, lines, answers, in_time_order=False)


# --- Accounts -----------------------------------------------------------------------------------


def check_accounts(folder, lines, stream, answers, in_time_order):
    def ask(store, asked):
        return books.accounts_by_sql(store, stream, asked)

    questions = [(ask, moments_for(key, lines, in_time_order), answer)
                 for key, answer in answers.items()]
    ask_thrice(folder, lines, questions, (stream, "Credited", {"value_sat": 1}))
    of_stream = [json.loads(line) for line in lines if json.loads(line)["stream"] == stream]
    by_state = []
    for key in answers:
        for asked in moments_for(key, lines, in_time_order):
            until = nanoseconds(LATER if books.moment_in(key) == END else books.moment_in(key))
            then = [event["data"]["value_sat"] for event in of_stream
                    if nanoseconds(event["time"]) <= until]
            by_state.append((stream, "sum:value_sat", known_then(asked, lines),
                             state_is(sum(then), len(then))))
    check(states_are_the_same_with_snapshots(folder / "s", by_state), "snapshots were taken")


def bitcoin_blocks(folder):
    if not books.have_data():
        return
    lines, expected = books.real_log("btc_blocks_1_255")
    key = "Q2 account-786929a9e558952c at block 170, at the end, sat"
    stream = key.split()[1].rstrip(",")
    keys = [f"at {expected['time_of_block_170']}", "at the end"]
    supplies = [expected["Q1 supply at block 170, sat (must be 170*50e8)"],
                expected["Q1 supply at the end, sat (must be 255*50e8)"]]
    counts = expected["Q3 accounts with a balance at block 170, at the end"]
    answers = {f"supply {at}": {"supply": supply, "with_balance": count, "balance": balance}
               for at, supply, count, balance in zip(keys, supplies, counts, expected[key])}
    check_accounts(folder, lines, stream, answers, in_time_order=True)
    below = "SELECT count(*) AS n FROM (SELECT sum(iif(type = 'Debited', -1, 1) * " \
            "(data->>'$.value_sat')) OVER (PARTITION BY stream ORDER BY effective_ns) AS b " \
            "FROM events) WHERE b < 0"
    equal(sql(folder / "s", below)[0]["n"], expected["check: negative balances ever"])


def generated_coins(folder):
    lines = books.generated(books.make_coin_event, 1500, seed=13)
    times = books.moments_of(lines)[1:]
    found = books.brute_force(lines, "account", [moment(effective=time) for time in times] + [{}])
    keys = [f"supply at {time}" for time in times] + ["supply at the end"]
    stream = max(found[-1], key=lambda name: found[-1][name]["events"])
    answers = {key: books.book_of_accounts(states, stream) for key, states in zip(keys, found)}
    check_accounts(folder, lines, stream, answers, in_time_order=False)


if __name__ == "__main__":
    main(cases(bitcoin_blocks, generated_coins, generated_payments, generated_fines,
               council_payments, traffic_fines))
