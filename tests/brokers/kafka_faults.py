#!/usr/bin/env python3
"""Publishing to Kafka under faults, in both modes, whatever is killed.

    kafka_faults.py [CASE ...]   (without one: all; DAYBOOK_SOAK=1 makes them long)

transactional: nothing is lost, doubled or swapped for a consumer of committed messages.
idempotent: nothing is lost, each key is in order once repeats are dropped, and there are not more
repeats than may be on their way at each kill.

Each case publishes a store by the command, reads all back by another library from the first message
on, compares it event by event, and checks that the faults bit.
"""

import random
import pathlib
import signal
import sys
import time

import kafka
import kafka.errors

from compare import STREAM as BY_STREAM, Expected, compare
from consumers import read_kafka
from publishing import (SOAK, DidNotBite, Failures, Publishing, check_bit, head_of, print_counted,
                        store_of, until_it_bites, wait_until)
from servers import KafkaBroker, state
from support import check

EVENTS = 50_000
PARTITIONS = 4
WINDOW = 32768  # kInFlightEvents of the sink
LEAST = 0.8 if SOAK else 0.3  # of the faults; the log may end before the last of them
MODES = ("transactional", "idempotent")


class Topic:
    """The topic of one run, and how much stands in it, committed or not."""

    def __init__(self, broker, mode):
        self.broker = broker
        self.mode = mode
        self.name = f"ledger.{mode}"
        self._consumers = {}
        self.last = 0
        self._begin = 0
        broker.create_topic(self.name, partitions=PARTITIONS)

    def publishing(self, store, *flags):
        return Publishing(store, f"kafka://{self.broker.bootstrap}", "--topic", self.name,
                          "--option", f"mode={self.mode}", "--option", "commit-ms=20",
                          "--patience", 300, *flags, name=self.mode)

    def _ends(self, isolation):
        if isolation not in self._consumers:
            self._consumers[isolation] = kafka.KafkaConsumer(
                bootstrap_servers=self.broker.bootstrap, isolation_level=isolation,
                bootstrap_timeout_ms=3000, request_timeout_ms=3000)
        parts = [kafka.TopicPartition(self.name, number) for number in range(PARTITIONS)]
        return sum(self._consumers[isolation].end_offsets(parts).values())

    def messages(self):
        """All that was ever written to it; what it was last, while nobody answers."""
        try:
            self.last = self._ends("read_uncommitted")
        except (kafka.errors.KafkaError, OSError):
            self.close()
        return self.last

    def begin(self, publishing):
        """Before a publisher starts."""
        self._begin = self.messages() - publishing.acknowledged()

    def in_flight(self, publishing):
        """Whether it holds something that the publisher does not know to be done: an open
        transaction, or more than the cursor says."""
        if self.mode == "transactional":
            return self._ends("read_committed") < self.messages()
        return self.messages() - self._begin > publishing.acknowledged()

    def close(self):
        for consumer in self._consumers.values():
            consumer.close()
        self._consumers = {}

    def compare_all(self, store, fault, publishing, most_repeats):
        exact = self.mode == "transactional"
        records = read_kafka(self.broker.bootstrap, [self.name])
        counts = compare(Expected.of_store(store), records, BY_STREAM, drop_repeats=not exact)
        print(counts, flush=True)
        counts.check()
        check(counts.repeats <= most_repeats, "too many repeats:", counts)
        wrong = counts.lost + counts.doubled + counts.swapped + counts.foreign + counts.changed
        aborted = self.messages() - counts.arrived  # and the marks of transactions
        self.close()
        print_counted(f"publish.kafka.{self.mode}.{fault}",
                      {"runs": 1, "events": counts.arrived, "repeats": counts.repeats,
                       "aborted": aborted, **publishing.counted(), "wrong": wrong})


def reach(topic, steps, publishing, seconds=120):
    """Waits until so many messages were written since the last time; False where the publisher
    ended before."""
    end = time.monotonic() + seconds
    goal = topic.last + steps
    while topic.messages() < goal:
        if not publishing.is_running():
            return False
        check(time.monotonic() < end, f"{steps} more messages are not written in {seconds} s")
    return publishing.is_running()


def begun(publishing, failures):
    """Waits until the publisher has a session again; the broker is there."""
    wait_until(lambda: not publishing.is_running()
               or (publishing.status() or {}).get("sessions", 0) > failures.rewinds, 120,
               "a session begins")


def steps_of(seed, head, times):
    """After how many messages something is to happen: the log lasts for all of them."""
    dice = random.Random(seed)
    part = head * 0.9 / times
    return [max(1, int((0.05 + 0.4 * dice.random()) * part)) for _ in range(times)]


