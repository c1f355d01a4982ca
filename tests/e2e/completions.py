#!/usr/bin/env python3
"""What `--help` lists is what the shell completes: every command, and every flag of each, in bash;
in zsh and in the man page every command, and every flag of `publish`, which has the most."""

import pathlib
import re
import subprocess

from support import BINARY, check, equal, main

CLI = pathlib.Path(__file__).resolve().parents[2] / "cli"
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def help_of(*words):
    return subprocess.run([BINARY, *words, "--help"], capture_output=True, text=True, timeout=60,
                          check=True).stdout


def flags_of(command):
    """Those at the beginning of a line, not those in what is said of them."""
    text = help_of(command)
    starts = [line.split("  ")[1] for line in text.splitlines() if re.match(r"  -", line)]
    return set(FLAG.findall("\n".join(starts)))


def bash_offers(*words):
    """What bash offers for the last of these words of a command line."""
    script = (f"source '{CLI / 'completions' / 'daybook.bash'}'\nCOMP_WORDS=(daybook \"$@\")\n"
              "COMP_CWORD=$#\n_daybook\nprintf '%s\\n' \"${COMPREPLY[@]}\"")
    return set(subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True,
                              text=True, timeout=60, check=True).stdout.split())


def completions(_folder):
    # The commands stand behind their heading, two blanks in.
    listed = help_of().split("Subcommands:\n")[1]
    commands = re.findall(r"^  ([a-z]+)\b", listed, re.M)
    check("publish" in commands and len(commands) > 15, commands)
    equal({word for word in bash_offers("") if not word.startswith("-")}, set(commands))
    zsh = (CLI / "completions" / "_daybook").read_text(encoding="utf-8")
    man = (CLI / "daybook.1").read_text(encoding="utf-8").replace("\\-", "-")
    for command in commands:
        flags = flags_of(command)
        check("--help" in flags, command, flags)
        equal(bash_offers(command, "--"), flags, command)
        check(f"'{command}:" in zsh and f"\n    {command})" in zsh, "zsh does not know", command)
        check(f"\n.B {command}\n" in man, "the man page does not know", command)
    for flag in flags_of("publish") - {"--help", "--json"}:
        check(flag in zsh, "zsh does not know", flag)
        check(flag in man, "the man page does not know", flag)
    check("parked" in bash_offers("publish", "p"))
    equal(bash_offers("publish", "store", "--format", ""), {"events", "cloudevents"})


if __name__ == "__main__":
    main(completions)
