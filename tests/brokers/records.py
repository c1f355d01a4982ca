"""What a consumer sees of one event, in any of the forms in which it is published.

Needs nothing but Python: the clients of the brokers stand in consumers.py.

    for record in read_file(folder / "events-*.ndjson"): ...
"""

import base64
import binascii
import dataclasses
import glob
import gzip
import json
import re

JSON = "application/json"
SOURCE = re.compile(r"^urn:daybook:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$")
REQUIRED = ("id", "source", "type", "subject", "time", "sequence", "streamversion", "recordedtime")
KNOWN = {*REQUIRED, "specversion", "datacontenttype", "partitionkey", "correlation", "causation",
         "traceparent", "tracestate", "tags", "metadata", "line", "replay"}


class BadMessage(Exception):
    """A message that is no CloudEvent as Daybook writes them."""


@dataclasses.dataclass(slots=True)
class Arrived:
    """One message, as any sink's consumer sees it.

    position     of the event in its store          incarnation  of that store (None in a file of
    id           the event's                                     plain lines)
    stream, type, version                           partition_key  None where there is none
    data         the bytes                          content_type  application/json for JSON
    effective, recorded                             RFC 3339, 9 decimals
    correlation, causation, traceparent             text, or None
    tags         a tuple, in their order            metadata  the JSON text; {} where there is none
    replay       the id of a replay, or None
    broker_key   what the broker was told to drop repeats by, or None where it has no such thing
    where        subject, topic/partition, group or file    index  its place there, growing
    """

    position: int
    id: str
    stream: str
    type: str
    version: int
    data: bytes
    content_type: str
    effective: str
    recorded: str
    correlation: str | None
    causation: str | None
    traceparent: str | None
    tags: tuple
    metadata: str
    replay: str | None
    incarnation: str | None
    partition_key: str | None
    broker_key: str | None
    where: str
    index: int

    @property
    def dedupe_key(self):
        """What a consumer drops repeats by: <incarnation>:<position>, and :r<replay> behind it."""
        replay = "" if self.replay is None else f":r{self.replay}"
        return f"{self.incarnation}:{self.position}{replay}"


def from_envelope(attributes, data, where, index, broker_key=None):
    """The record of a CloudEvent, of its attributes as text by their names, and its data."""
    try:
        missing = [name for name in REQUIRED if name not in attributes]
        if missing:
            raise ValueError(f"without {', '.join(missing)}")
        if attributes.get("specversion") != "1.0":
            raise ValueError(f"specversion {attributes.get('specversion')!r}")
        unknown = set(attributes) - KNOWN
        if unknown:
            raise ValueError(f"unknown attributes {sorted(unknown)}")
        source = SOURCE.match(attributes["source"])
        if not source:
            raise ValueError(f"source {attributes['source']!r}")
        if not re.fullmatch(r"\d{20}", attributes["sequence"]):
            raise ValueError(f"sequence {attributes['sequence']!r}")
        tags = json.loads(attributes["tags"]) if "tags" in attributes else []
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise ValueError(f"tags {attributes['tags']!r}")
        return Arrived(
            position=int(attributes["sequence"]), id=attributes["id"], stream=attributes["subject"],
            type=attributes["type"], version=int(attributes["streamversion"]), data=data,
            content_type=attributes.get("datacontenttype", JSON), effective=attributes["time"],
            recorded=attributes["recordedtime"], correlation=attributes.get("correlation"),
            causation=attributes.get("causation"), traceparent=attributes.get("traceparent"),
            tags=tuple(tags), metadata=attributes.get("metadata", "{}"),
            replay=attributes.get("replay"), incarnation=source.group(1),
            partition_key=attributes.get("partitionkey"), broker_key=broker_key, where=where,
            index=index)
    except (ValueError, TypeError) as error:
        raise BadMessage(f"{where}, {index}: {error}") from None


# --- Raw JSON ---------------------------------------------------------------------------------

_scan_string = json.decoder.scanstring
_scan_value = json.JSONDecoder().scan_once
_not_blank = re.compile(r"[^ \t\r\n]|$")


def _past_blanks(text, at):
    return at if text[at] not in " \t\r\n" else _not_blank.search(text, at).start()


