#!/usr/bin/env python3
"""The past by folds in C++: the known answers, at each of their moments, before and after later
appends, with and without snapshots; and a false snapshot is found out.
"""

import json
import shutil

import books
from books import END, moment, past_states
from support import cases, check, equal, main, nanoseconds, run, skip

EVERY = 4
LATER = "2100-01-01T00:00:00Z"


def positions_of(keys, lines):
    """The position that is the moment in each key: the lines are in order of time."""
    times = [nanoseconds(json.loads(line)["time"]) for line in lines]
    equal(times, sorted(times))
    found = []
    for key in keys:
        text = books.moment_in(key)
        found.append(len(lines) if text == END
                     else sum(time <= nanoseconds(text) for time in times))
    return found


def check_answers(states, answers):
    for found, (answer_of, answer) in zip(states, answers):
        equal(answer_of(found), answer)


def with_snapshots(store, fold, positions, answers):
    """Asks twice: the first takes the snapshots that are missing, the second begins at them."""
    none_yet = not (store / "snapshots").exists()
    asked = [moment(position=position) for position in positions]
    _, counted = first = past_states(store, fold, asked, "--snapshots", EVERY)
    check_answers(first[0], answers)
    equal((counted["taken"] > 0, counted["dropped"]), (none_yet, 0), counted)
    states, counted = past_states(store, fold, asked, "--snapshots", EVERY)
    check_answers(states, answers)
    check(counted["hits"] > 0, counted)
    equal(counted["hits"], counted["could_hit"], counted)
    equal(counted["began_at_snapshot"], counted["hits"], counted)
    check(counted["folded_max"] <= EVERY, counted)
    return states


def a_false_snapshot_is_found_out(store, fold, positions, answers):
    """A wrong answer from a snapshot that was made false, and what verification says of it."""
    shutil.rmtree(store / "snapshots")
    asked = [moment(position=position) for position in positions]
    past_states(store, fold, asked, "--snapshots", EVERY, "--false-snapshots")
    states, counted = past_states(store, fold, asked, "--snapshots", EVERY)
    check(counted["hits"] > 0, counted)
    wrong = sum(answer_of(found) != answer for found, (answer_of, answer) in zip(states, answers))
    check(wrong > 0, "false snapshots gave true answers, so this shows nothing")

    report = books.verify_snapshots(store, fold)
    equal(report["ok"], False)
    check(report["replayed"] > 0, report)
    equal({finding["kind"] for finding in report["findings"]}, {"snapshot"})

    # A load that is verified gives the answer of the replay, and counts and removes the false one.
    states, counted = past_states(store, fold, asked, "--snapshots", EVERY, "--verify-one-in", 1)
    check_answers(states, answers)
    check(counted["verified"] > 0 and counted["false_states"] > 0, counted)
    removed = len(report["findings"]) - len(books.verify_snapshots(store, fold)["findings"])
    check(removed > 0, counted)


def all_ways(folder, lines, fold, answers, later_event):
    """`answers` are key -> (answer of all states, answer)."""
    store = folder / "s"
    books.import_lines(store, lines)
    positions = positions_of(answers, lines)
    expected = list(answers.values())
    effective = [{} if books.moment_in(key) == END else moment(effective=books.moment_in(key))
                 for key in answers]
    asked = [moment(position=position) for position in positions]
    states, counted = past_states(store, fold, [*asked, *effective])
    check_answers(states, [*expected, *expected])
    check(counted["folded_max"] > EVERY, "no stream is long enough for this to show anything")
    equal([*states[:len(asked)]], with_snapshots(store, fold, positions, expected))

    stream, kind, data = later_event
    for time in (LATER, "1990-01-01T00:00:00Z"):
        run("append", store, stream, "--type", kind, "--data", json.dumps(data),
            "--effective-at", time)
    bitemporal = [{"position": len(lines), **moment_} for moment_ in effective]
    states, _ = past_states(store, fold, bitemporal)
    check_answers(states, expected)
    equal(past_states(store, fold, asked)[0], with_snapshots(store, fold, positions, expected))
    a_false_snapshot_is_found_out(store, fold, positions, expected)


def traffic_fines(folder):
    lines, expected = books.real_log("rtfmp")
    answers = {}
    for key, answer in expected.items():
        if key.startswith("Q1 "):
            answers[key] = (books.book_of_fines, answer)
        elif key.startswith("Q2 "):
            answers[key] = (lambda states, stream=key.split()[1]:
                            books.state_of_fine(states, stream), answer)
    most = expected["Q3 most payments"][0]
    answers["state at the end"] = (lambda states: books.state_of_fine(states, most),
                                   expected["Q3 its state at the end"])
    all_ways(folder, lines, "fine", answers, ("fine-A100", "Payment", {"paymentAmount_cents": 1}))


