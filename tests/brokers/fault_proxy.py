"""A proxy in front of an emulator of SQS that does what networks and overloaded services do.

    with FaultProxy(emulator.port, seed=7, rate=0.2, stall=0.6) as proxy:
        ...publish to proxy.url("orders.fifo")...
        proxy.calm()          # no faults any more; waits for what is still on its way
        print(proxy.faults)   # how many there were of each kind

Of the requests that send messages a share meets one fault each, by the dice of the seed; of the
others (GetQueueAttributes) fewer, and none that lasts. One request is forwarded at a time: the
emulator looks for a repeat and stores the message in two steps, between which another one would
slip in.
"""

import collections
import contextlib
import http.client
import http.server
import json
import random
import threading
import time

SEND = "SendMessageBatch"
KINDS = ("cut_before", "cut_after", "stall_before", "stall_after", "throttled", "unavailable",
         "partial")
# Of all requests that are not for messages: a stall there would only take time.
KINDS_OF_OTHERS = ("cut_before", "throttled", "unavailable")


class FaultProxy:
    """See above. `rate` is the share of requests that meet a fault, `stall` the seconds that an
    answer is held back: more than the publisher's timeout.

    `faults`     how many faults there were, by their kinds
    `attempts`   how often each dedupe key arrived here
    `stored`     how often the emulator said that it has it
    `on_way()`   requests that have no answer yet
    """

    def __init__(self, port, seed, *, rate, stall):
        self.target = port
        self.rate = rate
        self.stall = stall
        self.faults = collections.Counter()
        self.attempts = collections.Counter()
        self.stored = collections.Counter()
        self._dice = random.Random(seed)
        self._decks = {True: [], False: []}
        self._lock = threading.Lock()
        self._forward_lock = threading.Lock()
        self._on_way = 0
        self._is_calm = False
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_port

    def url(self, queue, account="123456789012"):
        return f"sqs+http://127.0.0.1:{self.port}/{account}/{queue}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True,
                         name="fault proxy").start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def on_way(self):
        with self._lock:
            return self._on_way

    def calm(self, seconds=30):
        with self._lock:
            self._is_calm = True
        end = time.monotonic() + seconds
        while self.on_way():
            if time.monotonic() > end:
                raise TimeoutError("requests are still on their way")
            time.sleep(0.02)

    # --- One request --------------------------------------------------------------------------

    def _handler(self):
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle(self):
                # A publisher that was killed, or gave up, hears no answer.
                with contextlib.suppress(ConnectionError):
                    super().handle()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if len(body) == int(self.headers["Content-Length"]):
                    proxy._serve(self, body)

            def log_message(self, *_):
                pass

        return Handler

    def _serve(self, handler, body):
        with self._lock:
            self._on_way += 1
        try:
            self._judge(handler, body)
        finally:
            with self._lock:
                self._on_way -= 1

    def _judge(self, handler, body):
        action = handler.headers["X-Amz-Target"].rpartition(".")[2]
        is_send = action == SEND
        if is_send:
            self._note(self.attempts, json.loads(body)["Entries"])
        kind = self._next_fault(is_send)
        getattr(self, f"_{kind}")(handler, body, is_send)

    def _next_fault(self, is_send):
        with self._lock:
            rate = self.rate if is_send else self.rate / 3
            if self._is_calm or self._dice.random() >= rate:
                return "pass"
            # Dealt like cards, so that in a short run too each kind comes.
            deck = self._decks[is_send]
            if not deck:
                deck += KINDS if is_send else KINDS_OF_OTHERS
                self._dice.shuffle(deck)
            kind = deck.pop()
            self.faults[kind] += 1
            return kind

    def _note(self, counter, entries):
        with self._lock:
            counter.update(key_of(entry) for entry in entries)

    def _forward(self, handler, body, is_send):
        """Asks the emulator; returns the code and the body of its answer."""
        with self._forward_lock:
            connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
            headers = {name: handler.headers[name] for name in
                       ("Content-Type", "X-Amz-Target", "Authorization", "X-Amz-Date")}
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            code, said = answer.status, answer.read()
            connection.close()
            if is_send and code == 200:
                good = {entry["Id"] for entry in json.loads(said).get("Successful", [])}
                self._note(self.stored, [entry for entry in json.loads(body)["Entries"]
                                         if entry["Id"] in good])
            return code, said

    def _answer(self, handler, code, body, headers=()):
        handler.send_response(code)
        handler.send_header("Content-Type", "application/x-amz-json-1.0")
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def _pass(self, handler, body, is_send):
        self._answer(handler, *self._forward(handler, body, is_send))

    # --- The faults ---------------------------------------------------------------------------

    def _cut_before(self, handler, *_):
        handler.close_connection = True

    def _cut_after(self, handler, body, is_send):
        code, said = self._forward(handler, body, is_send)
        handler.close_connection = True
        with self._lock:
            part = self._dice.choice((0, len(said) // 2))
        if part:  # the head promises more than comes
            handler.send_response(code)
            handler.send_header("Content-Length", str(len(said)))
            handler.end_headers()
            handler.wfile.write(said[:part])

    def _stall_before(self, handler, body, is_send):
        """What was given up, and is sent again, comes after its repeat."""
        time.sleep(self.stall)
        self._pass(handler, body, is_send)

    def _stall_after(self, handler, body, is_send):
        answer = self._forward(handler, body, is_send)
        time.sleep(self.stall)
        self._answer(handler, *answer)

    def _throttled(self, handler, *_):
        self._answer(handler, 400, b'{"__type":"com.amazonaws.sqs#ThrottlingException",'
                                   b'"message":"Rate exceeded"}')

    def _unavailable(self, handler, *_):
        self._answer(handler, 503, b"")

    def _partial(self, handler, body, is_send):
        """Entries that fail by themselves: they are not forwarded."""
        request = json.loads(body)
        entries = request["Entries"]
        with self._lock:
            failed = self._dice.sample(entries, self._dice.randint(1, len(entries)))
        names = {entry["Id"] for entry in failed}
        answer = {"Successful": []}
        request["Entries"] = [entry for entry in entries if entry["Id"] not in names]
        if request["Entries"]:
            code, said = self._forward(handler, json.dumps(request).encode(), is_send)
            if code != 200:
                self._answer(handler, code, said)
                return
            answer = json.loads(said)
        answer["Failed"] = [*answer.get("Failed", []),
                            *({"Id": name, "Code": "InternalError", "Message": "of the proxy",
                               "SenderFault": False} for name in sorted(names))]
        self._answer(handler, 200, json.dumps(answer).encode())


def key_of(entry):
    """The dedupe key of an entry of a batch."""
    return entry["MessageAttributes"]["dedupe_key"]["StringValue"]
