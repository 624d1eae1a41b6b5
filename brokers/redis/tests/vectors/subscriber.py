"""A subscriber as programs with the Python library have them; it does not know who publishes.

It subscribes, says `ready`, and names each event that is as in `events.py`, id and time apart, until it has all of them.
"""

import asyncio
import sys
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import orjson
from dataclass_factory import Factory
from diator.message_brokers.protocol import Message
from redis.asyncio import Redis

from events import EVENTS

PREFIXES = ("python_diator_channel", "shop")
CLASSES = {type(event).__name__: type(event) for event in EVENTS.values()}


def load(channel: str, body: bytes):
    """Reads an event; every part of its envelope must be what the library writes."""
    message = Message(**orjson.loads(body))
    prefix, message_type, message_id = channel.split(":")
    assert prefix in PREFIXES and message_type == message.message_type, channel
    assert message_id == message.message_id == str(UUID(message_id)), channel
    event = Factory().load(message.payload, CLASSES[message.message_name])
    assert event._event_type == message.message_type, message
    assert event.event_id == UUID(message.message_id), message
    age = datetime.utcnow() - event.event_timestamp
    assert abs(age.total_seconds()) < 600, f"{event.event_timestamp} is not in UTC, or the clock is wrong"
    # What it read is all that there was.
    assert orjson.loads(orjson.dumps(Factory().dump(event))) == message.payload, message
    return event


def name_of(event) -> str:
    for name, expected in EVENTS.items():
        same = replace(expected, event_id=event.event_id, event_timestamp=event.event_timestamp)
        if type(event) is type(expected) and event == same:
            return name
    raise AssertionError(f"unexpected: {event}")


async def main(url: str) -> None:
    missing = set(EVENTS)
    async with Redis.from_url(url) as client, client.pubsub() as subscriber:
        for prefix in PREFIXES:
            for message_type in ("notification_event", "ecst_event"):
                await subscriber.psubscribe(f"{prefix}:{message_type}:*")
        async for message in subscriber.listen():
            if message["type"] == "psubscribe" and message["data"] == 4:
                print("ready", flush=True)
            if message["type"] != "pmessage":
                continue
            name = name_of(load(message["channel"].decode(), message["data"]))
            missing.remove(name)
            print(name, flush=True)
            if not missing:
                return


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(sys.argv[1]), timeout=60))
