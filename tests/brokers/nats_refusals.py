#!/usr/bin/env python3
"""What a NATS server refuses, and what the publisher makes of it: a line, or a dead letter."""

import base64
import functools
import os
import signal
import time

import certificates
import refusals
from compare import STREAM as BY_STREAM, Expected, compare
from consumers import read_nats
from nats_streams import make_stream, with_jetstream
from publishing import Publishing, append, generated_store
from servers import NatsServer, free_port, state
from support import check, equal, run

STREAM = "LEDGER"
refused = functools.partial(refusals.refused, seconds=8)


def wrong_places(folder):
    """No server, no stream, no user, a certificate that is not to be trusted."""
    store = generated_store(folder, 50)
    refused(store, f"nats://127.0.0.1:{free_port()}/{STREAM}", 5)
    with NatsServer(folder, user="ada", password="secret") as nats:
        ada = {"DAYBOOK_NATS_USER": "ada", "DAYBOOK_NATS_PASSWORD": "secret"}
        url = f"{nats.url}/{STREAM}"
        refused(store, url, 7, words=["DAYBOOK_NATS_USER"])
        refused(store, url, 7, env={**ada, "DAYBOOK_NATS_PASSWORD": "wrong"})
        refused(store, url, 7, env={"DAYBOOK_NATS_TOKEN": "wrong"})
        refused(store, url, 3, env=ada, words=[STREAM])
        refused(store, nats.url, 3, env=ada, words=["ledger.*.*"])
        refused(store, url.replace("//", "//ada:secret@"), 1, words=["DAYBOOK_NATS_USER"])
        refused(store, url.replace("nats:", "tls:"), 7, env=ada, words=["TLS"])
        make_stream(nats.url, STREAM, options={"user": "ada", "password": "secret"})
        Publishing(store, url, env=ada).publish_all("--from", 1)
        nats.pause()  # it takes connections, and says nothing
        refused(store, url, 5, "--timeout", 1, env=ada)
        nats.resume()


def tls(folder):
    """By TLS, with the certificate checked: its authority, and the host that it is for."""
    store = generated_store(folder, 200)
    made = certificates.make(folder / "certificates")
    ca = made.ca.certificate
    with NatsServer(folder, certificates=made) as nats:
        url = f"{nats.url}/{STREAM}"
        make_stream(nats.url, STREAM, options={"tls": certificates_of(ca)})
        refused(store, url, 7, words=["certificate"])  # nobody whom this machine trusts signed it
        refused(store, url, 7, "--tls-ca", made.foreign_ca.certificate, words=["certificate"])
        refused(store, url, 1, "--tls-ca", folder / "none.pem", words=["none.pem"])
        Publishing(store, url, "--tls-ca", ca).publish_all("--from", 1)
        compare(Expected.of_store(store), read_nats(nats.url, STREAM, cafile=ca)).check()
    with NatsServer(folder, "elsewhere", certificates=made, pair=made.elsewhere) as nats:
        refused(store, f"{nats.url}/{STREAM}", 7, "--tls-ca", ca, words=["certificate"])
    with NatsServer(folder, "both", certificates=made, verify=True) as nats:
        url = f"{nats.url}/{STREAM}"
        refused(store, url, None, "--tls-ca", ca)
        refused(store, url, 3, "--tls-ca", ca, "--tls-cert", made.client.certificate, "--tls-key",
                made.client.key, words=[STREAM])


def certificates_of(ca):
    import ssl  # pylint: disable=import-outside-toplevel
    return ssl.create_default_context(cafile=str(ca))


