-- Edits of whole objects that can still be taken back. The SQLite file of the same number says the same.

CREATE TABLE undos (
    id     TEXT PRIMARY KEY NOT NULL,
    -- Who made it, and alone may take it back.
    owner  TEXT NOT NULL,
    at_ms  BIGINT NOT NULL,
    bytes  BIGINT NOT NULL,
    -- The object as it was. Encrypted before it comes here.
    sealed BYTEA NOT NULL
);

CREATE INDEX undos_by_owner ON undos (owner, at_ms);
CREATE INDEX undos_by_time ON undos (at_ms);
