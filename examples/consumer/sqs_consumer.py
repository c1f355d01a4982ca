#!/usr/bin/env python3
"""An idempotent consumer of what `daybook publish --to sqs://...` sends: every event counts once.

    sqs_consumer.py --queue https://sqs.eu-west-1.amazonaws.com/123456789012/ledger.fifo \\
        --db totals.sqlite

It keeps, for each stream of the store, how many events it has seen and the last of them; put your
own effect in their place. What makes it exact, whatever is killed:

- The dedupe keys of the messages stand in the same database as the effect, and both are committed
  in one transaction.
- Messages are deleted from the queue behind that commit. Where the process dies in between, they
  come again when their visibility timeout is over, and are dropped by their keys.
- So is what the publisher sent twice: in a standard queue at any time, in a FIFO queue where it
  was down for longer than the five minutes for which SQS itself drops repeats.

A key is remembered for longer than a repeat of it can come: SQS keeps a message for 14 days at
most, and a publisher that was down sends again what it had sent last before that. Of a FIFO queue,
which keeps the order of each stream, the last position of a stream would do as well, unless the
publisher replays.

Credentials and region come from the environment, as boto3 takes them. The queue's visibility
timeout has to be longer than a batch takes. Needs boto3 (https://pypi.org/project/boto3).
"""

import argparse
import json
import sqlite3
import sys
import time

import boto3
import botocore.exceptions

BATCH = 10  # of SQS
PRUNE_SECONDS = 3600
SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, at REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS totals (stream TEXT PRIMARY KEY, events INTEGER, last INTEGER);
"""


class Effects:
    """The database: what was done, and for which messages."""

    def __init__(self, path, remember_days):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=FULL")
        self.db.executescript(SCHEMA)
        self.remember_seconds = remember_days * 86400
        self.pruned_at = 0
        self.repeats = 0

    def apply(self, messages):
        """All of these, or, where the process dies before the commit, none."""
        now = time.time()
        self.db.execute("BEGIN IMMEDIATE")
        try:
            for message in messages:
                key = message["MessageAttributes"]["dedupe_key"]["StringValue"]
                added = self.db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, now))
                if added.rowcount == 1:
                    self._effect(json.loads(message["Body"]))
                else:
                    self.repeats += 1
            if now - self.pruned_at > PRUNE_SECONDS:
                self.db.execute("DELETE FROM seen WHERE at < ?", (now - self.remember_seconds,))
                self.pruned_at = now
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise

    def _effect(self, event):
        """What is to happen once for each event (CloudEvents in JSON): here, counting them."""
        self.db.execute(
            "INSERT INTO totals VALUES (?, 1, ?) ON CONFLICT (stream) DO UPDATE"
            " SET events = events + 1, last = max(last, excluded.last)",
            (event["subject"], int(event["sequence"])))


def consume(options, effects):
    sqs = boto3.client("sqs", endpoint_url=options.endpoint)
    last = time.monotonic()
    while not options.until_idle or time.monotonic() - last < options.until_idle:
        try:
            messages = sqs.receive_message(
                QueueUrl=options.queue, MaxNumberOfMessages=BATCH, WaitTimeSeconds=options.wait,
                MessageAttributeNames=["dedupe_key"]).get("Messages", [])
            if not messages:
                continue
            effects.apply(messages)
            sqs.delete_message_batch(QueueUrl=options.queue, Entries=[
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)])
            last = time.monotonic()
        except (botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError) as error:
            print(f"sqs_consumer: {error}; trying again", file=sys.stderr)
            time.sleep(0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--queue", required=True, help="the URL of the queue")
    parser.add_argument("--endpoint", help="of an emulator")
    parser.add_argument("--db", required=True)
    parser.add_argument("--remember-days", type=float, default=30)
    parser.add_argument("--wait", type=int, default=5, help="seconds that one request waits")
    parser.add_argument("--until-idle", type=float, default=0,
                        help="end when nothing came for so many seconds; 0 is never")
    options = parser.parse_args()
    effects = Effects(options.db, options.remember_days)
    consume(options, effects)
    events, streams = effects.db.execute("SELECT sum(events), count(*) FROM totals").fetchone()
    print(json.dumps({"events": events or 0, "streams": streams, "repeats": effects.repeats}))


if __name__ == "__main__":
    main()
