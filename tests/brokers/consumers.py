"""Reading back what was published, from the first message to the last, as a consumer would.

The clients are other libraries than the sinks': nats-py, kafka-python, plain HTTP for SQS. Each
function yields `Arrived` records in the order of the broker, and raises BadMessage at a message
that is no CloudEvent of a Daybook store, naming where it stands.

    for record in read_nats(server.url, "LEDGER"): ...
    for record in read_kafka(broker.bootstrap, ["ledger.fine"]): ...
    for record in read_sqs(emulator.endpoint, queue_url): ...
"""

import asyncio
import json
import re
import ssl
import urllib.parse

import kafka
import nats
import nats.js.api

from records import BadMessage, from_envelope, from_structured
from servers import sqs_request

NOT_PERCENT_ENCODED = re.compile(r"[^!-~]|%(?![0-9A-Fa-f]{2})")

# --- NATS -------------------------------------------------------------------------------------


def percent_decoded(text):
    """A header's value, as the bindings of CloudEvents for HTTP and NATS write it."""
    if NOT_PERCENT_ENCODED.search(text):
        raise BadMessage(f"not percent-encoded: {text!r}")
    return urllib.parse.unquote(text, errors="strict") if "%" in text else text


def from_nats(message, where, index):
    headers = message.headers or {}
    attributes = {}
    for name, value in headers.items():
        if name.lower().startswith("ce-"):
            attributes[name[3:].lower()] = percent_decoded(value)
        elif name.lower() == "content-type":
            attributes.setdefault("datacontenttype", value)
    return from_envelope(attributes, message.data, where, index, headers.get("Nats-Msg-Id"))


class _Pull:
    """A pull consumer of a stream that is asked for whole batches, without a timer a message."""

    def __init__(self, connection, wait):
        self.connection = connection
        self.wait = wait
        self.state = None
        self._ask = self._inbox = self._done = None
        self._wanted = 0
        self._got = []

    async def open(self, stream):
        jetstream = self.connection.jetstream(timeout=self.wait)
        self.state = (await jetstream.stream_info(stream)).state
        config = nats.js.api.ConsumerConfig(ack_policy=nats.js.api.AckPolicy.NONE,
                                            deliver_policy=nats.js.api.DeliverPolicy.ALL,
                                            inactive_threshold=60)
        consumer = await jetstream.add_consumer(stream, config)
        self._ask = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer.name}"
        self._inbox = self.connection.new_inbox()
        await self.connection.subscribe(self._inbox, cb=self._take)

    async def _take(self, message):
        ended = "Status" in (message.headers or {})  # the server has no more within the time
        if not ended:
            self._got.append(message)
        if (ended or len(self._got) >= self._wanted) and not self._done.done():
            self._done.set_result(None)

    async def fetch(self, count):
        self._got, self._wanted = [], count
        self._done = asyncio.get_running_loop().create_future()
        limits = json.dumps({"batch": count, "expires": int(self.wait * 10**9)})
        await self.connection.publish(self._ask, limits.encode(), reply=self._inbox)
        await asyncio.wait_for(self._done, self.wait + 5)
        if not self._got:
            raise TimeoutError(f"{self._ask}: no more messages after {self.wait} s")
        return self._got


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
        return await nats.connect(url.split(","), error_cb=quiet, connect_timeout=5, **options)

    connection = None
    try:
        connection = loop.run_until_complete(begin())
        pull = _Pull(connection, wait)
        loop.run_until_complete(pull.open(stream))
        seen, index = 0, 0
        while seen < pull.state.messages and index < pull.state.last_seq:
            count = min(batch, pull.state.messages - seen)
            for message in loop.run_until_complete(pull.fetch(count)):
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
