-- What an endpoint keeps for one handler of a message; the handler is '' where it is for all of them.
-- due: when it is handled, or when its lease ends; it means nothing in a dead letter. leased: whether a process has it in hand until then.
-- lease: how often it was leased. lost: how many of these leases have ended by themselves.
-- holds_key: whether later messages of its endpoint, topic and key wait behind it. is_first: whether no such row is before it.
CREATE TABLE {p}delivery (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint TEXT NOT NULL,
    handler TEXT NOT NULL,
    message TEXT NOT NULL,
    generation INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    due INTEGER NOT NULL,
    leased INTEGER NOT NULL DEFAULT 0,
    lease INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    holds_key INTEGER NOT NULL,
    is_first INTEGER NOT NULL,
    dead_at INTEGER,
    kind TEXT,
    reason TEXT,
    name TEXT,
    topic TEXT NOT NULL,
    position TEXT,
    key TEXT,
    headers TEXT NOT NULL,
    content_type TEXT,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX {p}delivery_once ON {p}delivery (message, endpoint, handler);
CREATE INDEX {p}delivery_due ON {p}delivery (endpoint, due, number) WHERE dead_at IS NULL AND is_first;
CREATE INDEX {p}delivery_queue ON {p}delivery (endpoint, topic, key, number) WHERE holds_key;
CREATE INDEX {p}delivery_dead ON {p}delivery (number) WHERE dead_at IS NOT NULL;
CREATE INDEX {p}delivery_parked ON {p}delivery (endpoint, topic, key) WHERE dead_at IS NOT NULL AND is_first AND holds_key;

-- What an endpoint has begun and not ended. unended: how many times in a row.
CREATE TABLE {p}attempt (
    message TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    unended INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (message, endpoint)
) WITHOUT ROWID;
CREATE INDEX {p}attempt_at ON {p}attempt (at);
