#!/usr/bin/env python3
"""examples/consumer/nats_consumer.py counts every event once: it is killed, fed with repeats, and
its totals are what the store says.
"""

import asyncio
import pathlib
import sys
import time

from consuming import Consumer
from nats_streams import make_stream, with_jetstream
from publishing import Publishing, generated_store
from servers import NatsServer, state
from support import check, equal, run

CONSUMER = pathlib.Path(__file__).resolve().parents[2] / "examples/consumer/nats_consumer.py"
EVENTS = 6000
STREAM = "LEDGER"


def consumer_of(nats, db):
    return Consumer([sys.executable, "-B", str(CONSUMER), "--url", nats.url, "--stream", STREAM,
                     "--until-idle", "1"], db)


def repeat(nats, sequences):
    """Stores messages a second time, as a publisher would whose window of duplicates has ended."""

    async def go(js):
        for sequence in sequences:
            message = await js.get_msg(STREAM, sequence)
            headers = {name: value for name, value in message.headers.items()
                       if not name.startswith("Nats-Expected-")}
            await js.publish(message.subject, message.data, headers=headers)

    with_jetstream(nats.url, go)


def repeat_aside(nats, times):
    """Stores the first event as one of a replay, so many times."""

    async def go(js):
        message = await js.get_msg(STREAM, 1)
        headers = {name: value for name, value in message.headers.items()
                   if not name.startswith("Nats-Expected-")}
        headers |= {"Nats-Msg-Id": headers["Nats-Msg-Id"] + ":r7", "ce-replay": "7",
                    "ce-line": headers["ce-sequence"]}
        for _ in range(times):
            await js.publish(message.subject, message.data, headers=headers)
            await asyncio.sleep(0.5)

    with_jetstream(nats.url, go)


def main():
    with state("nats_consumer") as folder, NatsServer(folder) as nats:
        store = generated_store(folder, EVENTS)
        # So short that a repeat is stored, as after a long stop.
        make_stream(nats.url, STREAM, duplicate_window=0.2)
        Publishing(store, f"{nats.url}/{STREAM}").publish_all("--from", 1)
        consumer = consumer_of(nats, folder / "totals.sqlite")
        check(consumer.kill(5, EVENTS) >= 3, "it was killed too late")
        first = consumer.consume()
        expected = {line["stream"]: line["version"] for line in run("streams", store).lines()}
        equal(consumer.totals(), expected)
        equal((first["events"], first["streams"]), (EVENTS, len(expected)))

        time.sleep(0.5)
        repeat(nats, range(EVENTS - 99, EVENTS + 1))
        again = consumer.consume()
        equal((again["events"], again["repeats"]), (EVENTS, 100))
        equal(consumer.totals(), expected)

        # A replay is sent aside of the line, by keys of its own: it counts, and each of it once.
        repeat_aside(nats, 3)
        aside = consumer.consume()
        equal((aside["events"], aside["repeats"]), (EVENTS + 1, 2))


if __name__ == "__main__":
    main()
    print("ok")
