#!/usr/bin/env python3
"""`daybook projection`: read models run, read, stopped, mended and rebuilt from outside."""

import collections
import decimal
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time

from support import BINARY, TIME, Log, cases, check, equal, main, read, run

STATUS = ["name", "revision", "generation", "state", "scanned", "matched", "head", "events_behind",
          "seconds_behind", "parked", "heartbeat"]
AUDITOR = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def projection(store, *arguments, code=0):
    return run("projection", store, *arguments, code=code)


def status(store, name):
    line = projection(store, "status", name).json()
    check_status(line)
    return line


def check_status(line):
    equal(list(line), STATUS)
    equal(line["events_behind"], line["head"] - line["scanned"])
    check(line["heartbeat"] is None or TIME.match(line["heartbeat"]), line)


def rows(store, name):
    """key -> the row, as it was printed."""
    lines = projection(store, "show", name).out.decode().splitlines()
    found = {}
    for line in lines:
        row = json.loads(line, parse_float=decimal.Decimal)
        check(row["key"] not in found, "a row twice:", line)
        found[row["key"]] = row
    equal(list(found), sorted(found, key=lambda key: key.encode()))
    return found


def values(store, name):
    return {key: row["value"] for key, row in rows(store, name).items()}


def make(store, events):
    """Appends (stream, type, data) by an import."""
    lines = [json.dumps({"stream": stream, "type": kind, "time": "2020-01-01T00:00:00Z",
                         "data": data, "id": f"00000000-0000-4000-8000-{number:012x}"})
             for number, (stream, kind, data) in enumerate(events, first_number(store))]
    run("import", store, "-", stdin="\n".join(lines).encode())


def first_number(store):
    return run("stats", store).json()["events"] + 1 if store.exists() else 1


GROUPS = {
    "stream": lambda fact: fact[0],
    "category": lambda fact: fact[0].split("-")[0],
    "type": lambda fact: fact[1],
}


def answers(folder):
    store, log = folder / "s", Log(4000)
    run("import", store, "-", stdin=log.bytes())
    events = read(store)
    for by, group in GROUPS.items():
        last = {group(fact): position for position, fact in enumerate(log.facts, 1)}
        counts = collections.Counter(map(group, log.facts))
        rates = {key: decimal.Decimal("1.10") * count for key, count in counts.items()}
        data = {group(fact): event["data"] for fact, event in zip(log.facts, events)}
        for kind, expected in (("count", counts), ("last", data), ("sum", rates)):
            name = f"{kind}-{by}"
            field = ["--field", "rate"] if kind == "sum" else []
            line = projection(store, "run", name, "--kind", kind, "--by", by, *field).json()
            check_status(line)
            equal((line["name"], line["state"], line["scanned"], line["matched"], line["head"],
                   line["events_behind"], line["seconds_behind"], line["parked"]),
                  (name, "idle", 4000, 4000, 4000, 0, 0, 0))
            found = rows(store, name)
            equal({key: row["position"] for key, row in found.items()}, last, name)
            if kind == "last":
                shown = {key: json.loads(json.dumps(row["value"], default=float))
                         for key, row in found.items()}
                equal(shown, expected, name)
            else:
                equal({key: row["value"] for key, row in found.items()}, dict(expected), name)
    listed = projection(store, "status").lines()
    equal([line["name"] for line in listed],
          sorted(f"{kind}-{by}" for kind in ("count", "last", "sum") for by in GROUPS))
    for line in listed:
        check_status(line)
    check_stats(store)


def check_stats(store):
    files = [path for path in (store / "projections").rglob("*") if path.is_file()]
    equal(run("stats", store).json()["bytes"]["projections"],
          sum(path.stat().st_size for path in files))


