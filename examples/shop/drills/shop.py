"""The services as processes, what they need, and what can be done to them."""

import contextlib
import itertools
import os
import signal
import sqlite3
import subprocess
import time

from servers import Postgres, Process, Redis, accepts, free_port, wait_until

SERVICES = ["web", "billing", "notifications"]


class Shop:
    """Two processes of each service, the Python subscriber, PostgreSQL and Redis."""

    def __init__(self, folder, program, python, subscriber, without_outbox):
        self.postgres = Postgres(folder, SERVICES)
        self.redis = Redis(folder)
        wrong = {"SHOP_LOSES_EVENTS": "1"} if without_outbox else {}
        self.processes = {service: [] for service in SERVICES}
        self.ports = [free_port(), free_port()]
        for service in SERVICES:
            address = {"DATABASE_URL": self.postgres.url(service), "REDIS_URL": self.redis.url}
            environment = {**os.environ, **address, **wrong}
            subprocess.run([program, "setup", service], env=environment, check=True)
            for port in self.ports:
                environment = {**environment, "SHOP_ADDRESS": f"127.0.0.1:{port}"}
                process = Process(f"{service}-{port}", [program, service], folder, env=environment)
                self.processes[service].append(process)
        self.seen = folder / "seen.sqlite"
        self.python = Process(
            "subscriber", [python, subscriber, self.redis.url, self.seen], folder
        )
        for port in self.ports:
            wait_until(lambda: accepts(port), "the web")

    def services(self):
        return [process for service in SERVICES for process in self.processes[service]]

    def kill(self, processes, times):
        """Kills them in turn, each with what it has in hand, and starts it again."""
        for process in itertools.islice(itertools.cycle(processes), times):
            process.kill()
            time.sleep(0.5)
            process.start()
            time.sleep(3)

    def pause(self, processes, seconds):
        """Stops them in turn, in the middle of what they do."""
        for process in processes:
            process.send(signal.SIGSTOP)
            time.sleep(seconds)
            process.send(signal.SIGCONT)

    def restart_postgres(self, times):
        """As an update of the server does: its clients are cut off in the middle of what they do."""
        for _ in range(times):
            self.postgres.stop(signal.SIGINT)
            time.sleep(1)
            self.postgres.start()
            time.sleep(3)

    def roll(self):
        """A deployment: each process ends in order, and another one takes its place."""
        for process in [*self.services(), self.python]:
            code = process.stop()
            if process is not self.python and code != 0:
                print(f"{process.name} ended with {code}, see its log")
            process.start()
            time.sleep(1)

    def notified(self):
        try:
            return set(self.postgres.ids("notifications", "notifications"))
        except subprocess.CalledProcessError:
            return None  # PostgreSQL is away

    def left(self):
        """How much is still to be published, or to be read by Python."""
        pending = 0
        for service in SERVICES:
            (rows,) = self.postgres.psql(service, "SELECT count(*) FROM diator_outbox WHERE status = 0")
            pending += int(rows)
        return pending + max(0, len(self.notified() or ()) - self.seen_by_python())

    def seen_by_python(self):
        with contextlib.closing(sqlite3.connect(self.seen)) as database:
            return database.execute("SELECT count(DISTINCT order_id) FROM seen").fetchone()[0]

    def end_services(self):
        """The answer names those that did not end in order."""
        processes = self.services()
        for process in [*processes, self.python]:
            process.send(signal.SIGTERM)
        codes = {process.name: process.process.wait(timeout=60) for process in [*processes, self.python]}
        return [f"{process.name} ended with {codes[process.name]}" for process in processes if codes[process.name]]

    def end(self):
        """Ends all that runs, also after an error."""
        for process in [*self.services(), self.python, self.redis]:
            process.kill()
        self.postgres.stop(signal.SIGINT)
