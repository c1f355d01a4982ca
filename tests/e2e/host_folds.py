#!/usr/bin/env python3
"""The past by folds in C++: the known answers, at each of their moments, before and after later
appends, with and without snapshots; and a false snapshot is found out.

Of the log of fines all states are asked for once at each moment. The other ways to them are asked
of a tenth of its streams, and must lead to the same states; with DAYBOOK_SOAK=1 of all.
"""

import bisect
import collections
import json
import os
import shutil

import books
from books import END, moment, past_states
from support import cases, check, equal, main, nanoseconds, run, skip

EVERY = 4
LATER = "2100-01-01T00:00:00Z"


class Question:
    """What is known of one moment: answers, each with the way to it from the states."""

    def __init__(self, asked, *answers):
        self.asked = asked
        self.answers = answers

    def of_some(self, states, ending):
        """The same of the streams that end so: of these states, which are right, theirs."""
        some = {stream: line for stream, line in states.items() if stream.endswith(ending)}
        check(len(some) > 1000, "few streams end with", ending)
        return Question(self.asked, (lambda found: found, some))

    def check(self, states):
        for answer_of, answer in self.answers:
            equal(answer_of(states), answer, self.asked)

    def is_right(self, states):
        return all(answer_of(states) == answer for answer_of, answer in self.answers)


def ask(store, fold, questions, *options):
    """Asks them one after another. Yields (question, states, what was counted)."""
    for question in questions:
        states, counted = past_states(store, fold, [question.asked], *options)
        yield question, states[0], counted


def check_all(store, fold, questions, *options):
    """Checks all answers, and sums up what was counted."""
    total = collections.Counter()
    for question, states, counted in ask(store, fold, questions, *options):
        question.check(states)
        total["folded_most"] = max(total["folded_most"], counted.pop("folded_max"))
        total.update(counted)
    return total


def with_snapshots(store, fold, questions, ending=""):
    """Asks twice: the first takes the snapshots that are missing, the second begins at them."""
    none_yet = not (store / "snapshots").exists()
    options = ["--snapshots", EVERY, "--ending", ending]
    counted = check_all(store, fold, questions, *options)
    equal((counted["taken"] > 0, counted["dropped"]), (none_yet, 0), counted)
    counted = check_all(store, fold, questions, *options)
    check(counted["hits"] > 0, counted)
    equal(counted["hits"], counted["could_hit"], counted)
    equal(counted["began_at_snapshot"], counted["hits"], counted)
    check(counted["folded_most"] <= EVERY, counted)


def a_false_snapshot_is_found_out(store, fold, question, ending=""):
    """A wrong answer from snapshots that were made false, and what verification says of them."""
    shutil.rmtree(store / "snapshots")
    snapshots = ["--snapshots", EVERY, "--ending", ending]
    past_states(store, fold, [question.asked], *snapshots, "--false-snapshots")
    states, counted = past_states(store, fold, [question.asked], *snapshots)
    check(counted["hits"] > 0, counted)
    check(not question.is_right(states[0]), "false snapshots gave true answers")

    report = books.verify_snapshots(store, fold)
    equal(report["ok"], False)
    check(report["replayed"] > 0, report["replayed"])
    equal({finding["kind"] for finding in report["findings"]}, {"snapshot"})

    # A load that is verified gives the answer of the replay, and counts and removes the false one.
    counted = check_all(store, fold, [question], *snapshots, "--verify-one-in", 1)
    check(counted["verified"] > 0 and counted["false_states"] > 0, counted)
    removed = len(report["findings"]) - len(books.verify_snapshots(store, fold)["findings"])
    check(removed > 0, counted)


