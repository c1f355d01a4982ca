#!/usr/bin/env python3
"""Prints every byte of a small store's STORE and log that is not zero, and says what it is.

Made the worked example of docs/format/log.md. A line is an offset, the bytes there, and behind
the `;` the field. For a store that read_store.py finds whole.
"""

import datetime
import os
import struct
import sys
import uuid

COUNT, TEXT, ID, TIME, HASH = "count", "text", "id", "time", "hash"
FORMAT = [("magic", 8, TEXT), ("format_major", 2, COUNT), ("format_minor", 2, COUNT),
          ("header_bytes", 4, COUNT), ("incompatible_flags", 8, COUNT),
          ("read_only_compatible_flags", 8, COUNT), ("compatible_flags", 8, COUNT),
          ("store_id", 16, ID), ("incarnation", 16, ID)]
STORE = FORMAT + [("parent_incarnation", 16, ID), ("parent_position", 8, COUNT),
                  ("parent_frame_hash", 8, HASH), ("created_at", 8, TIME),
                  ("segment_bytes_max", 8, COUNT), ("reserved", 128, COUNT),
                  ("header_hash", 8, HASH)]
SEGMENT = FORMAT + [("salt", 8, HASH), ("first_position", 8, COUNT), ("segment_bytes", 8, COUNT),
                    ("unsynced_max", 8, COUNT), ("previous_first_position", 8, COUNT),
                    ("previous_length", 8, COUNT), ("previous_frame_hash", 8, HASH),
                    ("created_at", 8, TIME), ("reserved", 112, COUNT), ("header_hash", 8, HASH)]
FRAME = [("magic", 4, TEXT), ("kind", 1, COUNT), ("body_codec", 1, COUNT),
         ("header_bytes", 2, COUNT), ("length", 8, COUNT), ("offset", 8, COUNT),
         ("first_position", 8, COUNT), ("commits", 4, COUNT), ("events", 4, COUNT),
         ("durable_upto", 8, COUNT), ("previous_hash", 8, HASH), ("body_hash", 8, HASH),
         ("reserved", 56, COUNT), ("header_hash", 8, HASH)]
COMMIT = [("recorded_at", 8, TIME), ("first_position", 8, COUNT), ("events", 4, COUNT),
          ("length", 4, COUNT), ("header_hash", 8, HASH)]
RECORD = [("body_length", 4, COUNT), ("header_length", 2, COUNT), ("flags", 2, COUNT),
          ("position", 8, COUNT), ("version", 8, COUNT), ("prev", 8, COUNT), ("skip", 8, COUNT),
          ("recorded_at", 8, TIME), ("commit_first_position", 8, COUNT), ("body_hash", 8, HASH),
          ("header_hash", 8, HASH)]
KINDS = {1: "data", 2: "watermark", 3: "seal"}
POINTERS = ["stream", "type", "data", "metadata", "tags", "contentTypeText"]


def shown(data, kind):
    if kind == TEXT:
        return '"' + data.rstrip(b"\0").decode() + '"'
    if kind == ID:
        return str(uuid.UUID(bytes=data))
    number = int.from_bytes(data, "little", signed=kind == TIME)
    if kind == HASH:
        return f"{number:016x}"
    if kind == TIME:
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=number // 10**9)
        return f"{moment.isoformat()}.{number % 10**9:09d}Z"
    return str(number)


class Dump:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size, meaning):
        """Prints the next `size` bytes, unless they are all zero."""
        data = self.data[self.at:self.at + size]
        for start in range(0, size, 16):
            row = data[start:start + 16]
            if any(data) and any(row):
                note = f"; {meaning}" if start == 0 else ""
                print(f"{self.at + start:08x}  {row.hex(' '):<47}  {note}".rstrip())
        self.at += size
        return data

    def fields(self, title, table):
        print(f"\n# {self.at:08x} {title}")
        values = {}
        for name, size, kind in table:
            value = self.data[self.at:self.at + size]
            self.take(size, f"{name}: {shown(value, kind)}")
            values[name] = int.from_bytes(value, "little")
        return values

    def word(self, at):
        return struct.unpack_from("<Q", self.data, at)[0]

    def objects(self, name, pointer_at):
        """What a list pointer leads to, which stands next."""
        pointer = self.word(pointer_at)
        count = pointer >> 35
        if pointer == 0:
            return
        if pointer >> 32 & 7 == 6:
            first = self.at
            for i in range(count):
                self.take(8, f"{name}[{i}]: {self.described(self.at)}")
            for i in range(count):
                self.objects(f"{name}[{i}]", first + 8 * i)
        else:
            text = self.data[self.at:self.at + count].rstrip(b"\0").decode()
            self.take((count + 7) // 8 * 8, f"{name}: {text}")

    def described(self, at):
        pointer = self.word(at)
        kind = "pointers" if pointer >> 32 & 7 == 6 else "bytes"
        return f"{pointer >> 35} {kind}, {(pointer & 0xFFFFFFFF) >> 2} words on"

    def body(self):
        print(f"\n# {self.at:08x} body")
        root = self.word(self.at)
        words, pointers = root >> 32 & 0xFFFF, root >> 48
        self.take(8, f"root: a struct of {words} data words and {pointers} pointers")
        meanings = ["id, bytes 0-7", "id, bytes 8-15", "effectiveAt: ", "contentType: "]
        for meaning in meanings[:words]:
            value = self.data[self.at:self.at + 8]
            if meaning.startswith("effectiveAt"):
                meaning += "absent" if self.word(self.at) == 1 << 63 else shown(value, TIME)
            elif meaning.startswith("contentType"):
                meaning += shown(value, COUNT)
            self.take(8, meaning)
        first = self.at
        for name in POINTERS[:pointers]:
            self.take(8, f"{name}: {self.described(self.at)}")
        for i, name in enumerate(POINTERS[:pointers]):
            self.objects(name, first + 8 * i)

    def segment(self):
        self.fields("segment header", SEGMENT)
        self.at = 4096
        while self.at + 128 <= len(self.data) and self.word(self.at):
            end = self.at + self.word(self.at + 8)
            frame = self.fields(f"frame: {KINDS[self.data[self.at + 4]]}", FRAME)
            for _ in range(frame["commits"]):
                commit = self.fields("commit", COMMIT)
                for _ in range(commit["events"]):
                    self.fields("record", RECORD)
                    self.body()
            self.at = end


def main():
    directory = sys.argv[1]
    log = os.path.join(directory, "log")
    for name in ["STORE"] + ["log/" + n for n in sorted(os.listdir(log)) if n.endswith(".log")]:
        with open(os.path.join(directory, name), "rb") as file:
            dump = Dump(file.read())
        print(f"```hexdump\n# {name}: {len(dump.data)} bytes")
        if name == "STORE":
            dump.fields("store header", STORE)
        else:
            dump.segment()
        print("```\n")


if __name__ == "__main__":
    main()
