#!/usr/bin/env python3
"""moto's server for SQS, so that queues of 20,000 messages can be tried.

As it comes it counts all messages of a queue several times for each that is sent or received: half
a second each where a queue has 1,500. Here these places are written anew, for the pinned version
only, and one thing is as SQS has it and moto has not: a deduplication id is remembered for five
minutes, also where its message is deleted meanwhile.
"""

import collections.abc
import importlib.metadata
import sys
import time

import moto.server
from moto.sqs import models

VERSION = "5.2.5"
WINDOW_MS = 5 * 60 * 1000


def milliseconds(moment=None):
    return time.time() * 1000 if moment is None else moment.timestamp() * 1000


class Attributes(collections.abc.Mapping):
    """A queue's attributes; the counts among them are taken when they are asked for."""

    def __init__(self, queue):
        self._queue = queue
        self._all = None

    def _filled(self):
        if self._all is None:
            self._all = counted_attributes(self._queue)
        return self._all

    def __getitem__(self, name):
        if name == "ContentBasedDeduplication" and self._queue.fifo_queue:
            return str(self._queue.content_based_deduplication).lower()
        return self._filled()[name]

    def __iter__(self):
        return iter(self._filled())

    def __len__(self):
        return len(self._filled())


def add_message(queue, message):
    with queue._messages_lock:
        if queue.fifo_queue and message.deduplication_id:
            sent = queue.__dict__.setdefault("_deduplication", {})
            before = sent.get(message.deduplication_id)
            if before is not None and message.sent_timestamp - before < WINDOW_MS:
                return
            sent[message.deduplication_id] = message.sent_timestamp
        queue._messages.append(message)
        queue._messages_lock.notify_all()


def delete_message(queue, receipt_handle):
    if receipt_handle in queue.deleted_messages:
        return
    with queue._messages_lock:
        for index, message in enumerate(queue._messages):
            if message.receipt_handle and message.had_receipt_handle(receipt_handle):
                queue.pending_messages.discard(message)
                queue.deleted_messages.update(message.all_receipt_handles)
                del queue._messages[index]
                return
    raise models.ReceiptHandleIsInvalid()


def is_kept(backend, queue_name, message):
    kept_ms = backend.get_queue(queue_name).message_retention_period * 1000
    return milliseconds() < message.sent_timestamp + kept_ms


if importlib.metadata.version("moto") != VERSION:
    sys.exit(f"sqs_server.py is for moto {VERSION}: look again at what it changes")
counted_attributes = models.Queue.attributes.fget
models.unix_time_millis = milliseconds
models.unix_time = lambda moment=None: milliseconds(moment) / 1000
models.Queue.attributes = property(Attributes)
models.Queue.add_message = add_message
models.Queue.delete_message = delete_message
models.SQSBackend.is_message_valid_based_on_retention_period = is_kept

if __name__ == "__main__":
    moto.server.main()
