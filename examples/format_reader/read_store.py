#!/usr/bin/env python3
"""Prints the events of a Daybook store as NDJSON and verifies its log on the way.

Written from docs/format/ alone, with nothing but Python's standard library, to show that a store
can be read without Daybook. It needs read rights only, and a store that no process is writing to.

Exit codes: 0 done, 1 usage, 3 no such store, 4 damaged (what stands before the damage was
printed), 7 a newer format.
"""

import argparse
import base64
import datetime
import json
import mmap
import os
import re
import struct
import sys
import uuid

from xxh3 import xxh3_64

STORE = struct.Struct("<8sHHIQQQ16s16s16sQQqQ128sQ")
SEGMENT = struct.Struct("<8sHHIQQQ16s16sQQQQQQQq112sQ")
FRAME = struct.Struct("<IBBHQQQIIQQQ56sQ")
COMMIT = struct.Struct("<qQIIQ")
RECORD = struct.Struct("<IHHQQQQqQQQ")
DATA, WATERMARK, SEAL, IGNORABLE = 1, 2, 3, 0x80
INHERITED = 1  # a flag of STORE: the store was restored, and its first segments are an ancestor's
TIME_ABSENT = -2**63
CONTENT_TYPES = {0: "application/octet-stream", 1: "application/json", 2: "application/capnp",
                 3: "application/protobuf"}


class Damaged(Exception):
    """The bytes are not what the format says."""


class Newer(Exception):
    """Written by a newer version of the format, which is no damage."""


def need(condition, offset, what):
    if not condition:
        raise Damaged(f"offset {offset}: {what}")


class Body:
    """A Cap'n Proto struct in canonical form: every object begins where the one before it ends."""

    def __init__(self, data, offset):
        self.data, self.offset = data, offset
        root = self.word(0) if len(data) >= 8 else 1
        need(root & 0xFFFFFFFF == 0, offset, "body: its root is not a struct right behind it")
        self.words, self.pointers = root >> 32 & 0xFFFF, root >> 48
        self.next = 8 + 8 * (self.words + self.pointers)  # where the next object must begin
        need(self.next <= len(data), offset, "body: it ends inside its struct")

    def word(self, at):
        return struct.unpack_from("<Q", self.data, at)[0]

    def number(self, index):
        return self.word(8 + 8 * index) if index < self.words else 0

    def pointer(self, index):
        """Where pointer `index` of the struct stands; 0 where the struct does not reach so far."""
        return 8 + 8 * (self.words + index) if index < self.pointers else 0

    def list(self, at, element_size):
        """The first byte and the number of elements of the list that the pointer at `at` names."""
        pointer = self.word(at) if at else 0
        if pointer == 0:
            return 0, 0
        need(pointer & 3 == 1 and pointer >> 32 & 7 == element_size, self.offset,
             "body: a pointer of another kind")
        need(at + 8 + 8 * ((pointer & 0xFFFFFFFF) >> 2) == self.next, self.offset,
             "body: not in canonical order")
        start, count = self.next, pointer >> 35
        self.next += (count + 7) // 8 * 8 if element_size == 2 else 8 * count
        need(self.next <= len(self.data), self.offset, "body: it ends inside a list")
        return start, count

    def bytes(self, at):
        start, count = self.list(at, 2)
        need(not any(self.data[start + count:self.next]) if count else True, self.offset,
             "body: bytes in its padding")
        return self.data[start:start + count]

    def text(self, at):
        text = self.bytes(at)
        need(not text or text[-1] == 0, self.offset, "body: a text without its last byte")
        try:
            return text[:-1].decode()
        except UnicodeDecodeError as error:
            raise Damaged(f"offset {self.offset}: body: a text that is not UTF-8") from error

    def texts(self, at):
        start, count = self.list(at, 6)
        return [self.text(start + 8 * i) for i in range(count)]


def decode_body(data, offset):
    body = Body(data, offset)
    effective_at = body.number(2)
    event = {
        "id": str(uuid.UUID(int=body.number(0) << 64 | body.number(1))),
        "effective_at": effective_at - (1 << 64 if effective_at >> 63 else 0),
        "content_type": body.number(3) & 0xFFFF,
        "stream": body.text(body.pointer(0)),
        "type": body.text(body.pointer(1)),
        "data": body.bytes(body.pointer(2)),
        "metadata": body.text(body.pointer(3)),
        "tags": body.texts(body.pointer(4)),
        "content_type_text": body.text(body.pointer(5)),
    }
    need(body.next == len(data) or body.pointers > 6, offset, "body: bytes behind its last object")
    return event


