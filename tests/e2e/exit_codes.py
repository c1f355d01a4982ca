#!/usr/bin/env python3
"""Each row of the contract's table of exit codes that can be brought about from outside."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from support import BINARY, cases, check, equal, main, read, run

EVENT = ["--type", "T", "--data", "1"]


def damage(store):
    """Flips a bit in the middle of an event; returns the file's name."""
    path = sorted((store / "log").glob("*.log"))[0]
    bytes_ = bytearray(path.read_bytes())
    at = bytes_.index(b"find-me-in-the-log")
    bytes_[at] ^= 1
    path.write_bytes(bytes_)
    return path


def usage_and_bad_input_are_1(folder):
    for arguments in [[], ["nonsense"], ["read"], ["read", folder, "--limit", "x"],
                      ["append", folder, "a"],
                      ["read", folder, "--as-of-recorded", "2020-01-01T00:00:00"]]:
        equal(run(*arguments, code=1).error()["code"], "invalid_argument", arguments)


def a_folder_with_other_things_in_it_is_1(folder):
    (folder / "notes.txt").write_text("mine")
    equal(run("append", folder, "a", *EVENT, code=1).error()["code"], "invalid_argument")
    run("import", folder, "-", stdin=b"", code=1)
    equal(sorted(os.listdir(folder)), ["notes.txt"])


def conflicts_are_2(folder):
    store = folder / "s"
    run("append", store, "a", *EVENT)
    equal(run("append", store, "a", *EVENT, "--expect", "none", code=2).error()["code"], "aborted")


def what_is_missing_is_3(folder):
    store = folder / "none"
    for arguments in [["read", store], ["tail", store], ["streams", store], ["stats", store],
                      ["verify", store], ["repair", store],
                      ["append", store, "a", *EVENT, "--no-create"],
                      ["import", store, "-", "--no-create"],
                      ["import", folder / "s", folder / "no-such-file"],
                      ["append", folder / "s", "a", "--type", "T", "--data", f"@{folder}/no-file"]]:
        equal(run(*arguments, code=3).error()["code"], "not_found", arguments)
    equal(os.listdir(folder), [])


def damage_is_4(folder):
    store = folder / "s"
    for _ in range(3):
        run("append", store, "a", "--type", "T", "--data", '"find-me-in-the-log"')
    run("append", store, "a", *EVENT)
    path = damage(store)
    result = run("verify", store, code=4)
    report = result.json()
    equal(report["ok"], False)
    finding = report["findings"][0]
    equal(list(finding), ["kind", "file", "offset", "positions", "hint"])
    check(path.name in finding["file"], result)
    for command in ["read", "streams", "stats", "tail"]:
        arguments = ["--from", 1] if command == "tail" else []
        error = run(command, store, *arguments, code=4).error()
        equal(error["code"], "data_loss")
        check(path.name in error["detail"]["file"] and error["detail"]["offset"] > 0, error)


def damage_in_a_sealed_segment_is_4_and_what_is_before_it_prints(folder):
    store = folder / "s"
    line = '{"stream":"a","type":"T","data":"%d %s"}\n'
    lines = [line % (number, "x" * 2000) for number in range(1000)]
    lines[300] = line % (300, "find-me-in-the-log")
    run("import", store, "-", "--batch", 50, stdin="".join(lines).encode())
    check(len(list((store / "log").glob("*.log"))) > 1, "the first segment is sealed")
    path = damage(store)
    result = run("read", store, code=4)
    equal(result.error()["detail"]["file"], f"log/{path.name}")
    equal([event["position"] for event in result.lines()], list(range(1, 301)))
    equal(len(read(store, "--from", 302)), 699)
    equal(run("read", store, "--position", 301, code=4).error()["code"], "data_loss")
    finding = run("verify", store, code=4).json()["findings"][0]
    check(finding["positions"][0] <= 301 <= finding["positions"][1], finding)
    # Appends go on; repair brings back what the hashes prove: it was a single bit.
    run("append", store, "b", *EVENT)
    repaired = run("repair", store).json()
    equal((repaired["restored"] > 0, repaired["lost"]), (True, 0), repaired)
    equal(len(read(store)), 1001)
    equal(run("verify", store).json()["ok"], True)


