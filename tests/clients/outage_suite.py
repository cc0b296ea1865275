"""The data base of the device cloud goes away, and the server itself: what was acknowledged is kept.

Devices publish numbered points with QoS 1. While PostgreSQL is stopped or killed, or SQLite is locked
or its disk is full, they stay connected and their uplinks are acknowledged; afterwards each
acknowledged point is in the history exactly once. The same after `kill -9` of the server.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time

from cloud import PATIENCE, Raw, Server, connect_packet, connected, free_port, publish_packet, until
from suite import Suite, same

suite = Suite("data base away")
PRODUCT, DEVICES = "workshop", 8
# Uplinks of a device on the way.
WINDOW = 16


class Postgres:
    """A PostgreSQL of its own in a folder of its own."""

    def __init__(self):
        versions = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        if not versions:
            raise AssertionError("PostgreSQL is not installed: apt-get install postgresql")
        self.programs = versions[-1]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hexmq-pg-"))
        self.port = free_port()
        # It refuses to run as root.
        self.user = {}
        if os.geteuid() == 0:
            import pwd

            entry = pwd.getpwnam("postgres")
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self.user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        subprocess.run(
            [self.programs / "initdb", "-D", self.folder / "data", "-U", "hexmq", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self.user,
        )
        self.url = f"postgres://hexmq@127.0.0.1:{self.port}/postgres"
        self.start()

    def start(self):
        (self.folder / "data/postmaster.pid").unlink(missing_ok=True)
        settings = [f"-cport={self.port}", "-clisten_addresses=127.0.0.1", f"-cunix_socket_directories={self.folder}"]
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [self.programs / "postgres", "-D", self.folder / "data", *settings],
            stdout=self.log,
            stderr=self.log,
            cwd=self.folder,
            **self.user,
        )
        until(self.answers, "PostgreSQL answers", 60)

    def answers(self):
        ready = subprocess.run(
            [self.programs / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port), "-q"], cwd=self.folder
        )
        return ready.returncode == 0

    def family(self):
        """The postmaster and the processes it has made."""
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True)
        return [self.process.pid, *map(int, found.stdout.split())]

    def signal(self, number):
        for pid in self.family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def remove(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


# Somebody has got an acknowledgement.
news = threading.Condition()


class Sender(threading.Thread):
    """A device that publishes numbered points, and remembers which were acknowledged."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.server, self.name = server, name
        self.sent = 0
        self.acknowledged = set()
        self.stopping = threading.Event()
        self.losses = 0
        self.error = None
        self.start()

    def run(self):
        try:
            while not self.stopping.is_set():
                try:
                    self.speak()
                except (ConnectionError, TimeoutError, socket.timeout, OSError):
                    self.losses += 1
                    self.stopping.wait(0.05)
        except Exception as error:  # told by the case
            self.error = error

    def speak(self):
        with connected(self.server.port, self.name, PRODUCT, "pw") as raw:
            raw.socket.settimeout(1)
            waiting = {}
            while True:
                while len(waiting) < WINDOW and not self.stopping.is_set():
                    self.sent += 1
                    identifier = self.sent % 60_000 + 1
                    waiting[identifier] = self.sent
                    topic = f"devices/{self.name}/properties"
                    raw.send(publish_packet(topic, f'{{"n":{self.sent}}}', 1, identifier))
                if self.stopping.is_set() and not waiting:
                    return
                try:
                    first, body = raw.packet()
                except (TimeoutError, socket.timeout):
                    if self.stopping.is_set() and time.monotonic() > self.until:
                        return
                    # Nothing is acknowledged just now; the connection has to live.
                    raw.send(b"\xc0\x00")
                    continue
                if first == 0x40:
                    with news:
                        self.acknowledged.add(waiting.pop(struct.unpack(">H", body[:2])[0]))
                        news.notify_all()

    def stop(self):
        self.until = time.monotonic() + PATIENCE
        self.stopping.set()
        self.join(2 * PATIENCE)
        if self.error:
            raise self.error


def fleet(server):
    server.product(PRODUCT, "plain")
    for number in range(DEVICES):
        server.device(PRODUCT, f"d{number}", "pw")
    return [Sender(server, f"d{number}") for number in range(DEVICES)]


def progress(senders, more=200):
    """All devices together get so many further acknowledgements."""

    def count():
        return sum(len(sender.acknowledged) for sender in senders)

    with news:
        begun = count()
        if not news.wait_for(lambda: count() >= begun + more, 60):
            raise AssertionError(f"of {more} further acknowledgements after {begun} only {count() - begun} came")


