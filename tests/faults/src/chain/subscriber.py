"""The last link of the chain: a program with the Python library diator 0.1.2, which hears what the billing service tells.

    subscriber.py subscribe redis=<port> streams=<count> folder=<folder> ready=<file>

The library has classes of events and of their envelope, and no subscriber. Its Pub/Sub keeps nothing for whoever is away, so this program reads
the streams by a consumer group, and decodes with the library's classes. It writes each event to `seen.jsonl` before it acknowledges
it: what it dies with comes again.
"""

import json
import logging
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from uuid import UUID

import orjson
from dataclass_factory import Factory
from diator.events import NotificationEvent
from diator.message_brokers.protocol import Message
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

GROUP, CONSUMER = "notifications", "python"


@dataclass(frozen=True, kw_only=True)
class Billed(NotificationEvent):
    message: UUID = field()
    handler: str = field()
    key: str = field()


def load(body: bytes) -> Billed:
    """Reads an event; every part of its envelope must be what the library writes."""
    message = Message(**orjson.loads(body))
    assert (message.message_type, message.message_name) == (Billed._event_type, "Billed"), message
    event = Factory().load(message.payload, Billed)
    assert event.event_id == UUID(message.message_id), message
    return event


class Subscriber:
    def __init__(self, port: str, streams: list[str], seen: int) -> None:
        self.port, self.streams, self.seen = port, streams, seen
        self.stopped = False

    def run(self) -> None:
        while not self.stopped:
            try:
                # A server that stands still is left. A client that tries again by itself would pass over what the lost answer had.
                once = Retry(NoBackoff(), 0)
                with Redis(port=int(self.port), socket_timeout=3, socket_connect_timeout=3, retry=once) as redis:
                    self.listen(redis)
            except RedisError as error:
                logging.warning("%r", error)
                time.sleep(0.2)

    def listen(self, redis: Redis) -> None:
        for stream in self.streams:
            try:
                redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
        # What was given out and not acknowledged comes first.
        for stream in self.streams:
            while entries := redis.xreadgroup(GROUP, CONSUMER, {stream: "0"}, count=100)[0][1]:
                self.note(redis, stream, entries)
        new = {stream: ">" for stream in self.streams}
        while not self.stopped:
            for stream, entries in redis.xreadgroup(GROUP, CONSUMER, new, count=100, block=500) or []:
                self.note(redis, stream, entries)

    def note(self, redis: Redis, stream: str | bytes, entries: list) -> None:
        lines = ""
        for _, fields in entries:
            event = load(fields[b"body"])
            line = {"event": str(event.event_id), "message": str(event.message), "handler": event.handler, "key": event.key}
            lines += json.dumps(line) + "\n"
        os.write(self.seen, lines.encode())
        redis.xack(stream, GROUP, *(position for position, _ in entries))


def main() -> None:
    settings = dict(argument.split("=", 1) for argument in sys.argv[2:])
    count = int(settings["streams"])
    streams = [f"billing.{number}" for number in range(count)] or ["billing"]
    seen = os.open(os.path.join(settings["folder"], "seen.jsonl"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    subscriber = Subscriber(settings["redis"], streams, seen)

    def stop(*_: object) -> None:
        subscriber.stopped = True

    signal.signal(signal.SIGTERM, stop)
    with open(settings["ready"], "w"):
        pass
    subscriber.run()


if __name__ == "__main__":
    main()
