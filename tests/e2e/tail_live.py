#!/usr/bin/env python3
"""Other processes follow a live writer: every event once, in order, and soon."""

import json
import subprocess
import threading
import time

from support import BINARY, cases, check, equal, main, read, run


class Tail:
    """A running `daybook tail` whose lines are collected with the time they came."""

    def __init__(self, store, *arguments):
        self.process = subprocess.Popen([BINARY, "tail", store, *map(str, arguments)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = []
        self.times = []
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()

    def _collect(self):
        for line in self.process.stdout:
            self.times.append(time.monotonic())
            self.lines.append(json.loads(line))

    def wait_for(self, count):
        end = time.monotonic() + 60
        while len(self.lines) < count:
            check(time.monotonic() < end, f"{len(self.lines)} of {count} lines came")
            check(self.thread.is_alive() or len(self.lines) >= count, "the tail ended early")
            time.sleep(0.001)

    def finish(self, code=0):
        self.thread.join(30)
        if self.thread.is_alive():
            self.process.kill()
            check(False, "the tail does not end; lines:", len(self.lines))
        err = self.process.stderr.read()
        equal(self.process.wait(60), code, err)
        self.process.stderr.close()
        self.process.stdout.close()
        return self.lines


class Writer:
    """A running import that takes lines one at a time."""

    def __init__(self, store):
        self.process = subprocess.Popen([BINARY, "import", store, "-", "--batch", "1"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.count = 0

    def write(self, events):
        for _ in range(events):
            self.count += 1
            line = {"stream": f"s-{self.count % 5}", "type": ["A", "B"][self.count % 2],
                    "data": self.count}
            self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def finish(self):
        out, err = self.process.communicate(timeout=60)
        equal(self.process.returncode, 0, out, err)
        return json.loads(out)


def two_readers_follow_a_live_writer(folder):
    store = folder / "s"
    run("append", store, "first", "--type", "T")
    total = 3001
    writer = Writer(store)
    tails = [Tail(store, "--from", 1, "--until", total), Tail(store, "--from", 1, "--until", total)]
    for _ in range(30):
        writer.write(100)
        time.sleep(0.005)
    found = [tail.finish() for tail in tails]
    writer.finish()
    everything = read(store)
    equal(len(everything), total)
    for lines in found:
        equal(lines, everything)


def an_event_comes_soon_after_it_was_appended(folder):
    store = folder / "s"
    run("append", store, "first", "--type", "T")
    writer = Writer(store)
    tail = Tail(store, "--from", 1, "--limit", 21)
    tail.wait_for(1)
    waits = []
    for number in range(2, 22):
        start = time.monotonic()
        writer.write(1)
        tail.wait_for(number)
        waits.append(tail.times[number - 1] - start)
    tail.finish()
    writer.finish()
    check(sorted(waits)[len(waits) // 2] < 0.2, "seconds from append to print:", waits)


def without_from_only_what_is_new_comes(folder):
    store = folder / "s"
    run("append", store, "a", "--type", "Old")
    tail = Tail(store, "--limit", 2)
    for number in range(100):  # until the tail stands, nobody can tell when it began
        run("append", store, "a", "--type", f"New {number}")
        if not tail.thread.is_alive():
            break
        time.sleep(0.05)
    lines = tail.finish()
    equal(len(lines), 2)
    check(all(line["type"].startswith("New") for line in lines), lines)
    equal(lines[1]["position"], lines[0]["position"] + 1)


def filters_and_ends_are_kept(folder):
    store = folder / "s"
    writer = Writer(store)
    writer.write(100)
    writer.finish()
    everything = read(store)
    equal(Tail(store, "--from", 1, "--until", 100).finish(), everything)
    equal(Tail(store, "--from", 40, "--until", 60, "--type", "A").finish(),
          [event for event in everything[39:60] if event["type"] == "A"])
    equal(Tail(store, "--from", 1, "--limit", 7, "--type", "B").finish(),
          [event for event in everything if event["type"] == "B"][:7])
    equal(Tail(store, "s-3", "--from", 1, "--until", 100).finish(),
          [event for event in everything if event["stream"] == "s-3"])
    equal(Tail(store, "--from", 5, "--limit", 0).finish(), [])
    equal(Tail(store, "--from", 5, "--until", 4).finish(), [])


if __name__ == "__main__":
    main(cases(
        two_readers_follow_a_live_writer,
        an_event_comes_soon_after_it_was_appended,
        without_from_only_what_is_new_comes,
        filters_and_ends_are_kept,
    ))
