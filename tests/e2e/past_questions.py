#!/usr/bin/env python3
"""state, diff, blame, bisect, snapshot and sql: what they print, and what they say to bad input."""

import base64
import csv
import io
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time

import books
from support import BINARY, TIME, UUID, cases, check, equal, main, run

AUDITOR = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
FUTURE = "2200-01-01T00:00:00Z"


def append(store, stream, kind, data, *options):
    text = data if isinstance(data, str) else json.dumps(data)
    return run("append", store, stream, "--type", kind, "--data", text, *options).json()


def a_loan(store):
    """A loan with a rate that was corrected late: positions 1 to 5, and another stream between."""
    append(store, "loan-7", "Opened", '{"customer":"Ada","limit":50000,"rate":3.10}',
           "--effective-at", "2025-01-02T00:00:00Z")
    append(store, "loan-7", "LimitRaised", {"limit": 80000},
           "--effective-at", "2025-02-01T00:00:00Z")
    append(store, "loan-8", "Opened", {"customer": "Bob", "limit": 100})
    append(store, "loan-7", "Agreed", {"notes": {"a": 1, "b": 2}},
           "--effective-at", "2025-03-01T00:00:00Z")
    append(store, "loan-7", "RateCorrected", '{"rate":2.90,"notes":{"b":null}}',
           "--effective-at", "2025-01-15T00:00:00Z")


def tree(store):
    return sorted((str(path.relative_to(store)), path.stat().st_mtime_ns)
                  for path in store.rglob("*"))


# --- What they print ----------------------------------------------------------------------------


def state_prints_what_it_rests_on(folder):
    store = folder / "s"
    a_loan(store)
    result = run("state", store, "loan-7")
    printed = result.json()
    equal(list(printed), ["stream", "basis", "events", "order", "state"])
    equal(list(printed["basis"]), ["position", "version", "recorded_at", "effective_at", "final"])
    check(TIME.match(printed["basis"]["recorded_at"]), printed)
    equal((printed["basis"]["position"], printed["basis"]["version"], printed["events"]), (5, 4, 4))
    equal((printed["basis"]["effective_at"], printed["order"]), (None, "position"))
    check(b'"state":{"customer":"Ada","limit":80000,"rate":2.90,"notes":{"a":1}}}' in result.out,
          result)
    then = run("state", store, "loan-7", "--as-of-version", 2)
    check(b'"state":{"customer":"Ada","limit":80000,"rate":3.10}}' in then.out, then)
    equal(then.json()["basis"]["final"], True)
    effective = run("state", store, "loan-7", "--as-of-effective", "2025-02-15T00:00:00Z").json()
    equal((effective["order"], effective["events"], effective["basis"]["version"]),
          ("effective", 3, 4))
    equal(effective["basis"]["effective_at"], "2025-02-15T00:00:00.000000000Z")
    equal(effective["state"], {"customer": "Ada", "limit": 80000, "rate": 2.90, "notes": {}})
    both = run("state", store, "loan-7", "--as-of-effective", "2025-02-15T00:00:00Z",
               "--as-of-position", 4).json()
    equal((both["events"], both["basis"]["version"], both["state"]["rate"]), (2, 3, 3.10))


def amounts_are_exact_and_numbers_stay_as_written(folder):
    store = folder / "s"
    for number in ("9223372036854775806", "1", "-0", "0.10", "1e2"):
        append(store, "a", "T", f'{{"n":{number},"s":"x"}}')
    for version, answer in [(1, b"9223372036854775806"), (2, b"9223372036854775807"),
                            (4, b"9223372036854775807.10"), (5, b"9223372036854775907.10")]:
        result = run("state", store, "a", "--fold", "sum:n", "--as-of-version", version)
        check(b'"state":' + answer + b"}" in result.out, result)
    result = run("state", store, "a", "--fold", "last", "--as-of-version", 3)
    check(b'"state":{"n":-0,"s":"x"}}' in result.out, result)
    equal(run("state", store, "a", "--fold", "count").json()["state"], 5)
    error = run("state", store, "a", "--fold", "sum:s", code=1).error()
    equal(error["code"], "invalid_argument")


