#!/usr/bin/env python3
"""The pages of docs/guide do what they show: the commands in their ```console blocks are run, on a
terminal, and print what stands under them; their ```cpp blocks stand in the examples.

usage: guide.py [--update]   (--update writes into the pages what the commands print)

A command begins with `$ ` and goes on in lines that begin with `> `. Times that the store gave and
ids that it made differ from run to run, and so do not count.
"""

import fcntl
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import termios
import threading

from support import BINARY, check, equal, main

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = {"time-travel.md": "examples/time_travel/time_travel.cc",
         "projections.md": "examples/balances/balances.cc",
         "publishing.md": "examples/outbox/outbox.cc"}
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
CPP = re.compile(r"^```cpp\n(.*?)^```$", re.M | re.S)
# A time with a fraction is one that the store gave: the page's own have none.
RECORDED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(?!0{9})\d{9}Z")
MADE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
# Of a replay.
MADE_NAME = re.compile(r"\b01[0-9a-f]{14}\b")
# What the pages show for the folder that they are run in.
HOME = "/home/ada"
COLUMNS = 100
MARK = "\x01"


def commands_of(block):
    """[(command, the lines under it)] of a console block."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> ") or line == ">":
            found[-1] = (found[-1][0] + "\n" + line[2:], found[-1][1])
        else:
            found[-1][1].append(line)
    return found


def on_a_terminal(script, folder):
    """What a shell prints on a terminal that runs `script`."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "TERM": "dumb",
                   "LC_ALL": "C.UTF-8"}
    shell = subprocess.Popen(["bash", "--norc", "--noprofile", "-c", script], cwd=folder,
                             env=environment, stdin=subprocess.DEVNULL, stdout=follower,
                             stderr=follower)
    os.close(follower)
    output = []

    def drain():
        while True:
            try:
                chunk = os.read(leader, 65536)
            except OSError:  # nobody holds the other end any more
                return
            if not chunk:
                return
            output.append(chunk)

    reader = threading.Thread(target=drain)
    reader.start()
    equal(shell.wait(timeout=100), 0, "the shell")
    reader.join(timeout=20)
    os.close(leader)
    return b"".join(output).decode().replace("\r\n", "\n")


def without_what_varies(text):
    return MADE_NAME.sub("NAME", MADE_ID.sub("ID", RECORDED.sub("TIME", text)))


def place(folder):
    """A folder in which the programs stand where the page says."""
    (folder / "bin").mkdir()
    (folder / "bin" / "daybook").symlink_to(BINARY)
    (folder / "build").mkdir()
    examples = os.environ.get("DAYBOOK_EXAMPLES")
    check(examples, "DAYBOOK_EXAMPLES names no folder")
    (folder / "build" / "release").mkdir()
    (folder / "build" / "release" / "examples").symlink_to(examples)


def run_page(text, folder):
    """[(command, lines shown, lines printed)] of a page."""
    place(folder)
    shown = [command for block in BLOCK.findall(text) for command in commands_of(block)]
    check(len(shown) > 5, "the page has no commands")
    script = "\n".join(f"{command}\nprintf '{MARK}'" for command, _ in shown)
    printed = on_a_terminal(script, folder).replace(str(folder), HOME).split(MARK)
    equal(len(printed), len(shown) + 1, printed)
    return [(command, lines, output.splitlines())
            for (command, lines), output in zip(shown, printed)]


def check_code(text, source):
    """Every block of C++ stands in the example, but for how far it is indented."""
    def flat(code):
        return "\n".join(line.strip() for line in code.splitlines())
    blocks = CPP.findall(text)
    check(blocks, "the page has no C++")
    for block in blocks:
        check(flat(block) in flat(source), "this is not in the example:\n" + block)


def update(text, ran):
    """The page with what was printed in place of what was shown: all of it, from one run."""
    results = iter(ran)

    def block(match):
        lines = []
        for command, _ in commands_of(match.group(1)):
            lines += ["$ " + command.replace("\n", "\n> "), *next(results)[2]]
        return "```console\n" + "\n".join(lines) + "\n```"
    return BLOCK.sub(block, text)


def pages(folder):
    for name, source in PAGES.items():
        path = ROOT / "docs" / "guide" / name
        text = path.read_text(encoding="utf-8")
        own = folder / name
        own.mkdir()
        ran = run_page(text, own)
        if "--update" in sys.argv:
            path.write_text(update(text, ran), encoding="utf-8")
            continue
        for command, shown, printed in ran:
            equal(without_what_varies("\n".join(printed)), without_what_varies("\n".join(shown)),
                  name, "$", command)
        check_code(text, (ROOT / source).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(pages)
