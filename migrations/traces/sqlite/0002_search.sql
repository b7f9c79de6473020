-- What is held is a cache: it starts anew instead of being rewritten.
DROP TABLE spans;
DELETE FROM traces;

CREATE TABLE spans (
    trace_id    TEXT NOT NULL,
    span_id     TEXT NOT NULL,
    parent_id   TEXT NOT NULL,
    name        TEXT NOT NULL,
    workload    TEXT NOT NULL,
    -- Whose span it is; what somebody may not see is not searched for them.
    namespace   TEXT NOT NULL,
    kind        TEXT NOT NULL,
    start_us    BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    error       BOOLEAN NOT NULL,
    -- JSON object of strings. It is the last, so that what stands before it is read without it.
    attributes  TEXT NOT NULL,
    PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;

CREATE INDEX spans_by_operation ON spans (workload, name, kind, start_us);

DROP INDEX traces_by_start;
CREATE INDEX traces_by_start ON traces (start_us, trace_id);

-- How many spans there are. Whoever writes takes its one row first, so that several consoles take turns.
CREATE TABLE trace_held (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    spans BIGINT NOT NULL
);
INSERT INTO trace_held (id, spans) VALUES (1, 0);
