#!/usr/bin/env python3
"""A subscriber of the shop, written with the Python library diator 0.1.2: it reads that customers were notified.

    subscriber.py redis://127.0.0.1:6379 seen.sqlite

The library publishes, and has nothing that reads: what it offers to a reader are its classes of events and of messages. Its own broker
is Pub/Sub, which loses what is published while nobody listens. So this program reads the shop's streams with a consumer group of
Redis: what it has not acknowledged comes again. It notes the id of each message in the transaction in which the message takes
effect, and acknowledges after that; so a message that comes twice takes effect once.
"""

import sqlite3
import sys
import time
from dataclasses import dataclass, field

import orjson
import redis
from dataclass_factory import Factory
from diator.events import NotificationEvent
from diator.message_brokers.protocol import Message

STREAMS = [f"notifications.{partition}" for partition in range(8)]
GROUP, CONSUMER = "statistics", "only"


@dataclass(frozen=True, kw_only=True)
class CustomerNotified(NotificationEvent):
    """The same event as in `contracts.rs`."""

    order_id: int = field()
    customer: str = field()
    text: str = field()


def event_of(body: bytes) -> CustomerNotified:
    message = Message(**orjson.loads(body))
    assert (message.message_type, message.message_name) == ("notification_event", "CustomerNotified"), message
    return Factory().load(message.payload, CustomerNotified)


def handle(database: sqlite3.Connection, entries: list) -> None:
    """Notes each event once; those that came before are counted."""
    with database:
        for _, fields in entries:
            event = event_of(fields[b"body"])
            row = (str(event.event_id), event.order_id, event.customer)
            new = database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", row).rowcount
            database.execute("UPDATE came SET again = again + ?", (1 - new,))


def read(client: redis.Redis, database: sqlite3.Connection) -> None:
    """Reads what was given out before a restart, and then what is new."""
    for stream in STREAMS:
        try:
            client.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
    begin = "0"
    while True:
        answer = client.xreadgroup(GROUP, CONSUMER, {stream: begin for stream in STREAMS}, count=500, block=1_000)
        entries = {stream: entries for stream, entries in answer if entries}
        if not entries:
            begin = ">"
        for stream, entries in entries.items():
            handle(database, entries)
            client.xack(stream, GROUP, *(id for id, _ in entries))


def main(url: str, path: str) -> None:
    database = sqlite3.connect(path)
    database.executescript(
        """
        PRAGMA journal_mode = wal;
        CREATE TABLE IF NOT EXISTS seen (message_id text PRIMARY KEY, order_id integer NOT NULL, customer text NOT NULL);
        CREATE TABLE IF NOT EXISTS came (again integer NOT NULL);
        INSERT INTO came SELECT 0 WHERE NOT EXISTS (SELECT * FROM came);
        """
    )
    while True:
        try:
            read(redis.Redis.from_url(url, socket_timeout=5), database)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            print(f"Redis is away: {error}", file=sys.stderr)
            time.sleep(0.5)


if __name__ == "__main__":
    main(*sys.argv[1:])
