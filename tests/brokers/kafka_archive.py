#!/usr/bin/env python3
"""Lets a Kafka broker start, work and end once, and keeps the classes that it loaded in a file.

Java maps them from there at each later start, which takes a third less time. Where the file does
not fit (another Java), Java starts without it.
"""

import pathlib
import sys
import tempfile

import kafka

from servers import KafkaBroker

DUMP_SECONDS = 120


def main():
    target = pathlib.Path(sys.argv[1]).resolve()
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="daybook-kafka-") as folder:
        broker = KafkaBroker(folder)
        broker.archive = target
        with broker:
            broker.create_topic("t", 2)
            producer = kafka.KafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id="t",
                                           enable_idempotence=True, acks="all")
            producer.init_transactions()
            producer.begin_transaction()
            producer.send("t", b"1")
            producer.commit_transaction()
            producer.close()
            broker.stop(DUMP_SECONDS)
        if not target.exists():
            sys.exit(f"no {target}:\n{broker.log_end()}")


if __name__ == "__main__":
    main()