def council_payments(folder):
    lines, expected = books.real_log("oxford_spend")
    answers = {key: (books.book_of_suppliers, answer) for key, answer in expected.items()
               if " book at " in key}
    stream = expected["longest_stream"][0]
    all_ways(folder, lines, "supplier", answers, (stream, "RevenuePayment", {"amount_pence": 1}))


def bitcoin_blocks(folder):
    lines, expected = books.real_log("btc_blocks_1_255")
    key = "Q2 account-786929a9e558952c at block 170, at the end, sat"
    stream = key.split()[1].rstrip(",")
    counts = expected["Q3 accounts with a balance at block 170, at the end"]
    supplies = [expected["Q1 supply at block 170, sat (must be 170*50e8)"],
                expected["Q1 supply at the end, sat (must be 255*50e8)"]]
    keys = [f"supply at {expected['time_of_block_170']}", "supply at the end"]
    answers = {at: (lambda states: books.book_of_accounts(states, stream),
                    {"supply": supply, "with_balance": count, "balance": balance})
               for at, supply, count, balance in zip(keys, supplies, counts, expected[key])}
    all_ways(folder, lines, "account", answers, (stream, "Credited", {"value_sat": 1}))


def real(function):
    def test(folder):
        if books.have_data():
            function(folder)
        else:
            print(f"SKIPPED: no real event logs in {books.DATA}")
    test.__name__ = function.__name__
    return test


def generated(make, shape, seed):
    """All states at positions, by brute force, against the fold with and without snapshots."""
    def test(folder):
        store = folder / "s"
        lines = books.generated(make, 2500, seed)
        books.import_lines(store, lines)
        positions = [1, 2, 7, len(lines) // 3, len(lines) // 2, len(lines) - 1, len(lines)]
        asked = [moment(position=position) for position in positions]
        times = [moment(effective=time) for time in books.moments_of(lines)]
        both = [{**one, **other} for one, other in zip(asked, times)]
        expected = books.brute_force(lines, shape, [*asked, *times, *both])
        equal(past_states(store, shape, [*asked, *times, *both])[0], expected)
        answers = [(lambda states: states, answer) for answer in expected[:len(asked)]]
        with_snapshots(store, shape, positions, answers)
        run("import", store, "-", stdin=b"\n".join(books.generated(make, 300, seed + 1)))
        equal(past_states(store, shape, asked)[0], expected[:len(asked)])
        with_snapshots(store, shape, positions, answers)
        a_false_snapshot_is_found_out(store, shape, positions, answers)
    test.__name__ = f"generated_{shape}"
    return test


def the_command_finds_out_its_own(folder):
    """A snapshot of the command's own fold that is false: a wrong answer, and verify says so."""
    store = folder / "s"
    lines = books.generated(books.make_payment, 1200, seed=3)
    books.import_lines(store, lines)
    fold = "sum:amount_pence"
    stream = max(run("streams", store).lines(), key=lambda line: line["version"])["stream"]
    ask = ["state", store, stream, "--fold", fold]
    plain = run(*ask).json()
    past_states(store, f"twice:{fold}", [{}], "--snapshots", EVERY)
    wrong = run(*ask, "--snapshots", "--snapshot-every", EVERY).json()
    check(wrong["state"] != plain["state"], "a false snapshot gave a true answer", wrong)
    equal(run(*ask).json(), plain)
    equal(run("verify", store).json()["ok"], True)
    report = run("verify", store, "--snapshots", code=4).json()
    equal({finding["kind"] for finding in report["findings"]}, {"snapshot"})
    check(run("snapshot", "drop", store).lines(), "something was dropped")
    equal(run("verify", store, "--snapshots").json()["ok"], True)
    equal(run(*ask, "--snapshots", "--snapshot-every", EVERY).json(), plain)


if __name__ == "__main__":
    if books.PAST_STATES is None:
        skip("DAYBOOK_PAST_STATES names no program")
    main(cases(real(bitcoin_blocks), generated(books.make_coin_event, "account", 21),
               generated(books.make_payment, "supplier", 22),
               generated(books.make_fine_event, "fine", 23),
               generated(books.make_payment, "chain", 24), the_command_finds_out_its_own,
               real(council_payments), real(traffic_fines)))
