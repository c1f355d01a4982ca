#!/usr/bin/env python3
"""Publishing to JetStream under faults: nothing is lost, doubled or swapped, whatever is killed.

    nats_faults.py [CASE ...]   (without one: all; DAYBOOK_SOAK=1 makes them long)

Each case publishes a store by the command, reads all back by another library from the first message
on, compares it event by event, and checks that the faults bit.
"""

import random
import sys
import time

from compare import GLOBAL, Expected, compare
from consumers import read_nats
from nats_streams import make_stream, sequence_of
from publishing import (SOAK, Failures, Publishing, check_bit, head_of, print_counted, store_of,
                        targets, until_it_bites, wait_for, wait_until)
from servers import NatsCluster, NatsServer, state
from support import check

STREAM = "LEDGER"
FLAGS = ("--timeout", 2, "--patience", 300)


def compare_all(store, url, suite, counted):
    counts = compare(Expected.of_store(store), read_nats(url, STREAM), GLOBAL)
    print(counts, flush=True)
    counts.check()
    lost = counts.lost + counts.doubled + counts.swapped + counts.foreign + counts.changed
    print_counted(suite, {"runs": 1, "events": counts.arrived, **counted, "wrong": lost})


def settled(server):
    """The last sequence, once nothing of what was sent is still on its way into the stream."""
    last, same = -1, 0
    while same < 3:
        now = sequence_of(server, STREAM)
        same, last = (same + 1 if now == last else 0), now
        time.sleep(0.02)
    return last


def broker_kills(folder, kills=30 if SOAK else 5):
    """The server is killed and started again while the publisher goes on."""
    with NatsServer(folder) as nats:
        store = store_of(folder)
        make_stream(nats.url, STREAM)
        publishing = Publishing(store, f"{nats.url}/{STREAM}", *FLAGS)
        publishing.start("--from", 1)
        dice = random.Random(2)
        failures = Failures(publishing)
        for target in targets(1, head_of(store), kills):
            wait_for(lambda: sequence_of(nats, STREAM), target, publishing.is_running)
            nats.kill()
            failures.wait()
            time.sleep(dice.choice([0, 0.1, 0.5]))
            nats.start()
        publishing.finish()
        counted = publishing.counted()
        check_bit(counted, kills)
        check(counted["resends"] > 0, "nothing was sent again:", counted)
        check(counted["rewinds"] >= kills, "too few sessions ended:", counted)
        compare_all(store, nats.url, "publish.nats.broker_kills", counted)


def publisher_kills(folder, kills=60 if SOAK else 8):
    """The publisher is killed -9 and started again; what was on its way may arrive afterwards."""
    with NatsServer(folder) as nats:
        store = store_of(folder)
        make_stream(nats.url, STREAM)
        publishing = Publishing(store, f"{nats.url}/{STREAM}", *FLAGS)
        publishing.start("--from", 1)
        dice = random.Random(4)
        for target in targets(3, head_of(store), kills):
            wait_for(lambda: sequence_of(nats, STREAM), target, publishing.is_running)
            held = dice.random() < 0.5
            if held:  # what was sent waits in the sockets, and the next one begins meanwhile
                nats.pause()
                time.sleep(0.05)
            publishing.kill()
            cursor = publishing.acknowledged()
            if held:
                publishing.start()
                time.sleep(0.1 + dice.random() * 0.2)
                nats.resume()
                publishing.hits.append(sequence_of(nats, STREAM) > cursor)
            else:
                publishing.hits.append(settled(nats) > cursor)
                publishing.start()
        publishing.finish()
        counted = publishing.counted()
        check_bit(counted, kills)
        if SOAK:  # in so many, what a dead publisher sent came while the next one sent it too
            check(counted["duplicates"] > 0, "nothing was a duplicate:", counted)
        compare_all(store, nats.url, "publish.nats.publisher_kills", counted)


def pauses(folder, times=20 if SOAK else 2):
    """The server stands still for longer than the publisher waits for it."""
    with NatsServer(folder) as nats:
        store = store_of(folder)
        make_stream(nats.url, STREAM)
        publishing = Publishing(store, f"{nats.url}/{STREAM}", "--timeout", 0.5, "--patience", 300)
        publishing.start("--from", 1)
        dice = random.Random(6)
        failures = Failures(publishing)
        for target in targets(5, head_of(store), times):
            wait_for(lambda: sequence_of(nats, STREAM), target, publishing.is_running)
            nats.pause()
            failures.wait()
            time.sleep(dice.random())
            nats.resume()
        publishing.finish()
        counted = publishing.counted()
        check_bit(counted, times)
        check(counted["rewinds"] >= times, "too few sessions ended:", counted)
        check(publishing.retries["DEADLINE_EXCEEDED"] > 0, "no timeout:", publishing.retries)
        compare_all(store, nats.url, "publish.nats.pauses", counted)


def leader_kills(folder, kills=25 if SOAK else 3):
    """Three servers, three replicas; the leader of the stream is killed, again and again."""
    with NatsCluster(folder) as cluster:
        store = store_of(folder)
        make_stream(cluster.url, STREAM, num_replicas=3)
        publishing = Publishing(store, f"{cluster.url}/{STREAM}", *FLAGS)
        publishing.start("--from", 1)
        dice = random.Random(8)
        failures = Failures(publishing)

        def position():
            return max(sequence_of(server, STREAM) for server in cluster.servers
                       if server.is_running())

        for target in targets(7, head_of(store), kills):
            wait_for(position, target, publishing.is_running, 300)
            leader = wait_until(lambda: cluster.leader(STREAM), 60, "the stream has a leader")
            leader.kill()
            failures.wait()
            time.sleep(dice.random() * 2)
            leader.start()
        publishing.finish()
        counted = publishing.counted()
        check_bit(counted, kills)
        check(counted["resends"] > 0, "nothing was sent again:", counted)
        cluster.wait_ready()
        compare_all(store, cluster.url, "publish.nats.leader_kills", counted)


CASES = {case.__name__: case for case in (broker_kills, publisher_kills, pauses, leader_kills)}


def run_case(name):
    with state(f"nats_faults.{name}") as folder:
        CASES[name](folder)


def main():
    for name in sys.argv[1:] or CASES:
        print(f"- {name}", flush=True)
        until_it_bites(lambda: run_case(name))
    print("ok")


if __name__ == "__main__":
    main()
