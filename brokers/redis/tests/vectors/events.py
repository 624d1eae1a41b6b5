"""The events of the vectors, as a program that uses the Python library declares them.

`interop.rs` declares the same events with the same values in Rust.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Dict, List, Optional, Tuple
from uuid import UUID

from diator.events import ECSTEvent, NotificationEvent


@dataclass(frozen=True, kw_only=True)
class UserJoined(NotificationEvent):
    user_id: int = field()


@dataclass(frozen=True, kw_only=True)
class MeetingStarted(NotificationEvent):
    pass


@dataclass(frozen=True, kw_only=True)
class UserRenamed(ECSTEvent):
    user_id: int = field()
    last_name: str = field()
    greeting: str = field()
    nickname: Optional[str] = field(default=None)


@dataclass(frozen=True, kw_only=True)
class Line:
    article: str = field()
    quantity: int = field()
    place: Optional[Tuple[float, float]] = field(default=None)


@dataclass(frozen=True, kw_only=True)
class OrderPlaced(ECSTEvent):
    order_id: UUID = field()
    lines: List[Line] = field()
    labels: Dict[str, int] = field()
    note: str = field(default="")
    related: List[UUID] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class AppointmentMade(NotificationEvent):
    on: date = field()
    at: time = field()
    made: datetime = field()
    reminded: Optional[datetime] = field(default=None)


@dataclass(frozen=True, kw_only=True)
class PriceChanged(ECSTEvent):
    net: Decimal = field()
    tax: Decimal = field()
    rate: float = field()
    smallest: float = field()
    units: int = field()
    active: bool = field()


EVENTS = {
    "user_joined": UserJoined(user_id=987),
    "meeting_started": MeetingStarted(),
    "on_the_second": UserJoined(user_id=0, event_timestamp=datetime(2026, 11, 22, 22, 31, 53)),
    "user_renamed": UserRenamed(
        user_id=2**63 - 1,
        last_name="Доу-Ünï \"Q\" \\ /",
        greeting="مرحبا 你好 🦀👩‍👩‍👧\t\r\n\x00\x1f\x7f\u2028\ufeff",
        nickname="kend",
    ),
    "user_renamed_without_nickname": UserRenamed(user_id=-1, last_name="", greeting=" "),
    "order_placed": OrderPlaced(
        order_id=UUID("0192a0b1-0e1b-7d4c-8c9b-dd3934f8f824"),
        lines=[
            Line(article="Straßenkarte", quantity=2, place=(52.5, -13.0)),
            Line(article="", quantity=0),
        ],
        labels={"": 0, "a": 1, "ключ": -2},
        note="by hand",
        related=[UUID(int=0), UUID("82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2")],
    ),
    "order_placed_empty": OrderPlaced(order_id=UUID(int=1), lines=[], labels={}),
    "appointment_made": AppointmentMade(
        on=date(2026, 2, 28),
        at=time(7, 5, 9),
        made=datetime(2026, 11, 22, 22, 31, 53, 997858),
        reminded=datetime(1970, 1, 1),
    ),
    "price_changed": PriceChanged(
        net=Decimal("1099.90"),
        tax=Decimal("-0.0000001000"),
        rate=0.1,
        smallest=1e-7,
        units=2**53 + 1,
        active=True,
    ),
}
