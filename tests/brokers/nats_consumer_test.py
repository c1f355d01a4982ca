#!/usr/bin/env python3
"""examples/consumer/nats_consumer.py counts every event once: it is killed, fed with repeats, and
its totals are what the store says.
"""

import asyncio
import contextlib
import json
import pathlib
import random
import sqlite3
import subprocess
import sys
import time

from nats_streams import make_stream, with_jetstream
from processes import spawn
from publishing import Publishing, generated_store
from servers import NatsServer, state
from support import check, equal, run

CONSUMER = pathlib.Path(__file__).resolve().parents[2] / "examples/consumer/nats_consumer.py"
EVENTS = 6000
STREAM = "LEDGER"


def command(nats, db):
    return [sys.executable, "-B", str(CONSUMER), "--url", nats.url, "--stream", STREAM, "--db",
            str(db), "--until-idle", "1"]


def consume(nats, db):
    result = subprocess.run(command(nats, db), check=False, capture_output=True, timeout=120)
    check(result.returncode == 0, result.stderr.decode()[-2000:])
    return json.loads(result.stdout)


def totals(db):
    with contextlib.closing(sqlite3.connect(db, timeout=60)) as connection:
        return dict(connection.execute("SELECT stream, events FROM totals"))


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


def kill_it(nats, db, times):
    """It is killed -9 wherever it is; returns how often it had done something, and not all."""
    dice = random.Random(1)
    half_way = 0
    for _ in range(times):
        process = spawn(command(nats, db), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = sum(totals(db).values()) if db.exists() else 0
        end = time.monotonic() + 20
        while time.monotonic() < end and process.poll() is None:
            if db.exists() and sum(totals(db).values()) > before:
                break
            time.sleep(0.01)
        time.sleep(dice.random() * 0.02)
        process.kill()
        process.wait()
        half_way += 0 < sum(totals(db).values()) < EVENTS
    return half_way


def main():
    with state("nats_consumer") as folder, NatsServer(folder) as nats:
        store = generated_store(folder, EVENTS)
        # So short that a repeat is stored, as after a long stop.
        make_stream(nats.url, STREAM, duplicate_window=0.2)
        Publishing(store, f"{nats.url}/{STREAM}").publish_all("--from", 1)
        db = folder / "totals.sqlite"
        with contextlib.closing(sqlite3.connect(db)) as connection:
            connection.execute(
                "CREATE TABLE totals (stream TEXT PRIMARY KEY, events INTEGER, last INTEGER)")
        check(kill_it(nats, db, 5) >= 3, "it was killed too late")
        first = consume(nats, db)
        expected = {line["stream"]: line["version"] for line in run("streams", store).lines()}
        equal(totals(db), expected)
        equal((first["events"], first["streams"]), (EVENTS, len(expected)))

        time.sleep(0.5)
        repeat(nats, range(EVENTS - 99, EVENTS + 1))
        again = consume(nats, db)
        equal((again["events"], again["repeats"]), (EVENTS, 100))
        equal(totals(db), expected)

        # A replay is sent aside of the line, by keys of its own: it counts, and each of it once.
        repeat_aside(nats, 3)
        aside = consume(nats, db)
        equal((aside["events"], aside["repeats"]), (EVENTS + 1, 2))


if __name__ == "__main__":
    main()
    print("ok")
