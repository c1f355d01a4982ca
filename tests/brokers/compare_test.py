#!/usr/bin/env python3
"""The comparison of what arrived: it reports each defect, and its canary sees one that does not."""

import dataclasses
import gzip
import json
import random
import re
import sys
import types

import compare as subject
from compare import (DEFECTS, GLOBAL, NO_ORDER, PLACE, STREAM, CanarySilent, Comparison, Expected,
                     canary, compare)
from consumers import from_kafka, from_nats, percent_decoded
from envelope import attributes, kafka_headers, nats_headers, percent_encoded, structured
from records import (BadMessage, Arrived, from_envelope, from_line, from_structured, members,
                     read_file)
from servers import state

INCARNATION = "01a21031-6ce7-7d97-97c4-474e68e15b0a"
OTHER = "01a21031-6ce7-7d97-97c4-474e68e15b0b"
EVENTS = 300


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(item) for item in what))


def equal(actual, wanted, *what):
    check(actual == wanted, *what, f"\n  actual {actual!r}\n  wanted {wanted!r}")


def fails(function, kind):
    try:
        function()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


def lines(count=EVENTS):
    """Lines as `daybook read` prints them, with what is awkward in real ones."""
    dice = random.Random(5)
    versions = {}
    for position in range(1, count + 1):
        stream = f"konto-ü {dice.randrange(40)}"
        versions[stream] = versions.get(stream, 0) + 1
        head = {"position": position, "stream": stream, "version": versions[stream],
                "type": dice.choice(["Send Fine", "R\"q\\%41", "Überweisung"]),
                "id": f"00000000-0000-8000-8000-{position:012x}",
                "recorded_at": f"2026-01-01T00:00:00.{position:09d}Z",
                "effective_at": "2005-03-01T00:00:00.000000000Z",
                "tags": dice.choice([[], ["customer:7", "ä\n\"b"]])}
        data = dice.choice(['"data":{"x": 1.10,"n":9223372036854775807,"s":"a\\u00e9\\n"}',
                            '"data":null', '"data":"x"',
                            '"data_base64":"AAEC/w==","content_type":"image/png"',
                            '"data_base64":"","content_type":"application/octet-stream"'])
        metadata = dice.choice(["{}", '{"correlation":"c 1", "causation":"ü","traceparent":"00-a"}',
                                '{"correlation":7,"nested":{"correlation":"no"}}'])
        text = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
        yield f'{text[:-1]},{data},"metadata":{metadata}}}'.encode()


def store(count=EVENTS):
    return Expected(lines(count), INCARNATION)


def arrived(expected, **changes):
    """What arrives where all is well: one record an event, sent and read back by NATS's rules."""
    for index, position in enumerate(expected.positions(), 1):
        yield through_nats(dataclasses.replace(expected.record(position), **changes), index)


def through_nats(record, index=1):
    message = types.SimpleNamespace(headers=nats_headers(record), data=record.data)
    return from_nats(message, "ledger.a", index)


def through_kafka(record):
    return from_kafka(types.SimpleNamespace(
        topic="t", partition=3, offset=7, headers=kafka_headers(record), value=record.data,
        key=record.stream.encode()))


def through_json(record):
    return from_structured(structured(record), "group", 9, record.dedupe_key)


def every_envelope_is_read_back_byte_for_byte():
    expected = store()
    for way in (through_nats, through_kafka, through_json):
        counts = compare(expected, map(way, map(expected.record, expected.positions())))
        equal(counts.check().arrived, EVENTS, way)
    record = dataclasses.replace(expected.record(1), data=b'{\n"a":\r\n1}', replay="again")
    for way in (through_nats, through_kafka, through_json):
        read = way(record)
        equal((read.data, read.replay, read.dedupe_key),
              (record.data, "again", f"{INCARNATION}:1:ragain"), way)


