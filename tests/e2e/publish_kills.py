#!/usr/bin/env python3
"""Publishers to files that are killed at random, beside writers and backups: nothing is lost.

DAYBOOK_SOAK=1 kills more often, and compares every event of the real log.
"""

import itertools
import json
import pathlib
import random
import re
import subprocess
import threading
import time

from compare import Expected, compare
from publishing import Publishing, SOAK, append, head_of, print_counted, rtfmp_store
from records import read_file
from support import BINARY, Log, cases, check, equal, main, run

KILLS = 60 if SOAK else 15
SAMPLE = 20_000  # events of the real log that are compared one by one in the short form
BATCH = 20  # events of a commit of a live store
IN_FLIGHT = 16_384  # SinkLimits
MARK = re.compile(rb"\tmark=(\d+):(\d+)\n")


class Files:
    """A published file, with those that were rotated."""

    def __init__(self, folder, name):
        self.folder = pathlib.Path(folder)
        self.name = name
        self.folder.mkdir(exist_ok=True)

    @property
    def path(self):
        return self.folder / self.name

    def all(self):
        """In their order."""
        rotated = sorted(self.folder.glob(f"{self.name}.*"))
        return [*rotated, self.path] if self.path.exists() else rotated

    def size(self):
        size = 0
        for path in self.all():
            try:
                size += path.stat().st_size
            except FileNotFoundError:
                pass  # it was just renamed, or taken off
        return size

    def behind(self, journal):
        """(bytes, whole lines) behind the last mark that the journal holds."""
        marks = MARK.findall(journal.read_bytes()) if journal.exists() else []
        file, offset = map(int, marks[-1]) if marks else (1, 0)
        data = b""
        for number, path in enumerate(self.all(), 1):
            if number >= file:
                data += path.read_bytes()[offset if number == file else 0:]
        return len(data), data.count(b"\n")


class Killing:
    """Publishers of one sink that are killed, one after another, and what they left."""

    def __init__(self, store, files, name, *options):
        self.files = files
        self.journal = store / "publish" / name / "JOURNAL"
        self.publishing = Publishing(store, f"file:{files.path}", *options,
                                     name=name)
        self.first = ["--from", 1]
        self.unsaved = self.lines = self.kills = 0

    def start(self):
        """Returns once it has its journal open, or has ended."""
        before = self.journal.stat().st_ino if self.journal.exists() else None
        self.publishing.start(*self.first)
        while self.publishing.is_running():
            try:
                if self.journal.stat().st_ino != before:
                    break
            except FileNotFoundError:
                pass

    def kill(self):
        """False where it had ended by itself."""
        code = self.publishing.kill()
        check(code in (0, -9), code, self.publishing.log.read_text(encoding="utf-8")[-2000:])
        if self.journal.exists() and b" open " in self.journal.read_bytes():
            self.first = []  # now there is a cursor
        if code == 0:
            return False
        self.kills += 1
        size, lines = self.files.behind(self.journal)
        # So much may be sent again, and not more.
        check(lines <= IN_FLIGHT, lines, "lines behind the cursor")
        self.unsaved += size > 0
        self.lines += lines
        return True

    def finish(self):
        self.publishing.start(*self.first)
        self.publishing.finish()


def kill_at_sizes(dice, killing, mean_step):
    """Kills until a publisher came to the end: some at the begin, the others behind some bytes."""
    files = killing.files
    while True:
        killing.start()
        if dice.random() < 0.1:
            time.sleep(dice.random() / 50)
        else:
            target = files.size() + dice.randrange(2 * mean_step)
            while killing.publishing.is_running() and files.size() < target:
                pass
        if not killing.kill():
            return