class Links:
    """Holds version, prev and skip of every event against the events before it."""

    def __init__(self):
        self.heads = {}  # stream -> the position of its last event
        self.versions, self.skips = {0: 0}, {0: 0}  # by position

    def check(self, offset, stream, position, version, prev, skip):
        need(prev == self.heads.get(stream, 0) and version == self.versions[prev] + 1, offset,
             "record: it does not follow the last event of its stream")
        first = self.skips[prev]
        second = self.skips[first]
        jump = self.versions[prev] - self.versions[first]
        expected = second if jump == self.versions[first] - self.versions[second] else prev
        need(skip == expected, offset, "record: its skip breaks the jump rule")
        self.heads[stream], self.versions[position], self.skips[position] = position, version, skip


class Log:
    """The log of a store. `events()` walks it; `where` names the file it is in."""

    def __init__(self, directory, verify):
        self.directory, self.verify = directory, verify
        self.links = Links() if verify else None
        self.where, self.position, self.recorded_at = "STORE", 0, TIME_ABSENT
        self.owner, self.inherited_upto = None, 0

    def hash(self, data, start, end, expected, offset, what, seed=0):
        if self.verify:
            need(xxh3_64(data[start:end], seed) == expected, offset, what + ": its hash is wrong")

    def format(self, magic, expected_magic, major, incompatible, known=0):
        need(magic == expected_magic, 0, "another magic")
        if major != 1 or incompatible & ~known:
            raise Newer(self.where)

    def events(self):
        with open(os.path.join(self.directory, "STORE"), "rb") as file:
            data = file.read()
        need(len(data) == 256, 0, "not 256 bytes long")
        (magic, major, _, _, incompatible, _, _, store_id, incarnation, _, parent_position,
         *_, check) = STORE.unpack(data)
        self.owner = [store_id, incarnation]
        self.hash(data, 0, 248, check, 0, "store header")
        self.format(magic, b"DAYBOOK\0", major, incompatible, INHERITED)
        self.inherited_upto = parent_position if incompatible & INHERITED else 0
        log = os.path.join(self.directory, "log")
        names = sorted(n for n in os.listdir(log) if re.fullmatch(r"\d{20}\.log", n))
        before, sealed = (0, 0, 0), True
        for name in names:
            need(sealed, 0, f"{self.where} is not sealed, but {name} follows it")
            self.where = "log/" + name
            with open(os.path.join(log, name), "rb") as file, \
                    mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                before, sealed = yield from self.segment(data, int(name[:20]), before)
        need(names, 0, "there is no segment")

    def segment(self, data, first, before):
        need(len(data) >= 4096, 0, "shorter than a segment header")
        (magic, major, _, _, incompatible, _, _, store_id, incarnation, salt, first_position, size,
         _, before_first, before_length, before_hash, _, _, check) = SEGMENT.unpack_from(data)
        self.hash(data, 0, 248, check, 0, "segment header")
        self.format(magic, b"DAYBLOG\0", major, incompatible)
        inherited = store_id == self.owner[0] and first_position <= self.inherited_upto
        need(inherited or [store_id, incarnation] == self.owner, 0, "a segment of another store")
        need(first_position == first == self.position + 1, 0, "it begins at another position")
        need((before_first, before_length, before_hash) == before, 0,
             "it does not follow the segment before it")
        need(len(data) == size, 0, f"{len(data)} bytes long where its header says {size}")
        need(not any(data[256:4096]), 256, "bytes behind the segment header")
        offset, previous, kind = 4096, check, None
        while kind != SEAL and offset + 128 <= size and any(data[offset:offset + 128]):
            length, previous, kind = yield from self.frame(data, offset, salt, previous)
            offset += length
        for start in range(offset, size, 1 << 20):
            need(not data[start:start + (1 << 20)].strip(b"\0"), offset,
                 "bytes behind the last frame: a torn tail, or damage (recovery.md)")
        return (first, offset, previous), kind == SEAL

    def frame(self, data, offset, salt, previous):
        (magic, kind, codec, header_bytes, length, own_offset, first_position, commits, events,
         durable_upto, previous_hash, body_hash, _, check) = FRAME.unpack_from(data, offset)
        need(magic == 0x52464244 and own_offset == offset, offset,
             "no frame of this place: a torn tail, or damage (recovery.md)")
        self.hash(data, offset, offset + 120, check, offset, "frame header", salt)
        end = offset + length
        need(header_bytes == 128 and length >= 128 and length % 64 == 0 and end <= len(data),
             offset, "frame header: a length out of bounds")
        need(previous_hash == previous, offset, "frame header: the chain is broken")
        need(first_position == self.position + 1 and durable_upto <= offset, offset,
             "frame header: a number out of bounds")
        self.hash(data, offset + 128, end, body_hash, offset, "frame body")
        if codec != 0 or (kind not in (DATA, WATERMARK, SEAL) and not kind & IGNORABLE):
            raise Newer(f"{self.where}: offset {offset}")
        if not kind & IGNORABLE:
            at = offset + 128
            for _ in range(commits):
                at = yield from self.commit(data, at, end, salt)
            need(self.position == first_position + events - 1, offset,
                 "frame header: it counts other events")
            need(not any(data[at:end]), at, "frame: bytes in its padding")
        return length, check, kind

    def commit(self, data, offset, frame_end, salt):
        need(offset + 32 <= frame_end, offset, "commit: its frame ends before it")
        recorded_at, first_position, events, length, check = COMMIT.unpack_from(data, offset)
        self.hash(data, offset, offset + 24, check, offset, "commit header", salt)
        at, end = offset + 32, offset + length
        need(end <= frame_end and events > 0 and first_position == self.position + 1
             and recorded_at > self.recorded_at, offset, "commit header: a number out of bounds")
        self.recorded_at = recorded_at
        for _ in range(events):
            event, at = self.record(data, at, end, salt, first_position)
            yield event
        need(at == end, offset, "commit header: it has another length")
        return end

    def record(self, data, offset, commit_end, salt, commit_first):
        need(offset + 72 <= commit_end, offset, "record: its commit ends before it")
        (body_bytes, header_bytes, flags, position, version, prev, skip, recorded_at, first,
         body_hash, check) = RECORD.unpack_from(data, offset)
        self.hash(data, offset, offset + 64, check, offset, "record header", salt)
        start, end = offset + 72, offset + 72 + body_bytes
        need(header_bytes == 72 and flags == 0 and body_bytes % 8 == 0 and end <= commit_end
             and position == self.position + 1 and recorded_at == self.recorded_at
             and first == commit_first, offset, "record header: a number out of bounds")
        self.hash(data, start, end, body_hash, offset, "record body")
        event = decode_body(data[start:end], offset)
        if self.links:
            self.links.check(offset, event["stream"], position, version, prev, skip)
        self.position = position
        event.update(position=position, version=version, recorded_at=recorded_at)
        return event, end


