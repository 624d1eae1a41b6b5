"""Clients that place orders over HTTP, and note each answer."""

import http.client
import itertools
import json
import threading
import time

PRODUCTS = ["armchair", "bench", "chair", "desk", "lamp", "shelf", "stool", "table"]


class Load:
    """Some clients; each asks one of the web processes, and another one when that is gone."""

    def __init__(self, ports, clients, most_in_flight):
        self.ports, self.most_in_flight = ports, most_in_flight
        self.numbers = itertools.count(1)
        self.placed = {}  # the order and the second of its answer
        self.cancelled = []
        self.unanswered = set()  # orders whose answer never came, or was no answer
        self.in_flight = 0  # as the drill has counted it
        self.resting = threading.Event()
        self.ended = threading.Event()
        self.clients = [threading.Thread(target=self.run, args=(client,), daemon=True) for client in range(clients)]
        for client in self.clients:
            client.start()

    def run(self, client):
        for turn in itertools.count(client):
            connection = http.client.HTTPConnection("127.0.0.1", self.ports[turn % len(self.ports)], timeout=15)
            try:
                connection.connect()
                while not self.ended.is_set():
                    if self.resting.is_set() or self.in_flight > self.most_in_flight:
                        time.sleep(0.02)
                    else:
                        self.order(connection)
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            finally:
                connection.close()
            if self.ended.is_set():
                return

    def order(self, connection):
        number = next(self.numbers)
        order = {"customer": f"customer {number % 1000}", "product": PRODUCTS[number % 8], "pieces": 1}
        self.unanswered.add(number)
        status = self.ask(connection, "PUT", f"/orders/{number}", order)
        if status != 201:
            raise http.client.HTTPException(f"status {status}")
        self.unanswered.discard(number)
        self.placed[number] = time.monotonic()
        if number % 50 == 0 and self.ask(connection, "DELETE", f"/orders/{number}") == 204:
            self.cancelled.append(number)

    @staticmethod
    def ask(connection, method, path, body=None):
        headers = {"content-type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def end(self):
        self.ended.set()
        for client in self.clients:
            client.join(timeout=20)
