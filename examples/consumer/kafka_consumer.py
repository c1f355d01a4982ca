#!/usr/bin/env python3
"""An idempotent consumer of what `daybook publish --to kafka://...` sends: every event counts once.

    kafka_consumer.py --bootstrap 127.0.0.1:9092 --topic ledger.account --db totals.sqlite

It keeps, for each stream of the store, how many events it has seen and the last of them; put your
own effect in their place. What makes it exact, whatever is killed:

- It reads committed messages only: what a publisher in transactional mode had to abort is not seen.
- The place in each partition stands in the same database as the effect, and both are committed in
  one transaction. Offsets that are committed to the broker could be ahead of the effect or behind.
- A repeat is dropped: one that the broker delivers again, by its offset; one that a publisher in
  idempotent mode sent again, by the position of its event, which only grows within a stream; and of
  events that are sent aside of the line (a replay, a dead letter that is tried again), by the
  dedupe key, which is remembered.

Where a topic has several partitions, several of these share the work, each with --partition and a
database of its own: a stream is in one partition.

Needs kafka-python (https://pypi.org/project/kafka-python).
"""

import argparse
import json
import sqlite3
import sys
import time

import kafka
import kafka.errors

SCHEMA = """
CREATE TABLE IF NOT EXISTS place (topic TEXT, part INTEGER, next INTEGER,
                                  PRIMARY KEY (topic, part));
CREATE TABLE IF NOT EXISTS line (incarnation TEXT, stream TEXT, position INTEGER,
                                 PRIMARY KEY (incarnation, stream));
CREATE TABLE IF NOT EXISTS aside (key TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS totals (stream TEXT PRIMARY KEY, events INTEGER, last INTEGER);
"""


class Effects:
    """The database: what was done, and how far."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, timeout=60, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=FULL")
        self.db.executescript(SCHEMA)
        self.repeats = 0

    def next_offset(self, partition):
        found = self.db.execute("SELECT next FROM place WHERE topic = ? AND part = ?",
                                (partition.topic, partition.partition)).fetchone()
        return found[0] if found else 0

    def apply(self, partition, records):
        """All of these, or, where the process dies before the commit, none."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            place = self.next_offset(partition)
            for record in records:
                headers = {name: value.decode() for name, value in record.headers}
                if record.offset < place or not self._is_new(headers):
                    self.repeats += 1
                else:
                    self._effect(headers, record.value)
                place = max(place, record.offset + 1)
            self.db.execute("INSERT OR REPLACE INTO place VALUES (?, ?, ?)",
                            (partition.topic, partition.partition, place))
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise

    def _is_new(self, headers):
        """Whether the publisher sends this event for the first time; remembers it."""
        if "ce_line" in headers or "ce_replay" in headers:
            added = self.db.execute("INSERT OR IGNORE INTO aside VALUES (?)",
                                    (headers["daybook-dedupe-key"],))
            return added.rowcount == 1
        moved = self.db.execute(
            "INSERT INTO line VALUES (?, ?, ?) ON CONFLICT (incarnation, stream) DO UPDATE"
            " SET position = excluded.position WHERE excluded.position > position",
            (headers["ce_source"], headers["ce_subject"], int(headers["ce_sequence"])))
        return moved.rowcount == 1

    def _effect(self, headers, _data):
        """What is to happen once for each event: here, counting them."""
        self.db.execute(
            "INSERT INTO totals VALUES (?, 1, ?) ON CONFLICT (stream) DO UPDATE"
            " SET events = events + 1, last = max(last, excluded.last)",
            (headers["ce_subject"], int(headers["ce_sequence"])))


def assigned(options, effects):
    """A consumer of the partitions, each from the place that the database has."""
    consumer = kafka.KafkaConsumer(bootstrap_servers=options.bootstrap.split(","),
                                   isolation_level="read_committed", enable_auto_commit=False,
                                   auto_offset_reset="none", max_poll_records=1000)
    numbers = options.partition or sorted(consumer.partitions_for_topic(options.topic) or [])
    partitions = [kafka.TopicPartition(options.topic, number) for number in numbers]
    consumer.assign(partitions)
    begins = consumer.beginning_offsets(partitions)
    for partition in partitions:
        place = effects.next_offset(partition)
        if 0 < place < begins[partition]:
            sys.exit(f"kafka_consumer: {partition}: the messages from {place} on are gone")
        consumer.seek(partition, max(place, begins[partition]))
    return consumer


def consume(options, effects):
    consumer, idle_since = None, None
    while True:
        try:
            if consumer is None:
                consumer = assigned(options, effects)
            found = consumer.poll(timeout_ms=500)
            for partition, records in found.items():
                effects.apply(partition, records)
            idle_since = None if found else idle_since or time.monotonic()
            if idle_since and 0 < options.until_idle <= time.monotonic() - idle_since:
                break
        except (kafka.errors.KafkaError, OSError) as error:
            print(f"kafka_consumer: {error!r}; trying again", file=sys.stderr)
            consumer = None
            time.sleep(0.5)
    consumer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--partition", type=int, action="append", help="all, where none is named")
    parser.add_argument("--db", required=True)
    parser.add_argument("--until-idle", type=float, default=0,
                        help="end when nothing came for so many seconds; 0 is never")
    options = parser.parse_args()
    effects = Effects(options.db)
    consume(options, effects)
    events, streams = effects.db.execute("SELECT sum(events), count(*) FROM totals").fetchone()
    print(json.dumps({"events": events or 0, "streams": streams, "repeats": effects.repeats}))


if __name__ == "__main__":
    main()
