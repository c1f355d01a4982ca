"""The brokers that tests publish to: real servers on 127.0.0.1 and free ports.

    with state("my_test") as folder, NatsServer(folder) as nats:
        ...publish to nats.url...
        nats.kill()
        nats.start()

Every class is a processes.Server: start, stop, kill, pause, resume, restart, log. A server never
outlives the process that started it. scripts/brokers fetches what they need.
"""

import base64
import functools
import http.client
import json
import os
import pathlib
import shutil
import ssl
import sys
import urllib.request
import uuid

import kafka
from kafka.admin import (ACL, ACLOperation, ACLPermissionType, KafkaAdminClient, ResourcePattern,
                         ResourceType)
import kafka.errors

from processes import Server, ServerFailed, answers, free_port, spawn, state, wait_until

__all__ = ["KafkaBroker", "NatsCluster", "NatsServer", "Server", "ServerFailed", "SqsEmulator",
           "free_port", "state", "wait_until"]


@functools.cache
def installed():
    """The folder that scripts/brokers filled."""
    folder = os.environ.get("DAYBOOK_BROKERS")
    if not folder:
        folder = pathlib.Path(__file__).resolve().parents[2] / "build" / "brokers"
    if not (pathlib.Path(folder) / "kafka").is_dir():
        raise ServerFailed(f"nothing is installed in {folder}: run scripts/brokers")
    return pathlib.Path(folder)


# --- NATS -------------------------------------------------------------------------------------


def _program(name):
    for folder in [None, "/usr/sbin:/sbin"]:  # Debian's nats-server is not on everybody's path
        found = shutil.which(name, path=folder)
        if found:
            return found
    raise ServerFailed(f"there is no {name} here: run scripts/bootstrap")