def the_basis_gives_the_same_answer_again(folder):
    store = folder / "s"
    a_loan(store)
    first = run("state", store, "loan-7", "--as-of-recorded", FUTURE).json()
    equal(first["basis"]["final"], False)
    append(store, "loan-7", "LimitRaised", {"limit": 1})
    again = run("state", store, "loan-7", "--as-of-position", first["basis"]["position"]).json()
    equal(again["state"], first["state"])
    equal(again["basis"], {**first["basis"], "final": True})
    now = run("state", store, "loan-7", "--as-of-recorded", FUTURE).json()
    equal(now["state"]["limit"], 1)
    moment = first["basis"]["recorded_at"]
    equal(run("state", store, "loan-7", "--as-of-recorded", moment).json()["state"],
          first["state"])


def diff_tells_each_field(folder):
    store = folder / "s"
    a_loan(store)
    result = run("diff", store, "loan-7", "--from-position", 1, "--to-position", 5)
    equal(result.lines(), [
        {"field": "limit", "before": 50000, "after": 80000, "position": 2},
        {"field": "rate", "before": 3.10, "after": 2.90, "position": 5},
        {"field": "notes", "before": None, "after": {"a": 1}, "position": 5}])
    check(b'"before":3.10,"after":2.90' in result.out, result)
    equal(run("diff", store, "loan-7", "--from-position", 1).out, result.out)
    equal(run("diff", store, "loan-7", "--from-position", 2, "--to-position", 3).lines(), [])
    nested = run("diff", store, "loan-7", "--from-position", 4, "--to-position", 5).lines()
    equal([line["field"] for line in nested], ["rate", "/notes/b"])
    equal(nested[1], {"field": "/notes/b", "before": 2, "after": None, "position": 5})
    all_ = run("diff", store, "loan-7", "--from-position", 0, "--to-position", 1).lines()
    equal([(line["field"], line["before"]) for line in all_],
          [("customer", None), ("limit", None), ("rate", None)])
    known = run("diff", store, "loan-7", "--from-position", 4, "--to-position", 5,
                "--as-of-effective", "2025-01-31T00:00:00Z").lines()
    equal([(line["field"], line["after"]) for line in known], [("rate", 2.90), ("notes", {})])
    counted = run("diff", store, "loan-7", "--from-position", 1, "--fold", "count").lines()
    equal(counted, [{"field": "", "before": 1, "after": 4, "position": 5}])
    equal(run("diff", store, "loan-7", "--from-position", 3, "--to-position", 2,
              code=1).error()["code"], "invalid_argument")


def blame_names_the_event(folder):
    store = folder / "s"
    a_loan(store)
    line = run("blame", store, "loan-7", "--field", "rate").json()
    equal(list(line), ["field", "value", "position", "version", "type", "id", "recorded_at",
                       "effective_at"])
    equal((line["field"], line["value"], line["position"], line["version"], line["type"]),
          ("rate", 2.90, 5, 4, "RateCorrected"))
    check(UUID.match(line["id"]) and TIME.match(line["recorded_at"]), line)
    equal(line["effective_at"], "2025-01-15T00:00:00.000000000Z")
    line = run("blame", store, "loan-7", "--field", "rate", "--as-of-version", 3).json()
    equal((line["value"], line["type"]), (3.10, "Opened"))
    removed = run("blame", store, "loan-7", "--field", "/notes/b").json()
    equal((removed["value"], removed["position"]), (None, 5))
    equal(run("blame", store, "loan-7", "--field", "nothing").lines(), [])
    equal(run("blame", store, "nobody", "--field", "rate").lines(), [])


def bisect_finds_the_first_event(folder):
    store = folder / "s"
    a_loan(store)
    event = run("bisect", store, "loan-7", "--where", '"limit" > 60000').json()
    equal(event, run("read", store, "--position", 2).json())
    for options in [["--monotone"], ["--as-of-version", 3], ["--as-of-recorded", FUTURE]]:
        equal(run("bisect", store, "loan-7", "--where", '"limit" > 60000', *options).json(), event)
    event = run("bisect", store, "loan-7", "--where", "rate < 3 AND type = 'RateCorrected'").json()
    equal(event["position"], 5)
    equal(run("bisect", store, "loan-7", "--where", "state >= 3", "--fold",
              "count").json()["position"], 4)
    equal(run("bisect", store, "loan-7", "--where", "rate < 2").lines(), [])
    equal(run("bisect", store, "nobody", "--where", "1").lines(), [])
    event = run("bisect", store, "loan-7", "--where", '"limit" > 60000', "--as-of-effective",
                "2025-01-31T00:00:00Z")
    equal(event.lines(), [])


