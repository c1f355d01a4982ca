"""Reading back what was published, from the first message to the last, as a consumer would.

The clients are other libraries than the sinks': nats-py, kafka-python, plain HTTP for SQS. Each
function yields `Arrived` records in the order of the broker, and raises BadMessage at a message
that is no CloudEvent of a Daybook store, naming where it stands.

    for record in read_nats(server.url, "LEDGER"): ...
    for record in read_kafka(broker.bootstrap, ["ledger.fine"]): ...
    for record in read_sqs(emulator.endpoint, queue_url): ...
    for record in read_file(folder / "events-*.ndjson"): ...
"""

import asyncio
import base64
import binascii
import dataclasses
import glob
import gzip
import json
import re
import ssl
import urllib.parse

import kafka
import nats
import nats.js.api

from servers import sqs_request

JSON = "application/json"
BINARY = "application/octet-stream"
SOURCE = re.compile(r"^urn:daybook:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$")
PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
REQUIRED = ("id", "source", "type", "subject", "time", "sequence", "streamversion", "recordedtime")
KNOWN = {*REQUIRED, "specversion", "datacontenttype", "partitionkey", "correlation", "causation",
         "traceparent", "tags", "metadata", "replay"}


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


# --- NATS -------------------------------------------------------------------------------------


def percent_decoded(text):
    """A header's value, as the bindings of CloudEvents for HTTP and NATS write it."""
    if PERCENT.search(text) or any(not "!" <= character <= "~" for character in text):
        raise BadMessage(f"not percent-encoded: {text!r}")
    return urllib.parse.unquote(text, errors="strict")


def from_nats(message, where, index):
    headers = message.headers or {}
    attributes = {}
    for name, value in headers.items():
        if name.lower().startswith("ce-"):
            attributes[name[3:].lower()] = percent_decoded(value)
        elif name.lower() == "content-type":
            attributes.setdefault("datacontenttype", value)
    return from_envelope(attributes, message.data, where, index, headers.get("Nats-Msg-Id"))


def read_nats(url, stream, *, cafile=None, batch=1000, wait=10, **options):
    """All messages of a JetStream stream, up to the last that it has at the begin.

    `where` is the subject, `index` the sequence number in the stream. Options go to nats.connect:
    user, password, ... The reading consumer is gone afterwards.
    """
    loop = asyncio.new_event_loop()

    async def quiet(_):
        pass

    async def begin():
        if cafile:
            options["tls"] = ssl.create_default_context(cafile=str(cafile))
        servers = url.split(",")
        connection = await nats.connect(servers, error_cb=quiet, connect_timeout=5, **options)
        jetstream = connection.jetstream(timeout=wait)
        state = (await jetstream.stream_info(stream)).state
        config = nats.js.api.ConsumerConfig(ack_policy=nats.js.api.AckPolicy.NONE,
                                            deliver_policy=nats.js.api.DeliverPolicy.ALL,
                                            inactive_threshold=60)
        subscription = await jetstream.pull_subscribe(">", stream=stream, config=config)
        return connection, subscription, state

    connection = None
    try:
        connection, subscription, state = loop.run_until_complete(begin())
        seen, index = 0, 0
        while seen < state.messages and index < state.last_seq:
            count = min(batch, state.messages - seen)
            for message in loop.run_until_complete(subscription.fetch(count, timeout=wait)):
                before, index = index, message.metadata.sequence.stream
                if index <= before:
                    raise BadMessage(f"{stream}: sequence {index} behind {before}")
                seen += 1
                yield from_nats(message, message.subject, index)
    finally:
        if connection:
            loop.run_until_complete(connection.close())
        loop.close()


# --- Kafka ------------------------------------------------------------------------------------


def from_kafka(record):
    where = f"{record.topic}/{record.partition}"
    attributes = {}
    try:
        for name, value in record.headers:
            if name.startswith("ce_"):
                attributes[name[3:]] = value.decode()
            elif name == "content-type":
                attributes["datacontenttype"] = value.decode()
        key = None if record.key is None else record.key.decode()
    except (UnicodeDecodeError, AttributeError) as error:
        raise BadMessage(f"{where}, {record.offset}: {error}") from None
    found = from_envelope(attributes, record.value or b"", where, record.offset)
    if found.partition_key is not None and found.partition_key != key:
        raise BadMessage(f"{where}, {record.offset}: key {key!r}, not {found.partition_key!r}")
    return found


def read_kafka(bootstrap, topics, *, isolation="read_committed", **options):
    """All records of the topics (names, or one compiled pattern), to their ends at the begin.

    isolation is read_committed or read_uncommitted. Partitions come as the broker sends them; in
    each the order is its own: `where` is topic/partition, `index` the offset. Options go to
    KafkaConsumer: security_protocol, ssl_cafile, ...
    """
    consumer = kafka.KafkaConsumer(bootstrap_servers=bootstrap, isolation_level=isolation,
                                   enable_auto_commit=False, max_poll_records=5000,
                                   bootstrap_timeout_ms=10_000, **options)
    try:
        if isinstance(topics, re.Pattern):
            topics = sorted(name for name in consumer.topics() if topics.fullmatch(name))
        partitions = [kafka.TopicPartition(topic, number) for topic in topics
                      for number in sorted(consumer.partitions_for_topic(topic) or [])]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for partition, records in consumer.poll(timeout_ms=200).items():
                for record in records:
                    if record.offset < ends[partition]:
                        yield from_kafka(record)
    finally:
        consumer.close()


# --- SQS --------------------------------------------------------------------------------------


def read_sqs(endpoint, queue_url, *, cafile=None, delete=True):
    """All messages that the queue gives, until it is empty; they are taken off the queue.

    `where` is the message group (or the queue's name), `index` the order of arrival here. With
    delete=False they stay, invisible for an hour, as do all later ones of the same group.
    """
    context = ssl.create_default_context(cafile=str(cafile)) if cafile else None

    def request(action, **arguments):
        return sqs_request(endpoint, action, {"QueueUrl": queue_url, **arguments}, context)

    index = 0
    while True:
        # In one answer the emulator gives several messages of a group, in their order.
        messages = request("ReceiveMessage", MaxNumberOfMessages=10, VisibilityTimeout=3600,
                           WaitTimeSeconds=0, AttributeNames=["All"],
                           MessageAttributeNames=["All"]).get("Messages", [])
        if not messages:
            return
        for message in messages:
            attributes = message.get("Attributes", {})
            where = attributes.get("MessageGroupId") or queue_url.rpartition("/")[2]
            yield from_structured(message["Body"], where, index,
                                  attributes.get("MessageDeduplicationId"))
            index += 1
        if delete:
            entries = [{"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                       for number, message in enumerate(messages)]
            failed = request("DeleteMessageBatch", Entries=entries).get("Failed")
            if failed:
                raise BadMessage(f"{queue_url}: not deleted: {failed}")


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
