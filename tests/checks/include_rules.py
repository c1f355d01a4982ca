#!/usr/bin/env python3
"""Fails on an include against the rules of the tree.

Modules of core/ include downwards only:

    store -> append, read -> log, index -> kv -> io -> base

and never a module of their own height, so log never sees index nor the reverse. Each third-party
library and the operating system have one place that knows them. snapshot/ and projections/ stand on
public headers, and on kv, io and base for tables, files and threads of their own; neither knows the
other's inside. bindings/, cli/, examples/ and bench/ (but bench/micro, which measures parts) see
public headers only, and public headers see nothing but the standard library, Status and StatusOr.
"""

import argparse
import pathlib
import re
import sys
import tempfile

from sources import Findings, code_files, expect_bites, includes, read_text

HEIGHT = {"base": 0, "io": 1, "kv": 2, "log": 3, "index": 3, "append": 4, "read": 4, "store": 5}
PUBLIC_THIRD_PARTY = {"absl/status/status.h", "absl/status/statusor.h"}

SYSTEM = re.compile(
    r"^(sys/|linux/|netinet/|arpa/|net/|asm/|"
    r"(aio|dirent|dlfcn|fcntl|fnmatch|ftw|glob|grp|libgen|mntent|mqueue|netdb|poll|pthread|pwd|"
    r"sched|semaphore|signal|spawn|syscall|syslog|termios|unistd|utime)\.h$)")

# Who may include what, in core/: (pattern of the header, where it is allowed, why). Tests are bound
# by the first list only.
LIBRARIES = [
    (re.compile(r"^lmdb\.h$"), re.compile(r"^core/kv/"), "<lmdb.h> belongs to core/kv"),
    (re.compile(r"^(capnp/|kj/)|\.capnp\.h$"), re.compile(r"^core/log/"),
     "Cap'n Proto belongs to core/log"),
    (re.compile(r"^xxh"), re.compile(r"^core/base/checksum\.cc$"),
     "xxHash belongs to core/base/checksum.cc"),
    (re.compile(r"^curl/"), re.compile(r"^projections/publish/sqs/"),
     "libcurl belongs to projections/publish/sqs"),
    (re.compile(r"^nats/"), re.compile(r"^projections/publish/nats/"),
     "nats.c belongs to projections/publish/nats"),
    (re.compile(r"^librdkafka/"), re.compile(r"^projections/publish/kafka/"),
     "librdkafka belongs to projections/publish/kafka"),
    (re.compile(r"^(openssl/|sqlite3|simdjson|CLI/|zlib\.h|zstd\.h|benchmark/)"),
     re.compile(r"^$"), "the library does without this one"),
    (re.compile(r"^nlohmann/"), re.compile(r"^snapshot/\w+_test\.cc$"),
     "the library reads JSON by itself; its tests hold it against this one"),
    (re.compile(r"^absl/(synchronization|base/thread_annotations)"), re.compile(r"^$"),
     "locks are base/mutex.h: ThreadSanitizer shows false races with absl::Mutex"),
]
SYSTEM_ALLOWED = re.compile(r"^core/(io/|base/(thread\.(h|cc)|(event_id|fork)\.cc)$)")
STANDARD = [
    (re.compile(r"^(mutex|shared_mutex|condition_variable)$"), re.compile(r"^core/base/mutex\.h$"),
     "locks are base/mutex.h, with annotations"),
    (re.compile(r"^(iostream|fstream|future|regex)$"), re.compile(r"^$"),
     "core/ does without this header"),
]
PUBLIC_ONLY = re.compile(r"^(bindings|cli|examples|bench(?!/micro/))/")
ABOVE = {"snapshot", "projections"}
BELOW_THEM = {"base", "io", "kv"}
PUBLIC_HEADER = re.compile(r"^([\w/]+/)?include/daybook/[\w]+\.h$")


def is_test(path):
    return path.stem.endswith(("_test", "_testing")) or path.stem.startswith("test_")


def check_libraries(path, line, header, findings):
    for pattern, allowed, why in LIBRARIES:
        if pattern.search(header) and not allowed.search(str(path)):
            findings.error(path, line, f"{why} ({header})")


def check_core(path, line, header, findings):
    module = path.parts[1]
    other = header.split("/")[0]
    check_libraries(path, line, header, findings)
    if "/" in header and other in HEIGHT:
        if other != module and HEIGHT[other] >= HEIGHT[module]:
            findings.error(path, line, f"{module} must not include {other} ({header})")
        return
    if header.startswith("core/"):
        findings.error(path, line, f'write "{header[5:].removeprefix("include/")}"')
    check_place(path, line, header, findings)


def check_place(path, line, header, findings):
    if header.startswith("tests/") and not is_test(path):
        findings.error(path, line, "only tests include tests/")
    if is_test(path):
        return
    if SYSTEM.search(header) and not SYSTEM_ALLOWED.search(str(path)):
        findings.error(path, line, f"the operating system belongs to core/io ({header})")
    for pattern, allowed, why in STANDARD:
        if pattern.search(header) and not allowed.search(str(path)):
            findings.error(path, line, f"{why} ({header})")


