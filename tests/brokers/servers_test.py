#!/usr/bin/env python3
"""The brokers of the tests: they keep what they stored, and never outlive a test."""

import asyncio
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import threading
import time

import kafka
import nats

import certificates
from processes import answers
from servers import (KafkaBroker, NatsCluster, NatsServer, ServerFailed, SqsEmulator, state,
                     wait_until)

HERE = pathlib.Path(__file__).resolve().parent


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(item) for item in what))


def fails(function, *errors):
    try:
        function()
    except errors as error:
        return error
    raise AssertionError(f"{function} did not fail")


def nats_do(url, work, **options):
    """Runs `work(JetStream)` in a connection that is closed again."""

    async def quiet(_):
        pass

    async def whole():
        connection = await nats.connect(url, allow_reconnect=False, connect_timeout=2,
                                        error_cb=quiet, **options)
        try:
            return await work(connection.jetstream(timeout=10))
        finally:
            await connection.close()

    return asyncio.run(whole())


def publish(url, count, replicas=None, **options):
    async def work(jetstream):
        if replicas:
            await jetstream.add_stream(name="S", subjects=["s.>"], num_replicas=replicas)
        for number in range(count):
            await jetstream.publish("s.a", str(number).encode())
        return (await jetstream.stream_info("S")).state.messages

    return nats_do(url, work, **options)


def a_killed_nats_server_keeps_its_stream(folder):
    with NatsServer(folder) as server:
        check(publish(server.url, 3, replicas=1) == 3)
        port = server.port
        server.kill()
        check(not answers(port))
        server.start()
        check(server.port == port and publish(server.url, 2) == 5)
        server.restart()
        check(publish(server.url, 1) == 6 and server.starts == 3)


def a_paused_server_takes_no_request_until_it_is_resumed(folder):
    with NatsServer(folder) as server:
        publish(server.url, 1, replicas=1)
        server.pause()
        fails(lambda: publish(server.url, 1), Exception)
        server.resume()
        check(publish(server.url, 1) == 2)
        server.pause()
        server.kill()  # SIGKILL ends a stopped process too
        check(not server.is_running())


def nats_wants_the_right_password_and_authority(folder):
    made = certificates.make(folder / "certificates")
    with NatsServer(folder, user="u", password="p w", certificates=made) as server:
        def trust(authority):
            return {"tls": ssl.create_default_context(cafile=authority.certificate)}

        secret = {"user": "u", "password": "p w"}
        check(publish(server.url, 1, replicas=1, **secret, **trust(made.ca)) == 1)
        fails(lambda: publish(server.url, 1, **secret, **trust(made.foreign_ca)), Exception)
        fails(lambda: publish(server.url, 1, user="u", password="x", **trust(made.ca)), Exception)


def a_cluster_goes_on_without_its_leader(folder):
    with NatsCluster(folder) as cluster:
        check(publish(cluster.urls[0], 3, replicas=3) == 3)
        leader = wait_until(lambda: cluster.leader("S"), 10, "a leader")
        leader.kill()
        other = next(server for server in cluster.servers if server is not leader)
        wait_until(lambda: cluster.leader("S") not in (None, leader), 20, "another leader")
        check(publish(other.url, 2) == 5)
        leader.start()
        cluster.wait_ready()
        check(publish(leader.url, 1) == 6)
        print(f"  a node is back after {leader.start_seconds:.1f} s")


def kafka_values(broker, topic, **options):
    """All values of a topic of one partition, from the first."""
    consumer = kafka.KafkaConsumer(bootstrap_servers=broker.bootstrap, **options)
    try:
        partition = kafka.TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning()
        end = consumer.end_offsets([partition])[partition]
        found = []
        while consumer.position(partition) < end:
            for records in consumer.poll(timeout_ms=500).values():
                found += [record.value for record in records]
        return found
    finally:
        consumer.close()


def produce(bootstrap, topic, *values, **options):
    producer = kafka.KafkaProducer(bootstrap_servers=bootstrap, acks="all",
                                   request_timeout_ms=5000, max_block_ms=3000,
                                   bootstrap_timeout_ms=3000, **options)
    try:
        for value in values:
            producer.send(topic, value).get(timeout=10)
    finally:
        producer.close(timeout=1)