def explanations_of_generated_histories_are_those_of_a_model(folder):
    store = folder / "s"
    dice = random.Random(5)
    states, data, lines = [{}], [], []
    for _ in range(120):
        change = {f"f{dice.randrange(6)}": dice.choice([1, 2, "x", None, dice.randrange(9)])
                  for _ in range(dice.randrange(1, 3))}
        data.append(change)
        merged = {**states[-1], **change}
        states.append({name: value for name, value in merged.items() if value is not None})
        lines.append(json.dumps({"stream": "a", "type": "T", "data": change}).encode())
    books.import_lines(store, lines)

    def blamed(field, upto):
        """The last position at which the field's value became another."""
        return max((p for p in range(1, upto + 1)
                    if states[p].get(field) != states[p - 1].get(field)), default=None)

    for _ in range(25):
        first, last = sorted((dice.randrange(121), dice.randrange(121)))
        printed = run("diff", store, "a", "--from-position", first, "--to-position", last).lines()
        before, after = states[first], states[last]
        expected = {name: (before.get(name), after.get(name)) for name in {*before, *after}
                    if before.get(name) != after.get(name)}
        equal({line["field"]: (line["before"], line["after"]) for line in printed}, expected)
        field = f"f{dice.randrange(6)}"
        lines = run("blame", store, "a", "--field", field, "--as-of-position", last).lines()
        found = [(line["position"], line["value"]) for line in lines]
        position = blamed(field, last)
        equal(found, [] if position is None else [(position, states[last].get(field))], field)
        wanted = dice.randrange(9)
        printed = run("bisect", store, "a", "--where", f"{field} = {wanted}").lines()
        first = next((p for p in range(1, 121) if states[p].get(field) == wanted), None)
        equal([line["position"] for line in printed], [] if first is None else [first])


def snapshots_are_listed_dropped_and_counted(folder):
    store = folder / "s"
    books.import_lines(store, books.generated(books.make_payment, 800, seed=2))
    stream = max(run("streams", store).lines(), key=lambda line: line["version"])["stream"]
    equal(run("snapshot", "list", store).lines(), [])
    equal(run("snapshot", "drop", store).lines(), [])
    before = tree(store)
    plain = run("state", store, stream)
    equal(tree(store), before, "a state that was not asked to takes no snapshots")
    for _ in range(2):
        equal(run("state", store, stream, "--snapshots", "--snapshot-every", 4).out, plain.out)
    equal(run("state", store, "supplier-1", "--snapshots", "--snapshot-every", 4, "--fold",
              "count").code, 0)
    listed = run("snapshot", "list", store).lines()
    equal(list(listed[0]), ["stream", "fold", "revision", "version", "position", "bytes"])
    equal({line["fold"] for line in listed}, {"json.merge", "json.count"})
    check(all(line["version"] % 4 == 0 and line["bytes"] > 0 for line in listed), listed)
    heads = {line["stream"]: line for line in run("streams", store).lines()}
    check(all(line["position"] <= heads[line["stream"]]["last_position"] for line in listed))
    check(run("stats", store).json()["bytes"]["snapshots"] > 0)
    one = run("snapshot", "list", store, stream).lines()
    equal(one, [line for line in listed if line["stream"] == stream])
    equal(run("verify", store, "--snapshots").json()["findings"], [])
    equal(run("snapshot", "drop", store, stream).lines(), one)
    rest = [line for line in listed if line["stream"] != stream]
    equal(run("snapshot", "list", store).lines(), rest)
    equal(run("snapshot", "drop", store).lines(), rest)
    equal(run("snapshot", "list", store).lines(), [])
    equal(run("state", store, stream).out, plain.out)