def exactly_once(server, senders):
    """Each acknowledged number is in the history once; one that was not is there once at most."""
    for sender in senders:
        sender.stop()
    for sender in senders:
        wanted = sender.acknowledged

        def numbers(sender=sender):
            try:
                return [point["value"] for point in server.history(PRODUCT, sender.name) if point["id"] == "n"]
            except AssertionError as error:
                # It has just come back, and does not answer yet.
                if "database_unavailable" in str(error):
                    return []
                raise

        found = until(lambda: wanted <= set(kept := numbers()) and kept, f"{len(wanted)} points of {sender.name}", 90)
        doubled = [number for number in set(found) if found.count(number) > 1] if len(found) != len(set(found)) else []
        same(doubled, [], f"numbers of {sender.name} that are there twice")
        surplus = set(found) - set(range(1, sender.sent + 1))
        same(surplus, set(), "numbers nobody sent")
    total = sum(len(sender.acknowledged) for sender in senders)
    print(f"    {total} acknowledged points, each there once", flush=True)


def stayed(senders):
    same([sender.losses for sender in senders], [0] * len(senders), "connections that were lost")


@contextlib.contextmanager
def on_postgres():
    database = Postgres()
    try:
        with Server("--registry", database.url) as server:
            yield database, server
    finally:
        database.remove()


def postgres_stopped():
    """SIGSTOP: it does not answer, and says nothing."""
    with on_postgres() as (database, server):
        senders = fleet(server)
        progress(senders)
        database.signal(signal.SIGSTOP)
        try:
            progress(senders, 400)
            stayed(senders)
            status = server.api("GET", "/status")
            same(isinstance(status["version"], str), True, "the API answers what needs no data base")
        finally:
            database.signal(signal.SIGCONT)
        progress(senders)
        exactly_once(server, senders)
        stayed(senders)


def postgres_killed():
    """SIGKILL, and it comes back later."""
    with on_postgres() as (database, server):
        senders = fleet(server)
        progress(senders)
        database.kill()
        progress(senders, 400)
        stayed(senders)
        # Who is known may come back: the credentials are remembered for a while. Others wait and are told.
        with connected(server.port, "d0", PRODUCT, "pw"):
            pass
        with Raw(server.port) as raw:
            raw.socket.settimeout(30)
            raw.send(connect_packet("stranger", PRODUCT, "pw"))
            first, body = raw.packet()
            same((first, body[1] in (2, 3, 4)), (0x20, True), f"CONNACK of a stranger {body.hex()}")
        database.start()
        progress(senders)
        exactly_once(server, senders)


def sqlite_locked():
    """Another program holds the lock of the data base."""
    with Server() as server:
        senders = fleet(server)
        progress(senders)
        lock = sqlite3.connect(server.data / "registry.db", isolation_level=None, timeout=30)
        lock.execute("BEGIN IMMEDIATE")
        try:
            progress(senders, 400)
            stayed(senders)
        finally:
            lock.execute("ROLLBACK")
            lock.close()
        progress(senders)
        exactly_once(server, senders)
        stayed(senders)


def sqlite_full():
    """The disk of the data base is full; later there is room again."""
    disk = pathlib.Path(tempfile.mkdtemp(prefix="hexmq-disk-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], capture_output=True)
    if mounted.returncode != 0:
        print(f"    no small disk can be made here ({mounted.stderr.decode().strip()}); a locked data base stands for it")
        disk.rmdir()
        return
    data = pathlib.Path(tempfile.mkdtemp(prefix="hexmq-cloud-data-"))
    try:
        # SQLite keeps its journal beside the file that the link leads to.
        (data / "registry.db").symlink_to(disk / "registry.db")
        with Server(data=data) as server:
            senders = fleet(server)
            progress(senders)
            ballast = disk / "ballast"
            with open(ballast, "wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * 65536)
                    file.flush()
            progress(senders, 2000)
            stayed(senders)
            ballast.unlink()
            progress(senders)
            exactly_once(server, senders)
            stayed(senders)
    finally:
        subprocess.run(["umount", disk], check=False)
        shutil.rmtree(disk, ignore_errors=True)
        shutil.rmtree(data, ignore_errors=True)


def the_server_is_killed(times):
    """kill -9 under load, again and again."""
    with Server() as server:
        senders = fleet(server)
        for _ in range(times):
            progress(senders)
            server.kill()
            server.start()
        progress(senders)
        exactly_once(server, senders)


def killed_without_its_data_base():
    """Uplinks that wait for the data base survive the end of the server."""
    with on_postgres() as (database, server):
        senders = fleet(server)
        progress(senders)
        database.kill()
        progress(senders, 400)
        server.kill()
        database.start()
        server.start()
        progress(senders)
        exactly_once(server, senders)


for case in (postgres_stopped, postgres_killed, sqlite_locked, sqlite_full):
    suite.add(case)
suite.add(the_server_is_killed, 5)
suite.add(killed_without_its_data_base)

if __name__ == "__main__":
    suite.run()