def members(text):
    """(name, value, the value's text as it stands) of each member of a JSON object."""
    found = []
    try:
        at = _past_blanks(text, 0)
        if text[at] != "{":
            raise ValueError("not an object")
        at = _past_blanks(text, at + 1)
        while text[at] != "}":
            if text[at] != '"':
                raise ValueError(f"no name at character {at}")
            name, at = _scan_string(text, at + 1)
            at = _past_blanks(text, at)
            if text[at] != ":":
                raise ValueError(f"no colon at character {at}")
            begin = _past_blanks(text, at + 1)
            value, at = _scan_value(text, begin)
            found.append((name, value, text[begin:at]))
            at = _past_blanks(text, at)
            if text[at] == ",":
                at = _past_blanks(text, at + 1)
                if text[at] == "}":
                    raise ValueError(f"no name at character {at}")
            elif text[at] != "}":
                raise ValueError(f"no comma at character {at}")
        if text[at + 1:].strip(" \t\r\n"):
            raise ValueError(f"more behind the object, at character {at + 1}")
    except (IndexError, StopIteration):
        raise ValueError("ends too early") from None
    return found


def from_structured(text, where, index, broker_key=None):
    """The record of a CloudEvent in the JSON format."""
    attributes, data = {}, b""
    try:
        for name, value, raw in members(text):
            if name == "data":
                data = raw.encode()
            elif name == "data_base64":
                data = base64.b64decode(value, validate=True)
            elif isinstance(value, str):
                attributes[name] = value
            elif isinstance(value, int) and not isinstance(value, bool):
                attributes[name] = raw  # an Integer of CloudEvents
            else:
                raise ValueError(f"{name} is {raw:.40}")
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadMessage(f"{where}, {index}: {error}") from None
    return from_envelope(attributes, data, where, index, broker_key)


# --- Files ------------------------------------------------------------------------------------

LINE = {"position", "stream", "version", "type", "id", "recorded_at", "effective_at", "tags",
        "data", "data_base64", "content_type", "metadata", "replay"}


def text_or_none(value):
    return value if isinstance(value, str) else None


def from_line(text, where, index, incarnation=None):
    """The record of a line as `daybook read` prints it, with "replay" where it is one."""
    try:
        values, raw = {}, {}
        for name, value, as_it_stands in members(text):
            values[name], raw[name] = value, as_it_stands
        unknown = set(values) - LINE
        if unknown:
            raise ValueError(f"unknown members {sorted(unknown)}")
        if "data_base64" in values:
            data = base64.b64decode(values["data_base64"], validate=True)
        else:
            data = raw["data"].encode()
        metadata = values["metadata"]
        return Arrived(
            position=values["position"], id=values["id"], stream=values["stream"],
            type=values["type"], version=values["version"], data=data,
            content_type=values.get("content_type", JSON), effective=values["effective_at"],
            recorded=values["recorded_at"], correlation=text_or_none(metadata.get("correlation")),
            causation=text_or_none(metadata.get("causation")),
            traceparent=text_or_none(metadata.get("traceparent")), tags=tuple(values["tags"]),
            metadata=raw["metadata"], replay=values.get("replay"), incarnation=incarnation,
            partition_key=None, broker_key=None, where=where, index=index)
    except KeyError as error:
        raise BadMessage(f"{where}, line {index}: without {error}") from None
    except (ValueError, TypeError, AttributeError, binascii.Error) as error:
        raise BadMessage(f"{where}, line {index}: {error}") from None


def read_file(paths, incarnation=None):
    """All lines of the files: a pattern, or paths in their order; .gz by name.

    Lines are as `daybook read` prints them, or CloudEvents in JSON. `where` is the file, `index`
    the line's number from 1. A last line without its end is a BadMessage.
    """
    if isinstance(paths, (list, tuple)):
        names = [str(path) for path in paths]
    else:
        names = sorted(glob.glob(str(paths)))
    for name in names:
        with (gzip.open if name.endswith(".gz") else open)(name, "rb") as file:
            for index, line in enumerate(file, 1):
                yield from_text_line(line, name, index, incarnation)


def from_text_line(line, where, index, incarnation=None):
    """The record of one line, in either format of the file and stdout sinks."""
    if not line.endswith(b"\n"):
        raise BadMessage(f"{where}, line {index}: torn")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise BadMessage(f"{where}, line {index}: {error}") from None
    if text.startswith('{"position"'):
        return from_line(text, where, index, incarnation)
    return from_structured(text, where, index)
