#!/usr/bin/env python3
"""What is read back from real brokers, with planted defects, is what was put in.

The publishers here are plain ones of Python; the store is a generated log (or as many events of a
real one as are named: --events N).
"""

import argparse
import asyncio
import dataclasses
import itertools
import random
import sys
import time

import kafka
import nats

from compare import NO_ORDER, PLACE, STREAM, Expected, compare
from consumers import BadMessage, read_kafka, read_nats, read_sqs
from envelope import kafka_headers, nats_headers, structured
from real_logs import DATA
from servers import KafkaBroker, NatsServer, SqsEmulator, state
from support import Log, check, equal, run

DEFECTS = {"lost": 1, "doubled": 1, "swapped": 1, "changed": 1, "foreign": 0, "repeats": 0}


def make_store(folder, events):
    """A store with so many events: of the real log where there are more than the twin is asked."""
    store = folder / "store"
    if events <= 3000 or not (DATA / "rtfmp.ndjson.gz").exists():
        run("import", store, "-", stdin=Log(min(events, 3000)).bytes())
    else:
        run("import", store, DATA / "rtfmp.ndjson.gz")
    return Expected.of_store(store, "--to", events)


def with_defects(expected, seed=3):
    """All records, of which one is lost, one doubled, two of a stream swapped and one changed."""
    records = [expected.record(position) for position in expected.positions()]
    first = next(record for record in records[20:] if record.version == 1
                 and any(later.stream == record.stream for later in records[record.position:]))
    second = next(record for record in records[first.position:] if record.stream == first.stream)
    free = [record.position for record in records
            if record.position not in (first.position, second.position)]
    lost, doubled, changed = random.Random(seed).sample(free, 3)
    for record in records:
        if record.position == lost:
            continue
        if record.position in (first.position, second.position):
            record = second if record is first else first
        if record.position == changed:
            record = dataclasses.replace(record, data=record.data.replace(b":", b": "))
        yield record
        if record.position == doubled:
            yield record


def look(what, expected, records, scope, wanted, **options):
    begin = time.monotonic()
    counts = compare(expected, records, scope, **options)
    seconds = time.monotonic() - begin
    print(f"  {what}: {counts} ({counts.arrived / seconds:.0f} a second)", flush=True)
    equal({kind: getattr(counts, kind) for kind in wanted}, wanted, what)


async def publish_nats(url, messages, stream="LEDGER"):
    connection = await nats.connect(url)
    jetstream = connection.jetstream(publish_async_max_pending=2000)
    await jetstream.add_stream(name=stream, subjects=["ledger.>"])
    for subject, headers, data in messages:
        await jetstream.publish_async(subject, data, headers=headers)
    await jetstream.publish_async_completed()
    await connection.close()


def through_nats(folder, expected):
    with NatsServer(folder) as server:
        def message(record):  # with the key of each message its own: the server would drop it
            headers = nats_headers(record)
            del headers["Nats-Msg-Id"]
            return f"ledger.{record.version % 7}", headers, record.data

        asyncio.run(publish_nats(server.url, map(message, with_defects(expected))))
        look("NATS", expected, read_nats(server.url, "LEDGER"), STREAM, DEFECTS)
        look("NATS, repeats dropped", expected, read_nats(server.url, "LEDGER"), STREAM,
             DEFECTS | {"doubled": 0, "repeats": 1}, drop_repeats=True)
        server.restart(kill=True)
        look("NATS, after a kill", expected, read_nats(server.url, "LEDGER"), STREAM, DEFECTS)
        asyncio.run(publish_nats(server.url, [("ledger.x", {"a": "b"}, b"")]))
        try:
            list(read_nats(server.url, "LEDGER"))
            check(False, "a message without an envelope was taken")
        except BadMessage as error:
            check("ledger.x" in str(error), error)


def send(producer, topic, record):
    # By its stream, as a sink does: here by the partition's number, whatever the hash.
    producer.send(topic, value=record.data, key=record.stream.encode(),
                  headers=kafka_headers(record), partition=len(record.stream) % 3)


def through_kafka(folder, expected):
    with KafkaBroker(folder) as broker:
        for name in ("ledger.a", "ledger.b", "other"):
            broker.create_topic(name, 3)
        producer = kafka.KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all",
                                       enable_idempotence=True, transactional_id="t",
                                       compression_type="lz4", linger_ms=5)
        producer.init_transactions()
        half = len(expected) // 2
        records = with_defects(expected)
        for part in (itertools.islice(records, half), records):
            producer.begin_transaction()
            for record in part:
                send(producer, f"ledger.{'ab'[len(record.stream) % 2]}", record)
            producer.commit_transaction()
        topics = ["ledger.a", "ledger.b"]
        look("Kafka", expected, read_kafka(broker.bootstrap, topics), STREAM, DEFECTS)
        producer.begin_transaction()
        send(producer, "ledger.a", expected.record(1))
        producer.flush()
        producer.abort_transaction()
        producer.close()
        for isolation, doubled in (("read_committed", 1), ("read_uncommitted", 2)):
            look(f"Kafka, {isolation}", expected,
                 read_kafka(broker.bootstrap, topics, isolation=isolation), NO_ORDER,
                 DEFECTS | {"doubled": doubled, "swapped": 0})


def through_sqs(folder, expected):
    few = expected.only(range(1, 501))
    with SqsEmulator(folder) as server:
        for name in ("ledger.fifo", "ledger"):
            url = server.create_queue(name, VisibilityTimeout=60)
            begin = time.monotonic()
            batch, sent = [], 0
            for number, record in enumerate(with_defects(few)):
                entry = {"Id": str(number), "MessageBody": structured(record)}
                if name.endswith(".fifo"):
                    entry |= {"MessageGroupId": record.stream.encode().hex(),
                              "MessageDeduplicationId": record.dedupe_key}
                batch.append(entry)
                if len(batch) == 10:
                    sent += send_batch(server, url, batch)
            sent += send_batch(server, url, batch)
            print(f"  {sent} sent to {name} in {time.monotonic() - begin:.1f} s", flush=True)
            if name.endswith(".fifo"):  # the emulator drops the doubled one, as SQS does
                look("SQS FIFO", few, read_sqs(server.endpoint, url), PLACE,
                     DEFECTS | {"doubled": 0})
            else:
                look("SQS standard", few, read_sqs(server.endpoint, url), NO_ORDER,
                     DEFECTS | {"swapped": 0})
            equal(list(read_sqs(server.endpoint, url)), [])


def send_batch(server, url, batch):
    if not batch:
        return 0
    answer = server.request("SendMessageBatch", QueueUrl=url, Entries=batch)
    check(not answer.get("Failed"), answer)
    count = len(batch)
    batch.clear()
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--events", type=int, default=800)
    arguments = parser.parse_args()
    with state("consumers_test") as folder:
        expected = make_store(folder, arguments.events)
        for test in (through_nats, through_kafka, through_sqs):
            begin = time.monotonic()
            test(folder, expected)
            print(f"- {test.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)
    print("ok")


if __name__ == "__main__":
    sys.exit(main())
