#!/usr/bin/env python3
"""examples/consumer/kafka_consumer.py counts every event once: it is killed, fed with repeats, and
its totals are what the store says.
"""

import contextlib
import json
import pathlib
import random
import sqlite3
import subprocess
import sys
import time

import kafka

from processes import spawn
from publishing import Publishing, generated_store
from servers import KafkaBroker, state
from support import check, equal, run

CONSUMER = pathlib.Path(__file__).resolve().parents[2] / "examples/consumer/kafka_consumer.py"
EVENTS = 20_000
TOPIC = "ledger"


def command(broker, db):
    return [sys.executable, "-B", str(CONSUMER), "--bootstrap", broker.bootstrap, "--topic", TOPIC,
            "--db", str(db), "--until-idle", "1"]


def consume(broker, db):
    result = subprocess.run(command(broker, db), check=False, capture_output=True, timeout=120)
    check(result.returncode == 0, result.stderr.decode()[-2000:])
    return json.loads(result.stdout)


def totals(db):
    try:
        with contextlib.closing(sqlite3.connect(db, timeout=60)) as connection:
            return dict(connection.execute("SELECT stream, events FROM totals"))
    except sqlite3.OperationalError:  # it has not made the table yet
        return {}


def repeat(broker, count, change=lambda headers: headers):
    """Writes the first messages of a partition once more, as a publisher in idempotent mode may;
    `count` of them, with what `change` makes of their headers."""
    reader = kafka.KafkaConsumer(bootstrap_servers=broker.bootstrap, consumer_timeout_ms=5000,
                                 isolation_level="read_committed")
    reader.assign([kafka.TopicPartition(TOPIC, 0)])
    reader.seek_to_beginning()
    writer = kafka.KafkaProducer(bootstrap_servers=broker.bootstrap)
    for number, record in enumerate(reader):
        if number == count:
            break
        writer.send(TOPIC, record.value, record.key, change(list(record.headers)),
                    record.partition)
    writer.close()
    reader.close()


def kill_it(broker, db, times):
    """It is killed -9 wherever it is; returns how often it had done something, and not all."""
    dice = random.Random(1)
    half_way = 0
    for _ in range(times):
        process = spawn(command(broker, db), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = sum(totals(db).values())
        end = time.monotonic() + 20
        while time.monotonic() < end and process.poll() is None:
            if sum(totals(db).values()) > before:
                break
            time.sleep(0.01)
        time.sleep(dice.random() * 0.02)
        process.kill()
        process.wait()
        half_way += 0 < sum(totals(db).values()) < EVENTS
    return half_way


def main():
    with state("kafka_consumer") as folder, KafkaBroker(folder) as broker:
        store = generated_store(folder, EVENTS)
        broker.create_topic(TOPIC, partitions=3)
        Publishing(store, f"kafka://{broker.bootstrap}", "--topic", TOPIC).publish_all("--from", 1)
        db = folder / "totals.sqlite"
        check(kill_it(broker, db, 4) >= 2, "it was killed too late")
        first = consume(broker, db)
        expected = {line["stream"]: line["version"] for line in run("streams", store).lines()}
        equal(totals(db), expected)
        equal((first["events"], first["streams"]), (EVENTS, len(expected)))

        repeat(broker, 100)
        again = consume(broker, db)
        equal((again["events"], again["repeats"]), (EVENTS, 100))
        equal(totals(db), expected)

        # A replay is sent aside of the line, by keys of its own: it counts, and each of it once.
        def replayed(headers):
            found = dict(headers)
            found["daybook-dedupe-key"] += b":r7"
            return list((found | {"ce_replay": b"7", "ce_line": found["ce_sequence"]}).items())

        for _ in range(3):
            repeat(broker, 1, replayed)
        aside = consume(broker, db)
        equal((aside["events"], aside["repeats"]), (EVENTS + 1, 2))


if __name__ == "__main__":
    main()
    print("ok")
