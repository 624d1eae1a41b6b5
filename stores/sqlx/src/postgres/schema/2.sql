-- Which handler of which endpoint has handled which message; the rows of one time lie together in the index, because ids begin with it.
-- until: when the cleaner may delete it.
CREATE TABLE {p}inbox (
    message uuid NOT NULL,
    endpoint text NOT NULL,
    handler text NOT NULL,
    generation bigint NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (message, endpoint, handler, generation)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX {n}inbox_until ON {p}inbox (until);