# Each broker's sink, and its public header. Who opens sinks by their names may include these.
SINK = re.compile(r"^projections/publish/(nats|kafka|sqs)/|^daybook/(nats|kafka|sqs)_sink\.h$")
OPENS_SINKS = re.compile(r"^(bench|cli|examples)/")


def check_sinks(path, line, header, findings):
    match = SINK.search(header)
    if not match or OPENS_SINKS.search(str(path)):
        return
    own = f"projections/publish/{match.group(1) or match.group(2)}/"
    if not str(path).startswith(own):
        findings.error(path, line, f"nothing includes a sink ({header})")


def check_above(path, line, header, findings):
    top = path.parts[0]
    first = header.split("/")[0]
    check_libraries(path, line, header, findings)
    inside = (first in HEIGHT and first not in BELOW_THEM) or first == "core"
    if "/" in header and (inside or (first in ABOVE and first != top)) and not is_test(path):
        findings.error(path, line, f"{top} must not include {first} ({header})")
    check_place(path, line, header, findings)


def check_public(path, line, header, angled, findings):
    standard = angled and "/" not in header and "." not in header
    if not (standard or header.startswith("daybook/") or header in PUBLIC_THIRD_PARTY):
        findings.error(path, line, f"a public header must not include {header}")


def check_user(root, path, line, header, findings):
    top = path.parts[0]
    own = (root / top / header).exists() or (root / path.parent / header).exists()
    first = header.split("/")[0]
    library = first in HEIGHT or first in ABOVE or first == "core"
    inside = library or (first == "tests" and not is_test(path))
    if not own and "/" in header and inside:
        findings.error(path, line, f"{top}/ sees public headers only ({header})")
    if top != "bench" and re.search(r"^(lmdb\.h|xxh|capnp/|kj/|nats/|librdkafka/)", header):
        findings.error(path, line, f"{top}/ does without {header}")


def check(root):
    findings = Findings()
    guards = {}
    for path in code_files(root):
        text = read_text(root, path)
        if path.suffix == ".h":
            match = re.search(r"^#ifndef (\w+)\n#define (\w+)$", text, re.M)
            if not match or match.group(1) != match.group(2):
                findings.error(path, 1, "no include guard (#ifndef X, #define X)")
            elif match.group(1) in guards:
                findings.error(path, 1, f"include guard as in {guards[match.group(1)]}")
            else:
                guards[match.group(1)] = path
        for line, header, angled in includes(text):
            if header.startswith("../") or header.startswith("./"):
                findings.error(path, line, "no relative include")
            if header.startswith("catch2/") and str(path) != "tests/catch.h":
                findings.error(path, line, 'Catch2 comes by "tests/catch.h"')
            check_sinks(path, line, header, findings)
            if PUBLIC_HEADER.search(str(path)):
                check_public(path, line, header, angled, findings)
            elif path.parts[0] == "core" and path.parts[1] in HEIGHT:
                check_core(path, line, header, findings)
            elif path.parts[0] in ABOVE:
                check_above(path, line, header, findings)
            elif PUBLIC_ONLY.search(str(path)):
                check_user(root, path, line, header, findings)
    return findings