def restart(folder):
    """What it is need not be said again, and it goes on where it was."""
    store, log = folder / "s", Log(2000)
    lines = log.bytes().splitlines(keepends=True)
    run("import", store, "-", stdin=b"".join(lines[:700]))
    projection(store, "run", "counts", "--kind", "count", "--by", "stream")
    run("import", store, "-", stdin=b"".join(lines[:1500]))
    behind = status(store, "counts")
    equal((behind["scanned"], behind["head"], behind["events_behind"], behind["state"]),
          (700, 1500, 800, "idle"))
    check(behind["seconds_behind"] > 0, behind)
    equal(projection(store, "run", "counts").json()["matched"], 1500)
    equal(values(store, "counts"), dict(collections.Counter(f[0] for f in log.facts[:1500])))
    # Something else under the same name is another revision: refused, but for a rebuild.
    refused = projection(store, "run", "counts", "--kind", "count", "--by", "type", code=7)
    check("rebuild" in refused.error()["message"], refused)


def mistakes(folder):
    store = folder / "s"
    make(store, [("a-1", "T", {"n": 1})])
    for arguments in (["run", "p", "--kind", "count"], ["run", "p", "--by", "type"],
                      ["run", "p", "--kind", "sum", "--by", "type"],
                      ["run", "p", "--kind", "mean", "--by", "type"],
                      ["run", "p", "--kind", "count", "--by", "type", "--field", "x"],
                      ["run"], ["dance", "p"], ["status", "p", "--follow"],
                      ["skip", "p", "--position", "1"], ["skip", "p", "--reason", "r"],
                      ["skip", "p", "--position", "0", "--reason", "r"],
                      ["rebuild", "p", "--threads", "0"], ["status", "../p"],
                      ["run", ".p", "--kind", "count", "--by", "type"]):
        projection(store, *arguments, code=1)
    for arguments in (["run", "p"], ["status", "p"], ["show", "p"], ["rebuild", "p"],
                      ["compare", "p"], ["promote", "p"], ["rollback", "p"], ["parked", "p"],
                      ["retry", "p"], ["skip", "p", "--position", "1", "--reason", "r"]):
        projection(store, *arguments, code=3)
    projection(folder / "none", "status", code=3)
    equal(projection(store, "status").out, b"")
    check(not (store / "projections" / "p").exists(), "a mistake has made a projection")


AMOUNTS = [("acct-1", "Paid", {"amount": 5}), ("acct-2", "Paid", {"amount": 7}),
           ("acct-1", "Paid", {"amount": "five"}), ("acct-2", "Paid", {"amount": 2.50}),
           ("acct-1", "Paid", {"amount": 10}), ("acct-3", "Paid", {"amount": 1})]
SUM = ["--kind", "sum", "--by", "stream", "--field", "amount"]


