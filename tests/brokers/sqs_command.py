#!/usr/bin/env python3
"""`daybook publish --to sqs://...` with an emulator, and the consumer among the examples."""

import json
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import time

import certificates
from compare import NO_ORDER, PLACE, Expected, compare
from consumers import read_sqs
from processes import free_port, spawn
from publishing import append, generated_store
from servers import SqsEmulator, state
from support import check, equal, run

CONSUMER = pathlib.Path(__file__).resolve().parents[2] / "examples/consumer/sqs_consumer.py"
EVENTS = 400  # of the consumer
ACCOUNT = "123456789012"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
ENVIRONMENT = {**{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
               "AWS_REGION": SqsEmulator.REGION, **KEYS}


def publish(store, url, *arguments, code=0, env=None, **options):
    return run("publish", store, "--to", url, *arguments, code=code, env=env or ENVIRONMENT,
               **options)


def url_of(port, queue, scheme="sqs+http"):
    return f"{scheme}://127.0.0.1:{port}/{ACCOUNT}/{queue}"


def refused(result, *words):
    """In one line, which has these words in it."""
    message = result.error()["message"]
    check("\n" not in message, message)
    for word in words:
        check(word in message, f"'{word}' is missing:", message)


def what_is_published_comes_back_event_by_event(folder):
    store = generated_store(folder, 300)
    with SqsEmulator(folder) as emulator:
        for queue, order in (("ledger.fifo", PLACE), ("ledger", NO_ORDER)):
            queue_url = emulator.create_queue(queue)
            publish(store, url_of(emulator.port, queue), "--name", queue.partition(".")[2] or "std",
                    "--from", 1)
            messages = read_sqs(emulator.endpoint, queue_url)
            compare(Expected.of_store(store), messages, order).check()


def what_an_operator_has_to_mend_is_said_in_one_line(folder):
    store = generated_store(folder, 3)
    begin = time.monotonic()
    with SqsEmulator(folder) as emulator:
        emulator.create_queue("ledger.fifo")
        url = url_of(emulator.port, "ledger.fifo")
        refused(publish(store, url_of(emulator.port, "none.fifo"), "--from", 1, code=3),
                "none.fifo", "create the queue")
        refused(publish(store, url_of(free_port(), "ledger.fifo"), "--from", 1, code=5), "connect")
        refused(publish(store, url_of(emulator.port, "ledger.fifo", "sqs"), "--from", 1, code=7),
                "is it the right host and port?")
        refused(publish(store, url.replace("//", "//me:secret@"), "--from", 1, code=1),
                "AWS_ACCESS_KEY_ID")
        refused(publish(store, url, "--from", 1, "--key", "{type}", code=1), "unordered")
        refused(publish(store, url, "--from", 1, "--option", "regoin=x", code=1), "regoin")
        keyless = {name: value for name, value in ENVIRONMENT.items() if name not in KEYS}
        refused(publish(store, url, "--from", 1, code=7, env=keyless), "no credentials")
        path = folder / "credentials"
        path.write_text("[two]\naws_access_key_id = A\naws_secret_access_key = B\n",
                        encoding="utf-8")
        refused(publish(store, url, "--from", 1, "--credentials", path, code=7, env=keyless),
                "[default]")
        publish(store, url, "--from", 1, "--credentials", path, "--option", "profile=two",
                env=keyless)
    check(time.monotonic() - begin < 60, "that took long")


def a_certificate_is_checked(folder):
    store = generated_store(folder, 3)
    made = certificates.make(folder / "certificates")
    with SqsEmulator(folder, certificates=made) as emulator:
        emulator.create_queue("ledger.fifo")
        url = url_of(emulator.port, "ledger.fifo", "sqs")
        refused(publish(store, url, "--from", 1, code=7), "certificate")
        refused(publish(store, url, "--from", 1, "--tls-ca", made.foreign_ca.certificate, code=7),
                "certificate")
        refused(publish(store, url, "--from", 1, "--tls-ca", folder / "none.pem", code=1),
                "certificates")
        publish(store, url, "--from", 1, "--tls-ca", made.ca.certificate)
    with SqsEmulator(folder, "elsewhere", certificates=made, pair=made.elsewhere) as emulator:
        url = url_of(emulator.port, "ledger.fifo", "sqs")
        refused(publish(store, url, "--name", "e", "--from", 1, "--tls-ca", made.ca.certificate,
                        code=7), "certificate")


def an_event_over_the_limit_is_parked_and_its_stream_waits(folder):
    store = folder / "store"
    small, large = {"text": "x"}, {"text": "x" * 3000}
    append(store, [{"stream": stream, "type": "T", "data": data, "time": "2020-01-01T00:00:00Z"}
                   for stream, data in (("a-1", small), ("a-2", small), ("a-1", large),
                                        ("a-2", small), ("a-1", small), ("a-3", small))])
    with SqsEmulator(folder) as emulator:
        queue_url = emulator.create_queue("ledger.fifo", MaximumMessageSize=2048)
        publish(store, url_of(emulator.port, "ledger.fifo"), "--name", "q", "--from", 1)
        positions = sorted(record.position for record in read_sqs(emulator.endpoint, queue_url))
        equal(positions, [1, 2, 4, 6])
        status = run("publish", "status", store, "q").json()
        equal((status["parked"], status["parked_streams"]), (2, 1))
        parked = run("publish", "parked", store, "--name", "q").out.decode()
        check("2048" in parked, "the reason is not told:", parked)
        # With a queue that takes more, what waited is sent, in its order.
        emulator.request("SetQueueAttributes", QueueUrl=queue_url,
                         Attributes={"MaximumMessageSize": "262144"})
        run("publish", "retry", store, "--name", "q")
        publish(store, url_of(emulator.port, "ledger.fifo"), "--name", "q")
        messages = emulator.request("ReceiveMessage", QueueUrl=queue_url, MaxNumberOfMessages=10)
        events = [json.loads(message["Body"]) for message in messages["Messages"]]
        # Sent aside of the line, which had come to position 6.
        equal([(int(event["sequence"]), int(event["line"])) for event in events], [(3, 6), (5, 6)])


def consume_with_kills(emulator, queue_url, database, dice, before_the_last):
    command = [sys.executable, "-B", str(CONSUMER), "--queue", queue_url, "--endpoint",
               emulator.endpoint, "--db", str(database), "--wait", "0", "--until-idle", "2.5"]
    env = {**ENVIRONMENT, "AWS_DEFAULT_REGION": SqsEmulator.REGION}
    for _ in range(4):
        process = spawn(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        time.sleep(1.0 + dice.random())  # about one of them is for Python to start
        process.kill()
        process.wait()
    before_the_last()
    done = subprocess.run(command, env=env, capture_output=True, check=True, timeout=120)
    return json.loads(done.stdout)


def a_consumer_that_is_killed_counts_every_event_once(folder):
    store = generated_store(folder, EVENTS)
    dice = random.Random(3)
    expected = {line["stream"]: line["version"] for line in run("streams", store).lines()}
    with SqsEmulator(folder) as emulator:
        for queue in ("ledger.fifo", "ledger"):
            queue_url = emulator.create_queue(queue, VisibilityTimeout=1)
            url = url_of(emulator.port, queue)

            def send(name):
                publish(store, url, "--name", f"{name}-{queue.partition('.')[2]}", "--from", 1)

            send("one")
            send("two")  # the same events, a second time
            database = folder / f"{queue}.sqlite"
            # What the killed ones left may hold no repeat: so the last one gets all of them again.
            counted = consume_with_kills(emulator, queue_url, database, dice,
                                         lambda: send("three"))
            print(f"  {queue}: {counted}", flush=True)
            with sqlite3.connect(database) as db:
                equal(dict(db.execute("SELECT stream, events FROM totals")), expected)
                repeats = db.execute("SELECT count(*) FROM seen").fetchone()[0]
            equal(repeats, EVENTS)
            check(queue.endswith(".fifo") or counted["repeats"] > 0, "no repeat came:", counted)


CASES = {case.__name__: case for case in (
    what_is_published_comes_back_event_by_event, what_an_operator_has_to_mend_is_said_in_one_line,
    a_certificate_is_checked, an_event_over_the_limit_is_parked_and_its_stream_waits,
    a_consumer_that_is_killed_counts_every_event_once)}


def main():
    for name in sys.argv[1:] or CASES:
        print(f"- {name}", flush=True)
        with state(f"sqs_command.{name}") as folder:
            CASES[name](folder)
    print("ok")


if __name__ == "__main__":
    main()