# --- sql ----------------------------------------------------------------------------------------


def rows_come_in_every_format(folder):
    store = folder / "s"
    text = 'a,"b"\r\nc\u00fc'
    append(store, "a-1", "T", {"n": 2**63 - 1, "text": text, "none": None, "real": 0.1})
    run("append", store, "a-2", "--type", "T", "--data", "@" + str(write(folder, b"\x00\xff")),
        "--content-type", "application/octet-stream")
    query = "SELECT position, data->>'$.n' AS n, data->>'$.text' AS text, data->>'$.none' " \
            "AS none, data->>'$.real' AS real, data_blob FROM events"
    blob = base64.b64encode(b"\x00\xff").decode()
    lines = run("sql", store, query).lines()
    equal(lines[0] | {"data_blob": 0}, {"position": 1, "n": 2**63 - 1, "text": text, "none": None,
                                        "real": 0.1, "data_blob": 0})
    equal(lines[1], {"position": 2, "n": None, "text": None, "none": None, "real": None,
                     "data_blob": blob})
    array = run("sql", store, query, "--format", "json")
    equal(json.loads(array.out), lines)
    equal(json.loads(run("sql", store, query + " WHERE 0", "--format", "json").out), [])
    rows = list(csv.reader(io.StringIO(run("sql", store, query, "--format", "csv").out.decode(),
                                       newline="")))
    equal(rows[0], list(lines[0]))
    equal(rows[1][:5], ["1", str(2**63 - 1), text, "", "0.1"])
    equal(rows[2], ["2", "", "", "", "", blob])
    table = run("sql", store, "SELECT stream, version AS v, NULL AS none FROM streams ORDER BY 1",
                "--format", "table").out.decode()
    equal(table, "stream | v | none\n-------+---+-----\na-1    | 1 | NULL\na-2    | 1 | NULL\n"
                 "(2 rows)\n")


def write(folder, bytes_):
    path = folder / "bytes"
    path.write_bytes(bytes_)
    return path


def tables_have_the_columns_of_the_contract(folder):
    store = folder / "s"
    a_loan(store)
    columns = {
        "events": ["position", "stream", "category", "version", "type", "id", "recorded_at",
                   "effective_at", "recorded_ns", "effective_ns", "data", "data_blob", "metadata",
                   "tags"],
        "streams": ["stream", "version", "first_position", "last_position", "last_recorded_at"],
        "state": ["stream", "version", "position", "state"]}
    for table, names in columns.items():
        equal(list(run("sql", store, f"SELECT * FROM {table} LIMIT 1").json()), names)
    equal(run("sql", store, "SELECT * FROM streams ORDER BY stream").lines(),
          run("streams", store).lines())
    rows = run("sql", store, "SELECT * FROM state ORDER BY stream").lines()
    for row in rows:
        printed = run("state", store, row["stream"]).json()
        equal((row["version"], row["position"], json.loads(row["state"])),
              (printed["basis"]["version"], printed["basis"]["position"], printed["state"]))


def times_compare_as_moments(folder):
    store = folder / "s"
    a_loan(store)
    for text in ["2025-02-01T00:00:00Z", "2025-02-01T01:00:00+01:00", "2025-01-31T19:00:00.0-05:00",
                 "2025-02-01T00:00:00.000000000Z"]:
        for query, expected in [(f"effective_at = '{text}'", [2]),
                                (f"'{text}' >= effective_at", [1, 2, 5]),
                                (f"effective_at > '{text}' AND stream = 'loan-7'", [4])]:
            rows = run("sql", store, f"SELECT position FROM events WHERE {query}").lines()
            equal([row["position"] for row in rows], expected, query)
    equal(run("sql", store, "SELECT 1 FROM events WHERE effective_at < '2025-02-01T00:00:00'",
              code=1).error()["code"], "invalid_argument")