def a_second_writer_is_5(folder):
    store = folder / "s"
    writer = subprocess.Popen([BINARY, "import", store, "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        writer.stdin.write(b'{"stream":"a","type":"T"}\n')
        writer.stdin.flush()
        while run("stats", store, code=None).code != 0:
            time.sleep(0.01)
        for arguments in [["append", store, "a", *EVENT], ["import", store, "-"],
                          ["repair", store]]:
            equal(run(*arguments, code=5).error()["code"], "unavailable", arguments)
        equal(read(store), [])
    finally:
        out, err = writer.communicate(timeout=60)
    equal(writer.returncode, 0, out, err)
    equal(len(read(store)), 1)


def no_space_is_6(folder):
    if os.geteuid() != 0:
        print("SKIPPED: only root can mount a small file system")
        return
    small = folder / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small], check=False,
                             capture_output=True)
    if mounted.returncode != 0:
        print("SKIPPED: no right to mount a small file system")
        return
    try:
        line = b'{"stream":"a","type":"T","data":"' + b"x" * 10_000 + b'"}\n'
        result = run("import", small / "s", "-", "--batch", 10, stdin=line * 1000, code=6)
        equal(result.error()["code"], "resource_exhausted")
        counts = result.json()
        equal(len(read(small / "s")), counts["events"])
    finally:
        subprocess.run(["umount", small], check=True)


def no_permission_is_7(folder):
    if os.geteuid() != 0:
        print("SKIPPED: only root can become another user")
        return
    with tempfile.TemporaryDirectory(prefix="daybook-e2e-") as open_folder:
        os.chmod(open_folder, 0o755)
        binary = shutil.copy(BINARY, open_folder)
        store = pathlib.Path(open_folder) / "s"
        run("append", store, "a", *EVENT)
        os.chmod(store, 0o700)
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary]
        for arguments in [["read", store], ["append", store, "a", *EVENT]]:
            process = subprocess.run([*nobody, *arguments], capture_output=True, check=False,
                                     cwd=open_folder)
            equal(process.returncode, 7, arguments, process.stderr)


def a_failed_sync_is_9(folder):
    if shutil.which("strace") is None:
        print("SKIPPED: no strace here")
        return
    store = folder / "s"
    run("append", store, "a", *EVENT)
    uuid = "018f3c5e-0000-7000-8000-00000000000a"
    append = ["append", store, "a", *EVENT, "--id", uuid]
    seen_9 = False
    for when in range(1, 12):  # one of the first syncs is that of the append itself
        # LeakSanitizer, in a build that has it, does not work under a tracer.
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
        result = run(*append, code=None, env=environment, prefix=[
            "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e",
            f"inject=fdatasync:error=EIO:when={when}"])
        if result.code == 9:
            check(b"unknown" in result.err, result)
            seen_9 = True
            break
    if not seen_9 and b"strace:" in result.err:
        print("SKIPPED: strace may not trace here")
        return
    check(seen_9, "no failed sync answered with 9:", result)
    again = run(*append).json()  # the retry is one event, whatever became of the first
    equal([event["id"] for event in read(store)].count(uuid), 1, again)


def an_interrupt_is_130(folder):
    store = folder / "s"
    run("append", store, "a", *EVENT)
    tail = subprocess.Popen([BINARY, "tail", store, "--from", "1"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    check(b'"position":1' in tail.stdout.readline())
    tail.send_signal(signal.SIGINT)
    _, err = tail.communicate(timeout=30)
    equal(tail.returncode, 130, err)


if __name__ == "__main__":
    main(cases(
        usage_and_bad_input_are_1,
        a_folder_with_other_things_in_it_is_1,
        conflicts_are_2,
        what_is_missing_is_3,
        damage_is_4,
        damage_in_a_sealed_segment_is_4_and_what_is_before_it_prints,
        a_second_writer_is_5,
        no_space_is_6,
        no_permission_is_7,
        a_failed_sync_is_9,
        an_interrupt_is_130,
    ))
