"""What the tests of the command share: running it, and a generated log with its answers."""

import collections
import datetime
import functools
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

SKIP = 77
BINARY = os.environ.get("DAYBOOK_BIN") or shutil.which("daybook")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")


def skip(why):
    print(f"SKIPPED: {why}")
    sys.exit(SKIP)


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(item) for item in what))


def equal(actual, expected, *what):
    if actual != expected:
        check(False, *what, f"\n  actual   {actual!r:.2000}\n  expected {expected!r:.2000}")


class Result:
    """One run of the command: exit code, stdout and stderr as bytes, and as JSON."""

    def __init__(self, arguments, process):
        self.arguments = arguments
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    def __str__(self):
        return (f"daybook {' '.join(map(str, self.arguments))}: exit {self.code}\n"
                f"stdout: {self.out[:2000]!r}\nstderr: {self.err[:2000]!r}")

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def json(self):
        lines = self.lines()
        check(len(lines) == 1, "one line expected:", self)
        return lines[0]

    def error(self):
        """The error object on stderr; nothing but notices may stand beside it."""
        errors = []
        for line in self.err.splitlines():
            message = json.loads(line)
            check(set(message) in ({"error"}, {"notice"}), "unknown line on stderr:", self)
            if "error" in message:
                errors.append(message["error"])
        check(len(errors) == 1, "one error expected:", self)
        equal(sorted(errors[0]), ["code", "detail", "message"], self)
        return errors[0]


def run(*arguments, code=0, stdin=None, prefix=(), env=None):
    """Runs the command and checks its exit code (None: any)."""
    process = subprocess.run([*prefix, BINARY, *map(str, arguments)], input=stdin, env=env,
                             stdin=subprocess.DEVNULL if stdin is None else None,
                             capture_output=True, timeout=300, check=False)
    result = Result(arguments, process)
    check(code is None or result.code == code, f"exit {code} expected:", result)
    if result.code != 0 and result.code >= 0 and code is not None:
        result.error()
    return result


def read(store, *arguments):
    return run("read", store, *arguments).lines()


def main(test):
    """Runs `test(folder)` in a temporary folder."""
    if not BINARY:
        sys.exit("no daybook to test: DAYBOOK_BIN names none")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="daybook-e2e-"))
    try:
        test(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("ok")


def cases(*functions):
    """A test that runs each function in a folder of its own."""

    def test(folder):
        for function in functions:
            print(f"- {function.__name__}", flush=True)
            own = folder / function.__name__
            own.mkdir()
            function(own)

    return test


# --- Times, without the command's own code ---------------------------------------------------

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


# A log of half a million lines has few thousand times.
@functools.lru_cache(maxsize=1 << 16)
def nanoseconds(text):
    """RFC 3339 as nanoseconds since 1970."""
    match = re.match(r"^(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$", text)
    zone = "+00:00" if match.group(3) == "Z" else match.group(3)
    moment = datetime.datetime.fromisoformat(match.group(1) + zone)
    since = moment - EPOCH
    return ((since.days * 86400 + since.seconds) * 10**9
            + int((match.group(2) or "0").ljust(9, "0")))


@functools.lru_cache(maxsize=1 << 16)
def rfc3339(ns):
    seconds, rest = divmod(ns, 10**9)
    moment = EPOCH + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"


# --- A log with the awkward sides of real ones -----------------------------------------------


class Log:
    """Generated lines of NDJSON, and the answers, computed from what was generated.

    It has ties in time, facts that arrive late, identical lines, blanks in types, amounts that a
    double cannot hold, and names that need more than ASCII.
    """

    TYPES = ["Create Fine", "Send Fine", "Payment", "Add penalty", "Überweisung", "R\"q\\"]

    def __init__(self, events, seed=7):
        dice = random.Random(seed)
        start = nanoseconds("2005-03-01T00:00:00Z")
        self.lines = []
        self.facts = []  # (stream, type, time in ns, cents, tags)
        for number in range(events):
            if self.lines and dice.random() < 0.03:  # an identical line, now or long ago
                index = number - 1 if dice.random() < 0.5 else dice.randrange(number)
                self.lines.append(self.lines[index])
                self.facts.append(self.facts[index])
                continue
            stream = self._stream(dice)
            time = start + (number // 5) * 86400 * 10**9
            if dice.random() < 0.05:
                time -= dice.randrange(400) * 86400 * 10**9
            cents = dice.choice([dice.randrange(-5000, 100000), 2**63 - dice.randrange(9), 0])
            tags = sorted({f"customer:{dice.randrange(20)}" for _ in range(dice.randrange(3))})
            fact = (stream, dice.choice(self.TYPES), time, cents, tuple(tags))
            self.facts.append(fact)
            self.lines.append(self._line(dice, fact))

    @staticmethod
    def _stream(dice):
        category = dice.choice(["fine", "fine", "fine", "konto-ü", "alone"])
        if category == "alone":
            return category
        return f"{category}-{min(dice.randrange(300), dice.randrange(300))}"

    @staticmethod
    def _line(dice, fact):
        stream, kind, time, cents, tags = fact
        text = rfc3339(time)
        time_text = text[:19] + "Z" if text[20:29] == "0" * 9 else text
        blank = dice.choice(["", " "])
        note = f'"a\\u00e9\\n{dice.randrange(3)}"'
        data = f'{{"cents":{blank}{cents},{blank}"rate":1.10,"note":{note}}}'
        line = {"stream": stream, "type": kind, "time": time_text}
        head = json.dumps(line, ensure_ascii=dice.random() < 0.5)[:-1]
        tail = f', "tags": {json.dumps(tags)}' if tags else ""
        return f'{head}, "data": {data}{tail}}}'

    def bytes(self, line_ending="\n"):
        return "".join(line + line_ending for line in self.lines).encode()

    def count_by(self, key):
        return collections.Counter(fact[key] for fact in self.facts)

    def streams(self):
        """name -> (version, first position, last position) in a store that was empty before."""
        found = {}
        for position, fact in enumerate(self.facts, 1):
            version, first, _ = found.get(fact[0], (0, position, 0))
            found[fact[0]] = (version + 1, first, position)
        return found

    def sum_as_of(self, time):
        """(events, sum of cents) of what was effective at `time` or before."""
        amounts = [fact[3] for fact in self.facts if fact[2] <= time]
        return len(amounts), sum(amounts)

    def moments(self):
        """Times worth asking at: before all, on a tie, 1 ns before it, in the middle, after."""
        times = sorted({fact[2] for fact in self.facts})
        middle = times[len(times) // 2]
        return [times[0] - 1, times[0], middle - 1, middle, middle + 1, times[-1] - 1, times[-1]]


def same_event(event):
    """What stays of a printed event when it goes into another store."""
    return {key: value for key, value in event.items()
            if key not in ("position", "version", "recorded_at")}


def check_event(event):
    """The shape that the contract gives to a printed event."""
    fields = ["position", "stream", "version", "type", "id", "recorded_at", "effective_at", "tags"]
    data = ["data"] if "data" in event else ["data_base64", "content_type"]
    equal(list(event), [*fields, *data, "metadata"])
    check(UUID.match(event["id"]), event)
    check(TIME.match(event["recorded_at"]) and TIME.match(event["effective_at"]), event)
