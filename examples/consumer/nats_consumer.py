#!/usr/bin/env python3
"""An idempotent consumer of what `daybook publish --to nats://...` sends: every event counts once.

    nats_consumer.py --url nats://127.0.0.1:4222 --stream LEDGER --durable totals --db totals.sqlite

It keeps, for each stream of the store, how many events it has seen and the last of them; put your
own effect in their place. What makes it exact, whatever is killed:

- The place in the broker's stream stands in the same database as the effect, and both are committed
  in one transaction. The broker's own note of what was acknowledged may lag behind; it is for those
  who watch the consumer. At a start the consumer is made anew, behind the database's place.
- Messages are taken in the order of the broker's stream, without a gap: one that is missing in what
  was delivered (a connection that broke) makes the consumer anew as well.
- A repeat is dropped: one that the broker delivers again, by its sequence; one that the publisher
  sent again, by the position of its event, which only grows; and of events that are sent aside of
  the line (a replay, a dead letter that is tried again), by the dedupe key, which is remembered.

The stream keeps its messages (retention by limits): where they go as soon as they are acknowledged,
make the consumer once, and take one message at a time (max_ack_pending 1).

Needs nats-py (https://pypi.org/project/nats-py).
"""

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import urllib.parse

import nats
import nats.errors
import nats.js.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

BATCH = 256
SCHEMA = """
CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER);
CREATE TABLE IF NOT EXISTS line (incarnation TEXT PRIMARY KEY, position INTEGER);
CREATE TABLE IF NOT EXISTS aside (key TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS totals (stream TEXT PRIMARY KEY, events INTEGER, last INTEGER);
INSERT OR IGNORE INTO place VALUES (1, 0);
"""


class Gap(Exception):
    """A message before this one was not delivered."""


class Effects:
    """The database: what was done, and how far."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, timeout=60, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=FULL")
        self.db.executescript(SCHEMA)
        self.repeats = 0

    @property
    def sequence(self):
        return self.db.execute("SELECT sequence FROM place").fetchone()[0]

    def apply(self, messages):
        """All of these, or, where the process dies before the commit, none."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            place = self.sequence
            for message in messages:
                sequence = message.metadata.sequence.stream
                if sequence <= place or not self._is_new(message.headers):
                    self.repeats += 1
                else:
                    self._effect(message)
                place = max(place, sequence)
            self.db.execute("UPDATE place SET sequence = ?", (place,))
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise

    def _is_new(self, headers):
        """Whether the publisher sends this event for the first time; remembers it."""
        incarnation = headers["ce-source"].removeprefix("urn:daybook:")
        position = int(headers["ce-sequence"])
        if "ce-line" in headers or "ce-replay" in headers:
            added = self.db.execute("INSERT OR IGNORE INTO aside VALUES (?)",
                                    (headers["Nats-Msg-Id"],))
            return added.rowcount == 1
        moved = self.db.execute(
            "INSERT INTO line VALUES (?, ?) ON CONFLICT (incarnation) DO UPDATE"
            " SET position = excluded.position WHERE excluded.position > position",
            (incarnation, position))
        return moved.rowcount == 1

    def _effect(self, message):
        """What is to happen once for each event: here, counting them."""
        stream = urllib.parse.unquote(message.headers["ce-subject"])
        self.db.execute(
            "INSERT INTO totals VALUES (?, 1, ?) ON CONFLICT (stream) DO UPDATE"
            " SET events = events + 1, last = max(last, excluded.last)",
            (stream, int(message.headers["ce-sequence"])))


async def subscribe(js, options, effects):
    """The durable consumer, made anew behind what the database has."""
    try:
        await js.delete_consumer(options.stream, options.durable)
    except nats.js.errors.NotFoundError:
        pass
    await js.add_consumer(options.stream, ConsumerConfig(
        durable_name=options.durable, ack_policy=AckPolicy.ALL, max_ack_pending=4 * BATCH,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=effects.sequence + 1))
    return await js.pull_subscribe_bind(options.durable, options.stream)


def without_gap(messages, delivered):
    """How many the consumer has delivered now; Gap where one of them did not come."""
    for message in messages:
        if message.metadata.sequence.consumer != delivered + 1:
            raise Gap
        delivered += 1
    return delivered


async def consume(options, effects):
    connection = await nats.connect(options.url, user=os.environ.get("NATS_USER"),
                                    password=os.environ.get("NATS_PASSWORD"))
    js = connection.jetstream()
    subscription, delivered, idle_since = None, 0, None
    clock = asyncio.get_running_loop()
    while True:
        try:
            if subscription is None:
                subscription, delivered = await subscribe(js, options, effects), 0
            messages = await subscription.fetch(BATCH, timeout=0.5)
            if not messages:  # the request ended as one came; as good as none
                raise nats.errors.TimeoutError
            delivered = without_gap(messages, delivered)
            effects.apply(messages)
            await messages[-1].ack()
            idle_since = None
        except Gap:
            subscription = None
        except nats.errors.TimeoutError:
            idle_since = idle_since or clock.time()
            if options.until_idle and clock.time() - idle_since >= options.until_idle:
                break
        except (nats.errors.Error, nats.js.errors.APIError, OSError) as error:
            print(f"nats_consumer: {error!r}; trying again", file=sys.stderr)
            subscription = None
            await asyncio.sleep(0.5)
    await connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--stream", required=True)
    parser.add_argument("--durable", default="totals")
    parser.add_argument("--db", required=True)
    parser.add_argument("--until-idle", type=float, default=0,
                        help="end when nothing came for so many seconds; 0 is never")
    options = parser.parse_args()
    effects = Effects(options.db)
    asyncio.run(consume(options, effects))
    events, streams = effects.db.execute("SELECT sum(events), count(*) FROM totals").fetchone()
    print(json.dumps({"events": events or 0, "streams": streams, "repeats": effects.repeats}))


if __name__ == "__main__":
    main()
