#!/usr/bin/env python3
"""An auditor, another user without a right to write, reads and verifies a live store."""

import json
import os
import shutil
import subprocess
import time

from support import BINARY, Log, check, equal, main, read, run, skip

AUDITOR = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def as_auditor(binary, *arguments):
    process = subprocess.run([*AUDITOR, binary, *map(str, arguments)], capture_output=True,
                             check=False, timeout=120, cwd="/")
    equal(process.returncode, 0, arguments, process.stderr)
    return [json.loads(line) for line in process.stdout.splitlines()]


def tree(store):
    """The names of what is in the store."""
    return sorted(str(path.relative_to(store)) for path in store.rglob("*"))


def audit(folder):
    os.chmod(folder, 0o755)
    binary = shutil.copy(BINARY, folder)
    store = folder / "s"
    log = Log(3000)
    writer = subprocess.Popen([BINARY, "import", store, "-", "--batch", "100"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writer.stdin.write(log.bytes())
    writer.stdin.flush()
    while run("stats", store, code=None).code != 0 or len(read(store)) < 2000:
        time.sleep(0.02)
    refused = subprocess.run([*AUDITOR, "touch", store / "x"], capture_output=True, check=False)
    check(refused.returncode != 0, "the auditor can write, so this shows nothing")

    before = tree(store)
    events = as_auditor(binary, "read", store)
    check(2000 <= len(events) <= 3000, len(events))
    equal([event["position"] for event in events], list(range(1, len(events) + 1)))
    report = as_auditor(binary, "verify", store)[0]
    equal((report["ok"], report["findings"]), (True, []))
    check(report["positions"] >= len(events), report)
    equal(len(as_auditor(binary, "streams", store)),
          len(set(event["stream"] for event in read(store))))
    equal(len(as_auditor(binary, "tail", store, "--from", 1, "--limit", 50)), 50)
    check(as_auditor(binary, "stats", store)[0]["events"] >= len(events))
    equal(tree(store), before)

    out, err = writer.communicate(timeout=60)
    equal(writer.returncode, 0, err)
    equal(json.loads(out)["events"], 3000)
    # The store at rest: the same, to the last event.
    before = tree(store)
    equal(as_auditor(binary, "read", store), read(store))
    equal(as_auditor(binary, "verify", store)[0], {"ok": True, "positions": 3000, "findings": []})
    equal(tree(store), before)


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip("only root can become another user")
    if shutil.which("setpriv") is None:
        skip("no setpriv here to become another user")
    main(audit)
