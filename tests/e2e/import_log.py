#!/usr/bin/env python3
"""A generated log goes in, in every way, and the answers are those of a separate program."""

import collections
import csv
import gzip
import hashlib
import io
import json
import shutil
import struct
import subprocess
import uuid

from support import Log, cases, check, check_event, equal, main, nanoseconds, read, rfc3339, run
from support import same_event

LOG = Log(20_000)
COUNTS = ["events", "skipped", "duplicates", "streams", "position", "seconds"]


def counts_of(result):
    out = result.json()
    equal(list(out), COUNTS)
    check(isinstance(out["seconds"], (int, float)), out)
    return [out[name] for name in COUNTS[:-1]]


def import_id(source, line, k):
    text = struct.pack("<I", len(source)) + source + struct.pack("<Q", k) + line
    digest = bytearray(hashlib.sha256(text).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def zstd(path):
    if shutil.which("zstd") is None:
        print("SKIPPED: .zst input, no zstd command here")
        return None
    subprocess.run(["zstd", "-q", str(path)], check=True)
    return path.with_name(path.name + ".zst")


def the_answers_are_right(folder):
    path = folder / "log.ndjson"
    path.write_bytes(LOG.bytes())
    total, streams = len(LOG.lines), LOG.streams()
    result = run("import", folder / "s", path)
    equal(counts_of(result), [total, 0, 0, len(streams), total])
    check(b"created" in result.err, result)
    events = read(folder / "s")
    equal([event["position"] for event in events], list(range(1, total + 1)))
    versions, seen = collections.Counter(), collections.Counter()
    for event, line, fact in zip(events, LOG.lines, LOG.facts):
        check_event(event)
        versions[event["stream"]] += 1
        seen[line] += 1
        equal((event["stream"], event["type"], event["effective_at"], event["data"]["cents"],
               tuple(event["tags"]), event["version"], event["id"]),
              (fact[0], fact[1], rfc3339(fact[2]), fact[3], fact[4], versions[fact[0]],
               import_id(b"", line.encode(), seen[line])), line)
    check(max(seen.values()) > 1, "the log has identical lines")
    listed = run("streams", folder / "s").lines()
    equal([line["stream"] for line in listed], sorted(streams, key=str.encode))
    equal({line["stream"]: (line["version"], line["first_position"], line["last_position"])
           for line in listed}, streams)
    for kind, count in LOG.count_by(1).items():
        equal(len(read(folder / "s", "--type", kind)), count, kind)
    times = [event["recorded_at"] for event in events]
    equal(times, sorted(times))
    equal(run("verify", folder / "s").json(), {"ok": True, "positions": total, "findings": []})


def sums_at_moments_in_the_past_are_right(folder):
    path = folder / "log.ndjson"
    path.write_bytes(LOG.bytes())
    run("import", folder / "s", path)
    for time in LOG.moments():
        found = read(folder / "s", "--as-of-effective", rfc3339(time))
        cents = sum(event["data"]["cents"] for event in found)
        equal((len(found), cents), LOG.sum_as_of(time), time)
        positions = [event["position"] for event in found]
        equal(positions, sorted(positions))
    stream = LOG.count_by(0).most_common(1)[0][0]
    for time in LOG.moments():
        wanted = [fact[3] for fact in LOG.facts if fact[0] == stream and fact[2] <= time]
        found = read(folder / "s", stream, "--as-of-effective", rfc3339(time))
        equal([event["data"]["cents"] for event in found], wanted, stream, time)
    half = len(LOG.facts) // 2
    for time in LOG.moments():  # bitemporal: what was known at half of the log
        wanted = [fact[3] for fact in LOG.facts[:half] if fact[2] <= time]
        found = read(folder / "s", "--as-of-position", half, "--as-of-effective", rfc3339(time))
        equal([event["data"]["cents"] for event in found], wanted, time)
    check(all(nanoseconds(event["effective_at"]) == LOG.facts[event["position"] - 1][2]
              for event in read(folder / "s", "--from", half)))


def importing_again_adds_nothing_however_it_is_done(folder):
    path = folder / "log.ndjson"
    path.write_bytes(LOG.bytes())
    total, streams = len(LOG.lines), len(LOG.streams())
    run("import", folder / "s", path)
    before = run("read", folder / "s").out
    packed = folder / "log.ndjson.gz"
    packed.write_bytes(gzip.compress(LOG.bytes()[:1000]) + gzip.compress(LOG.bytes()[1000:]))
    ended = folder / "ended.ndjson"
    ended.write_bytes(LOG.bytes("\r\n").removesuffix(b"\r\n"))
    again = [0, 0, total, streams, total]
    for arguments in [[path], [path, "--batch", 1024], [path, "--batch", 65536], [packed],
                      [packed, "--batch", 77], [ended], [zstd(path), "--durability", "buffered"]]:
        if arguments[0] is not None:
            equal(counts_of(run("import", folder / "s", *arguments)), again, arguments)
    equal(counts_of(run("import", folder / "s", "-", stdin=LOG.bytes())), again)
    equal(run("read", folder / "s").out, before)
    # The rest of a file that was imported in part, and another source, are added.
    run("import", folder / "part", "-", stdin="".join(
        line + "\n" for line in LOG.lines[:7001]).encode())
    equal(counts_of(run("import", folder / "part", path)),
          [total - 7001, 0, 7001, streams, total])
    equal(counts_of(run("import", folder / "part", path, "--source", "other")),
          [total, 0, 0, streams, 2 * total])


def what_is_read_from_one_store_makes_the_same_in_another(folder):
    lines = LOG.lines[:3000] + [
        '{"stream":"x","type":"T","time":"2020-01-01T00:00:00Z","data":1.10,'
        '"metadata":{"by":  1.0}}',
        '{"stream":"x","type":"T","data_base64":"AAH/","content_type":"application/capnp"}',
        '{"stream":"x","type":"T","data_base64":"AAH/","content_type":"text/x; a=\\"b\\""}',
        '{"stream":"x","type":"T","data_base64":"","content_type":"application/json"}',
        '{"stream":"x","type":"T","metadata":{}}',
        '{"stream":"x","type":"T","data":"\\u0000\\ud800",'
        '"id":"018F3C5E-0000-7000-8000-00000000000A"}']
    run("import", folder / "a", "-", stdin="\n".join(lines).encode())
    printed = run("read", folder / "a").out
    equal(counts_of(run("import", folder / "b", "-", stdin=printed))[:3], [len(lines), 0, 0])
    first, second = read(folder / "a"), read(folder / "b")
    equal([same_event(event) for event in second], [same_event(event) for event in first])
    equal(len(first), len(lines))
    # And once more: all of it is there already.
    equal(counts_of(run("import", folder / "b", "-", stdin=printed))[:3], [0, 0, len(lines)])


def csv_gives_the_same_answers(folder):
    facts = LOG.facts[:2000]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["account", "type", "time", "data", "tags"])
    for stream, kind, time, cents, tags in facts:
        data = json.dumps({"cents": cents, "note": 'two\n"lines"'}, indent=1)
        writer.writerow([stream, kind, rfc3339(time), data, json.dumps(tags) if tags else ""])
    path = folder / "log.csv.gz"
    path.write_bytes(gzip.compress(text.getvalue().encode()))
    arguments = ["import", folder / "s", path, "--stream-field", "account"]
    equal(counts_of(run(*arguments))[:3], [len(facts), 0, 0])
    equal(counts_of(run(*arguments, "--batch", 99))[:3], [0, 0, len(facts)])
    equal([(e["stream"], e["type"], e["effective_at"], e["data"]["cents"], tuple(e["tags"]))
           for e in read(folder / "s")],
          [(fact[0], fact[1], rfc3339(fact[2]), *fact[3:]) for fact in facts])


def ids_given_twice_are_one_event_whatever_the_batch(folder):
    line = ('{"stream":"a","type":"T","time":"2020-01-01T00:00:00Z","data":1,'
            '"id":"018f3c5e-0000-7000-8000-00000000000a"}\n').encode()
    other = line.replace(b'"a"', b'"b"')
    for batch in [1, 2, 3, 1000]:
        counts = counts_of(run("import", folder / f"s{batch}", "-", "--batch", batch,
                               stdin=line + other + line + line))
        equal(counts, [2, 0, 2, 2, 2], batch)


if __name__ == "__main__":
    main(cases(
        the_answers_are_right,
        sums_at_moments_in_the_past_are_right,
        importing_again_adds_nothing_however_it_is_done,
        what_is_read_from_one_store_makes_the_same_in_another,
        csv_gives_the_same_answers,
        ids_given_twice_are_one_event_whatever_the_batch,
    ))
