-- Spans received by OTLP. These tables are a capped cache: they may be emptied at any time.
CREATE TABLE spans (
    trace_id    TEXT NOT NULL,
    span_id     TEXT NOT NULL,
    parent_id   TEXT NOT NULL,
    name        TEXT NOT NULL,
    workload    TEXT NOT NULL,
    kind        TEXT NOT NULL,
    start_us    BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    error       BOOLEAN NOT NULL,
    -- JSON object of strings.
    attributes  TEXT NOT NULL,
    PRIMARY KEY (trace_id, span_id)
);

-- One row for each trace, kept in step with its spans, so that listing reads no spans.
CREATE TABLE traces (
    trace_id    TEXT PRIMARY KEY NOT NULL,
    root        TEXT NOT NULL,
    workload    TEXT NOT NULL,
    start_us    BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    spans       BIGINT NOT NULL,
    error       BOOLEAN NOT NULL
);

CREATE INDEX traces_by_start ON traces (start_us);