def published(folder, store, form, suite, check_round):
    """Rounds of kills until there were enough of them; prints what was counted."""
    dice = random.Random(len(form))
    events = head_of(store)
    size = len(run("read", store).out) * (1 if form == "events" else 2)
    sums = {"events": 0, "kills": 0, "in_flight_at_kills": 0, "resends": 0, "rotations": 0}
    defects = {"lost": 0, "doubled": 0, "swapped": 0, "changed": 0}
    for number in itertools.count():
        if sums["kills"] >= KILLS:
            break
        check(number < 20, "too few kills", sums)
        files = Files(folder / f"{form}{number}", "out.ndjson")
        killing = Killing(store, files, f"{form}{number}", "--format", form, "--option",
                          f"rotate-bytes={size // 40}")
        kill_at_sizes(dice, killing, 2 * size // 3 // KILLS)
        killing.finish()
        sums["events"] += events
        sums["kills"] += killing.kills
        sums["in_flight_at_kills"] += killing.unsaved
        sums["resends"] += killing.lines
        sums["rotations"] += len(files.all()) - 1
        found = check_round(files.all())
        for kind in defects:
            defects[kind] += found.get(kind, 0)
        for path in files.all():
            path.unlink()
    print_counted(suite, {**sums, **defects})
    check(sums["resends"] > 0 and sums["rotations"] >= 20, sums)
    check(sums["in_flight_at_kills"] >= 0.8 * sums["kills"], "killed when all was saved", sums)


# --- A real log --------------------------------------------------------------------------------


def same_bytes(store):
    """Compares files with all that `daybook read` prints, and some of it event by event."""
    expected = Expected.of_store(store, "--limit", SAMPLE, binary=BINARY)
    printed = run("read", store).out

    def check_round(paths):
        equal(b"".join(path.read_bytes() for path in paths) == printed, True, "the same lines")
        records = itertools.islice(read_file(paths), len(expected))
        return compare(expected, records).check().numbers()

    return check_round


def event_by_event(store):
    expected = Expected.of_store(store, binary=BINARY)
    return lambda paths: compare(expected, read_file(paths)).check().numbers()


def a_real_log_is_published_by_publishers_that_are_killed(folder):
    store = rtfmp_store(folder)
    if store is None:
        return
    start = time.monotonic()
    out = Files(folder / "whole", "out.ndjson")
    run("publish", store, "--to", f"file:{out.path}", "--name", "whole", "--from", 1)
    events = head_of(store)
    equal(events, 561_470)
    print(f"  {events / (time.monotonic() - start):,.0f} events/s to a file", flush=True)
    out.path.unlink()
    if not SOAK:
        published(folder, store, "events", "publish.file.real", same_bytes(store))
        return
    for form in ("events", "cloudevents"):
        published(folder, store, form, f"publish.file.real.{form}", event_by_event(store))


def a_generated_log_is_published_by_publishers_that_are_killed(folder):
    store = folder / "store"
    run("import", store, "-", stdin=Log(100_000 if SOAK else 15_000).bytes())
    for form in ("events", "cloudevents"):
        published(folder, store, form, f"publish.file.generated.{form}", event_by_event(store))


# --- A live store ------------------------------------------------------------------------------


class Writer:
    """Appends generated events to a store, in small batches, until it is told to stop."""

    def __init__(self, store):
        self.lines = Log(5000).lines
        self.process = subprocess.Popen([BINARY, "import", store, "-", "--batch", str(BATCH)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._write)
        self.thread.start()
        while run("stats", store, code=None).code != 0:
            time.sleep(0.01)

    def _write(self):
        for number in itertools.count():
            if self.stopping.is_set():
                break
            begin = number * BATCH % len(self.lines)
            text = "".join(line + "\n" for line in self.lines[begin:begin + BATCH])
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
            time.sleep(0.005)

    def stop(self):
        self.stopping.set()
        self.thread.join()
        out, err = self.process.communicate(timeout=60)
        equal(self.process.returncode, 0, err)
        return json.loads(out)


def a_live_store_is_followed_by_publishers_that_are_killed(folder):
    dice = random.Random(3)
    for form in ("events", "cloudevents"):
        store = folder / form / "store"
        store.parent.mkdir()
        writer = Writer(store)
        try:
            files = Files(folder / form / "out", "out.ndjson")
            killing = Killing(store, files, form, "--format", form, "--option",
                              "rotate-bytes=100000", "--follow")
            while killing.kills < KILLS:
                killing.start()
                time.sleep(dice.random() / 8)
                check(killing.kill(), "it ended by itself")
        finally:
            writer.stop()
        killing.publishing.command.remove("--follow")
        killing.finish()
        found = compare(Expected.of_store(store, binary=BINARY), read_file(files.all())).check()
        print_counted(f"publish.file.live.{form}", {
            "events": found.expected, "kills": killing.kills, "resends": killing.lines,
            "in_flight_at_kills": killing.unsaved, "rotations": len(files.all()) - 1,
            **{kind: found.numbers()[kind] for kind in ("lost", "doubled", "swapped", "changed")}})
        check(killing.unsaved > 0 and len(files.all()) > 2, "nothing happened", killing.unsaved)


# --- Backups -----------------------------------------------------------------------------------


def acknowledged(store):
    return run("publish", "status", store, "bus").json()["acknowledged"]


def a_backup_holds_a_cursor_that_was(folder):
    store, backup = folder / "store", folder / "backup"
    files = Files(folder / "live", "out.ndjson")
    publishing = Publishing(store, f"file:{files.path}", "--follow", name="bus")
    seen = []
    writer = Writer(store)
    try:
        publishing.start("--from", 1)
        journal = store / "publish" / "bus" / "JOURNAL"
        while not journal.exists() or acknowledged(store) == 0:
            time.sleep(0.01)
        for number in range(40 if SOAK else 10):
            before = acknowledged(store)
            run("backup", store, backup)
            after = acknowledged(store)
            restored = folder / f"r{number}"
            run("restore", backup, restored)
            at = acknowledged(restored)
            check(before <= at <= after, "a cursor that never was", before, at, after)
            check(at <= head_of(restored), "ahead of the backup's events", at)
            seen.append((restored, at))
            check(publishing.is_running(), publishing.log.read_text(encoding="utf-8"))
    finally:
        writer.stop()
        if publishing.is_running():
            publishing.process.terminate()
    equal(publishing.wait(), 130)
    check(len({at for _, at in seen}) >= len(seen) // 2, "nothing was published meanwhile", seen)
    live = files.path.read_bytes().splitlines(keepends=True)
    for restored, at in seen:
        out = folder / f"{restored.name}.ndjson"
        to_file = ["publish", restored, "--name", "bus", "--to", f"file:{out}"]
        error = run("publish", restored, "--name", "bus", "--to", f"file:{files.path}",
                    code=7).error()
        check("another history" in error["message"], error)
        run(*to_file, "--from", at + 1)
        # Those who had it from the first store and go on with the second miss nothing.
        equal(b"".join(live[:at]) + out.read_bytes() == run("read", restored).out, True, restored)
        append(restored, [{"stream": "late", "type": "T", "data": 1}])
        run(*to_file)
        equal(json.loads(out.read_bytes().splitlines()[-1])["stream"], "late")
    print_counted("publish.file.backups", {"backups": len(seen), "lost": 0})


if __name__ == "__main__":
    main(cases(a_real_log_is_published_by_publishers_that_are_killed,
               a_generated_log_is_published_by_publishers_that_are_killed,
               a_live_store_is_followed_by_publishers_that_are_killed,
               a_backup_holds_a_cursor_that_was))