def a_killed_kafka_broker_keeps_its_topics(folder):
    made = certificates.make(folder / "certificates")
    with KafkaBroker(folder, users={"writer": "secret", "other": "secret"}, certificates=made,
                     acls=True, settings={"message.max.bytes": 2000}) as broker:
        print(f"  the first start took {broker.start_seconds:.1f} s")
        broker.create_topic("t", min_insync_replicas=1)
        produce(broker.bootstrap, "t", b"1", b"2")
        broker.kill()
        broker.start()
        print(f"  after a kill {broker.start_seconds:.1f} s")
        check(kafka_values(broker, "t") == [b"1", b"2"])
        fails(lambda: produce(broker.bootstrap, "t", os.urandom(3000)), kafka.errors.KafkaError)
        fails(lambda: produce(broker.bootstrap, "absent", b"1"), kafka.errors.KafkaError)

        broker.allow("writer", "WRITE", name="t")
        broker.allow("writer", "IDEMPOTENT_WRITE", "CLUSTER", "kafka-cluster")

        def secure(user, password="secret", authority=made.ca):
            produce(broker.secure, "t", b"3", security_protocol="SASL_SSL", sasl_mechanism="PLAIN",
                    sasl_plain_username=user, sasl_plain_password=password,
                    ssl_cafile=str(authority.certificate))

        secure("writer")
        fails(lambda: secure("other"), kafka.errors.KafkaError)
        fails(lambda: secure("writer", "wrong"), kafka.errors.KafkaError)
        fails(lambda: secure("writer", authority=made.foreign_ca), kafka.errors.KafkaError)
        check(kafka_values(broker, "t") == [b"1", b"2", b"3"])


def the_emulator_of_sqs_forgets_when_it_is_killed(folder):
    with SqsEmulator(folder) as server:
        url = server.create_queue("q.fifo")

        def send():
            server.request("SendMessage", QueueUrl=url, MessageBody="x", MessageGroupId="g",
                           MessageDeduplicationId="one")

        def receive():
            return server.request("ReceiveMessage", QueueUrl=url,
                                  MaxNumberOfMessages=10).get("Messages", [])

        send()
        send()
        received = receive()
        check(len(received) == 1, "the repeated one is dropped", received)
        server.request("DeleteMessage", QueueUrl=url, ReceiptHandle=received[0]["ReceiptHandle"])
        send()
        check(not receive(), "repeats are dropped behind the deletion too")
        attributes = server.request("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
        check(attributes["Attributes"]["ApproximateNumberOfMessages"] == "0", attributes)
        server.restart(kill=True)
        check(not server.request("ListQueues").get("QueueUrls"))
    made = certificates.make(folder / "certificates")
    with SqsEmulator(folder, "sqs_tls", certificates=made) as server:
        check(server.create_queue("standard").startswith("https://127.0.0.1"))


def a_server_that_cannot_start_says_why(folder):
    server = NatsServer(folder)
    server.cluster = "nonsense {"
    error = fails(server.start, ServerFailed)
    check("nats.conf" in str(error), error)
    check(not server.is_running())


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def a_killed_test_leaves_no_server(folder):
    parent = subprocess.Popen([sys.executable, "-B", __file__, "--start-and-wait", folder],
                              stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    time.sleep(0.3)
    check(is_alive(pid), "the server outlives the thread that started it")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not is_alive(pid), 5, "the server is gone")


def start_and_wait(folder):
    """The parent of the test above: starts a server in a thread that ends at once."""
    server = NatsServer(folder)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    print(server.pid, flush=True)
    time.sleep(60)


def main():
    if sys.argv[1:2] == ["--start-and-wait"]:
        return start_and_wait(sys.argv[2])
    with state("servers_test") as folder:
        for test in (a_killed_nats_server_keeps_its_stream,
                     a_paused_server_takes_no_request_until_it_is_resumed,
                     nats_wants_the_right_password_and_authority,
                     a_cluster_goes_on_without_its_leader,
                     a_killed_kafka_broker_keeps_its_topics,
                     the_emulator_of_sqs_forgets_when_it_is_killed,
                     a_server_that_cannot_start_says_why,
                     a_killed_test_leaves_no_server):
            begin = time.monotonic()
            test(folder / test.__name__)
            print(f"- {test.__name__.replace('_', ' ')} ({time.monotonic() - begin:.1f} s)",
                  flush=True)
    print("ok")
    return None


if __name__ == "__main__":
    sys.exit(main())
