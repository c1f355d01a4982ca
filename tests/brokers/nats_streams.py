"""JetStream streams for tests: made, and looked at."""

import asyncio

import nats
import nats.js.api


def with_jetstream(url, use, **options):
    """Runs the coroutine use(jetstream) with a connection of its own, and returns what it does."""

    async def go():
        connection = await nats.connect(url.split(","), connect_timeout=5, **options)
        try:
            return await use(connection.jetstream(timeout=10))
        finally:
            await connection.close()

    return asyncio.run(go())


def make_stream(url, name, subjects=("ledger.>",), options=None, **settings):
    """Makes a stream; settings as of nats-py's StreamConfig: num_replicas, max_msgs, ..."""
    config = nats.js.api.StreamConfig(name=name, subjects=list(subjects), **settings)
    return with_jetstream(url, lambda js: js.add_stream(config), **(options or {}))


def sequence_of(server, name):
    """The sequence of the last message of a stream as one server sees it; 0 where it is away."""
    answer = server.monitor("jsz?streams=true") or {}
    for account in answer.get("account_details", []):
        for stream in account.get("stream_detail", []):
            if stream["name"] == name:
                return stream.get("state", {}).get("last_seq", 0)
    return 0
