#!/usr/bin/env python3
"""What `daybook publish` does, and what it refuses, with the sinks that need no broker."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from compare import Expected, compare
from records import read_file
from support import BINARY, Log, cases, check, equal, main, run

AUDITOR = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
EVENTS = 600


def make(folder, events=EVENTS, name="s"):
    store = folder / name
    run("import", store, "-", stdin=Log(events).bytes())
    return store


def publish(store, *arguments, code=0, **options):
    return run("publish", store, *arguments, code=code, **options)


def to(path):
    return ["--to", f"file:{path}"]


def status(store, name="file"):
    return run("publish", "status", store, name).json()


def refused(store, *arguments, code=7, says=()):
    """It is refused, and the error says what is expected; returns its message."""
    result = publish(store, *arguments, code=code)
    message = result.error()["message"]
    check("\n" not in message, "more than one line:", result)
    for text in says:
        check(text in message, f"does not say {text!r}:", result)
    return message


def wait_until(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, "waited in vain until", what)
        time.sleep(0.005)


class Following:
    """A running `daybook publish --follow`."""

    def __init__(self, store, *arguments):
        self.process = subprocess.Popen([BINARY, "publish", store, "--follow", *arguments],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def end(self, code=130, how=signal.SIGINT):
        self.process.send_signal(how)
        return self.ended(code)

    def ended(self, code):
        try:
            out, err = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        equal(self.process.returncode, code, out, err)
        return out, err

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def journal(store, name="file"):
    return store / "publish" / name / "JOURNAL"


# --- Where it begins ---------------------------------------------------------------------------


def without_a_cursor_it_is_refused(folder):
    store, out = make(folder), folder / "out"
    refused(store, *to(out), says=["--from 1", "--from broker"])
    check(not out.exists(), "something was published")
    equal(run("publish", "status", store).out, b"")
    equal(run("publish", "status", store, "--prometheus").out, b"")
    for position in (0, EVENTS + 2):
        refused(store, *to(out), "--from", position, code=1, says=[f"1 to {EVENTS}"])
    publish(store, *to(out), "--from", 1)
    equal(out.read_bytes(), run("read", store).out)
    publish(store, *to(out))
    equal(out.read_bytes(), run("read", store).out)
    found = status(store)
    equal((found["acknowledged"], found["head"], found["state"]), (EVENTS, EVENTS, "idle"))


def wrong_words_are_1_and_one_line(folder):
    store, out = make(folder, 3), folder / "out"
    for arguments in [["--to", "foo:bar"], ["--to", "file:"], ["--to", "stdouts"], ["--to", ""],
                      [*to(out), "--option", "bogus=1"], [*to(out), "--option", "rotate-bytes=x"],
                      [*to(out), "--option", "nothing"], [*to(out), "--format", "xml"],
                      [*to(out), "--subject", "x"], [*to(out), "--key", "{stream}"],
                      [*to(out), "--header", "a=b"], [*to(out), "--tls-ca", "x"],
                      [*to(out), "--name", "a/b"], [*to(out), "--name", ".."],
                      ["--to", "nats://"], ["--to", "kafka://"], ["--to", "sqs://"]]:
        result = publish(store, *arguments, "--from", 1, code=None)
        if arguments[1].endswith("//") and result.code == 7 and b"without the sink" in result.err:
            continue
        equal(result.code, 1, arguments, result)
        equal(result.error()["code"], "invalid_argument", arguments)
    for arguments in [["publish", store], ["publish", "skip", store, "file"],
                      ["publish", "retry", store], ["publish", "parked", store],
                      ["publish", "skip", store, "file", "--position", 1],
                      ["publish", "skip", store, "file", "--reason", "x"],
                      ["publish", "status", store, "--follow"],
                      ["publish", store, *to(out), "--from", "x"]]:
        equal(run(*arguments, code=1).error()["code"], "invalid_argument", arguments)
    refused(store, *to(folder / "none" / "out"), "--from", 1, code=3, says=["none"])
    equal(run("publish", folder / "nix", *to(out), "--from", 1, code=3).error()["code"],
          "not_found")
    check(not out.exists(), "something was published")


def another_destination_or_filter_is_refused(folder):
    store, out = make(folder), folder / "out"
    publish(store, *to(out), "--from", 1, "--category", "fine")
    before = out.read_bytes()
    refused(store, *to(folder / "other"), "--category", "fine", says=["other", "--name"])
    refused(store, *to(out), says=["filter", "--from"])
    refused(store, *to(out), "--category", "fine", "--type", "Payment", says=["filter"])
    equal(out.read_bytes(), before)
    check(not (folder / "other").exists(), "the other file was made")
    publish(store, *to(out), "--category", "fine")
    publish(store, *to(folder / "other"), "--from", 1)  # said, so it is meant
    equal((folder / "other").read_bytes(), run("read", store).out)


def a_position_beyond_the_next_is_refused(folder):
    store, out = make(folder), folder / "out"
    publish(store, *to(out), "--from", 1, "--until", 100)
    refused(store, *to(out), "--from", 102, code=1, says=["pass over", "100"])
    publish(store, *to(out), "--from", 101)
    equal(out.read_bytes(), run("read", store).out)


def from_broker_goes_on_behind_the_last_line(folder):
    store, out = make(folder), folder / "out"
    expected = Expected.of_store(store, binary=BINARY)
    options = [*to(out), "--format", "cloudevents", "--option", "rotate-bytes=20000"]
    publish(store, *options, "--from", "broker", "--until", 250)
    for _ in range(3):  # as after a loss of what the store knew of it
        shutil.rmtree(store / "publish")
        until = len(list(read_file(f"{out}*"))) + 100
        publish(store, *options, "--from", "broker", "--until", until)
    # The end of the line stands in a rotated file.
    shutil.rmtree(store / "publish")
    if out.stat().st_size:
        out.rename(f"{out}.{len(list(folder.glob('out.*'))) + 1:06d}")
    publish(store, *options, "--from", "broker")
    files = [*sorted(folder.glob("out.*")), out]
    check(len(files) >= 5, "nothing was rotated", files)
    print(compare(expected, read_file(files)).check())
    # A half line that a crash left, with a good cursor.
    publish(store, *options, "--from", "broker")
    print(compare(expected, read_file(files)).check())


def from_broker_of_plain_lines_is_refused(folder):
    store, out = make(folder), folder / "out"
    refused(store, *to(out), "--from", "broker", says=["cannot be asked", "--from POSITION"])
    # What was refused is no sink yet.
    run("publish", "retry", store, "file", code=3)
    run("publish", "skip", store, "file", "--position", 1, "--reason", "no", code=3)
    publish(store, *to(out), "--from", 1)
    before = out.read_bytes()
    refused(store, *to(out), "--from", "broker", says=["cannot be asked"])
    equal(out.read_bytes(), before)
    publish(store, *to(out))
    equal(out.read_bytes(), before)


def the_cursor_of_another_history_is_refused(folder):
    store, out = make(folder), folder / "out"
    options = [*to(out), "--format", "cloudevents"]
    publish(store, *options, "--from", 1, "--until", 400)
    run("backup", store, folder / "b")
    publish(store, *options)
    before = out.read_bytes()
    restored = folder / "r"
    run("restore", folder / "b", restored)
    message = refused(restored, *options, says=["another history", "400", "--from"])
    check(run("stats", restored).json()["incarnation"] in message, message)
    # It ends with an event of the history that was left: to go on behind that is no answer.
    refused(restored, *options, "--from", "broker", says=["another history"])
    equal(out.read_bytes(), before)
    publish(restored, *options, "--from", 401)
    records = list(read_file(out))
    equal([record.position for record in records],
          [*range(1, EVENTS + 1), *range(401, EVENTS + 1)])
    equal(len({record.incarnation for record in records}), 2)
    equal(out.read_bytes()[:len(before)], before)


def a_cursor_ahead_of_the_store_is_refused(folder):
    store, out = make(folder), folder / "out"
    shutil.copytree(store, folder / "older")
    run("import", store, "-", stdin=Log(EVENTS + 50).bytes())
    head = run("stats", store).json()["position"]
    check(head > EVENTS, head)
    publish(store, *to(out), "--from", 1)
    shutil.copytree(store / "publish", folder / "older" / "publish")
    before = out.read_bytes()
    refused(folder / "older", *to(out), says=[str(head), f"ends at {EVENTS}", "--from"])
    equal(out.read_bytes(), before)


def two_at_once_are_5(folder):
    store, out = make(folder), folder / "out"
    with Following(store, *to(out), "--from", "1") as first:
        wait_until(lambda: journal(store).exists() and status(store)["acknowledged"] == EVENTS,
                   "all is published")
        error = publish(store, *to(out), code=5).error()
        check("another publisher" in error["message"], error)
        # Another name, and another store, for the same file.
        error = publish(store, *to(out), "--name", "b", "--from", 1, code=5).error()
        check(str(out) in error["message"], error)
        equal(run("publish", "status", store, "file").json()["state"], "running")
        other = make(folder, 20, "other")
        publish(other, *to(out), "--from", 1, code=5)
        first.end()
    equal(out.read_bytes(), run("read", store).out)


# --- Replays -----------------------------------------------------------------------------------


def a_replay_is_marked_and_leaves_the_cursor(folder):
    store = make(folder)
    for form in ("events", "cloudevents"):
        out, name = folder / form, ["--name", form]
        options = [*to(out), *name, "--format", form]
        publish(store, *options, "--from", 1)
        publish(store, *options, "--from", 100, "--until", 300)
        publish(store, *options, "--from", 150, "--until", 160)
        publish(store, *options)
        expected = Expected.of_store(store, binary=BINARY)
        records = list(read_file(out))
        plain = [record for record in records if record.replay is None]
        compare(expected, plain).check()
        replays = sorted({record.replay for record in records} - {None})
        equal(len(replays), 2, replays)
        for replay, positions in zip(replays, (range(100, 301), range(150, 161))):
            part = [record for record in records if record.replay == replay]
            compare(expected.only(positions), part, replay=replay).check()
        found = status(store, form)
        equal((found["acknowledged"], found.get("replay")), (EVENTS, None))
        refused(store, *options, "--from", 50, "--until", 20, code=1, says=["--to"])


def an_unfinished_replay_goes_on_after_a_kill(folder):
    store, out = make(folder, 8000), folder / "out"
    publish(store, *to(out), "--from", 1)
    size = out.stat().st_size
    kills = bit = 0
    begin = ["--from", "1"]
    for _ in range(6):
        process = subprocess.Popen([BINARY, "publish", store, *to(out), *begin],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begin = []
        target = min(size + (kills + 1) * size // 8, 2 * size - 1)
        while process.poll() is None and out.stat().st_size <= target:
            pass
        process.kill()
        if process.wait() != 0:
            kills += 1
            bit += out.stat().st_size < 2 * size
    publish(store, *to(out))
    check(kills >= 1, "nothing was killed")
    check(bit >= 1, "each was killed too late")
    expected = Expected.of_store(store, binary=BINARY)
    records = list(read_file(out))
    compare(expected, records[:len(expected)]).check()
    replays = {record.replay for record in records[len(expected):]}
    equal(len(replays), 1, replays)
    compare(expected, records[len(expected):], replay=replays.pop()).check()
    equal(status(store)["acknowledged"], 8000)
    print(f"  {kills} kills in a replay")


# --- Which events ------------------------------------------------------------------------------


def filters_are_those_of_read(folder):
    store = make(folder, 1500)
    combos = [["--category", "fine"], ["--type", "Payment"], ["--type", "Payment", "--type",
              "Send Fine"], ["--tag", "customer:7"], ["--tag", "customer:7", "--tag", "customer:3"],
              ["--category", "fine", "--type", "Payment", "--tag", "customer:7"],
              ["--category", "konto-ü", "--type", "Überweisung"], ["--type", "none"], []]
    streams = [line["stream"] for line in run("streams", store).lines()]
    for number, combo in enumerate(combos):
        out = folder / f"out{number}"
        publish(store, *to(out), "--name", f"n{number}", "--from", 1, *combo)
        equal(out.read_bytes(), run("read", store, *combo).out, combo)
        equal(status(store, f"n{number}")["events_behind"], 0, combo)
    check(out.stat().st_size, "the last combination publishes nothing")
    for stream in (streams[0], streams[-1]):
        result = publish(store, "--to", "stdout", "--name", "one", "--from", 1, "--stream", stream)
        equal(result.out, run("read", store, stream).out, stream)


def system_streams_need_to_be_asked_for(folder):
    store = folder / "s"
    lines = [{"stream": stream, "type": "T", "data": {"n": number}}
             for stream, number in (("a-1", 1), ("a-1", "five"), ("b", 2))]
    run("import", store, "-",
        stdin="".join(json.dumps(line) + "\n" for line in lines).encode())
    # A decision about a projection is an event of a stream of the store's own.
    run("projection", store, "run", "sums", "--kind", "sum", "--by", "stream", "--field", "n",
        code=10)
    run("projection", store, "skip", "sums", "--position", 2, "--reason", "typed")
    run("append", store, "c", "--type", "T", "--data", 3)
    plain = publish(store, "--to", "stdout", "--from", 1).lines()
    equal([event["stream"] for event in plain], ["a-1", "a-1", "b", "c"])
    every = publish(store, "--to", "stdout", "--name", "all", "--from", 1,
                    "--system-streams").lines()
    equal([event["stream"] for event in every], ["a-1", "a-1", "b", "$projection-sums", "c"])
    one = publish(store, "--to", "stdout", "--name", "one", "--from", 1, "--stream",
                  "$projection-sums").lines()
    equal([event["position"] for event in one], [4])


def a_skipped_event_is_never_sent(folder):
    store, out = make(folder), folder / "out"
    publish(store, *to(out), "--from", 1, "--until", 100)
    for position in (1, 100, EVENTS + 1):
        error = run("publish", "skip", store, "file", "--position", position, "--reason", "x",
                    code=7).error()
        check("neither parked" in error["message"], error)
    decided = run("publish", "skip", store, "file", "--position", 101, "--reason", "not theirs",
                  "--actor", "ann").json()
    equal((decided["position"], decided["reason"], decided["actor"]), (101, "not theirs", "ann"))
    again = run("publish", "skip", store, "file", "--position", 101, "--reason", "other").json()
    equal(again, decided)
    publish(store, *to(out))
    publish(store, *to(out), "--from", 1)  # nor in a replay
    positions = [record.position for record in read_file(out)]
    every = [position for position in range(1, EVENTS + 1) if position != 101]
    equal(positions, [*every, *every])
    equal(status(store)["acknowledged"], EVENTS)


def a_sink_without_letters_says_so(folder):
    store = make(folder)
    publish(store, *to(folder / "out"), "--from", 1)
    equal(run("publish", "parked", store, "file").out, b"")
    equal(run("publish", "retry", store, "file").json(), {"due": 0})
    run("publish", "retry", store, "file", "--stream", "fine-1", code=3)
    for words in (["parked"], ["retry"], ["status"],
                  ["skip", "--position", 1, "--reason", "x"]):
        error = run("publish", words[0], store, "none", *words[1:], code=3).error()
        equal(error["code"], "not_found", words)


# --- While it runs -----------------------------------------------------------------------------


def requests_are_taken_within_a_second(folder):
    store, out = make(folder), folder / "out"
    with Following(store, *to(out), "--from", "1", "--until", str(EVENTS + 4)) as running:
        wait_until(lambda: journal(store).exists() and status(store)["acknowledged"] == EVENTS,
                   "all is published")
        line = b'{"stream":"late","type":"T","data":1}\n'
        run("import", store, "-", stdin=line * 4)
        wait_until(lambda: status(store)["acknowledged"] == EVENTS + 4, "the late ones came")
        # Behind --until nothing is sent, so this one waits, and can be skipped.
        run("import", store, "-", stdin=line.replace(b"1", b"2") * 2)
        start = time.monotonic()
        run("publish", "skip", store, "file", "--position", EVENTS + 5, "--reason", "x")
        wait_until(lambda: b" skip " in journal(store).read_bytes(), "the skip is taken", 10)
        took = time.monotonic() - start
        check(took < 2, f"a request took {took:.1f} s")
        print(f"  taken within {took:.2f} s")
        running.end()
    publish(store, *to(out))
    positions = [record.position for record in read_file(out)]
    equal(positions, [*range(1, EVENTS + 5), EVENTS + 6])


def signals_end_it_with_130_and_a_saved_cursor(folder):
    store = make(folder)
    for name, number in (("int", signal.SIGINT), ("term", signal.SIGTERM)):
        out = folder / name
        with Following(store, *to(out), "--name", name, "--from", "1") as running:
            wait_until(lambda: out.exists() and out.stat().st_size, "something is published")
            printed, _ = running.end(130, number)
        equal(json.loads(printed)["name"], name)
        found = status(store, name)
        records = list(read_file(out))
        # What is in the file is what the cursor says, and not a line more.
        equal(found["acknowledged"], records[-1].position)
        equal(found["state"], "idle")
        publish(store, *to(out), "--name", name)
        equal(out.read_bytes(), run("read", store).out)


def a_closed_pipe_ends_it_quietly(folder):
    store = make(folder, 20_000)
    done = subprocess.run(["bash", "-c", 'set -o pipefail; "$0" publish "$1" --to stdout --from 1 |'
                           ' head -n 1', BINARY, store], capture_output=True, check=False,
                          timeout=60)
    equal((done.returncode, done.stderr), (0, b""))
    equal(done.stdout, run("read", store, "--limit", 1, code=None).out)
    # It did not get all of it: at least once means that the rest comes.
    found = status(store, "stdout")
    check(found["acknowledged"] < 20_000, found)
    rest = publish(store, "--to", "stdout").lines()
    equal(rest[-1]["position"], 20_000)
    equal([event["position"] for event in rest],
          list(range(found["acknowledged"] + 1, 20_001)))


# --- Faults ------------------------------------------------------------------------------------


def a_damaged_journal_is_4_and_says_what_to_do(folder):
    store, out = make(folder), folder / "out"
    for until in range(100, EVENTS, 100):
        publish(store, *to(out), "--from", until - 99, "--until", until)
    publish(store, *to(out), "--until", EVENTS - 50)
    whole = journal(store).read_bytes()
    at = whole.index(b"line=")
    for damaged in (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:], b"x" + whole[1:]):
        journal(store).write_bytes(damaged)
        before = out.read_bytes()
        refused(store, *to(out), code=4, says=["JOURNAL", "backup", "--from"])
        run("publish", "status", store, "file", code=4)
        equal((out.read_bytes(), journal(store).read_bytes()), (before, damaged))
    # As it says: moved away, and begun anew.
    journal(store).rename(folder / "JOURNAL")
    refused(store, *to(out), says=["--from"])
    publish(store, *to(out), "--from", EVENTS - 49)
    equal(out.read_bytes(), run("read", store).out)


def beginnings(folder, store, options, expected):
    """Goes on from each beginning of the journal behind its first cursor; returns how many.

    `expected` gives what the files hold in the end, from the part of the journal that was there.
    """
    whole = journal(store).read_bytes()
    first = re.search(rb" cursor [^\n]*\n", whole).end()
    ends = [first, *(first + match.end() for match in re.finditer(rb"\n", whole[first:]))]
    cuts = sorted({*ends, *((begin + end) // 2 for begin, end in zip(ends, ends[1:]))})
    kept = {path: path.read_bytes() for path in folder.glob("out*")}
    for cut in cuts:
        for path in folder.glob("out*"):
            path.unlink()
        for path, content in kept.items():
            path.write_bytes(content)
        journal(store).write_bytes(whole[:cut])
        publish(store, *options)
        found = b"".join(path.read_bytes()
                         for path in [*sorted(folder.glob("out.*")), folder / "out"])
        check(found == expected(whole[:cut]), "wrong lines behind", whole[:cut][-200:])
    return len(cuts)


def every_beginning_of_the_journal_is_a_state_to_go_on_from(folder):
    """As a process that dies leaves it: the file is as long as it was, or longer."""
    store = folder / "s"
    options = [*to(folder / "out"), "--option", "rotate-bytes=40000"]
    run("import", store, "-", stdin=Log(EVENTS).bytes())
    with Following(store, *options, "--from", "1") as running:
        for n in range(8):
            head = run("import", store, "-", stdin=Log(EVENTS, n).bytes()).json()["position"]
            wait_until(lambda head=head: journal(store).exists()
                       and status(store)["acknowledged"] == head, "it is published")
        running.end()
    line = run("read", store).out
    check(len(list(folder.glob("out.*"))) > 3, "few rotations")
    cuts = beginnings(folder, store, options, lambda _: line)
    publish(store, *options)
    # And in a replay.
    publish(store, *options, "--from", 1)
    every = b"".join(path.read_bytes() for path in [*sorted(folder.glob("out.*")), folder / "out"])
    equal(every.startswith(line) and every.count(b"\n") == 2 * line.count(b"\n"), True)
    cuts += beginnings(folder, store, options, lambda begin: every if re.search(
        rb" replay id=[^\n]*\n", begin) else line)
    check(cuts >= 12, "few saves:", cuts)
    print(f"  {cuts} beginnings")


def killed_before_the_first_save_nothing_is_doubled(folder):
    store = make(folder, 20_000)
    expected = run("read", store).out
    early = 0
    for number in range(6):
        out, name = folder / f"out{number}", ["--name", f"n{number}"]
        process = subprocess.Popen([BINARY, "publish", store, *to(out), *name, "--from", "1"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (out.exists() and out.stat().st_size):
            pass
        process.kill()
        process.wait()
        early += journal(store, f"n{number}").read_bytes().count(b" cursor ") < 2
        publish(store, *to(out), *name)
        equal(out.read_bytes() == expected, True, out)
    print(f"  {early} of 6 were killed before the first save")


def a_reader_without_rights_looks_and_is_refused(folder):
    if os.geteuid() != 0:
        print("  SKIPPED: only root can become another user")
        return
    store, out = make(folder), folder / "out"
    publish(store, *to(out), "--from", 1)
    for path in (folder, folder.parent):
        os.chmod(path, 0o755)
    binary = shutil.copy(BINARY, folder)

    def as_other(*arguments):
        return subprocess.run([*AUDITOR, binary, *map(str, arguments)], capture_output=True,
                              check=False, timeout=60, cwd="/")

    for words in (["status", store], ["status", store, "file", "--prometheus"],
                  ["parked", store, "file"]):
        done = as_other("publish", *words)
        equal(done.returncode, 0, words, done.stderr)
    for words in ([store, *to(out)], [store, *to(folder / "b"), "--name", "b", "--from", 1],
                  ["skip", store, "file", "--position", EVENTS + 1, "--reason", "x"]):
        done = as_other("publish", *words)
        equal(done.returncode, 7, words, done.stderr)
        equal(len(done.stderr.splitlines()), 1, done.stderr)
    # The store may be written, and the file may not.
    done = as_other("publish", store, "--to", "stdout", "--name", "c", "--from", 1)
    equal(done.returncode, 7, done.stderr)


def a_full_disk_is_6_and_goes_on_when_there_is_room(folder):
    if os.geteuid() != 0:
        print("  SKIPPED: only root can mount a small file system")
        return
    store, small = make(folder, 10_000), folder / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small], check=False,
                      capture_output=True).returncode != 0:
        print("  SKIPPED: no right to mount a small file system")
        return
    try:
        for form in ("events", "cloudevents"):
            out = small / form
            options = [*to(out), "--name", form, "--format", form]
            (small / "filler").write_bytes(b"f" * 1_000_000)
            error = publish(store, *options, "--from", 1, "--patience", 1, code=6).error()
            equal(error["code"], "resource_exhausted")
            found = status(store, form)
            check(0 < found["acknowledged"] < 10_000, found)
            check(found["resends"] > 0 and found["rewinds"] > 0, found)
            # Nothing is in the file but whole lines and what the last write could still take.
            kept = [json.loads(line) for line in out.read_bytes().split(b"\n")[:-1]]
            check(len(kept) >= found["acknowledged"], len(kept), found)
            (small / "filler").unlink()
            subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
            publish(store, *options)
            compare(Expected.of_store(store, binary=BINARY), read_file(out)).check()
            subprocess.run(["mount", "-o", "remount,size=12m", small], check=True)
            if form == "events":
                out.unlink()
                subprocess.run(["mount", "-o", "remount,size=2m", small], check=True)
    finally:
        subprocess.run(["umount", small], check=True)


def the_store_itself_is_full(folder):
    """The journal finds no room: it ends with 6, and goes on."""
    if os.geteuid() != 0:
        print("  SKIPPED: only root can mount a small file system")
        return
    small = folder / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", small], check=False,
                      capture_output=True).returncode != 0:
        print("  SKIPPED: no right to mount a small file system")
        return
    try:
        store, out = make(small, 5000), folder / "out"
        publish(store, *to(out), "--from", 1, "--until", 1000)
        with open(small / "filler", "wb") as filler:
            try:
                while True:
                    os.write(filler.fileno(), b"f" * 4096)
            except OSError:
                pass
        publish(store, *to(out), code=6)
        (small / "filler").unlink()
        publish(store, *to(out))
        equal(out.read_bytes() == run("read", store).out, True)
    finally:
        subprocess.run(["umount", small], check=True)


# --- What is told ------------------------------------------------------------------------------

SAMPLE = re.compile(r'^(?P<name>[a-z_][a-z0-9_]*)\{(?P<labels>[^}]*)\} (?P<value>[-+0-9.e]+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\.)*)"')


def metrics(text):
    """(name, labels) -> value; each name has its help and type before its first sample."""
    found, kinds, helped = {}, {}, set()
    check(text.endswith("\n"), "the last line has no end")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split(" ", 3)[2])
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            check(name not in kinds, "a type twice:", line)
            check(kind in ("gauge", "counter"), line)
            kinds[name] = kind
        else:
            match = SAMPLE.match(line)
            check(match, "no sample:", line)
            name, labels = match["name"], dict(LABEL.findall(match["labels"]))
            check(name in kinds and name in helped, "not announced:", line)
            check(kinds[name] != "counter" or name.endswith("_total"), "a counter's name:", line)
            key = name, tuple(sorted(labels.items()))
            check(key not in found, "twice:", line)
            found[key] = float(match["value"])
    return found


def prometheus_text_is_by_sink_and_never_by_stream(folder):
    store = make(folder)
    publish(store, *to(folder / "a"), "--name", "a", "--from", 1)
    publish(store, *to(folder / "b"), "--name", "b-2", "--from", 1, "--until", 100)
    found = metrics(run("publish", "status", store, "--prometheus").out.decode())
    keys = {label for _, labels in found for label, _ in labels}
    check(keys <= {"sink", "state", "class"}, keys)
    equal({value for _, labels in found for label, value in labels if label == "sink"},
          {"a", "b-2"})

    def value(name, sink):
        return found[f"daybook_publish_{name}", (("sink", sink),)]

    equal((value("acknowledged_position", "a"), value("acknowledged_position", "b-2")),
          (EVENTS, 100))
    equal((value("lag_events", "a"), value("lag_events", "b-2")), (0, EVENTS - 100))
    equal((value("lag_seconds", "a"), value("lag_seconds", "b-2") > 0), (0, True))
    equal(value("sent_total", "a"), EVENTS)
    for sink in ("a", "b-2"):
        equal(sum(number for (name, labels), number in found.items()
                  if name == "daybook_publish_state" and ("sink", sink) in labels), 1)
    one = metrics(run("publish", "status", store, "a", "--prometheus").out.decode())
    check(one.items() <= {key: one.get(key, value) for key, value in found.items()}.items(), one)
    listed = run("publish", "status", store).lines()
    equal([line["name"] for line in listed], ["a", "b-2"])
    pathlib.Path(store / "publish" / "a" / "STATUS").unlink()
    equal(status(store, "a")["acknowledged"], EVENTS)


if __name__ == "__main__":
    main(cases(without_a_cursor_it_is_refused, wrong_words_are_1_and_one_line,
               another_destination_or_filter_is_refused, a_position_beyond_the_next_is_refused,
               from_broker_goes_on_behind_the_last_line, from_broker_of_plain_lines_is_refused,
               the_cursor_of_another_history_is_refused, a_cursor_ahead_of_the_store_is_refused,
               two_at_once_are_5, a_replay_is_marked_and_leaves_the_cursor,
               an_unfinished_replay_goes_on_after_a_kill, filters_are_those_of_read,
               system_streams_need_to_be_asked_for, a_skipped_event_is_never_sent,
               a_sink_without_letters_says_so, requests_are_taken_within_a_second,
               signals_end_it_with_130_and_a_saved_cursor, a_closed_pipe_ends_it_quietly,
               a_damaged_journal_is_4_and_says_what_to_do,
               every_beginning_of_the_journal_is_a_state_to_go_on_from,
               killed_before_the_first_save_nothing_is_doubled,
               a_reader_without_rights_looks_and_is_refused,
               a_full_disk_is_6_and_goes_on_when_there_is_room, the_store_itself_is_full,
               prometheus_text_is_by_sink_and_never_by_stream))
