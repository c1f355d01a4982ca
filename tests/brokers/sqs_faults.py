#!/usr/bin/env python3
"""Publishing to SQS under faults: nothing is lost, and in a FIFO queue nothing doubled or swapped.

    sqs_faults.py [CASE ...]   (without one: all; DAYBOOK_SOAK=1 makes them long)

Between the command and the emulator stands fault_proxy.py, which cuts, stalls, throttles and fails
single entries, and the publisher is killed -9. The emulator itself is not killed: it would forget.
All is read back when the publisher is done, and compared event by event; each case checks that the
faults bit.
"""

import gzip
import itertools
import os
import pathlib
import random
import sys
import time

from compare import NO_ORDER, PLACE, STREAM, Expected, compare
from consumers import read_sqs
from fault_proxy import KINDS, FaultProxy
from publishing import SOAK, Publishing, generated_store, print_counted
from real_logs import DATA
from servers import SqsEmulator, state
from support import check, run

EVENTS = 20_000 if SOAK else 600
KILLS = 50 if SOAK else 5
IN_FLIGHT_SHARE = 0.8
# In full the emulator has so many messages that it is slow by itself, too.
TIMEOUT, RATE = (1.5, 0.1) if SOAK else (0.5, 0.2)
SECONDS = 600 if SOAK else 60
BROKER_AWAY = 5
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
SEED = int(os.environ.get("DAYBOOK_SEED") or random.SystemRandom().randrange(2**32))


def real_store(folder):
    """The first events of a real log; None, and said aloud, where it is not at hand."""
    path = DATA / "rtfmp.ndjson.gz"
    if not path.exists():
        print(f"SKIPPED: no {path}: only the generated log is published", flush=True)
        return None
    with gzip.open(path, "rb") as file:
        lines = b"".join(itertools.islice(file, EVENTS))
    store = pathlib.Path(folder) / "store"
    run("import", store, "-", stdin=lines)
    return store


def go_on(publishing, is_reached, seconds, what):
    """Until it is so. A publisher whose first request fails ends (5: the broker is away), and is
    started again, as a supervisor would."""
    end = time.monotonic() + seconds
    while not is_reached():
        check(time.monotonic() < end, f"not in {seconds} s:", what)
        if not publishing.is_running():
            code = publishing.wait()
            if code == 0:
                return False
            check(code == BROKER_AWAY, f"exit {code}:", publishing.log.read_text()[-2000:])
            publishing.start()
        time.sleep(0.002)
    return True


def publish_with_kills(store, proxy, queue, dice):
    """Publishes all of the store, killing the publisher again and again on the way."""
    publishing = Publishing(store, proxy.url(queue), "--timeout", TIMEOUT, "--patience", 120,
                            "--option", "requests=4", env=ENVIRONMENT)
    publishing.start("--from", 1)
    for target in sorted(dice.sample(range(EVENTS // 20, EVENTS * 9 // 10), KILLS)):
        if not go_on(publishing, lambda: len(proxy.stored) >= target and proxy.on_way(),
                     SECONDS, f"{target} events are stored"):
            break
        publishing.hits.append(proxy.on_way() > 0)
        publishing.kill()
        publishing.start()
    check(not go_on(publishing, lambda: False, SECONDS, "all is published"))
    proxy.calm()
    return publishing


def check_bit(counted, proxy):
    """A run in which nothing was hit would prove nothing."""
    check(all(proxy.faults[kind] > 0 for kind in KINDS), "not every fault came:", proxy.faults)
    check(counted["kills"] == KILLS, f"{KILLS} kills were wanted:", counted)
    check(counted["in_flight_at_kills"] >= IN_FLIGHT_SHARE * KILLS,
          "too often nothing was on its way:", counted)
    check(counted["rewinds"] > 0 and counted["resends"] > 0, "nothing was sent again:", counted)


def under_faults(folder, queue, make_store, suite):
    is_fifo = queue.endswith(".fifo")
    print(f"  seed {SEED}", flush=True)
    dice = random.Random(SEED)
    store = make_store(folder)
    if store is None:
        return
    begin = time.monotonic()
    emulator = SqsEmulator(folder)
    proxy = FaultProxy(emulator.port, SEED, rate=RATE, stall=TIMEOUT + 0.2)
    with emulator, proxy:
        queue_url = emulator.create_queue(queue)
        publishing = publish_with_kills(store, proxy, queue, dice)
        print(f"  published in {time.monotonic() - begin:.1f} s; {dict(proxy.faults)}", flush=True)
        expected = Expected.of_store(store)
        messages = list(read_sqs(emulator.endpoint, queue_url))
        if is_fifo:
            counts = compare(expected, messages, PLACE)
            compare(expected, messages, STREAM).check()
        else:
            counts = compare(expected, messages, NO_ORDER, drop_repeats=True)
        counts.check()
        # What the emulator took and did not store a second time.
        swallowed = proxy.stored.total() - len(messages)
        counted = publishing.counted()
        # Also what the publisher before a kill had sent, which the one behind it cannot know.
        counted["resends"] = proxy.attempts.total() - len(proxy.attempts)
        check_bit(counted, proxy)
        check((swallowed > 0) if is_fifo else (swallowed == 0 and counts.repeats > 0),
              f"{swallowed} swallowed, {counts.repeats} repeats")
        del counted["duplicates"], counted["lost_by_broker"]  # SQS tells of neither
        print_counted(suite, {"runs": 1, "events": counts.expected, **counted,
                              "faults": proxy.faults.total(), **proxy.faults,
                              "swallowed": swallowed, "repeats": counts.repeats,
                              "lost": counts.lost,
                              "doubled": counts.doubled, "swapped": counts.swapped})
        print(f"  all in {time.monotonic() - begin:.1f} s", flush=True)


def fifo(folder):
    under_faults(folder, "ledger.fifo", lambda at: generated_store(at, EVENTS), "publish.sqs.fifo")


def fifo_of_a_real_log(folder):
    under_faults(folder, "ledger.fifo", real_store, "publish.sqs.fifo.real")


def standard(folder):
    under_faults(folder, "ledger", lambda at: generated_store(at, EVENTS), "publish.sqs.standard")


CASES = {case.__name__: case for case in (fifo, fifo_of_a_real_log, standard)}


def main():
    for name in sys.argv[1:] or CASES:
        print(f"- {name}", flush=True)
        with state(f"sqs_faults.{name}") as folder:
            CASES[name](folder)
    print("ok")


if __name__ == "__main__":
    main()
