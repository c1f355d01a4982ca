#!/usr/bin/env python3
"""Publishing holds little memory, whatever the number of events. DAYBOOK_SOAK=1: a million."""

import json
import os
import subprocess

from support import BINARY, cases, check, equal, main, run

EVENTS = 1_000_000 if os.environ.get("DAYBOOK_SOAK") else 200_000
BOUND = 200 << 20


def lines(events):
    """Not small, and of many streams."""
    for number in range(events):
        data = {"n": number, "text": "x" * (number % 400)}
        yield json.dumps({"stream": f"s-{number % 50_000}", "type": "T", "data": data}) + "\n"


def anonymous(pid):
    """RssAnon of a process in bytes; 0 where it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) << 10
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def largest_while_publishing(store, *arguments):
    """(bytes, how often it was looked at)"""
    with subprocess.Popen([BINARY, "publish", store, *map(str, arguments)],
                          stdout=subprocess.DEVNULL) as process:
        largest = looks = 0
        while process.poll() is None:
            largest = max(largest, anonymous(process.pid))
            looks += 1
    equal(process.returncode, 0)
    return largest, looks


def many_events_to_a_file(folder):
    store = folder / "store"
    run("import", store, "-", stdin="".join(lines(EVENTS)).encode())
    for form in ("events", "cloudevents"):
        for what in ([], ["--no-mmap"]):
            name = form + "".join(what).replace("-", "_")
            largest, looks = largest_while_publishing(
                store, "--to", f"file:{folder / name}", "--name", name, "--format", form, "--from",
                1, *what)
            print(f"  {name}: {largest >> 20} MiB, {looks} looks", flush=True)
            check(looks > 50, "looked too seldom")
            check(largest < BOUND, largest >> 20, "MiB")
            (folder / name).unlink()
    equal(run("publish", "status", store, "events").json()["acknowledged"], EVENTS)


if __name__ == "__main__":
    main(cases(many_events_to_a_file))
