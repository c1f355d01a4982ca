#!/usr/bin/env python3
"""What a Kafka broker refuses, and what the publisher makes of it: a line, or a dead letter."""

import base64
import functools
import os

import certificates
import refusals
from compare import STREAM as BY_STREAM, Expected, compare
from consumers import read_kafka
from publishing import Publishing, append, generated_store
from servers import KafkaBroker, free_port, state
from support import check, equal, run

TOPIC = "ledger"
MODES = ("transactional", "idempotent")
refused = functools.partial(refusals.refused, seconds=10)


def mode_of(mode):
    return ("--topic", TOPIC, "--option", f"mode={mode}")


def wrong_places(folder):
    """No broker, no such host, no topic, a broker that says nothing."""
    store = generated_store(folder, 50)
    refused(store, f"kafka://127.0.0.1:{free_port()}", 5, "--topic", TOPIC)
    refused(store, "kafka://no-such-host.invalid", 1, words=["no-such-host.invalid"])
    refused(store, "kafka://ada:secret@127.0.0.1", 1, words=["DAYBOOK_KAFKA_USERNAME"])
    # A broker that makes a topic for whoever asks is not asked to.
    with KafkaBroker(folder, settings={"auto.create.topics.enable": "true"}) as broker:
        url = f"kafka://{broker.bootstrap}"
        for mode in MODES:
            refused(store, url, 3, *mode_of(mode), words=[TOPIC])
        admin = broker.admin()
        check(TOPIC not in admin.list_topics(), "the topic was made")
        admin.close()
        broker.create_topic("plain")
        refused(store, url, 7, "--topic", "plain", "--option", "cursor-topic=plain",
                words=["cleanup.policy"])
        broker.pause()
        refused(store, url, 5, "--topic", "plain", "--timeout", 1)
        broker.resume()


def tls_and_rights(folder):
    """By TLS, with the certificate checked; a password; and what the user may do."""
    store = generated_store(folder, 200)
    made = certificates.make(folder / "certificates")
    ca = made.ca.certificate
    ada = {"DAYBOOK_KAFKA_USERNAME": "ada", "DAYBOOK_KAFKA_PASSWORD": "secret"}
    with KafkaBroker(folder, users={"ada": "secret"}, certificates=made, acls=True) as broker:
        url = f"kafka+tls://{broker.secure}"
        broker.create_topic(TOPIC)
        flags = ("--topic", TOPIC, "--timeout", 4)
        refused(store, url, 7, *flags, env=ada, words=["certificate"])
        refused(store, url, 7, *flags, "--tls-ca", made.foreign_ca.certificate, env=ada,
                words=["certificate"])
        trusted = (*flags, "--tls-ca", ca)
        refused(store, url, 7, *trusted, env={**ada, "DAYBOOK_KAFKA_PASSWORD": "wrong"},
                words=["credentials"])
        refused(store, url, 7, *trusted, env=ada)  # it may not write
        refused(store, url, 7, *trusted, "--option", "mode=idempotent", env=ada)
        for operation in ("WRITE", "DESCRIBE"):
            broker.allow("ada", operation, name=TOPIC)
        Publishing(store, url, *trusted, "--option", "mode=idempotent", name="idempotent",
                   env=ada).publish_all("--from", 1)
        compare(Expected.of_store(store), read_kafka(broker.bootstrap, [TOPIC]), BY_STREAM).check()
        refused(store, url, 7, *trusted, env=ada, words=["daybook.cursors"])
        for operation in ("WRITE", "READ", "DESCRIBE", "CREATE"):
            broker.allow("ada", operation, name="daybook.cursors")
        refused(store, url, 7, *trusted, env=ada, words=["daybook-"])  # its transactional id
        broker.allow("ada", "WRITE", "TRANSACTIONAL_ID")
        broker.create_topic("other")
        broker.allow("ada", "WRITE", name="other")
        Publishing(store, url, "--topic", "other", "--tls-ca", ca, name="exact",
                   env=ada).publish_all("--from", 1)
        compare(Expected.of_store(store), read_kafka(broker.bootstrap, ["other"]),
                BY_STREAM).check()


def elsewhere(folder):
    """A certificate of the right authority, for another host."""
    store = generated_store(folder, 20)
    made = certificates.make(folder / "certificates")
    with KafkaBroker(folder, certificates=made, pair=made.elsewhere) as broker:
        refused(store, f"kafka+tls://{broker.secure}", 7, "--topic", TOPIC, "--timeout", 4,
                "--tls-ca", made.ca.certificate, words=["certificate"])


def too_large(folder):
    """A message over the limit is a dead letter; its stream waits behind it, and the others do not;
    with a larger limit and a retry all is there, each stream in its order."""
    store = generated_store(folder, 300)
    large = base64.b64encode(os.urandom(20_000)).decode()
    append(store, [{"stream": f"s-{number % 3}", "type": "T", "data": {"n": number} |
                    ({"large": large} if number in (10, 11) else {})} for number in range(60)])
    waiting = {f"s-{number}": sum(other % 3 == number and other >= first for other in range(60))
               for number, first in ((1, 10), (2, 11))}
    with KafkaBroker(folder) as broker:
        for mode in MODES:
            topic = f"{TOPIC}.{mode}"
            broker.create_topic(topic, partitions=2, max_message_bytes=15_000)
            publishing = Publishing(store, f"kafka://{broker.bootstrap}", "--topic", topic,
                                    "--option", f"mode={mode}", name=mode)
            publishing.publish_all("--from", 1)
            equal(publishing.status()["parked"], sum(waiting.values()))
            parked = run("publish", "parked", store, mode).lines()
            equal({line["stream"]: len(line["positions"]) for line in parked}, waiting)
            check(all("max.message.bytes" in line["error"] for line in parked), parked)
            gone = {position for line in parked for position in line["positions"]}
            expected = Expected.of_store(store)
            compare(expected.only(set(expected.positions()) - gone),
                    read_kafka(broker.bootstrap, [topic]), BY_STREAM,
                    drop_repeats=mode == "idempotent").check()
            set_limit(broker, topic, 200_000)
            equal(run("publish", "retry", store, mode).json(), {"due": sum(waiting.values())})
            publishing.publish_all()
            equal(publishing.status()["parked"], 0)
            compare(expected, read_kafka(broker.bootstrap, [topic]), BY_STREAM,
                    drop_repeats=mode == "idempotent").check()


def set_limit(broker, topic, limit):
    from kafka.admin import ConfigResource, ConfigResourceType  # pylint: disable=all
    admin = broker.admin()
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic,
                                        {"max.message.bytes": str(limit)})])
    admin.close()


def main():
    for case in (wrong_places, tls_and_rights, elsewhere, too_large):
        print(f"- {case.__name__}", flush=True)
        with state(f"kafka_refusals.{case.__name__}") as folder:
            case(folder)
    print("ok")


if __name__ == "__main__":
    main()
