#!/usr/bin/env python3
"""One event at a time: what `append` prints and stores, and what the filters of `read` select."""

import base64
import json

from support import TIME, UUID, cases, check, check_event, equal, main, read, run


def the_first_event_creates_the_store_and_says_so(folder):
    store = folder / "ledger"
    result = run("append", store, "account-42", "--type", "Deposited", "--data", '{"cents":500}')
    out = result.json()
    equal(list(out), ["stream", "version", "position", "recorded_at", "id", "duplicate"])
    equal((out["stream"], out["version"], out["position"], out["duplicate"]),
          ("account-42", 1, 1, False))
    check(TIME.match(out["recorded_at"]) and UUID.match(out["id"]), out)
    check(b"created" in result.err, result)
    again = run("append", store, "account-42", "--type", "Deposited", "--data", '{"cents":501}')
    check(b"created" not in again.err, again)
    equal((again.json()["version"], again.json()["position"]), (2, 2))
    events = read(store)
    equal(len(events), 2)
    for event in events:
        check_event(event)
    equal(events[0]["recorded_at"], events[0]["effective_at"])
    equal((events[0]["id"], events[0]["recorded_at"]), (out["id"], out["recorded_at"]))


def an_empty_folder_becomes_a_store(folder):
    (folder / "empty").mkdir()
    result = run("append", folder / "empty", "a", "--type", "T")
    check(b"created" in result.err, result)
    equal(read(folder / "empty")[0]["data_base64"], "")


def json_is_kept_byte_for_byte(folder):
    data = '{ "z":1.10, "a" : 9223372036854775808,"big":12345678901234567890123,"u":"\\u00e9é"}'
    metadata = '{"by":"me",  "n":1.0}'
    run("append", folder / "s", "a", "--type", "T", "--data", data, "--metadata", metadata)
    line = run("read", folder / "s").out.decode()
    check(f'"data":{data},"metadata":{metadata}}}\n' in line, line)


def line_breaks_between_tokens_do_not_reach_the_output(folder):
    path = folder / "data.json"
    path.write_text('{\r\n  "a\\n": [1,\n 2]\n}\n')
    run("append", folder / "s", "a", "--type", "T", "--data", f"@{path}")
    run("append", folder / "s", "a", "--type", "T", "--data", "-", stdin=path.read_bytes())
    lines = run("read", folder / "s").out.splitlines()
    equal(len(lines), 2)
    for line in lines:
        check(b'"data":{  "a\\n": [1, 2]}' in line, line)


def other_data_is_shown_as_base64(folder):
    bytes_ = bytes(range(256))
    (folder / "x.gz").write_bytes(bytes_)
    for kind in ["application/octet-stream", "application/capnp", "application/protobuf",
                 "text/plain; charset=utf-8"]:
        run("append", folder / "s", "a", "--type", "T", "--data", f"@{folder / 'x.gz'}",
            "--content-type", kind)
        event = read(folder / "s")[-1]
        check_event(event)
        equal((base64.b64decode(event["data_base64"]), event["content_type"]), (bytes_, kind))


def the_same_id_again_is_the_first_event(folder):
    uuid = "018f3c5e-0000-7000-8000-00000000000a"
    words = ["append", folder / "s", "a", "--type", "T", "--id", uuid, "--tag", "b", "--tag", "a"]
    first = run(*words, "--data", "1").json()
    run("append", folder / "s", "a", "--type", "T")
    again = run(*words, "--data", "1").json()
    equal(again, {**first, "duplicate": True})
    equal(len(read(folder / "s")), 2)
    error = run(*words, "--data", "2", code=2).error()
    equal(error["code"], "already_exists")
    equal(read(folder / "s", "--id", uuid)[0]["tags"], ["a", "b"])


def an_expectation_that_does_not_hold_names_both_versions(folder):
    store = folder / "s"
    append = ["append", store, "a", "--type", "T", "--expect"]
    error = run(*append, "exists", code=2).error()
    equal(error["detail"], {"stream": "a", "expected": "exists", "actual": 0})
    run(*append, "none")
    run(*append, "1")
    error = run(*append, "0", code=2).error()
    equal((error["code"], error["detail"]),
          ("aborted", {"stream": "a", "expected": "none", "actual": 2}))
    error = run(*append, "7", code=2).error()
    equal(error["detail"], {"stream": "a", "expected": 7, "actual": 2})
    run(*append, "exists")
    run(*append, "any")
    equal(len(read(store)), 4)


