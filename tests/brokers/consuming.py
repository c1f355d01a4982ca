"""A consumer of examples/consumer as a process of a test: it is run to its end, and killed."""

import contextlib
import json
import random
import sqlite3
import subprocess
import time

from processes import spawn
from support import check


class Consumer:
    """A command that counts events by stream into a database of SQLite."""

    def __init__(self, command, db):
        self.command = [*command, "--db", str(db)]
        self.db = db

    def consume(self):
        """Runs it until there is nothing more; what it says at its end."""
        result = subprocess.run(self.command, check=False, capture_output=True, timeout=120)
        check(result.returncode == 0, result.stderr.decode()[-2000:])
        return json.loads(result.stdout)

    def totals(self):
        try:
            with contextlib.closing(sqlite3.connect(self.db, timeout=60)) as connection:
                return dict(connection.execute("SELECT stream, events FROM totals"))
        except sqlite3.OperationalError:  # it has not made the table yet
            return {}

    def kill(self, times, events):
        """It is killed -9 wherever it is; returns how often it had done something, and not all."""
        dice = random.Random(1)
        half_way = 0
        for _ in range(times):
            process = spawn(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            before = sum(self.totals().values())
            end = time.monotonic() + 20
            while time.monotonic() < end and process.poll() is None:
                if sum(self.totals().values()) > before:
                    break
                time.sleep(0.01)
            time.sleep(dice.random() * 0.02)
            process.kill()
            process.wait()
            half_way += 0 < sum(self.totals().values()) < events
        return half_way
