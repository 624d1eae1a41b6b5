"""Lets the Python library publish the events of the vectors, and records what arrives at a subscriber.

Without an argument it writes one file for each event; with `--check` it compares what arrives with the files, ids and
times apart.
"""

import asyncio
import json
import sys
from pathlib import Path

import orjson
from diator.events import EventEmitter, EventMap
from diator.message_brokers.redis import RedisMessageBroker
from redis.asyncio import Redis

from events import EVENTS
from server import redis_server

HERE = Path(__file__).parent


async def record(url: str) -> dict[str, dict[str, str]]:
    """What a subscriber gets of each event."""
    vectors = {}
    async with Redis.from_url(url) as client, client.pubsub(ignore_subscribe_messages=False) as subscriber:
        await subscriber.psubscribe("*")
        while (await subscriber.get_message(timeout=30))["type"] != "psubscribe":
            pass
        emitter = EventEmitter(EventMap(), container=None, message_broker=RedisMessageBroker(client))
        prefixed = RedisMessageBroker(client, channel_prefix="shop")
        in_shop = EventEmitter(EventMap(), container=None, message_broker=prefixed)
        for name, event in EVENTS.items():
            await (in_shop if name.startswith("order") else emitter).emit(event)
            message = await subscriber.get_message(timeout=30)
            vectors[name] = {"channel": message["channel"].decode(), "body": message["data"].decode()}
    return vectors


def neutral(vector: dict[str, str]) -> dict[str, str]:
    """The vector without what differs from run to run."""
    message = orjson.loads(vector["body"])
    found = {message["message_id"]: "<id>", message["payload"]["event_timestamp"]: "<time>"}
    for text, word in found.items():
        vector = {key: value.replace(text, word) for key, value in vector.items()}
    return vector


def compare(vectors: dict[str, dict[str, str]]) -> list[str]:
    """What the files say differently, or lack, or have too much."""
    kept = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in HERE.glob("*.json")}
    problems = [f"{name}.json belongs to no event" for name in kept.keys() - vectors.keys()]
    problems += [f"{name}.json is missing" for name in vectors.keys() - kept.keys()]
    for name in sorted(vectors.keys() & kept.keys()):
        recorded, written = neutral(vectors[name]), neutral(kept[name])
        if recorded != written:
            problems.append(f"{name}.json differs:\n  recorded: {recorded}\n  in the file: {written}")
    return problems


def main() -> None:
    with redis_server() as url:
        vectors = asyncio.run(record(url))
    if "--check" in sys.argv[1:]:
        problems = compare(vectors)
        if problems:
            sys.exit("\n".join(problems))
        print(f"{len(vectors)} vectors: recorded anew, and as in the files")
        return
    for path in HERE.glob("*.json"):
        path.unlink()
    for name, vector in vectors.items():
        text = json.dumps(vector, indent=2, ensure_ascii=False)
        (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(f"{len(vectors)} vectors: written")


if __name__ == "__main__":
    main()
