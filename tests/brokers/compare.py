"""What arrived, against what the store holds: event by event, every attribute and byte.

    expected = Expected.of_store("store")          # what `daybook read store` prints
    counts = compare(expected, read_nats(url, "LEDGER"), scope=GLOBAL)
    counts.check()                                 # fails where anything is wrong
    print(counts)                                  # one line `counted: {...}`

Each comparison ends with a canary: the same code, fed with some of the same records of which one is
lost, one doubled, one swapped and one changed, must report each, or CanarySilent is raised.
"""

import collections
import dataclasses
import json
import os
import subprocess

from records import JSON, from_line

GLOBAL = "global"  # every message behind the one before it
STREAM = "stream"  # messages of one stream in their order
PLACE = "place"  # messages of one partition, group, subject or file in their order
NO_ORDER = None
SAMPLE = 1000  # records that the canary works on
EXAMPLES = 5  # that are told of each kind

DEFECTS = ("lost", "doubled", "swapped", "foreign", "changed")


class CanarySilent(AssertionError):
    """The comparison did not report what was planted."""


class Expected:
    """The events of a store, by position: lines as `daybook read` prints them.

    `incarnation` is the store's where known: messages of another are foreign. `partition_key` is
    what a message's key must be, of its record; the stream's name where not named, None where it
    is not compared.
    """

    def __init__(self, lines, incarnation=None, partition_key=lambda record: record.stream):
        self.incarnation = incarnation
        self.partition_key = partition_key
        self._lines = {}
        self._parsed = {}  # of a part that is asked again and again
        for line in lines:
            if line:
                text = line.decode()
                end = text.index(",")
                self._lines[int(text[text.index(":") + 1:end])] = line

    @classmethod
    def of_store(cls, store, *arguments, binary=None, **options):
        """What `daybook read STORE ARGUMENTS...` prints; the binary is DAYBOOK_BIN by default."""
        binary = str(binary or os.environ["DAYBOOK_BIN"])
        stats = subprocess.run([binary, "stats", str(store)], check=True, capture_output=True)
        with subprocess.Popen([binary, "read", str(store), *map(str, arguments)],
                              stdout=subprocess.PIPE) as reading:
            made = cls((line.rstrip(b"\n") for line in reading.stdout),
                       json.loads(stats.stdout)["incarnation"], **options)
        if reading.returncode != 0:
            raise AssertionError(f"daybook read {store}: exit {reading.returncode}")
        return made

    def __len__(self):
        return len(self._lines)

    def __contains__(self, position):
        return position in self._lines

    def positions(self):
        return self._lines.keys()

    def record(self, position):
        """The event at a position, as the message of it would be."""
        if position in self._parsed:
            return self._parsed[position]
        return from_line(self._lines[position].decode(), "store", position, self.incarnation)

    def only(self, positions):
        """The same, of some positions."""
        part = Expected([], self.incarnation, self.partition_key)
        part._lines = {position: self._lines[position] for position in positions
                       if position in self._lines}
        part._parsed = {position: self.record(position) for position in part._lines}
        return part


@dataclasses.dataclass
class Counts:
    """What a comparison found. `repeats` are those that were dropped first, where asked for."""

    expected: int = 0
    arrived: int = 0
    repeats: int = 0
    lost: int = 0
    doubled: int = 0
    swapped: int = 0
    foreign: int = 0
    changed: int = 0
    examples: dict = dataclasses.field(default_factory=lambda: collections.defaultdict(list))

    def add(self, kind, example):
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.examples[kind]) < EXAMPLES:
            self.examples[kind].append(example)

    def numbers(self):
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)
                if field.name != "examples"}

    def __str__(self):
        return "counted: " + json.dumps(self.numbers())

    def check(self, **allowed):
        """AssertionError where more is wrong than is allowed: check(doubled=3)."""
        wrong = [kind for kind in DEFECTS if getattr(self, kind) > allowed.get(kind, 0)]
        if wrong:
            told = "\n".join(f"  {kind}: {example}" for kind in wrong
                             for example in self.examples[kind])
            raise AssertionError(f"{self}\n{told}")
        return self


def difference(expected, record, partition_key=None):
    """What of a record is not as in the store: names, with both values; empty where all is."""
    found = []

    def look(name, actual, wanted):
        if actual != wanted:
            found.append(f"{name} {actual!r:.120} instead of {wanted!r:.120}")

    for name in ("id", "stream", "type", "version", "content_type", "effective", "recorded",
                 "correlation", "causation", "traceparent", "tags"):
        look(name, getattr(record, name), getattr(expected, name))
    look("metadata", *same_lines(record.metadata, expected.metadata))
    if expected.content_type == JSON:
        look("data", *same_lines(record.data.decode(errors="replace"), expected.data.decode()))
    else:
        look("data", record.data, expected.data)
    if record.incarnation is not None and expected.incarnation is not None:
        look("incarnation", record.incarnation, expected.incarnation)
    if record.broker_key is not None:
        look("the broker's key", record.broker_key, record.dedupe_key)
    if partition_key is not None and record.partition_key is not None:
        look("partition key", record.partition_key, partition_key(expected))
    return "; ".join(found)