def the_whole_query_sees_the_moment(folder):
    store = folder / "s"
    a_loan(store)
    query = "SELECT (SELECT count(*) FROM events) AS e, (SELECT count(*) FROM streams) AS s, " \
            "(SELECT count(*) FROM state) AS t"
    for options, answer in [([], (5, 2, 2)), (["--as-of-position", 2], (2, 1, 1)),
                            (["--as-of-position", 0], (0, 0, 0)),
                            (["--as-of-recorded", "1990-01-01T00:00:00Z"], (0, 0, 0)),
                            (["--as-of-effective", "2025-01-31T00:00:00Z"], (2, 1, 1)),
                            (["--as-of-effective", "2025-01-31T00:00:00Z", "--as-of-position", 4],
                             (1, 1, 1))]:
        equal(tuple(run("sql", store, query, *options).json().values()), answer, options)


def sql_only_reads(folder):
    store = folder / "s"
    a_loan(store)
    before = tree(store)
    for statement in ["INSERT INTO events(stream) VALUES ('x')", "UPDATE events SET type = 'x'",
                      "DELETE FROM events", "DROP TABLE events", "CREATE TABLE x(y)",
                      "CREATE TEMP TABLE x(y)", f"ATTACH '{folder}/x.db' AS x",
                      f"VACUUM INTO '{folder}/y.db'", "PRAGMA user_version",
                      "PRAGMA writable_schema=1", "SELECT load_extension('x')",
                      "SELECT 1; DROP TABLE events", "BEGIN", "SELECT 1; SELECT 2",
                      "", "  ", "-- nothing", "SELEC 1", "SELECT nothing",
                      "SELECT * FROM nothing", "SELECT 'open"]:
        error = run("sql", store, statement, code=1).error()
        equal(error["code"], "invalid_argument", statement)
    equal(tree(store), before)
    equal(sorted(os.listdir(folder)), ["s"])


def limits_end_a_query_with_8_and_whole_output(folder):
    store = folder / "s"
    books.import_lines(store, books.generated(books.make_payment, 3000, seed=4))
    result = run("sql", store, "SELECT position FROM events", "--max-rows", 3, code=8)
    equal([row["position"] for row in result.lines()], [1, 2, 3])
    equal(run("sql", store, "SELECT position FROM events LIMIT 3", "--max-rows", 3).code, 0)
    result = run("sql", store, "SELECT position FROM events", "--max-rows", 3, "--format", "json",
                 code=8)
    equal(len(json.loads(result.out)), 3)
    equal(run("sql", store, "SELECT 1", "--max-rows", 0, code=8).out, b"")
    never = ["WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
             # A scan that matches nothing.
             "SELECT 1 FROM events a, events b, events c WHERE a.data || b.data || c.data = 'x'",
             "SELECT count(*) FROM events a, events b, events c WHERE a.type < b.type || c.type"]
    for query in never:
        start = time.monotonic()
        equal(run("sql", store, query, "--timeout", "0.3", code=8).error()["code"],
              "deadline_exceeded")
        check(time.monotonic() - start < 20, query)


