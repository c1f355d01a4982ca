"""`daybook publish` as a process of a test: it is started, killed, and asked what it counted."""

import collections
import json
import os
import pathlib
import random
import subprocess
import time

from processes import spawn, wait_until
from real_logs import DATA
from support import BINARY, Log, check, run

SOAK = bool(os.environ.get("DAYBOOK_SOAK"))
IN_FLIGHT_SHARE = 0.8  # of the kills must have hit something
# Counted from the start of a publisher on.
ADDED = ("sent", "done", "duplicates", "resends", "rewinds", "sessions", "lost_by_broker")


def generated_store(folder, events, seed=7):
    """A store of generated events."""
    store = pathlib.Path(folder) / "store"
    run("import", store, "-", stdin=Log(events, seed).bytes())
    return store


def rtfmp_store(folder):
    """The store of 561,470 events of a real log; None, and said aloud, where it is not at hand."""
    path = DATA / "rtfmp.ndjson.gz"
    if not path.exists():
        print(f"SKIPPED: no {path}: the generated log stands in for it")
        return None
    store = pathlib.Path(folder) / "store"
    run("import", store, path)
    return store


def store_of(folder, events=50_000):
    """The real log in a soak, where it is at hand; else a generated one of so many events."""
    return (rtfmp_store(folder) if SOAK else None) or generated_store(folder, events)


def head_of(store):
    return run("stats", store).json()["position"]


def append(store, lines):
    """Imports events, one dictionary each."""
    return run("import", store, "-",
               stdin="".join(json.dumps(line) + "\n" for line in lines).encode()).json()


class Publishing:
    """One publisher after another of one sink of a store, and what they counted together."""

    def __init__(self, store, url, *flags, name="sink", env=None):
        self.store = store
        self.name = name
        self.command = [BINARY, "publish", str(store), "--to", url, "--name", name,
                        *map(str, flags)]
        self.env = dict(os.environ, **(env or {}))
        self.process = None
        self.log = pathlib.Path(store).parent / f"{name}.log"
        self.total = collections.Counter()
        self.retries = collections.Counter()
        self.starts = 0
        self.hits = []  # of each kill of a publisher or broker, whether it hit something

    def start(self, *flags):
        check(not self.is_running(), "it runs already")
        with open(self.log, "ab") as log:
            self.process = spawn([*self.command, *map(str, flags)], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=log, env=self.env)
        self.starts += 1

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def status(self):
        """What the last publisher wrote; None before the first has written anything."""
        result = run("publish", "status", self.store, self.name, code=None)
        return result.json() if result.code == 0 and result.out else None

    def acknowledged(self):
        """The cursor, as the journal has it; 0 where there is none."""
        return (self.status() or {}).get("acknowledged", 0)

    def note_in_flight(self):
        """Before a kill: whether it hits something, as the status has it."""
        self.hits.append((self.status() or {}).get("in_flight", 0) > 0)

    def kill(self):
        """As `kill -9` does."""
        if self.process.poll() is None:
            self.process.kill()
        return self.wait(1)

    def wait(self, seconds=600):
        """Until it has ended; adds what it counted, and returns its exit code."""
        code = self.process.wait(seconds)
        self.process = None
        status = self.status() or {}
        for name in ADDED:
            self.total[name] += status.get(name, 0)
        self.retries.update(status.get("retries", {}))
        return code

    def finish(self, seconds=600):
        """It has published everything."""
        code = self.wait(seconds)
        check(code == 0, f"exit {code}:", self.log.read_text(encoding="utf-8")[-2000:])

    def publish_all(self, *flags):
        self.start(*flags)
        self.finish()

    def counted(self):
        return {"kills": len(self.hits), "in_flight_at_kills": sum(self.hits),
                "publishers": self.starts, **self.total}


class DidNotBite(AssertionError):
    """A fault hit nothing: the run proves nothing, and is to be done again."""


def until_it_bites(case, attempts=3):
    """Runs a case, and again where its faults came too late: how quick a machine is, is no
    finding."""
    for left in reversed(range(attempts)):
        try:
            return case()
        except DidNotBite as nothing:
            print(f"it did not bite ({nothing}), {left} attempts left", flush=True)
            if not left:
                raise
    return None


class Failures:
    """What one publisher had on its way each time that its session ended."""

    def __init__(self, publishing):
        self.publishing = publishing
        self.rewinds = 0
        self.failed = 0  # sends without an acknowledgement, of sessions that ended

    def wait(self):
        """Until it has noticed that the broker is gone; notes whether that hit something."""
        status = wait_until(self._ended, 60, "the session ends")
        failed = status["sent"] - status["done"]
        self.publishing.hits.append(failed > self.failed)
        self.rewinds, self.failed = status["rewinds"], failed

    def _ended(self):
        if not self.publishing.is_running():
            raise DidNotBite("all was published before the fault")
        status = self.publishing.status()
        return status if status and status["rewinds"] > self.rewinds else None


def check_bit(counted, kills):
    """A run in which nothing was hit would prove nothing."""
    if counted["kills"] < kills:
        raise DidNotBite(f"{kills} kills were wanted: {counted}")
    if counted["in_flight_at_kills"] < IN_FLIGHT_SHARE * counted["kills"]:
        raise DidNotBite(f"too often nothing was on its way: {counted}")


def targets(seed, head, count):
    """Positions, at random and not close to each other, at which something is to happen, and after
    the last of which there is much to do."""
    dice = random.Random(seed)
    part = head * 0.6 / count
    return [int((number + 0.1 + 0.4 * dice.random()) * part) for number in range(count)]


def wait_for(position, target, is_running, seconds=120):
    """Until a position is reached, while somebody works on it."""
    end = time.monotonic() + seconds
    while position() < target:
        if not is_running():
            raise DidNotBite(f"the publisher ended before position {target}")
        check(time.monotonic() < end, f"position {target} is not reached in {seconds} s")
        time.sleep(0.005)


def print_counted(suite, numbers):
    print("counted: " + json.dumps({"suite": suite, **numbers}), flush=True)


__all__ = ["DidNotBite", "Failures", "Publishing", "SOAK", "append", "check_bit",
           "generated_store", "head_of", "print_counted", "rtfmp_store", "store_of", "targets",
           "until_it_bites", "wait_for", "wait_until"]
