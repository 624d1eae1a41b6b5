CREATE TABLE {p}schema (
    version INTEGER NOT NULL,
    oldest INTEGER NOT NULL
);
INSERT INTO {p}schema VALUES (0, 0);

-- Times are milliseconds since 1970. status: 0 is pending, 1 is sent. created_at: since when a relay may publish it.
-- from_epoch: the first epoch that may, after a replay.
CREATE TABLE {p}outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    partition INTEGER NOT NULL,
    status INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    from_epoch INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    sent_at INTEGER,
    id TEXT NOT NULL,
    message_type TEXT NOT NULL,
    name TEXT NOT NULL,
    topic TEXT,
    key TEXT,
    correlation_id TEXT,
    causation_id TEXT,
    traceparent TEXT,
    content_type TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX {p}outbox_pending ON {p}outbox (partition, seq) WHERE status = 0;
CREATE INDEX {p}outbox_sent ON {p}outbox (sent_at) WHERE status = 1;

-- One row for each partition; -1 is for the relay that deletes what was sent long ago.
CREATE TABLE {p}outbox_lease (
    partition INTEGER PRIMARY KEY,
    owner TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,
    until INTEGER NOT NULL DEFAULT 0,
    leased_at INTEGER NOT NULL DEFAULT 0
);
WITH RECURSIVE number (n) AS (SELECT -1 UNION ALL SELECT n + 1 FROM number WHERE n < 63)
INSERT INTO {p}outbox_lease (partition) SELECT n FROM number;

CREATE TABLE {p}schedule (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    partition INTEGER NOT NULL,
    due INTEGER NOT NULL,
    id TEXT NOT NULL,
    message_type TEXT NOT NULL,
    name TEXT NOT NULL,
    topic TEXT,
    key TEXT,
    correlation_id TEXT,
    causation_id TEXT,
    traceparent TEXT,
    content_type TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX {p}schedule_due ON {p}schedule (due, seq);

CREATE TABLE {p}dead_letter (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    seq INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    parks_key INTEGER NOT NULL,
    at INTEGER NOT NULL,
    id TEXT NOT NULL,
    message_type TEXT NOT NULL,
    name TEXT NOT NULL,
    topic TEXT,
    key TEXT,
    correlation_id TEXT,
    causation_id TEXT,
    traceparent TEXT,
    content_type TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX {p}dead_letter_parked ON {p}dead_letter (key, topic) WHERE parks_key;