def an_interrupt_ends_a_query_with_130(folder):
    store = folder / "s"
    a_loan(store)
    query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    process = subprocess.Popen([BINARY, "sql", store, query], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    equal(process.returncode, 130, err)


def a_closed_pipe_is_no_error(folder):
    store = folder / "s"
    books.import_lines(store, books.generated(books.make_payment, 3000, seed=4))
    query = "SELECT a.*, b.data AS other FROM events a, events b"
    for format_ in (["--format", "csv"], ["--format", "json"], ["--format", "table"], []):
        process = subprocess.Popen([BINARY, "sql", store, query, *format_], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        equal((process.wait(timeout=120), err), (0, b""), format_)


# --- Bad input ----------------------------------------------------------------------------------


def questions(stream="loan-7"):
    """Every way to ask about a stream."""
    return [["state", stream], ["state", stream, "--fold", "count"],
            ["blame", stream, "--field", "x"], ["bisect", stream, "--where", "1"]]


def ask(store, question, *options, code=0):
    return run(question[0], store, *question[1:], *options, code=code)


def an_empty_past_is_empty(folder):
    store = folder / "s"
    a_loan(store)
    before_all = [["--as-of-recorded", "1990-01-01T00:00:00Z"], ["--as-of-position", 0],
                  ["--as-of-version", 0], ["--as-of-effective", "1990-01-01T00:00:00Z"]]
    for moment in before_all:
        for fold, state in [("merge", {}), ("count", 0), ("sum:x", 0), ("last", None)]:
            printed = run("state", store, "loan-7", "--fold", fold, *moment).json()
            equal((printed["events"], printed["state"]), (0, state), moment)
            if "--as-of-effective" not in moment:
                equal(printed["basis"] | {"final": True},
                      {"position": 0, "version": 0, "recorded_at": None, "effective_at": None,
                       "final": True})
        for question in questions()[2:]:
            equal(ask(store, question, *moment).lines(), [])
    printed = run("state", store, "nobody").json()
    equal((printed["basis"]["version"], printed["events"], printed["state"]), (0, 0, {}))
    equal(run("diff", store, "nobody", "--from-position", 0, "--to-position", 5).lines(), [])
    equal(run("sql", store, "SELECT * FROM events", "--as-of-position", 0).lines(), [])


def beyond_the_head_is_1_and_names_the_head(folder):
    store = folder / "s"
    a_loan(store)
    for question in questions():
        for options, head in [(["--as-of-version", 5], "4"), (["--as-of-position", 6], "5")]:
            error = ask(store, question, *options, code=1).error()
            check("head" in error["message"] and head in error["message"], question, error)
    for question in [["diff", store, "loan-7", "--from-position", 6],
                     ["diff", store, "loan-7", "--from-position", 1, "--to-position", 6],
                     ["sql", store, "SELECT 1 FROM events", "--as-of-position", 6]]:
        error = run(*question, code=1).error()
        check("head" in error["message"] and "5" in error["message"], error)


def times_without_a_zone_are_1(folder):
    store = folder / "s"
    a_loan(store)
    for question in questions():
        for option in ("--as-of-recorded", "--as-of-effective"):
            error = ask(store, question, option, "2025-01-01T00:00:00", code=1).error()
            check("zone" in error["message"] and option in error["message"], error)
    run("sql", store, "SELECT 1", "--as-of-effective", "2025-01-01", code=1)


def folds_that_cannot_take_an_event_name_it(folder):
    store = folder / "s"
    run("append", store, "a", "--type", "T", "--data", "@" + str(write(folder, b"\x00")),
        "--content-type", "application/octet-stream")
    append(store, "b", "T", {"n": 1})
    append(store, "b", "T", [1])
    append(store, "c", "T", {"n": 2**63 - 1})
    append(store, "c", "T", {"n": 1})
    equal(run("state", store, "a", "--fold", "count").json()["state"], 1)
    equal(run("state", store, "b", "--fold", "last").json()["state"], [1])
    for stream, fold, place in [("a", "merge", "1"), ("a", "last", "1"), ("b", "merge", "3"),
                                ("b", "sum:n", "3"), ("c", "sum:n", "5")]:
        error = run("state", store, stream, "--fold", fold, code=None).error()
        check(place in error["message"], stream, fold, error)
        check(run("state", store, stream, "--fold", fold, code=None).code in (1, 7), error)
    for fold in ("median", "sum", "sum:", "sum:/a~2", "MERGE", ""):
        run("state", store, "b", "--fold", fold, code=1)
        run("sql", store, "SELECT 1", "--fold", fold, code=1)


def predicates_that_fail_are_1(folder):
    store = folder / "s"
    a_loan(store)
    for where in ["", "limit >", "(SELECT count(*) FROM events)", "1; DROP TABLE x",
                  "nofunction(1)", "load_extension('x')", "json_extract(state, 'bad') = 1",
                  "abs(-9223372036854775808)"]:
        error = run("bisect", store, "loan-7", "--where", where, code=1).error()
        equal(error["code"], "invalid_argument", where)


def an_auditor_asks_everything_and_writes_nothing(folder):
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        print("SKIPPED: only root can become another user")
        return
    with tempfile.TemporaryDirectory(prefix="daybook-e2e-") as open_folder:
        os.chmod(open_folder, 0o755)
        binary = shutil.copy(BINARY, open_folder)
        store = pathlib.Path(open_folder) / "s"
        a_loan(store)
        run("state", store, "loan-7", "--snapshots", "--snapshot-every", 2)
        before = tree(store)
        plain = run("state", store, "loan-7").out

        def auditor(*words):
            return subprocess.run([*AUDITOR, binary, *map(str, words)], capture_output=True,
                                  check=False, cwd="/", timeout=120)

        refused = subprocess.run([*AUDITOR, "touch", store / "x"], capture_output=True, check=False)
        check(refused.returncode != 0, "the auditor can write, so this shows nothing")
        for words in [["state", store, "loan-7"], ["blame", store, "loan-7", "--field", "rate"],
                      ["diff", store, "loan-7", "--from-position", 1],
                      ["bisect", store, "loan-7", "--where", "rate < 3"],
                      ["sql", store, "SELECT count(*) AS n FROM events"],
                      ["snapshot", "list", store], ["verify", store, "--snapshots"]]:
            process = auditor(*words)
            equal((process.returncode, process.stderr), (0, b""), words)
            check(process.stdout, words)
        process = auditor("state", store, "loan-7", "--snapshots", "--snapshot-every", 2)
        equal((process.returncode, process.stdout), (0, plain), process.stderr)
        check(b"without snapshots" in process.stderr, process.stderr)
        equal(auditor("snapshot", "drop", store).returncode, 7)
        equal(tree(store), before)


def questions_are_answered_beside_a_writer(folder):
    store = folder / "s"
    lines = books.generated(books.make_payment, 400, seed=6)
    books.import_lines(store, lines)
    stream = json.loads(lines[0])["stream"]
    expected = run("state", store, stream, "--fold", "sum:amount_pence").json()["state"]
    writer = subprocess.Popen([BINARY, "import", store, "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        writer.stdin.write(b'{"stream":"z","type":"T","data":{}}\n')
        writer.stdin.flush()
        for options in ([], ["--snapshots", "--snapshot-every", 2]):
            printed = run("state", store, stream, "--fold", "sum:amount_pence", *options).json()
            equal(printed["state"], expected)
        rows = run("sql", store, f"SELECT state FROM state WHERE stream = '{stream}'", "--fold",
                   "sum:amount_pence").lines()
        equal([int(row["state"]) for row in rows], [expected])
    finally:
        out, err = writer.communicate(timeout=60)
    equal(writer.returncode, 0, out, err)


def damaged_snapshots_are_passed_over(folder):
    store = folder / "s"
    books.import_lines(store, books.generated(books.make_payment, 800, seed=2))
    stream = max(run("streams", store).lines(), key=lambda line: line["version"])["stream"]
    ask_ = ["state", store, stream, "--snapshots", "--snapshot-every", 4]
    plain = run(*ask_).out
    for path in (store / "snapshots").rglob("*"):
        if path.is_file() and "lock" not in path.name:
            path.write_bytes(os.urandom(path.stat().st_size))
    result = run("verify", store, "--snapshots", code=4)
    check(b"snapshots" in result.out + result.err, result)
    for _ in range(2):
        equal(run(*ask_).out, plain)
    equal(run("verify", store, "--snapshots").json()["ok"], True)


if __name__ == "__main__":
    main(cases(
        state_prints_what_it_rests_on,
        amounts_are_exact_and_numbers_stay_as_written,
        the_basis_gives_the_same_answer_again,
        diff_tells_each_field,
        blame_names_the_event,
        bisect_finds_the_first_event,
        explanations_of_generated_histories_are_those_of_a_model,
        snapshots_are_listed_dropped_and_counted,
        rows_come_in_every_format,
        tables_have_the_columns_of_the_contract,
        times_compare_as_moments,
        the_whole_query_sees_the_moment,
        sql_only_reads,
        limits_end_a_query_with_8_and_whole_output,
        an_interrupt_ends_a_query_with_130,
        a_closed_pipe_is_no_error,
        an_empty_past_is_empty,
        beyond_the_head_is_1_and_names_the_head,
        times_without_a_zone_are_1,
        folds_that_cannot_take_an_event_name_it,
        predicates_that_fail_are_1,
        an_auditor_asks_everything_and_writes_nothing,
        questions_are_answered_beside_a_writer,
        damaged_snapshots_are_passed_over,
    ))
