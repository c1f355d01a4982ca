#!/usr/bin/env python3
"""examples/consumer/kafka_consumer.py counts every event once: it is killed, fed with repeats, and
its totals are what the store says.
"""

import pathlib
import sys

import kafka

from consuming import Consumer
from publishing import Publishing, generated_store
from servers import KafkaBroker, state
from support import check, equal, run

CONSUMER = pathlib.Path(__file__).resolve().parents[2] / "examples/consumer/kafka_consumer.py"
EVENTS = 20_000
TOPIC = "ledger"


def consumer_of(broker, db):
    return Consumer([sys.executable, "-B", str(CONSUMER), "--bootstrap", broker.bootstrap,
                     "--topic", TOPIC, "--until-idle", "1"], db)


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


def main():
    with state("kafka_consumer") as folder, KafkaBroker(folder) as broker:
        store = generated_store(folder, EVENTS)
        broker.create_topic(TOPIC, partitions=3)
        Publishing(store, f"kafka://{broker.bootstrap}", "--topic", TOPIC).publish_all("--from", 1)
        consumer = consumer_of(broker, folder / "totals.sqlite")
        check(consumer.kill(4, EVENTS) >= 2, "it was killed too late")
        first = consumer.consume()
        expected = {line["stream"]: line["version"] for line in run("streams", store).lines()}
        equal(consumer.totals(), expected)
        equal((first["events"], first["streams"]), (EVENTS, len(expected)))

        repeat(broker, 100)
        again = consumer.consume()
        equal((again["events"], again["repeats"]), (EVENTS, 100))
        equal(consumer.totals(), expected)

        # A replay is sent aside of the line, by keys of its own: it counts, and each of it once.
        def replayed(headers):
            found = dict(headers)
            found["daybook-dedupe-key"] += b":r7"
            return list((found | {"ce_replay": b"7", "ce_line": found["ce_sequence"]}).items())

        for _ in range(3):
            repeat(broker, 1, replayed)
        aside = consumer.consume()
        equal((aside["events"], aside["repeats"]), (EVENTS + 1, 2))


if __name__ == "__main__":
    main()
    print("ok")