def poison(folder):
    """It stops before the event, says all of it, and goes on once the event is skipped."""
    store = folder / "s"
    make(store, AMOUNTS)
    bad = read(store, "--position", 3)[0]
    for attempts in (1, 2):
        stopped = projection(store, "run", "sums", *SUM, code=10)
        check_status(stopped.json())
        equal((stopped.json()["state"], stopped.json()["scanned"]), ("poison", 2))
        detail = stopped.error()["detail"]
        equal({key: detail[key] for key in ("position", "stream", "version", "type", "id", "key",
                                            "code", "attempts")},
              {"position": 3, "stream": "acct-1", "version": 2, "type": "Paid", "id": bad["id"],
               "key": "acct-1", "code": "invalid_argument", "attempts": attempts})
        check(detail["error"], detail)
    said = projection(store, "status", "sums")
    equal((said.json()["state"], said.json()["scanned"], said.json()["events_behind"]),
          ("poison", 2, 4))
    check(b"position 3" in said.err and bad["id"].encode() in said.err, said)
    equal(values(store, "sums"), {"acct-1": 5, "acct-2": 7})

    refused = projection(store, "skip", "sums", "--position", 4, "--reason", "r", code=7)
    check("position 4" in refused.error()["message"], refused)
    # The decision is an event, so it needs the writer's lock.
    with open(store / "LOCK", "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        projection(store, "skip", "sums", "--position", 3, "--reason", "r", code=5)
    before = len(read(store))
    for _ in range(2):
        skipped = projection(store, "skip", "sums", "--position", 3, "--reason",
                             "typed \"five\"", "--actor", "ann").json()
        equal(skipped, {"name": "sums", "position": 3, "reason": "typed \"five\"",
                        "actor": "ann"})
    other = projection(store, "skip", "sums", "--position", 3, "--reason", "another", code=2)
    equal(other.error()["code"], "already_exists")
    events = read(store, "$projection-sums")
    equal(len(read(store)), before + 1)
    equal([(event["type"], event["data"]) for event in events],
          [("ProjectionSkip", {"position": 3, "reason": "typed \"five\"", "actor": "ann"})])

    line = projection(store, "run", "sums").json()
    equal((line["state"], line["events_behind"]), ("idle", 0))
    found = values(store, "sums")
    equal({key: float(value) for key, value in found.items() if key.startswith("acct")},
          {"acct-1": 15, "acct-2": 9.5, "acct-3": 1})
    # A rebuild passes over it too.
    projection(store, "rebuild", "sums")
    equal(projection(store, "compare", "sums").json()["equal"], True)


def wait_until(good):
    deadline = time.monotonic() + 60
    while not good():
        check(time.monotonic() < deadline, "nothing came of it in a minute")
        time.sleep(0.02)


def parked(folder):
    """A key that fails is parked with what comes after it; the others go on."""
    store = folder / "s"
    make(store, AMOUNTS)
    line = projection(store, "run", "sums", *SUM, "--on-poison", "park").json()
    equal((line["state"], line["scanned"], line["matched"], line["parked"]), ("idle", 6, 6, 2))
    found = rows(store, "sums")
    equal({key: float(row["value"]) for key, row in found.items()},
          {"acct-1": 5, "acct-2": 9.5, "acct-3": 1})
    equal({key: row.get("stale_since") for key, row in found.items()},
          {"acct-1": 3, "acct-2": None, "acct-3": None})
    keys = projection(store, "parked", "sums").lines()
    equal(len(keys), 1)
    equal(list(keys[0]), ["key", "positions", "parked_at", "attempts", "next_retry", "code",
                          "error"])
    equal((keys[0]["key"], keys[0]["positions"], keys[0]["attempts"], keys[0]["code"]),
          ("acct-1", [3, 5], 1, "invalid_argument"))
    check(TIME.match(keys[0]["parked_at"]) and keys[0]["error"], keys)

    equal(projection(store, "retry", "sums").json(), {"handled": 0, "skipped": 0, "parked": 2})
    check(projection(store, "parked", "sums").lines()[0]["attempts"] >= 2)
    projection(store, "retry", "sums", "--key", "acct-2", code=3)
    make(store, [("acct-1", "Paid", {"amount": 100}), ("acct-3", "Paid", {"amount": 3})])
    projection(store, "run", "sums", "--on-poison", "park")
    equal(projection(store, "parked", "sums").lines()[0]["positions"], [3, 5, 7])
    projection(store, "skip", "sums", "--position", 3, "--reason", "no number")
    user = read(store, "$projection-sums")[0]["data"]["actor"]
    check(user, "no actor")
    result = projection(store, "retry", "sums", "--key", "acct-1").json()
    equal(result["parked"], 0)
    equal(projection(store, "parked", "sums").out, b"")
    projection(store, "run", "sums")
    found = rows(store, "sums")
    equal({key: float(row["value"]) for key, row in found.items() if key[0] != "$"},
          {"acct-1": 115, "acct-2": 9.5, "acct-3": 4})
    check(all("stale_since" not in row for row in found.values()), found)


def follow(folder):
    """Live beside a writer; one runner at a time; an interrupt ends it cleanly."""
    store = folder / "s"
    make(store, [("a-1", "T", {"n": 1})])
    runner = subprocess.Popen(
        [BINARY, "projection", store, "run", "counts", "--kind", "count", "--by", "category",
         "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: run("projection", store, "status", "counts", code=None).code == 0 and
                   status(store, "counts")["state"] == "running")
        busy = projection(store, "run", "counts", code=5)
        equal(busy.error()["code"], "unavailable")
        projection(store, "retry", "counts", code=5)
        for number in range(2, 12):
            make(store, [(f"a-{number}", "T", {"n": number}), ("b-1", "T", {})])
        wait_until(lambda: values(store, "counts") == {"a": 11, "b": 10})
        wait_until(lambda: status(store, "counts")["scanned"] == 21)
        live = status(store, "counts")
        equal((live["state"], live["events_behind"], live["seconds_behind"]), ("running", 0, 0))
        first = live["heartbeat"]
        wait_until(lambda: status(store, "counts")["heartbeat"] > first)
    finally:
        runner.send_signal(signal.SIGINT)
        out, err = runner.communicate(timeout=60)
    equal(runner.returncode, 130, err)
    equal(json.loads(out)["scanned"], 21)
    equal(status(store, "counts")["state"], "idle")
    projection(store, "run", "counts")


def killed(folder):
    """A runner that is killed is idle ten seconds later, and its tables say where it was."""
    store = folder / "s"
    make(store, [(f"a-{number}", "T", {"n": number}) for number in range(50)])
    runner = subprocess.Popen(
        [BINARY, "projection", store, "run", "counts", "--kind", "count", "--by", "type",
         "--follow"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: run("projection", store, "status", "counts", code=None).code == 0 and
               values(store, "counts") == {"T": 50})
    runner.kill()
    runner.wait()
    wait_until(lambda: status(store, "counts")["state"] == "idle")
    equal(status(store, "counts")["scanned"], 50)
    equal(projection(store, "run", "counts").json()["scanned"], 50)


def rebuilt(folder):
    store, log = folder / "s", Log(3000)
    run("import", store, "-", stdin=log.bytes())
    projection(store, "run", "rates", "--kind", "sum", "--by", "stream", "--field", "rate")
    expected = values(store, "rates")
    projection(store, "compare", "rates", code=3)
    generation = 1
    for threads in (1, 2):
        generation += 1
        built = projection(store, "rebuild", "rates", "--threads", threads).json()
        equal(built, {"generation": generation, "scanned": 3000, "matched": 3000})
        report = projection(store, "compare", "rates").json()
        equal((report["equal"], report["differences"]), (True, []))
        equal(report["live"]["tables"], report["new"]["tables"])
        equal((report["live"]["generation"], report["new"]["generation"]),
              (generation - 1, generation))
        equal(report["live"]["tables"][0]["rows"], len(expected))
        line = projection(store, "promote", "rates").json()
        check_status(line)
        equal((line["generation"], line["scanned"], line["matched"]), (generation, 3000, 3000))
        equal(values(store, "rates"), expected)
    line = projection(store, "rollback", "rates").json()
    equal(line["generation"], 2)
    equal(values(store, "rates"), expected)
    equal(projection(store, "run", "rates").json()["generation"], 2)
    # Another definition is another revision, built beside the live one.
    built = projection(store, "rebuild", "rates", "--kind", "count", "--by", "stream").json()
    equal(projection(store, "compare", "rates").json()["equal"], False)
    equal(values(store, "rates"), expected)
    line = projection(store, "promote", "rates").json()
    equal((line["revision"], line["generation"]), (2, built["generation"]))
    equal(values(store, "rates"), dict(log.count_by(0)))
    equal(run("verify", store, "--projections").json(),
          {"ok": True, "positions": 3000, "findings": []})


SAMPLE = re.compile(r'^(daybook_projection_[a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\} '
                    r'(-?[0-9.]+(?:e[+-]?[0-9]+)?)$')


def prometheus(folder):
    store = folder / "s"
    make(store, AMOUNTS)
    projection(store, "run", "good", "--kind", "count", "--by", "stream")
    projection(store, "run", "bad", *SUM, code=10)
    result = projection(store, "status", "--prometheus")
    check(result.out.endswith(b"\n"), result)
    types, found = {}, {}
    for line in result.out.decode().splitlines():
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            check(name not in types and kind in ("gauge", "counter"), line)
            types[name] = kind
            continue
        sample = SAMPLE.match(line)
        check(sample and sample.group(1) == list(types)[-1], "not in its group:", line)
        found[sample.group(1) + "{" + sample.group(2)] = float(sample.group(3))
    labels = 'revision="1",generation="1"'
    equal(found[f'daybook_projection_matched_events_total{{projection="good",{labels}'], 6)
    equal(found[f'daybook_projection_events_behind{{projection="good",{labels}'], 0)
    equal(found[f'daybook_projection_events_behind{{projection="bad",{labels}'], 4)
    equal(found[f'daybook_projection_state{{projection="bad",{labels},state="poison"'], 1)
    equal(found[f'daybook_projection_state{{projection="good",{labels},state="poison"'], 0)
    one = projection(store, "status", "good", "--prometheus").out.decode()
    check('projection="good"' in one and 'projection="bad"' not in one, one)


def damaged(folder):
    """A status file that is cut or changed, as a crash of the machine may leave it, says nothing:
    the tables do."""
    store = folder / "s"
    make(store, AMOUNTS)
    projection(store, "run", "one", "--kind", "count", "--by", "stream")
    path = store / "projections" / "one" / "STATUS"
    whole = path.read_bytes()
    for bytes_ in (b"", whole[:20], whole.replace(b"scanned=6", b"scanned=5")):
        check(bytes_ != whole, "nothing was changed")
        path.write_bytes(bytes_)
        line = status(store, "one")
        equal((line["state"], line["scanned"], line["matched"], line["heartbeat"]),
              ("idle", 6, 6, None))
    # The next run replaces it.
    projection(store, "run", "one")
    check(status(store, "one")["heartbeat"], "no heartbeat")
    # Damage of the tables is damage, and hides no other projection.
    projection(store, "run", "two", "--kind", "count", "--by", "stream")
    path.unlink()
    tables = store / "projections" / "one" / "1" / "data.mdb"
    tables.write_bytes(b"x" * 4096)
    projection(store, "status", "one", code=4)
    equal([line["name"] for line in projection(store, "status", code=4).lines()], ["two"])
    equal(run("verify", store, "--projections", code=4).json()["ok"], False)


def auditor(folder):
    """Another user, without a right to write, sees how it does."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        print("SKIPPED: only root can become another user, with setpriv")
        return
    for path in (folder.parent, folder):
        os.chmod(path, 0o755)
    store, binary = folder / "s", shutil.copy(BINARY, folder)
    make(store, AMOUNTS)
    projection(store, "run", "sums", *SUM, code=10)
    before = sorted(store.rglob("*"))
    process = subprocess.run([*AUDITOR, binary, "projection", store, "status", "sums"],
                             capture_output=True, check=False, timeout=60, cwd="/")
    equal(process.returncode, 0, process.stderr)
    line = json.loads(process.stdout)
    check_status(line)
    equal((line["state"], line["scanned"]), ("poison", 2))
    check(b"position 3" in process.stderr, process.stderr)
    for arguments in (["run", "sums"], ["parked", "sums"], ["promote", "sums"],
                      ["skip", "sums", "--position", "3", "--reason", "r"]):
        process = subprocess.run([*AUDITOR, binary, "projection", store, *arguments],
                                 capture_output=True, check=False, timeout=60, cwd="/")
        check(process.returncode in (3, 7), arguments, process.returncode, process.stderr)
    equal(sorted(store.rglob("*")), before)


def lost(folder):
    """What a repair gave up stops a projection until a skip of it is on record."""
    store = folder / "s"
    for number in range(1, 10):
        make(store, [("a-1", "T", {"n": f"number {number}"})])
    projection(store, "run", "early", "--kind", "count", "--by", "stream")
    log = next((store / "log").glob("*.log"))
    bytes_ = log.read_bytes()
    log.write_bytes(bytes_.replace(b"number 4", b"NUMMER X").replace(b"number 5", b"NUMMER X"))
    run("repair", store, code=4)
    # Read models are not made again by a repair, which says so.
    (store / "projections" / "early" / "1" / "data.mdb").write_bytes(b"x" * 8192)
    repaired = run("repair", store, "--accept-loss")
    lost_count = repaired.json()["lost"]
    check(lost_count >= 2, repaired)
    check(b"projections/early/1/data.mdb" in repaired.err and b"rebuild early" in repaired.err,
          repaired)
    shutil.rmtree(store / "projections" / "early")
    check(b"projections/" not in run("repair", store).err, "there is nothing to say")
    counts = ["run", "counts", "--kind", "count", "--by", "stream"]
    stopped = projection(store, *counts, code=4)
    equal(stopped.json()["scanned"], 3)
    check(b"position 4" in projection(store, "status", "counts").err, "no word of it")
    projection(store, "skip", "counts", "--position", 2, "--reason", "r", code=7)
    skips = 0
    while stopped.code == 4:
        position = re.search(r"skip counts --position (\d+)", stopped.error()["message"]).group(1)
        skipped = projection(store, "skip", "counts", "--position", position, "--reason",
                             "the disk", "--actor", "ann").json()
        equal((skipped["name"], skipped["reason"]), ("counts", "the disk"))
        check(skipped["position"] <= int(position) <= skipped.get("last", skipped["position"]),
              skipped)
        skips += 1
        stopped = projection(store, *counts, code=None)
    equal(stopped.code, 0)
    equal(values(store, "counts"), {"a-1": 9 - lost_count})
    decided = read(store, "$projection-counts")
    equal([event["data"]["actor"] for event in decided], ["ann"] * skips)
    projection(store, "rebuild", "counts")
    equal(projection(store, "compare", "counts").json()["equal"], True)
    # With the store's own events.
    projection(store, "run", "all", "--kind", "count", "--by", "category", "--system-streams",
               code=4)


def interrupted(folder):
    """An interrupted run ends with 130 and a checkpoint that fits its rows, and goes on there."""
    store, events = folder / "s", 150_000
    line = b'{"stream":"a-1","type":"T","time":"2020-01-01T00:00:00Z","data":{}}\n'
    run("import", store, "-", "--durability", "buffered", stdin=line * events)
    halves = 0
    for trial in range(40):
        name = f"p{trial}"
        runner = subprocess.Popen(
            [BINARY, "projection", store, "run", name, "--kind", "count", "--by", "stream"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.02 + trial % 10 * 0.02)
        runner.send_signal(signal.SIGTERM if trial % 2 else signal.SIGINT)
        out, err = runner.communicate(timeout=60)
        if runner.returncode in (-signal.SIGINT, -signal.SIGTERM):
            continue  # before it has begun
        check(runner.returncode in (0, 130), runner.returncode, err)
        if runner.returncode == 0:
            equal(json.loads(out)["scanned"], events)
            continue
        said = json.loads(err.splitlines()[-1])["error"]["code"]
        equal(said, "cancelled")
        if not out:
            continue  # before it was open
        scanned = json.loads(out)["scanned"]
        now = status(store, name)
        equal((now["state"], now["scanned"], now["matched"]), ("idle", scanned, scanned))
        equal(values(store, name), {"a-1": scanned} if scanned else {})
        halves += 0 < scanned < events
        projection(store, "run", name)
        equal(values(store, name), {"a-1": events})
        if halves == 4:
            break
    check(halves > 0, "no run was interrupted on its way")


if __name__ == "__main__":
    main(cases(answers, restart, mistakes, poison, parked, follow, killed, rebuilt, prometheus,
               damaged, lost, interrupted, auditor))
