-- Weight edits made on the page: what undo needs, and the history under each canary card.
CREATE TABLE edits (
    id              TEXT PRIMARY KEY NOT NULL,
    at_ms           BIGINT NOT NULL,
    api_version     TEXT NOT NULL,
    kind            TEXT NOT NULL,
    namespace       TEXT NOT NULL,
    name            TEXT NOT NULL,
    route_index     BIGINT NOT NULL,
    -- JSON arrays of numbers, in the order in which the destinations are written.
    weights_before  TEXT NOT NULL,
    weights_after   TEXT NOT NULL,
    revision_before TEXT NOT NULL,
    revision_after  TEXT NOT NULL,
    -- The edit that this one takes back, if it is an undo.
    undoes          TEXT UNIQUE REFERENCES edits (id)
);

CREATE INDEX edits_by_object ON edits (kind, namespace, name, at_ms);
