#!/usr/bin/env python3
"""The journal of a sink is what docs/format/publishing.md says: a reader that was written from the
page alone finds in it what the command says of the sink."""

import json
import pathlib
import re
import sys

from support import cases, check, equal, main, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "format_reader"))
sys.dont_write_bytecode = True

from xxh3 import xxh3_64  # noqa: E402

FIRST_LINE = b"daybook publish journal 1"
ESCAPES = {b"n": b"\n", b"t": b"\t"}


def entries(journal):
    """[(kind, {name: value})] of the bytes of a journal, the last line of which may be cut off."""
    first, *lines = journal.split(b"\n")
    equal(first, FIRST_LINE)
    found = []
    for line in lines[:-1]:
        checksum, text = line.split(b" ", 1)
        equal(checksum.decode(), f"{xxh3_64(text):016x}", line)
        kind, fields = text.split(b" ", 1)
        values = {}
        for field in fields.split(b"\t"):
            name, value = field.split(b"=", 1)
            plain = re.sub(rb"\\(.)", lambda match: ESCAPES.get(match.group(1), match.group(1)),
                           value, flags=re.S)
            values[name.decode()] = plain.decode()
        found.append((kind.decode(), values))
    return found


def page(_folder):
    text = (ROOT / "docs" / "format" / "publishing.md").read_text(encoding="utf-8")
    shown = re.search(r"^```journal\n(.*?)^```$", text, re.M | re.S).group(1)
    found = entries(shown.replace("→", "\t").encode())
    check(len(found) > 10, found)
    # Every kind that the page lists is in its example.
    listed = set(re.findall(r"^\| `(\w+)` \| (?:`\w+` ?)+ \|", text, re.M))
    equal({kind for kind, _ in found}, listed)
    check("\n" in dict(found)["park"]["error"])


def command(folder):
    store, out = folder / "store", folder / "out.ndjson"
    lines = [json.dumps({"stream": f"a\\b-{n % 3}", "type": "T", "data": {"n": n}})
             for n in range(500)]
    run("import", store, "-", stdin="\n".join(lines).encode())
    run("publish", store, "--to", f"file:{out}", "--name", "bus", "--category", "a\\b",
        "--until", 300, "--from", 1)
    run("publish", "skip", store, "--name", "bus", "--position", 400, "--reason", "a\ttab, \\",
        "--actor", "ada")
    path = store / "publish" / "bus" / "JOURNAL"
    last = dict(entries(path.read_bytes()))
    equal(last["open"]["destination"], f"file:{out}")
    equal(last["open"]["filter"], 'category="a\\\\b"')
    equal(last["open"]["incarnation"], run("stats", store).json()["incarnation"])
    equal((last["cursor"]["line"], last["cursor"]["sent"]), ("300", "300"))
    equal(last["cursor"]["mark"], f"1:{out.stat().st_size}")
    equal((last["skip"]["position"], last["skip"]["reason"]), ("400", "a\ttab, \\"))
    status = run("publish", "status", store, "bus").json()
    equal((status["acknowledged"], status["head"]), (300, 500))

    run("publish", store, "--to", f"file:{out}", "--name", "bus", "--category", "a\\b")
    last = dict(entries(path.read_bytes()))
    equal((last["cursor"]["line"], last["cursor"]["sent"]), ("500", "500"))
    positions = [json.loads(line)["position"] for line in out.read_text().splitlines()]
    equal(positions, [n for n in range(1, 501) if n != 400])


if __name__ == "__main__":
    main(cases(page, command))
