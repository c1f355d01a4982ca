"""What `daybook publish` says of a broker that refuses it, for the tests of each broker."""

import os
import time

from support import check, equal, run


def refused(store, url, code, *flags, seconds, words=(), env=None):
    """It ends with this exit code and one line, which has these words, within so many seconds."""
    begin = time.monotonic()
    result = run("publish", store, "--to", url, "--name", "refused", "--from", 1, *flags, code=code,
                 env=dict(os.environ, **(env or {})))
    check(time.monotonic() - begin < seconds, "too slow:", result)
    message = result.error()["message"]
    check("\n" not in message, "more than a line:", result)
    for word in words:
        check(word in message, f"no {word!r} in", message)
    equal(result.out.count(b"\n") <= 1, True)