def time_text(nanoseconds):
    seconds, rest = divmod(nanoseconds, 10**9)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return f"{moment.isoformat()}.{rest:09d}Z"


def json_text(text):
    return json.dumps(text, ensure_ascii=False)


def event_line(event):
    """One event as the `daybook` command prints it: JSON data byte for byte, on one line."""
    effective_at = event["effective_at"]
    if effective_at == TIME_ABSENT:
        effective_at = event["recorded_at"]
    parts = [
        f'"position":{event["position"]}',
        f'"stream":{json_text(event["stream"])}',
        f'"version":{event["version"]}',
        f'"type":{json_text(event["type"])}',
        f'"id":"{event["id"]}"',
        f'"recorded_at":"{time_text(event["recorded_at"])}"',
        f'"effective_at":"{time_text(effective_at)}"',
        '"tags":[' + ",".join(json_text(tag) for tag in event["tags"]) + "]",
    ]
    data, metadata = json_of(event["data"]), event["metadata"].encode()
    if event["content_type"] == 1 and data is not None:
        parts.append('"data":' + data)
    else:
        name = CONTENT_TYPES.get(event["content_type"], event["content_type_text"])
        parts.append(f'"data_base64":"{base64_text(event["data"])}"')
        parts.append(f'"content_type":{json_text(name)}')
    if not metadata.strip().startswith(b"{") or json_of(metadata) is None:
        parts.append('"metadata":{}')
        if metadata:
            parts.append(f'"metadata_base64":"{base64_text(metadata)}"')
    else:
        parts.append('"metadata":' + json_of(metadata))
    return "{" + ",".join(parts) + "}"


def base64_text(data):
    return base64.b64encode(data).decode()


def json_of(data):
    """The JSON text that `data` is, on one line; None where it is none.

    No JSON string holds a line break as it is, so all that there are stand between tokens."""
    try:
        text = data.decode()
        json.loads(text, parse_constant=int)  # int refuses NaN and Infinity
    except (ValueError, RecursionError):
        return None
    return text.replace("\r", "").replace("\n", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("store", help="the directory of a store")
    parser.add_argument("--no-verify", action="store_true", help="believe every hash and link")
    arguments = parser.parse_args()
    log = Log(arguments.store, not arguments.no_verify)
    try:
        for event in log.events():
            print(event_line(event))
    except FileNotFoundError as error:
        print(f"read_store: {error.filename}: no such store or file", file=sys.stderr)
        return 3
    except Damaged as damage:
        print(f"read_store: {log.where}: {damage}; good up to position {log.position}",
              file=sys.stderr)
        return 4
    except Newer as newer:
        print(f"read_store: {newer}: of a newer format", file=sys.stderr)
        return 7
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        sys.exit(main())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