def fill(store):
    """Twelve events in two streams of one category and one of another."""
    for number in range(1, 13):
        stream = ["acc-1", "acc-2", "other-1"][number % 3]
        run("append", store, stream, "--type", ["A", "B"][number % 2], "--data", number,
            "--tag", f"n:{number % 4}", "--tag", f"m:{number % 2}",
            "--effective-at", f"2020-01-{13 - number:02d}T00:00:00+00:00")
    return read(store)


def filters_select_by_every_field(folder):
    store = folder / "s"
    events = fill(store)

    def expect(arguments, keep):
        wanted = [event for event in events if keep(event)]
        check(wanted, "selects nothing:", arguments)
        equal(read(store, *arguments), wanted, arguments)
        equal(read(store, *arguments, "--backwards"), wanted[::-1], arguments, "--backwards")
        equal(read(store, *arguments, "--limit", 1), wanted[:1], arguments, "--limit 1")
        equal(read(store, *arguments, "--limit", 1, "--backwards"), wanted[-1:], arguments)
        equal(read(store, *arguments, "--limit", 0), [], arguments, "--limit 0")

    expect([], lambda e: True)
    expect(["acc-1"], lambda e: e["stream"] == "acc-1")
    expect(["acc-1", "--from", 2, "--to", 3],
           lambda e: e["stream"] == "acc-1" and 2 <= e["version"] <= 3)
    expect(["--from", 3, "--to", 9], lambda e: 3 <= e["position"] <= 9)
    expect(["--position", 5], lambda e: e["position"] == 5)
    expect(["--category", "acc"], lambda e: e["stream"].startswith("acc-"))
    expect(["--type", "A"], lambda e: e["type"] == "A")
    expect(["--type", "A", "--type", "B"], lambda e: True)
    expect(["--tag", "n:1"], lambda e: "n:1" in e["tags"])
    expect(["--tag", "n:1", "--tag", "m:1"], lambda e: {"n:1", "m:1"} <= set(e["tags"]))
    expect(["--category", "acc", "--type", "A", "--tag", "n:2"],
           lambda e: e["stream"].startswith("acc-") and e["type"] == "A" and "n:2" in e["tags"])
    expect(["--id", events[4]["id"]], lambda e: e["position"] == 5)
    time = events[6]["recorded_at"]
    expect(["--recorded-from", time], lambda e: e["recorded_at"] >= time)
    expect(["--as-of-recorded", time], lambda e: e["recorded_at"] <= time)
    expect(["--effective-from", "2020-01-05T00:00:00Z"],
           lambda e: e["effective_at"] >= "2020-01-05")
    expect(["--as-of-effective", "2020-01-05T00:00:00Z"],
           lambda e: e["effective_at"] <= "2020-01-05T00:00:00.000000000Z")
    expect(["--as-of-effective", "2020-01-05T00:00:00Z", "--as-of-position", 10],
           lambda e: e["effective_at"] <= "2020-01-05T00:00:00.000000000Z" and e["position"] <= 10)
    expect(["--as-of-position", 7], lambda e: e["position"] <= 7)
    expect(["acc-2", "--as-of-version", 2], lambda e: e["stream"] == "acc-2" and e["version"] <= 2)
    expect(["acc-2", "--as-of-effective", "2020-01-05T00:00:00Z", "--as-of-version", 4],
           lambda e: e["stream"] == "acc-2" and e["effective_at"] < "2020-01-06")
    equal(read(store, "--tag", "none"), [])


def what_holds_nothing_is_empty_and_what_is_beyond_the_head_is_not(folder):
    store = folder / "s"
    run("append", store, "a", "--type", "T")
    equal(read(store, "nobody"), [])
    equal(read(store, "--category", "nobody"), [])
    equal(read(store, "a", "--as-of-recorded", "1999-01-01T00:00:00Z"), [])
    for arguments in [["--position", 2], ["--from", 2], ["--as-of-position", 2], ["a", "--from", 2],
                      ["a", "--as-of-version", 2]]:
        error = run("read", store, *arguments, code=1).error()
        equal(error["code"], "invalid_argument", arguments)
        check("1" in error["message"], "names the head:", error)


