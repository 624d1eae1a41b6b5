"""PostgreSQL, Redis and the processes of the shop, on free ports of the loopback interface."""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(ready, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} is not ready after {seconds} s")
        time.sleep(0.05)


def accepts(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A program that can be killed, paused and started again; its errors go to a file."""

    def __init__(self, name, command, folder, **options):
        self.name, self.command, self.options = name, command, options
        self.log = (folder / f"{name}.log").open("ab")
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, **self.options
        )

    def kill(self):
        self.process.kill()
        self.process.wait()

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        """Asks it to end, and waits; the answer is its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


class Redis(Process):
    """It has each message on its disk before it answers."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        persistent = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), *persistent]
        super().__init__("redis", command, folder)

    def start(self):
        super().start()
        wait_until(lambda: accepts(self.port), "redis-server")

    def cli(self, *words):
        command = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout


class Postgres(Process):
    """A cluster of its own with a database for each service.

    The drills kill processes and not the system, so it runs without `fsync`.
    """

    def __init__(self, folder, databases):
        self.port = free_port()
        programs = pathlib.Path(shutil.which("postgres") or max(pathlib.Path("/").glob("usr/lib/postgresql/*/bin/postgres")))
        programs = programs.resolve().parent
        data = folder / "postgres"
        data.mkdir()
        options = {}
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            nobody = pwd.getpwnam("nobody")
            os.chown(data, nobody.pw_uid, nobody.pw_gid)
            options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": data}
        initdb = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **options)
        command = [programs / "postgres", "-D", data, "-p", str(self.port), "-c", "listen_addresses=127.0.0.1"]
        command += ["-c", "unix_socket_directories=", "-c", "fsync=off"]
        super().__init__("postgres", command, folder, **options)
        for database in databases:
            self.psql("postgres", f"CREATE DATABASE {database}")

    def start(self):
        super().start()
        wait_until(lambda: accepts(self.port) and self.answers(), "PostgreSQL")

    def answers(self):
        try:
            return bool(self.psql("postgres", "SELECT 1"))
        except subprocess.CalledProcessError:
            return False

    def url(self, database):
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def psql(self, database, statement):
        """The rows, each as a line."""
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.split("\n")[:-1]

    def ids(self, database, table):
        return [int(row) for row in self.psql(database, f"SELECT order_id FROM {table}")]