def planted():
    """(name, files, the finding that must show) for the self-test."""

    def header(*lines):
        return "#ifndef G_H_\n#define G_H_\n" + source(*lines) + "#endif\n"

    def source(*lines):
        return "".join(f"#include {line}\n" for line in lines)

    good = {
        "core/include/daybook/a.h": header("<vector>", '"absl/status/statusor.h"',
                                           '"daybook/b.h"'),
        "core/store/a.cc": source('"append/a.h"', '"read/a.h"', '"base/a.h"', '"daybook/a.h"'),
        "core/append/a.cc": source('"log/a.h"', '"index/a.h"', '"append/b.h"'),
        "core/kv/a.cc": source("<lmdb.h>", '"base/a.h"'),
        "core/io/a.cc": source("<sys/mman.h>", "<fcntl.h>"),
        "core/log/a.cc": source('"log/event.capnp.h"', "<capnp/message.h>"),
        "core/base/checksum.cc": source("<xxhash.h>"),
        "core/log/a_test.cc": source("<fstream>", "<thread>", '"tests/catch.h"'),
        "cli/a.cc": source('"daybook/store.h"', '"cli/b.h"', "<unistd.h>"),
        "bench/micro/a.cc": source('"base/checksum.h"'),
        "snapshot/a.cc": source('"daybook/a.h"', '"kv/a.h"', '"base/a.h"', '"snapshot/b.h"'),
        "snapshot/include/daybook/c.h": "#ifndef C_H_\n#define C_H_\n" + source('"daybook/a.h"')
                                        + "#endif\n",
        "bench/compare/a.cc": source("<lmdb.h>", "<nats/nats.h>"),
        "projections/publish/nats/a.cc": source("<nats/nats.h>", '"daybook/nats_sink.h"'),
        "projections/publish/sqs/a.cc": source("<curl/curl.h>", '"daybook/sqs_sink.h"',
                                               '"projections/publish/sqs/b.h"'),
        "cli/sinks.cc": source('"daybook/sqs_sink.h"'),
    }
    # Each of these is one source with one include.
    bad = [
        ("upwards", "core/base/a.cc", '"io/a.h"', "base must not include io"),
        ("log sees index", "core/log/a.cc", '"index/a.h"', "log must not include index"),
        ("index sees log", "core/index/a.cc", '"log/a.h"', "index must not include log"),
        ("a test of log sees index", "core/log/a_test.cc", '"index/a.h"', "log must not include"),
        ("io sees kv", "core/io/a.cc", '"kv/a.h"', "io must not include kv"),
        ("read sees store", "core/read/a.cc", '"store/a.h"', "read must not include store"),
        ("read sees append", "core/read/a.cc", '"append/a.h"', "read must not include append"),
        ("lmdb outside kv", "core/index/a.cc", "<lmdb.h>", "<lmdb.h> belongs to core/kv"),
        ("capnp outside log", "core/read/a.cc", "<capnp/message.h>", "Cap'n Proto belongs"),
        ("the schema outside log", "core/read/a.cc", '"log/event.capnp.h"', "Cap'n Proto belongs"),
        ("xxhash outside checksum.cc", "core/base/a.cc", "<xxhash.h>", "xxHash belongs"),
        ("the system outside io", "core/log/a.cc", "<unistd.h>", "operating system"),
        ("std::mutex", "core/append/a.cc", "<mutex>", "locks are base/mutex.h"),
        ("absl::Mutex", "core/append/a.cc", '"absl/synchronization/mutex.h"', "locks are"),
        ("iostream", "core/store/a.cc", "<iostream>", "does without"),
        ("the command sees the inside", "cli/a.cc", '"log/format.h"', "public headers only"),
        ("an example sees the inside", "examples/l/a.cc", '"base/status.h"', "public headers only"),
        ("bench sees the inside", "bench/compare/a.cc", '"kv/environment.h"', "public headers"),
        ("snapshot sees log", "snapshot/a.cc", '"log/a.h"', "snapshot must not include log"),
        ("projections see snapshot", "projections/a.cc", '"snapshot/a.h"', "must not include"),
        ("snapshot sees lmdb", "snapshot/a.cc", "<lmdb.h>", "<lmdb.h> belongs to core/kv"),
        ("another reader of JSON", "snapshot/a.cc", "<nlohmann/json.hpp>", "reads JSON by itself"),
        ("the system in projections", "projections/a.cc", "<fcntl.h>", "operating system"),
        ("bindings see the inside", "bindings/sql/a.cc", '"kv/a.h"', "public headers only"),
        ("nats.c elsewhere", "projections/publish/a.cc", "<nats/nats.h>", "nats.c belongs"),
        ("nats.c in the command", "cli/a.cc", "<nats/nats.h>", "does without"),
        ("libcurl elsewhere", "projections/publish/a.cc", "<curl/curl.h>", "libcurl belongs"),
        ("librdkafka elsewhere", "projections/publish/sqs/a.cc", "<librdkafka/rdkafka.h>",
         "librdkafka belongs"),
        ("a sink in the publisher", "projections/publish/a.cc", '"daybook/sqs_sink.h"',
         "nothing includes a sink"),
        ("a sink in a sink", "projections/publish/nats/a.cc",
         '"projections/publish/sqs/message.h"', "nothing includes a sink"),
        ("relative", "cli/a.cc", '"../core/log/format.h"', "no relative include"),
        ("Catch2 directly", "core/log/a_test.cc", "<catch2/catch.hpp>", "tests/catch.h"),
    ]
    yield "a good tree", good, None
    for name, path, include, expected in bad:
        yield name, {path: source(include)}, expected
    yield ("third party in public", {"core/include/daybook/a.h": header("<lmdb.h>")},
           "a public header must not include")
    yield ("third party in public above", {"snapshot/include/daybook/a.h": header("<lmdb.h>")},
           "a public header must not include")
    yield ("more of absl in public",
           {"core/include/daybook/a.h": header('"absl/strings/string_view.h"')},
           "a public header must not include")
    yield ("the inside in public", {"core/include/daybook/a.h": header('"base/status.h"')},
           "a public header must not include")
    yield "no guard", {"core/base/a.h": "int a;\n"}, "no include guard"
    yield ("a guard twice", {"core/base/a.h": header(), "core/base/b.h": header()},
           "include guard as in")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", type=pathlib.Path, nargs="?",
                        default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        with tempfile.TemporaryDirectory() as folder:
            return expect_bites(check, list(planted()), folder)
    return check(arguments.root).report("include rules")


if __name__ == "__main__":
    sys.exit(main())