def same_lines(actual, printed):
    """Both JSON texts; line breaks between tokens, which `daybook read` leaves out, and blanks
    around the whole, which the JSON format of CloudEvents cannot carry, are no difference.

    Inside a JSON string there are no line breaks.
    """
    if actual != printed:
        actual = actual.replace("\n", "").replace("\r", "").strip(" \t")
    return actual, printed


class Comparison:
    """Takes the records one by one: add() each, then end()."""

    def __init__(self, expected, scope=GLOBAL, *, drop_repeats=False, replay=None):
        self.expected = expected
        self.scope = scope
        self.drop_repeats = drop_repeats
        self.replay = replay
        self.counts = Counts(expected=len(expected))
        self._seen = set()
        self._last = collections.defaultdict(int)

    def add(self, record):
        counts = self.counts
        counts.arrived += 1
        name = f"position {record.position} at {record.where}, {record.index}"
        foreign = self._is_foreign(record)
        if foreign:
            counts.add("foreign", f"{name}: {foreign}")
            return
        changed = difference(self.expected.record(record.position), record,
                             self.expected.partition_key)
        if changed:
            counts.add("changed", f"{name}: {changed}")
        if record.position in self._seen:
            counts.add("repeats" if self.drop_repeats else "doubled", name)
            return
        self._seen.add(record.position)
        if self.scope is NO_ORDER:
            return
        scope = {GLOBAL: None, STREAM: record.stream, PLACE: record.where}[self.scope]
        if record.position < self._last[scope]:
            counts.add("swapped", f"{name}, behind position {self._last[scope]}")
        else:
            self._last[scope] = record.position

    def _is_foreign(self, record):
        if record.position not in self.expected:
            return "no such event"
        if record.replay != self.replay:
            return f"replay {record.replay!r} instead of {self.replay!r}"
        ours = self.expected.incarnation
        if ours is not None and record.incarnation not in (None, ours):
            return f"of incarnation {record.incarnation}"
        return None

    def end(self):
        for position in self.expected.positions():
            if position not in self._seen:
                self.counts.add("lost", f"position {position}")
        return self.counts


def compare(expected, records, scope=GLOBAL, *, drop_repeats=False, replay=None):
    """Compares what arrived with the events that should have, and returns the Counts.

    scope         in which order is looked at: GLOBAL, STREAM, PLACE or NO_ORDER. A message counts
                  as swapped where one of a higher position arrived before it
    drop_repeats  drops a message that arrived before, as an idempotent consumer does by its dedupe
                  key, and counts it as a repeat; its content must be the same all the same
    replay        the id of the replay that all records must have; None: none is a replay. One
                  comparison is of one kind: sort the records of a mixed stream out before

    Afterwards it runs the canary on some of the records. Memory: the lines of `expected`.
    """
    comparison = Comparison(expected, scope, drop_repeats=drop_repeats, replay=replay)
    sample = []
    for record in records:
        comparison.add(record)
        if len(sample) < SAMPLE and record.replay == replay:
            sample.append(record)
    counts = comparison.end()
    canary(expected, sample, scope, drop_repeats=drop_repeats, replay=replay)
    return counts


# --- The canary -------------------------------------------------------------------------------


def _neighbours(records, scope):
    """Indexes of two records of one scope, in their right order, or None."""
    last = {}
    for index, record in enumerate(records):
        key = {GLOBAL: None, STREAM: record.stream, PLACE: record.where}[scope]
        if key in last and records[last[key]].position < record.position:
            return last[key], index
        last[key] = index
    return None


def planted(records, scope):
    """(kind, records with one such defect) of each kind that these records can show."""
    middle = len(records) // 2
    yield "lost", records[:middle] + records[middle + 1:]
    yield "doubled", records[:middle + 1] + records[middle:]
    if scope is not NO_ORDER:
        pair = _neighbours(records, scope)
        if pair:
            swapped = list(records)
            swapped[pair[0]], swapped[pair[1]] = swapped[pair[1]], swapped[pair[0]]
            yield "swapped", swapped
    one = records[middle]
    data = bytes([one.data[0] ^ 1]) + one.data[1:] if one.data else b"0"
    for change in ({"data": data}, {"type": one.type + "x"}, {"version": one.version + 1}):
        yield "changed", [*records[:middle], dataclasses.replace(one, **change),
                          *records[middle + 1:]]
    yield "foreign", [*records, dataclasses.replace(one, position=2**62)]


def canary(expected, records, scope=GLOBAL, *, drop_repeats=False, replay=None):
    """CanarySilent unless each planted defect is reported, once.

    The defects are planted among records that are right, in their order: what is really wrong with
    the messages is told by compare(), and does not hide here what the comparison cannot see.
    """

    def count(some):
        comparison = Comparison(part, scope, drop_repeats=drop_repeats, replay=replay)
        for record in some:
            comparison.add(record)
        return comparison.end().numbers()

    good = {record.position: record for record in records if record.position in expected
            and not difference(expected.record(record.position), record, expected.partition_key)}
    if not good:
        return
    part = expected.only(good)
    good = [good[position] for position in sorted(good)]
    clean = count(good)
    if any(clean[kind] for kind in DEFECTS):
        raise CanarySilent(f"nothing was planted, reported: {clean}")
    for kind, some in planted(good, scope):
        kind = "repeats" if kind == "doubled" and drop_repeats else kind
        found = count(some)
        if found[kind] != 1:
            raise CanarySilent(f"planted: 1 {kind}, reported: {found}")