def streams_lists_heads_by_name(folder):
    store = folder / "s"
    events = fill(store)

    def heads(keep):
        found = {}
        for event in filter(keep, events):
            head = found.setdefault(event["stream"], {"stream": event["stream"], "version": 0,
                                                      "first_position": event["position"]})
            head.update(version=event["version"], last_position=event["position"],
                        last_recorded_at=event["recorded_at"])
        return [found[name] for name in sorted(found)]

    def streams(*arguments):
        return run("streams", store, *arguments).lines()

    equal(streams(), heads(lambda e: True))
    equal(list(streams()[0]),
          ["stream", "version", "first_position", "last_position", "last_recorded_at"])
    equal(streams("--category", "acc"), heads(lambda e: e["stream"].startswith("acc-")))
    equal(streams("--prefix", "acc-2"), heads(lambda e: e["stream"] == "acc-2"))
    equal(streams("--prefix", "zzz"), [])
    equal(streams("--as-of-position", 7), heads(lambda e: e["position"] <= 7))
    time = events[3]["recorded_at"]
    equal(streams("--as-of-recorded", time), heads(lambda e: e["recorded_at"] <= time))


def stats_and_verify_have_the_fields_of_the_contract(folder):
    store = folder / "s"
    events = fill(store)
    stats = run("stats", store).json()
    equal(list(stats), ["store_id", "incarnation", "format", "events", "streams", "position",
                        "segments", "bytes", "last_recorded_at", "durability", "clock_behind_ns"])
    equal(list(stats["bytes"]), ["log", "sidecars", "index", "snapshots", "projections"])
    check(UUID.match(stats["store_id"]) and UUID.match(stats["incarnation"]), stats)
    equal((stats["events"], stats["streams"], stats["position"], stats["last_recorded_at"]),
          (12, 3, 12, events[-1]["recorded_at"]))
    check(stats["segments"] >= 1 and stats["bytes"]["log"] > 0, stats)
    for flags in [[], ["--fast"], ["--snapshots", "--projections"]]:
        report = run("verify", store, *flags).json()
        equal(report, {"ok": True, "positions": 12, "findings": []}, flags)
    for flags in [["--dry-run"], []]:
        repaired = run("repair", store, *flags).json()
        equal(list(repaired), ["rebuilt", "quarantined", "restored", "lost"])
        equal((repaired["quarantined"], repaired["restored"], repaired["lost"]), (0, 0, 0))
    equal(read(store), events)


def help_and_version_are_text(folder):
    del folder
    check(run("--version").out.startswith(b"daybook "))
    check(b"import" in run("--help").out)
    for command in ["import", "append", "read", "tail", "streams", "stats", "verify", "repair"]:
        check(b"--json" in run(command, "--help").out, command)


def names_that_are_not_allowed_are_refused_before_a_store_is_made(folder):
    for stream in ["-x", "$store", "a\x01", "é" * 128, ""]:
        run("append", folder / "s", "--type", "T", "--", stream, code=1)
    run("append", folder / "s", "a", "--type", "", code=1)
    run("append", folder / "s", "a", "--type", "T", "--tag", "x", "--tag", "x", code=1)
    run("append", folder / "s", "a", "--type", "T", "--data", "{", code=1)
    run("append", folder / "s", "a", "--type", "T", "--metadata", "[]", code=1)
    too_large = json.dumps("x" * (16 << 20)).encode()
    run("append", folder / "s", "a", "--type", "T", "--data", "-", stdin=too_large, code=1)
    check(not (folder / "s").exists(), "no store is made for a bad event")


if __name__ == "__main__":
    main(cases(
        the_first_event_creates_the_store_and_says_so,
        an_empty_folder_becomes_a_store,
        json_is_kept_byte_for_byte,
        line_breaks_between_tokens_do_not_reach_the_output,
        other_data_is_shown_as_base64,
        the_same_id_again_is_the_first_event,
        an_expectation_that_does_not_hold_names_both_versions,
        filters_select_by_every_field,
        what_holds_nothing_is_empty_and_what_is_beyond_the_head_is_not,
        streams_lists_heads_by_name,
        stats_and_verify_have_the_fields_of_the_contract,
        help_and_version_are_text,
        names_that_are_not_allowed_are_refused_before_a_store_is_made,
    ))