def under_faults(topic, store, publishing, seed, times, strike, mend):
    """Publishes all while the broker is struck and mended so many times; what was counted."""
    publishing.start("--from", 1)
    failures = Failures(publishing)
    for steps in steps_of(seed, head_of(store), times):
        if publishing.hits:
            begun(publishing, failures)
        if not reach(topic, steps, publishing):
            break
        strike()
        if publishing.is_running():
            failures.wait()
        mend()
    publishing.finish()
    counted = publishing.counted()
    check_bit(counted, LEAST * times)
    check(counted["rewinds"] >= len(publishing.hits), "too few sessions ended:", counted)
    return counted


def broker_kills(broker, store, mode, times=25 if SOAK else 3):
    """The broker is killed and started again while the publisher goes on."""
    topic = Topic(broker, mode)
    publishing = topic.publishing(store, "--timeout", 2)
    dice = random.Random(2)

    def strike():
        broker.kill()
        topic.close()

    def mend():
        time.sleep(dice.choice([0, 0.1, 0.5]))
        broker.start()

    counted = under_faults(topic, store, publishing, 1, times, strike, mend)
    check(counted["resends"] > 0, "nothing was sent again:", counted)
    topic.compare_all(store, "broker_kills", publishing, WINDOW * counted["rewinds"])


def publisher_kills(broker, store, mode, times=60 if SOAK else 6):
    """The publisher is killed -9 and started again; what was on its way may arrive afterwards."""
    topic = Topic(broker, mode)
    publishing = topic.publishing(store, "--timeout", 10)
    publishing.start("--from", 1)
    dice = random.Random(4)
    for steps in steps_of(3, head_of(store), times):
        if not reach(topic, steps, publishing):
            break
        held = dice.random() < 0.4
        # It stands still while the broker is asked what it has.
        publishing.process.send_signal(signal.SIGSTOP)
        publishing.hits.append(topic.in_flight(publishing))
        if held:  # what it sends from now on waits in the sockets, and the next one begins
            broker.pause()
            publishing.process.send_signal(signal.SIGCONT)
            time.sleep(0.05)
        publishing.kill()
        if not held:
            topic.begin(publishing)
        publishing.start()
        if held:
            time.sleep(0.1 + dice.random() * 0.2)
            broker.resume()
            topic.begin(publishing)
    publishing.finish()
    counted = publishing.counted()
    check_bit(counted, LEAST * times)
    topic.compare_all(store, "publisher_kills", publishing, WINDOW * times)


def pauses(broker, store, mode, times=20 if SOAK else 2):
    """The broker stands still for longer than the publisher waits for it."""
    topic = Topic(broker, mode)
    publishing = topic.publishing(store, "--timeout", 1)
    dice = random.Random(6)

    def mend():
        time.sleep(dice.random())
        broker.resume()

    counted = under_faults(topic, store, publishing, 5, times, broker.pause, mend)
    check(publishing.retries["DEADLINE_EXCEEDED"] > 0, "no timeout:", publishing.retries)
    topic.compare_all(store, "pauses", publishing, WINDOW * counted["rewinds"])


def prime(broker):
    """A new broker makes the topic of its transactions when the first one is asked for."""
    producer = kafka.KafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id="prime")
    producer.init_transactions()
    producer.close()


CASES = {case.__name__: case for case in (broker_kills, publisher_kills, pauses)}


def has_hanging_transaction(folder):
    """Whether a publisher found that the broker lost the end of a transaction, as a single broker
    does that is killed at the wrong moment (docs/guide/publishing-kafka.md). It then sends nothing
    more; what it would have sent cannot be compared."""
    told = [*folder.glob("*.log"), *folder.glob("store/publish/*/STATUS")]
    return any("find-hanging" in path.read_text(encoding="utf-8", errors="replace")
               for path in told)


def run_case(name, mode):
    with state(f"kafka_faults.{name}") as folder, KafkaBroker(folder) as broker:
        prime(broker)
        try:
            CASES[name](broker, store_of(folder, EVENTS), mode)
        except (AssertionError, TimeoutError) as error:
            if not has_hanging_transaction(pathlib.Path(folder)):
                raise
            raise DidNotBite("the broker lost the end of a transaction") from error


def main():
    for name in sys.argv[1:] or CASES:
        for mode in MODES:
            print(f"- {name}, {mode}", flush=True)
            until_it_bites(lambda: run_case(name, mode))
    print("ok")


if __name__ == "__main__":
    main()