def all_ways(folder, lines, fold, answers, later_event, falsified=-1, ending=""):
    """`answers` are (key with its moment, answer of all states, answer).

    `falsified` is the index of the moment at which snapshots are made false. Where `ending` is not
    empty, all states are asked for once, and the other ways of those streams that end so.
    """
    store = folder / "s"
    books.import_lines(store, lines)
    times = books.times_of(lines)
    equal(times, sorted(times), "the moment of a time is a position, where lines are in its order")
    at = collections.defaultdict(list)
    for key, answer_of, answer in answers:
        at[books.moment_in(key)].append((answer_of, answer))
    by_position, by_time, then = [], [], []
    for text, found in at.items():
        known = len(lines) if text == END else bisect.bisect_right(times, nanoseconds(text))
        effective = {} if text == END else {"effective": text}
        by_position.append(Question({"position": known}, *found))
        by_time.append(Question(effective, *found))
        then.append(Question({"position": len(lines), **effective}, *found))
    if ending:
        for number, (question, states, _) in enumerate(ask(store, fold, list(by_position))):
            question.check(states)
            for ways in (by_position, by_time, then):
                ways[number] = ways[number].of_some(states, ending)
    some = ["--ending", ending]
    counted = check_all(store, fold, [*by_position, *by_time], *some)
    check(counted["folded_most"] > EVERY, "no stream is long enough for this to show anything")
    with_snapshots(store, fold, by_position, ending)

    stream, kind, data = later_event
    check(stream.endswith(ending), "what is appended later is not looked at")
    for time in (LATER, "1990-01-01T00:00:00Z"):
        run("append", store, stream, "--type", kind, "--data", json.dumps(data),
            "--effective-at", time)
    check_all(store, fold, [*by_position, *then], *some)
    with_snapshots(store, fold, by_position, ending)
    a_false_snapshot_is_found_out(store, fold, by_position[falsified], ending)


def traffic_fines(folder):
    lines, expected = books.real_log("rtfmp")

    def state_of(stream):
        return lambda states: books.state_of_fine(states, stream)

    answers = [(key, books.book_of_fines, answer) for key, answer in expected.items()
               if key.startswith("Q1 ")]
    answers += [(key, state_of(key.split()[1]), answer) for key, answer in expected.items()
                if key.startswith("Q2 ")]
    answers.append(("its state at the end", state_of(expected["Q3 most payments"][0]),
                    expected["Q3 its state at the end"]))
    answers.sort(key=lambda item: books.moment_in(item[0]))  # the end is last
    ending = "" if os.environ.get("DAYBOOK_SOAK") else "7"
    all_ways(folder, lines, "fine", answers,
             (expected["Q3 most payments"][0], "Payment", {"paymentAmount_cents": 1}), falsified=0,
             ending=ending)


def council_payments(folder):
    lines, expected = books.real_log("oxford_spend")
    answers = [(key, books.book_of_suppliers, answer) for key, answer in expected.items()
               if " book at " in key]
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
    answers = [(at, lambda states: books.book_of_accounts(states, stream),
                {"supply": supply, "with_balance": count, "balance": balance})
               for at, supply, count, balance in zip(keys, supplies, counts, expected[key])]
    all_ways(folder, lines, "account", answers, (stream, "Credited", {"value_sat": 1}))


def real(function):
    def test(folder):
        if books.have_data():
            function(folder)
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
        questions = [Question(at, (lambda states: states, answer))
                     for at, answer in zip(asked, expected)]
        with_snapshots(store, shape, questions)
        run("import", store, "-", stdin=b"\n".join(books.generated(make, 300, seed + 1)))
        check_all(store, shape, questions)
        with_snapshots(store, shape, questions)
        a_false_snapshot_is_found_out(store, shape, questions[-1])
    test.__name__ = f"generated_{shape}"
    return test


def the_command_finds_out_its_own(folder):
    """A snapshot of the command's own fold that is false: a wrong answer, and verify says so."""
    store = folder / "s"
    lines = books.generated(books.make_payment, 1200, seed=3)
    books.import_lines(store, lines)
    fold = "sum:amount_pence"
    stream = max(run("streams", store).lines(), key=lambda line: line["version"])["stream"]
    words = ["state", store, stream, "--fold", fold]
    plain = run(*words).json()
    past_states(store, f"twice:{fold}", [{}], "--snapshots", EVERY)
    wrong = run(*words, "--snapshots", "--snapshot-every", EVERY).json()
    check(wrong["state"] != plain["state"], "a false snapshot gave a true answer", wrong)
    equal(run(*words).json(), plain)
    equal(run("verify", store).json()["ok"], True)
    report = run("verify", store, "--snapshots", code=4).json()
    equal({finding["kind"] for finding in report["findings"]}, {"snapshot"})
    check(run("snapshot", "drop", store).lines(), "something was dropped")
    equal(run("verify", store, "--snapshots").json()["ok"], True)
    equal(run(*words, "--snapshots", "--snapshot-every", EVERY).json(), plain)


if __name__ == "__main__":
    if books.PAST_STATES is None:
        skip("DAYBOOK_PAST_STATES names no program")
    main(cases(real(bitcoin_blocks), generated(books.make_coin_event, "account", 21),
               generated(books.make_payment, "supplier", 22),
               generated(books.make_fine_event, "fine", 23),
               generated(books.make_payment, "chain", 24), the_command_finds_out_its_own,
               real(council_payments), real(traffic_fines)))
