"""What was acknowledged, and what has become of it: read by psql, redis-cli and sqlite3, which share no code with the shop."""

import collections
import contextlib
import json
import sqlite3

Line = collections.namedtuple("Line", "name in_flight acknowledged charged notified published seen lost doubled")
HEAD = Line("drill", "in flight at its start", "acknowledged", "charged", "notified", "published", "seen by Python", "lost", "doubled")


class Found:
    """What is there after a run: how often each order was charged, and so on."""

    def __init__(self, postgres, redis, seen):
        count = collections.Counter
        self.orders = set(postgres.ids("web", "orders"))
        self.charged = count(postgres.ids("billing", "charges"))
        self.refunded = count(postgres.ids("billing", "refunds"))
        self.notified = count(postgres.ids("notifications", "notifications"))
        # The same message can be published twice: consumers know it by its id. Two ids of one order are two messages.
        entries = [entry for partition in range(8) for entry in entries_of(redis, f"notifications.{partition}")]
        self.entries = len(entries)
        self.published = count(order for order, _ in set(entries))
        with contextlib.closing(sqlite3.connect(seen)) as database:
            self.seen = count(order for (order,) in database.execute("SELECT order_id FROM seen"))
            (self.came_again,) = database.execute("SELECT again FROM came").fetchone()

    def steps(self):
        return [self.charged, self.notified, self.published, self.seen]

    def line(self, name, in_flight, orders, cancelled):
        """The table's line for some acknowledged orders."""
        lost = sum(order not in self.orders or any(order not in step for step in self.steps()) for order in orders)
        doubled = sum(any(step[order] > 1 for step in self.steps()) for order in orders)
        lost += sum(order not in self.refunded for order in cancelled)
        doubled += sum(self.refunded[order] > 1 for order in cancelled)
        counts = [sum(order in step for order in orders) for step in self.steps()]
        return Line(name, in_flight, len(orders), *counts, lost, doubled)


def entries_of(redis, stream):
    """The order and the message's id of each entry."""
    for entry in json.loads(redis.cli("--json", "XRANGE", stream, "-", "+")):
        fields = dict(zip(entry[1][::2], entry[1][1::2]))
        yield json.loads(fields["body"])["payload"]["order_id"], fields["id"]


def table(lines):
    """A table of Markdown, in columns for a terminal."""
    rows = [[str(cell) if cell is not None else "" for cell in line] for line in [HEAD, *lines]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    texts = ["| " + " | ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]) + " |" for row in rows]
    rule = "|" + "|".join(["-" * (widths[0] + 2)] + ["-" * (width + 1) + ":" for width in widths[1:]]) + "|"
    return "\n".join([texts[0], rule, *texts[1:]])
