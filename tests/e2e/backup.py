#!/usr/bin/env python3
"""Backup beside a writer, restore, a repair from a backup, and a device that fails."""

import json
import os
import shutil
import subprocess

from support import BINARY, Log, cases, check, equal, main, read, run


def make(folder, events=3000):
    store = folder / "s"
    run("import", store, "-", stdin=Log(events).bytes())
    return store


def beside_a_writer(folder):
    store, backup = folder / "s", folder / "b"
    log = Log(6000).bytes().splitlines(keepends=True)
    run("import", store, "-", stdin=b"".join(log[:10]))
    with subprocess.Popen([BINARY, "import", store, "-", "--batch", "20"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        positions = []
        for begin in range(0, len(log), 600):
            writer.stdin.write(b"".join(log[begin:begin + 600]))
            writer.stdin.flush()
            report = run("backup", store, backup).json()
            equal(list(report), ["position", "bytes", "segments", "verified"])
            equal(report["verified"], True)
            positions.append(report["position"])
        out, err = writer.communicate(timeout=60)
        equal(writer.returncode, 0, out, err)
    equal(positions, sorted(positions))
    last = run("backup", store, backup).json()
    equal(last["position"], len(read(store)))
    equal(run("backup", store, backup).json()["bytes"], 0)
    equal(run("verify", backup).json(), {"ok": True, "positions": last["position"], "findings": []})

    restored = folder / "r"
    report = run("restore", backup, restored).json()
    equal((report["position"], report["verified"]), (last["position"], True))
    equal(read(restored), read(store))
    equal(run("verify", restored).json()["findings"], [])
    stats, before = run("stats", restored).json(), run("stats", store).json()
    equal(stats["store_id"], before["store_id"])
    check(stats["incarnation"] != before["incarnation"], "the same incarnation")


def exit_codes(folder):
    store, backup = make(folder), folder / "b"
    run("backup", folder / "none", backup, code=3)
    run("restore", folder / "none", folder / "r", code=3)
    run("backup", store, store, code=1)
    run("backup", store, backup)
    run("restore", backup, store, code=1)
    run("append", backup, "s", "--type", "T", code=1)  # a backup is no store
    run("read", backup, code=3)
    run("restore", backup, folder / "r")
    error = run("backup", folder / "r", backup, code=7).error()
    check("incarnation" in error["message"], error)
    with open(backup / "log" / "00000000000000000001.log", "r+b") as file:
        file.seek(9000)
        byte = file.read(1)
        file.seek(9000)
        file.write(bytes([byte[0] ^ 4]))
    equal(run("backup", store, backup, code=4).error()["code"], "data_loss")
    run("restore", backup, folder / "r2", code=4)
    check(not (folder / "r2" / "STORE").exists(), "a store of a damaged backup")
    finding = run("verify", backup, code=4).json()["findings"][0]
    equal((finding["kind"], finding["file"]), ("backup", "log/00000000000000000001.log"))
    equal(run("restore", folder / "b", folder / "r2", code=1).error()["code"], "invalid_argument")


def repair_from_it(folder):
    store, backup = make(folder), folder / "b"
    events = read(store)
    run("backup", store, backup)
    with open(store / "log" / "00000000000000000001.log", "r+b") as file:
        file.seek(20000)
        file.write(os.urandom(3000))
    run("verify", store, code=4)
    run("repair", store, code=4)
    report = run("repair", store, "--from-backup", backup).json()
    check(report["restored"] > 0 and report["lost"] == 0, report)
    equal(read(store), events)
    run("verify", store)


def a_device_that_fails(folder):
    """Every n-th read of a file fails; nothing but a status comes of it."""
    store = make(folder)
    expected = run("read", store).out
    equal(run("read", store, "--no-mmap").out, expected)
    if shutil.which("strace") is None:
        print("  SKIPPED: no strace to make reads fail")
        return
    failed = whole = 0
    # Of the store's files only: the loader reads with pread too.
    of_store = [word for path in store.rglob("*") if path.is_file() for word in ("-P", path)]
    for command in (["read", store], ["read", store, "--tag", "none"], ["verify", store],
                    ["stats", store], ["backup", store, folder / "b"]):
        for nth in [*range(1, 12), 20, 50, 100]:
            process = subprocess.run(
                ["strace", "-f", "-qq", "-o", "/dev/null", *of_store, "-e", "trace=pread64",
                 "-e", f"inject=pread64:error=EIO:when={nth}", BINARY, *map(str, command),
                 "--no-mmap"], capture_output=True, check=False, timeout=120)
            what = (command[0], nth, process.returncode, process.stderr[-600:])
            if b"ptrace" in process.stderr:
                print("  SKIPPED: strace may not trace here")
                return
            check(process.returncode in (0, 4), *what)
            if command == ["read", store]:
                check(expected.startswith(process.stdout), *what)
                check(process.returncode == 4 or process.stdout == expected, *what)
            if process.returncode == 4:
                failed += 1
                line = json.loads(process.stderr.splitlines()[-1])
                equal(line["error"]["code"], "data_loss", *what)
            else:
                whole += 1
    # What is derived may be read in another way, and what was read twice is there.
    print(f"  {failed} commands failed as they should, {whole} did without")
    check(failed > 10, failed, whole)
    run("backup", store, folder / "b")
    run("verify", folder / "b")


if __name__ == "__main__":
    main(cases(beside_a_writer, exit_codes, repair_from_it, a_device_that_fails))
