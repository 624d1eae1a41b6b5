-- Which handler of which endpoint has handled which message; the rows of one time lie together, because ids begin with it.
-- until: when the cleaner may delete it.
CREATE TABLE {p}inbox (
    message TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    handler TEXT NOT NULL,
    generation INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (message, endpoint, handler, generation)
) WITHOUT ROWID;
CREATE INDEX {p}inbox_until ON {p}inbox (until);