def each_defect_is_counted():
    expected = store()
    good = list(arrived(expected))

    def found(records, scope=GLOBAL, **options):
        numbers = compare(expected, records, scope, **options).numbers()
        return {kind: numbers[kind] for kind in (*DEFECTS, "repeats") if numbers[kind]}

    equal(found(good), {})
    equal(found([]), {"lost": EVENTS})
    equal(found(good[:5] + good[7:]), {"lost": 2})
    equal(found(good[1:]), {"lost": 1})
    equal(found(good[:-1]), {"lost": 1})
    equal(found(good + good[-1:]), {"doubled": 1})
    equal(found(good + good), {"doubled": EVENTS})
    equal(found(good + good, drop_repeats=True), {"repeats": EVENTS})
    equal(found(good[:4] + [good[5], good[4]] + good[6:]), {"swapped": 1})
    equal(found(good[1:] + good[:1]), {"swapped": 1})
    equal(found(reversed(good)), {"swapped": EVENTS - 1})
    equal(found(reversed(good), NO_ORDER), {})
    equal(found([*good, dataclasses.replace(good[0], position=EVENTS + 1)]), {"foreign": 1})
    equal(found([*good, dataclasses.replace(good[0], incarnation=OTHER)]), {"foreign": 1})
    equal(found([*good, dataclasses.replace(good[0], replay="r")]), {"foreign": 1})
    equal(found(arrived(expected, replay="r"), replay="r"), {})
    equal(found(good, replay="r"), {"foreign": EVENTS, "lost": EVENTS})
    changed = dataclasses.replace(good[9], data=good[9].data + b"x")
    equal(found(good[:9] + [changed] + good[10:]), {"changed": 1})
    # A repeat with other content is no repeat that a consumer may drop unseen.
    equal(found([*good, changed], drop_repeats=True), {"changed": 1, "repeats": 1})


def every_attribute_is_compared():
    expected = store(1)
    good = next(arrived(expected))
    other = {"id": "x", "stream": "x", "type": "x", "version": 9, "data": b"x",
             "content_type": "x/y", "effective": "x", "recorded": "x", "correlation": "x",
             "causation": "x", "traceparent": "x", "tags": ("x",), "metadata": '{"x":1}',
             "partition_key": "x", "broker_key": "x"}
    seen_elsewhere = {"position", "replay", "incarnation", "where", "index"}
    equal({*other, *seen_elsewhere}, {field.name for field in dataclasses.fields(Arrived)})
    for name, value in other.items():
        comparison = Comparison(expected)
        comparison.add(dataclasses.replace(good, **{name: value}))
        equal(comparison.end().changed, 1, name)
    message = fails(lambda: compare(expected, [dataclasses.replace(good, type="x")]).check(),
                    AssertionError)
    check("changed: position 1" in message and "type 'x' instead of" in message, message)


def order_is_looked_at_in_its_scope():
    expected = store()
    good = list(arrived(expected))
    # Stream by stream: no stream's order is broken, the whole one is.
    by_stream = sorted(good, key=lambda record: (record.stream, record.position))
    equal(compare(expected, by_stream, STREAM).check().swapped, 0)
    check(compare(expected, by_stream).swapped > 0)
    placed = [dataclasses.replace(record, where=f"t/{record.position % 2}") for record in good]
    placed.sort(key=lambda record: (record.where, record.position))
    equal(compare(expected, placed, PLACE).check().swapped, 0)
    check(compare(expected, placed, STREAM).swapped > 0)
    same = [record for record in good if record.stream == good[0].stream]
    first, second = same[0].position - 1, same[1].position - 1
    swapped = list(good)
    swapped[first], swapped[second] = good[second], good[first]
    equal(compare(expected, swapped, STREAM).swapped, 1)