def too_large(folder):
    """A message over the limit is a dead letter; its stream waits behind it, and the others do not;
    with a larger limit and a retry all is there, each stream in its order."""
    with NatsServer(folder, max_payload=20_000) as nats:
        store = generated_store(folder, 300)
        large = base64.b64encode(os.urandom(20_000)).decode()
        append(store, [{"stream": f"s-{number % 3}", "type": "T", "data": {"n": number} |
                        ({"large": large} if number in (10, 11) else {})} for number in range(60)])
        make_stream(nats.url, STREAM)
        publishing = Publishing(store, f"{nats.url}/{STREAM}")
        publishing.publish_all("--from", 1)
        status = publishing.status()
        waiting = {f"s-{number}": sum(other % 3 == number and other >= first
                                      for other in range(60))
                   for number, first in ((1, 10), (2, 11))}
        equal((status["parked"], status["parked_streams"]), (sum(waiting.values()), 2))
        parked = run("publish", "parked", store, "sink").lines()
        equal({line["stream"]: len(line["positions"]) for line in parked}, waiting)
        check(all(str(20_000) in line["error"] for line in parked), parked)
        expected = Expected.of_store(store)
        gone = {position for line in parked for position in line["positions"]}
        expected = expected.only(set(expected.positions()) - gone)
        compare(expected, read_nats(nats.url, STREAM), BY_STREAM).check()
        nats.stop()
        nats.max_payload = 200_000
        nats.start()
        equal(run("publish", "retry", store, "sink").json(), {"due": sum(waiting.values())})
        publishing.publish_all()
        equal(publishing.status()["parked"], 0)
        compare(Expected.of_store(store), read_nats(nats.url, STREAM), BY_STREAM).check()


def full_and_deleted(folder):
    """A stream that is full is waited for; one that is deleted ends it, after a while."""
    with NatsServer(folder) as nats:
        store = generated_store(folder, 500)
        make_stream(nats.url, STREAM, max_msgs=200, discard="new")
        publishing = Publishing(store, f"{nats.url}/{STREAM}", "--patience", 60)
        publishing.start("--from", 1)
        wait = time.monotonic() + 20
        while (publishing.status() or {}).get("state") != "waiting":
            check(time.monotonic() < wait, "it does not wait:", publishing.status())
            time.sleep(0.05)
        equal(publishing.acknowledged(), 200)
        check("RESOURCE_EXHAUSTED" in publishing.status()["retries"], publishing.status())

        async def widen(js):
            config = (await js.stream_info(STREAM)).config
            await js.update_stream(config, max_msgs=-1)

        with_jetstream(nats.url, widen)
        publishing.finish()
        compare(Expected.of_store(store), read_nats(nats.url, STREAM)).check()


def foreign_message(folder):
    """Somebody else writes into the stream: the publisher refuses, and says so."""
    with NatsServer(folder) as nats:
        store = generated_store(folder, 20)
        make_stream(nats.url, STREAM)
        with_jetstream(nats.url, lambda js: js.publish("ledger.a.b", b"hello"))
        refused(store, f"{nats.url}/{STREAM}", 7, words=["messages of others", "one publisher"])


def interrupted(folder):
    """Ctrl-C settles, saves the cursor and ends with 130; the next one goes on."""
    with NatsServer(folder) as nats:
        store = generated_store(folder, 500)
        make_stream(nats.url, STREAM)
        publishing = Publishing(store, f"{nats.url}/{STREAM}", "--follow")
        publishing.start("--from", 1)
        end = time.monotonic() + 20
        while publishing.acknowledged() < 500 and time.monotonic() < end:
            time.sleep(0.02)
        append(store, [{"stream": "late", "type": "T", "data": {}}])
        while publishing.acknowledged() < 501 and time.monotonic() < end:
            time.sleep(0.02)
        publishing.process.send_signal(signal.SIGINT)
        equal(publishing.wait(10), 130)
        compare(Expected.of_store(store), read_nats(nats.url, STREAM)).check()


def main():
    for case in (wrong_places, tls, too_large, full_and_deleted, foreign_message, interrupted):
        print(f"- {case.__name__}", flush=True)
        with state(f"nats_refusals.{case.__name__}") as folder:
            case(folder)
    print("ok")


if __name__ == "__main__":
    main()
