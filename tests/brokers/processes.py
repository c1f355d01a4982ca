"""Servers as processes of a test: started, killed, paused, and gone with the test."""

import atexit
import contextlib
import ctypes
import os
import pathlib
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
START_SECONDS = 60
STOP_SECONDS = 20
_libc = ctypes.CDLL(None, use_errno=True)


class ServerFailed(Exception):
    """A server did not start; says what stands at the end of its log."""


# --- Ports ------------------------------------------------------------------------------------

_reserved = []  # sockets; what they hold goes with the process


def free_port():
    """A port of 127.0.0.1 that nobody listens on, and that no other test is given.

    It lies below the range that the kernel takes for outgoing connections: while a server is down
    for a moment, no client can be given its port.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        end = int(file.read().split()[0])
    dice = random.Random()
    for _ in range(1000):
        port = dice.randrange(10240, max(end, 20480))
        name = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                name.bind(f"\0daybook-test-port-{port}")
                probe.bind(("127.0.0.1", port))
            except OSError:
                name.close()
                continue
        _reserved.append(name)
        return port
    raise ServerFailed("no free port")


def answers(port):
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


# --- Processes that end with this one ---------------------------------------------------------

_running = {}  # process id -> Popen
_orders = queue.SimpleQueue()
_starter = None
_starter_lock = threading.Lock()


def _die_with(parent):
    """In the child, before it becomes the server: the kernel kills it when its parent ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before the line above
        os._exit(1)


def _take_orders():
    parent = os.getpid()
    while True:
        command, options, answer = _orders.get()
        try:
            answer.put(subprocess.Popen(command, preexec_fn=lambda: _die_with(parent), **options))
        except BaseException as error:  # told to who asked
            answer.put(error)


def spawn(command, **options):
    """subprocess.Popen for a process that ends with this one, however this one ends.

    For the kernel the parent is the thread that started it, and tests restart servers in threads
    that come and go: so one thread, that stays, starts them all.
    """
    global _starter  # pylint: disable=global-statement
    with _starter_lock:
        if _starter is None:
            _starter = threading.Thread(target=_take_orders, name="starter", daemon=True)
            _starter.start()
    answer = queue.SimpleQueue()
    _orders.put((command, options, answer))
    process = answer.get()
    if isinstance(process, BaseException):
        raise process
    _running[process.pid] = process
    return process


@atexit.register
def _end_all():
    for process in list(_running.values()):
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_until(condition, seconds, what):
    """Asks until the answer is true, and returns it; TimeoutError after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not after {seconds} s")
        time.sleep(0.02)


class Server:
    """One server on 127.0.0.1, with its state in a folder of its own.

    `with Server(...) as server` starts it and stops it at the end. It may also be told to start(),
    stop() (politely), kill() (SIGKILL), pause() and resume() (SIGSTOP, SIGCONT), and restart() on
    the same port and state: each returns when it is so, start() when the server answers requests.
    All may be called from any thread. `log` is the path of what it says, `start_seconds` how long
    its last start took, `starts` how many there were.
    """

    def __init__(self, folder, name):
        self.name = name
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "log"
        self.process = None
        self.paused = False
        self.starts = 0
        self.start_seconds = None
        self._lock = threading.RLock()

    # What a server of one kind says of itself.

    def command(self):
        """The command line; writes the configuration that it names."""
        raise NotImplementedError

    def is_ready(self):
        """Whether it answers requests; False while it starts."""
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    # What all have in common.

    @property
    def pid(self):
        return self.process.pid if self.is_running() else None

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def start(self, wait=True):
        """Starts it and, unless told otherwise, waits until it is ready."""
        with self._lock:
            if self.is_running():
                raise ServerFailed(f"{self.name} runs already")
            command = [str(part) for part in self.command()]
            with open(self.log, "ab") as log:
                log.write(f"--- start {self.starts + 1}: {' '.join(command)}\n".encode())
                log.flush()
                begin = time.monotonic()
                self.process = spawn(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     cwd=self.folder, env=self.environment(),
                                     start_new_session=True)
            self.starts += 1
            self.paused = False
            if wait:
                self.wait_ready()
                self.start_seconds = time.monotonic() - begin
            return self

    def wait_ready(self, seconds=START_SECONDS):
        try:
            wait_until(self._is_ready_or_dead, seconds, f"{self.name} is ready")
        except TimeoutError as error:
            raise ServerFailed(f"{error}\n{self.log_end()}") from None

    def _is_ready_or_dead(self):
        if not self.is_running():
            raise ServerFailed(f"{self.name} ended with {self.process.returncode}\n"
                               f"{self.log_end()}")
        return self.is_ready()

    def log_end(self, size=3000):
        """The end of its log, for a message."""
        with open(self.log, "rb") as file:
            file.seek(max(0, os.path.getsize(self.log) - size))
            return f"{self.log}:\n{file.read().decode(errors='replace')}"

    def _end(self, number, seconds):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
            if number != signal.SIGKILL:
                self.process.send_signal(signal.SIGCONT)  # a stopped process hears nothing else
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        _running.pop(self.process.pid, None)
        self.process = None
        self.paused = False

    def stop(self, seconds=STOP_SECONDS):
        """Asks it to end, and kills it where it does not. Does nothing where it does not run."""
        with self._lock:
            self._end(signal.SIGTERM, seconds)

    def kill(self):
        """Ends it as `kill -9` does."""
        with self._lock:
            self._end(signal.SIGKILL, STOP_SECONDS)

    def pause(self):
        """Stops it where it stands: connections stay open, and nobody answers."""
        with self._lock:
            self.process.send_signal(signal.SIGSTOP)
            self.paused = True

    def resume(self):
        with self._lock:
            self.process.send_signal(signal.SIGCONT)
            self.paused = False

    def restart(self, kill=False):
        """Ends it, politely or not, and starts it again on the same port and state."""
        with self._lock:
            self._end(signal.SIGKILL if kill else signal.SIGTERM, STOP_SECONDS)
            return self.start()

    def __enter__(self):
        try:
            return self if self.is_running() else self.start()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, *_):
        self.stop()


# --- Where a test keeps what its servers write ------------------------------------------------


@contextlib.contextmanager
def state(name):
    """An empty folder for one test: gone after a good end, kept (and named) after a bad one."""
    root = os.environ.get("DAYBOOK_BROKER_STATE")
    if not root:
        root = pathlib.Path(__file__).resolve().parents[2] / "build" / "brokers" / "state"
    folder = pathlib.Path(root) / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    except BaseException:
        print(f"what the servers left is in {folder}", file=sys.stderr)
        raise
    shutil.rmtree(folder, ignore_errors=True)