def a_canary_sees_a_comparison_that_is_blind():
    expected = store()
    good = list(arrived(expected))
    canary(expected, good)
    real = subject.Comparison

    def blind(**methods):
        subject.Comparison = type("Blind", (real,), methods)
        try:
            return fails(lambda: compare(expected, good), CanarySilent)
        finally:
            subject.Comparison = real

    def ends(self):
        return self.counts

    def keeps_no_place(self, record):
        self._last.clear()
        real.add(self, record)

    def forgets(self, record):
        self._seen.discard(record.position)
        real.add(self, record)

    check("1 lost" in blind(end=ends))
    check("1 swapped" in blind(add=keeps_no_place))
    check("1 doubled" in blind(add=forgets))
    difference = subject.difference
    for name in ("data", "type", "version"):
        subject.difference = lambda *arguments, name=name: "; ".join(
            part for part in difference(*arguments).split("; ") if not part.startswith(name))
        try:
            check("1 changed" in fails(lambda: compare(expected, good), CanarySilent))
        finally:
            subject.difference = difference


def what_is_no_event_of_ours_is_refused():
    record = store().record(1)
    good = attributes(record)
    from_envelope(good, record.data, "w", 1)
    for change in ({"specversion": "0.3"}, {"source": "urn:other:1"}, {"sequence": "1"},
                   {"sequence": "x" * 20}, {"tags": "{}"}, {"tags": "[1]"}, {"tags": "["},
                   {"streamversion": "x"}, {"surprise": "x"}):
        fails(lambda: from_envelope({**good, **change}, b"", "w", 1), BadMessage)
    for name in ("id", "source", "type", "subject", "time", "sequence", "recordedtime"):
        less = {key: value for key, value in good.items() if key != name}
        check(name in fails(lambda: from_envelope(less, b"", "w", 1), BadMessage))
    for text in ("", "[]", "{", '{"a"}', '{"a":1', '{"a":1,}', '{"a":1}x', "{1:2}"):
        fails(lambda: list(members(text)), ValueError)
    equal(list(members(' {"a" : [1, 2] ,"b":1.10}\n')),
          [("a", [1, 2], "[1, 2]"), ("b", 1.1, "1.10")])
    equal(list(members("{ }")), [])
    for text in ("a b", "%", "%4", "%zz", "ü", "a\n"):
        fails(lambda: percent_decoded(text), BadMessage)
    for text in ("", "a%b", "a b\"c\\", "Überweisung\n\x00"):
        equal(percent_decoded(percent_encoded(text)), text)
        check(re.fullmatch(r"[!#$&-~%]*", percent_encoded(text)), text)


def files_are_read_in_either_format(folder):
    expected = store()
    records = [expected.record(position) for position in expected.positions()]
    plain = list(lines())
    (folder / "a-1.ndjson").write_bytes(b"".join(line + b"\n" for line in plain[:100]))
    with gzip.open(folder / "a-2.ndjson.gz", "wb") as file:
        file.writelines(line + b"\n" for line in plain[100:200])
    (folder / "a-3.ndjson").write_text(
        "".join(structured(record) + "\n" for record in records[200:]), encoding="utf-8")
    found = list(read_file(folder / "a-*"))
    compare(expected, found).check()
    equal((found[0].index, found[0].where), (1, str(folder / "a-1.ndjson")))
    compare(expected, read_file(sorted(folder.glob("a-*")), INCARNATION)).check()
    replayed = plain[0].decode()[:-1] + ',"replay":"again"}'
    equal(from_line(replayed, "f", 1, INCARNATION).dedupe_key, f"{INCARNATION}:1:ragain")
    with open(folder / "a-3.ndjson", "ab") as file:
        file.write(plain[0])
    check("torn" in fails(lambda: list(read_file(folder / "a-*")), BadMessage))


def main():
    with state("compare_test") as folder:
        for test in (every_envelope_is_read_back_byte_for_byte, each_defect_is_counted,
                     every_attribute_is_compared, order_is_looked_at_in_its_scope,
                     a_canary_sees_a_comparison_that_is_blind,
                     what_is_no_event_of_ours_is_refused):
            test()
            print(f"- {test.__name__.replace('_', ' ')}", flush=True)
        files_are_read_in_either_format(folder)
    print("ok")


if __name__ == "__main__":
    sys.exit(main())