class NatsServer(Server):
    """A NATS server with JetStream.

    max_payload    the largest message in bytes (the server's own default is 1 MiB)
    user, password what a client must give; nothing where not named
    certificates   certificates.Certificates: TLS only, with its `server` pair
    pair           another pair than `server` (`elsewhere`: a name that a client must refuse)
    verify         with certificates: a client must show one signed by the same authority

    `url` is nats://127.0.0.1:PORT without user and password, `port` its port, and `healthy()` what
    the server says of itself. kill -9 loses nothing that was acknowledged; a power cut would
    (version 2.9 has no setting for it).
    """

    def __init__(self, folder, name="nats", *, max_payload=None, user=None, password=None,
                 certificates=None, pair=None, verify=False):
        super().__init__(folder, name)
        self.port = free_port()
        self.monitor_port = free_port()
        self.max_payload = max_payload
        self.user = user
        self.password = password
        self.certificates = certificates
        self.pair = pair
        self.verify = verify
        self.cluster = ""  # what NatsCluster adds to the configuration

    @property
    def url(self):
        return f"{'tls' if self.certificates else 'nats'}://127.0.0.1:{self.port}"

    def command(self):
        config = self.folder / "nats.conf"
        config.write_text(self._config(), encoding="utf-8")
        return [_program("nats-server"), "-c", config]

    def _config(self):
        store = json.dumps(str(self.folder / "store"))
        lines = [f'server_name: "{self.name}"', "host: 127.0.0.1", f"port: {self.port}",
                 f'http: "127.0.0.1:{self.monitor_port}"',
                 f"jetstream {{ store_dir: {store}, max_memory_store: 64MB, "
                 "max_file_store: 8GB }"]
        if self.max_payload:
            lines.append(f"max_payload: {self.max_payload}")
        if self.user:
            lines.append(f"authorization {{ user: {json.dumps(self.user)}, "
                         f"password: {json.dumps(self.password)} }}")
        if self.certificates:
            pair = self.pair or self.certificates.server
            lines.append(f"tls {{ cert_file: {json.dumps(str(pair.certificate))}, "
                         f"key_file: {json.dumps(str(pair.key))}, "
                         f"ca_file: {json.dumps(str(self.certificates.ca.certificate))}, "
                         f"verify: {str(self.verify).lower()} }}")
        return "\n".join([*lines, self.cluster, ""])

    def monitor(self, path):
        """What the monitoring port answers, as JSON; None where it does not answer with 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor_port}/{path}",
                                        timeout=2) as answer:
                return json.load(answer)
        except (OSError, http.client.HTTPException):
            return None

    def healthy(self):
        """Whether JetStream and all its streams are there again."""
        answer = self.monitor("healthz")
        return bool(answer) and answer.get("status") == "ok"

    def is_ready(self):
        return self.healthy()


class NatsCluster:
    """Three NATS servers in one cluster, for streams of three replicas.

    `servers` are NatsServer objects, each of which can be killed and started by itself, `urls`
    theirs, `url` all of them separated by commas. `leader(stream)` is the server that leads a
    stream; `wait_ready()` waits until all are there again.
    """

    SIZE = 3

    def __init__(self, folder, name="cluster", **options):
        self.servers = [NatsServer(folder, f"{name}-{number}", **options)
                        for number in range(1, self.SIZE + 1)]
        ports = [free_port() for _ in self.servers]
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)
        for server, port in zip(self.servers, ports):
            server.cluster = (f'cluster {{ name: "{name}", host: 127.0.0.1, port: {port}, '
                              f"routes: [{routes}] }}")

    @property
    def urls(self):
        return [server.url for server in self.servers]

    @property
    def url(self):
        return ",".join(self.urls)

    def start(self):
        for server in self.servers:
            server.start(wait=False)
        self.wait_ready()
        return self

    def wait_ready(self):
        for server in self.servers:
            server.wait_ready()
        wait_until(self._has_leader, 30, "the cluster has a leader")

    def _has_leader(self):
        answers = [server.monitor("jsz") for server in self.servers]
        leaders = {answer and answer.get("meta_cluster", {}).get("leader") for answer in answers}
        sizes = {answer and answer.get("meta_cluster", {}).get("cluster_size")
                 for answer in answers}
        return len(leaders) == 1 and None not in leaders and "" not in leaders and sizes == {3}

    def leader(self, stream):
        """The server that leads a stream, or None while there is none (or it is down)."""
        for server in self.servers:
            if not server.is_running() or server.paused:
                continue
            answer = server.monitor("jsz?streams=true") or {}
            for account in answer.get("account_details", []):
                for detail in account.get("stream_detail", []):
                    if detail["name"] == stream:
                        name = detail.get("cluster", {}).get("leader")
                        found = [one for one in self.servers if one.name == name]
                        if found and found[0].is_running():
                            return found[0]
        return None

    def stop(self):
        for server in self.servers:
            server.stop()

    def kill(self):
        for server in self.servers:
            server.kill()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, *_):
        self.stop()


# --- Kafka ------------------------------------------------------------------------------------


class KafkaBroker(Server):
    """One Apache Kafka broker in KRaft mode that is its own controller.

    settings      more lines of its properties, by name ("message.max.bytes": 1000)
    users         {name: password}: a second listener with SASL/PLAIN
    certificates  certificates.Certificates: that second listener speaks TLS, by its `server` pair
    pair          another pair than `server`
    acls          whether a user may only do what allow() says; on `bootstrap` all stays allowed

    `bootstrap` is host:port of a listener without any of that, for consumers and administration;
    `secure` is the other's, where users or certificates are given. Topics are not made by
    themselves: create_topic().
    """

    HEAP_MB = 384

    def __init__(self, folder, name="kafka", *, settings=None, users=None, certificates=None,
                 pair=None, acls=False):
        super().__init__(folder, name)
        self.port = free_port()
        self.controller_port = free_port()
        self.secure_port = free_port()
        self.settings = dict(settings or {})
        self.users = users
        self.certificates = certificates
        self.pair = pair
        self.acls = acls
        self.archive = None  # where kafka_archive.py wants its classes written at the end

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    @property
    def secure(self):
        return f"127.0.0.1:{self.secure_port}"

    def _properties(self):
        protocols = {(False, False): None, (True, False): "SASL_PLAINTEXT",
                     (False, True): "SSL", (True, True): "SASL_SSL"}
        secure = protocols[bool(self.users), bool(self.certificates)]
        listeners = f"PLAINTEXT://{self.bootstrap}"
        protocol_map = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
        if secure:
            listeners += f",SECURE://{self.secure}"
            protocol_map += f",SECURE:{secure}"
        properties = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": protocol_map,
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self.folder / "data",
            "auto.create.topics.enable": "false",
            "default.replication.factor": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            # One small machine: few threads, and a killed broker is back without a long wait.
            "num.network.threads": 2,
            "num.io.threads": 2,
            "log.cleaner.dedupe.buffer.size": 8 << 20,
            "broker.heartbeat.interval.ms": 200,
            "broker.session.timeout.ms": 1500,
        }
        if self.users:
            properties |= self._sasl()
        if self.certificates:
            properties |= self._tls()
        if self.acls:
            properties |= {
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS"}
        return properties | self.settings

    def _sasl(self):
        users = " ".join(f'user_{name}="{password}"' for name, password in self.users.items())
        return {"sasl.enabled.mechanisms": "PLAIN",
                "listener.name.secure.plain.sasl.jaas.config":
                "org.apache.kafka.common.security.plain.PlainLoginModule required " + users + ";"}

    def _tls(self):
        pair = self.pair or self.certificates.server
        return {"listener.name.secure.ssl.keystore.type": "PEM",
                "listener.name.secure.ssl.keystore.location": pair.together(),
                "listener.name.secure.ssl.truststore.type": "PEM",
                "listener.name.secure.ssl.truststore.location": self.certificates.ca.certificate}

    def _java(self, *arguments):
        classes = installed() / "kafka.jsa"  # loaded and checked before: a second off each start
        archive = [f"-XX:SharedArchiveFile={classes}"] if classes.exists() else []
        if self.archive and arguments[0] == "kafka.Kafka":
            archive = [f"-XX:ArchiveClassesAtExit={self.archive}"]
        return [_program("java"), f"-Xmx{self.HEAP_MB}m", "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1", "-Xshare:auto", *archive,
                f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
                "-cp", f"{installed() / 'kafka'}/*", *arguments]

    def command(self):
        (self.folder / "log4j2.properties").write_text(
            "appender.out.type=Console\nappender.out.name=out\n"
            "appender.out.layout.type=PatternLayout\n"
            "appender.out.layout.pattern=%d{HH:mm:ss,SSS} %p %c{1}: %m%n\n"
            "rootLogger.level=WARN\nrootLogger.appenderRef.out.ref=out\n", encoding="utf-8")
        config = self.folder / "server.properties"
        config.write_text("".join(f"{key}={value}\n"
                                  for key, value in self._properties().items()), encoding="utf-8")
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(config)
        return self._java("kafka.Kafka", config)

    def _format(self, config):
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        with open(self.log, "ab") as log:
            tool = spawn([str(part) for part in self._java(
                "kafka.tools.StorageTool", "format", "--standalone", "-t", "A" + cluster[1:],
                "-c", config)], stdout=log, stderr=log)
            code = tool.wait(60)
        if code != 0:
            raise ServerFailed(f"kafka: format ended with {code}\n{self.log_end()}")

    def admin(self):
        """A new KafkaAdminClient; close() it."""
        return KafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=10_000,
                                bootstrap_timeout_ms=5_000)

    def is_ready(self):
        """It is known as a broker, and leads every partition again."""
        if not answers(self.port):
            return False
        try:
            admin = self.admin()
        except (kafka.errors.KafkaError, OSError):
            return False
        try:
            if not admin.describe_cluster()["brokers"]:
                return False
            topics = admin.describe_topics()
            return all(partition["leader_id"] == 1
                       for topic in topics for partition in topic["partitions"])
        except (kafka.errors.KafkaError, OSError):
            return False
        finally:
            admin.close()

    def create_topic(self, name, partitions=1, **settings):
        """Makes a topic; settings as in `cleanup_policy="compact"`. Waits until it can be used."""
        configs = {key.replace("_", "."): str(value) for key, value in settings.items()}
        admin = self.admin()
        try:
            admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1,
                                        "configs": configs}})
            admin.wait_for_topics([name])
        finally:
            admin.close()

    def allow(self, user, operation, kind="TOPIC", name="*"):
        """With acls: lets a user do something: WRITE to a TOPIC, IDEMPOTENT_WRITE in a CLUSTER
        ("kafka-cluster"), WRITE with a TRANSACTIONAL_ID, ..."""
        rule = ACL(principal=f"User:{user}", host="*", operation=ACLOperation[operation],
                   permission_type=ACLPermissionType.ALLOW,
                   resource_pattern=ResourcePattern(ResourceType[kind], name))
        admin = self.admin()
        try:
            failed = admin.create_acls([rule])["failed"]
        finally:
            admin.close()
        if failed:
            raise ServerFailed(f"kafka: an ACL was refused: {failed}")


# --- SQS --------------------------------------------------------------------------------------


class SqsEmulator(Server):
    """moto's server, which answers as SQS does. It keeps all in memory: a kill forgets.

    `endpoint` is its http:// (or, with certificates, https://) address; any key and secret will do,
    signatures are not checked. A deduplication id is remembered for five minutes.
    """

    REGION = "us-east-1"

    def __init__(self, folder, name="sqs", *, certificates=None, pair=None):
        super().__init__(folder, name)
        self.port = free_port()
        self.certificates = certificates
        self.pair = pair

    @property
    def endpoint(self):
        return f"{'https' if self.certificates else 'http'}://127.0.0.1:{self.port}"

    def command(self):
        program = pathlib.Path(__file__).with_name("sqs_server.py")
        command = [sys.executable, "-B", program, "-H", "127.0.0.1", "-p", self.port]
        if self.certificates:
            pair = self.pair or self.certificates.server
            command += ["-s", "-c", pair.certificate, "-k", pair.key]
        return command

    def request(self, action, **arguments):
        """One request of the JSON protocol: ("CreateQueue", QueueName="q") -> its answer."""
        return sqs_request(self.endpoint, action, arguments, self._trust())

    def _trust(self):
        if not self.certificates:
            return None
        if self.pair in (None, self.certificates.server):
            return ssl.create_default_context(cafile=self.certificates.ca.certificate)
        context = ssl.create_default_context(cafile=self.certificates.ca.certificate)
        context.check_hostname = False
        return context

    def is_ready(self):
        try:
            self.request("ListQueues")
            return True
        except (OSError, http.client.HTTPException):
            return False

    def create_queue(self, name, **attributes):
        """Makes a queue, FIFO where its name ends in .fifo, and returns its URL."""
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        attributes = {key: str(value) for key, value in attributes.items()}
        return self.request("CreateQueue", QueueName=name, Attributes=attributes)["QueueUrl"]


def sqs_request(endpoint, action, arguments, context=None, timeout=60):
    """One request to SQS in its JSON protocol, over plain HTTP, signed by nobody."""
    request = urllib.request.Request(
        endpoint, data=json.dumps(arguments).encode(), method="POST",
        headers={"X-Amz-Target": f"AmazonSQS.{action}",
                 "Content-Type": "application/x-amz-json-1.0",
                 "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/"
                 f"{SqsEmulator.REGION}/sqs/aws4_request, SignedHeaders=host, Signature=0"})
    with urllib.request.urlopen(request, timeout=timeout, context=context) as answer:
        return json.loads(answer.read() or b"{}")
