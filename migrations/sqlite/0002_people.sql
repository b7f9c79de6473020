-- Who is signed in, who did what, and what people keep. The Postgres file of the same number says the same.

ALTER TABLE edits ADD COLUMN made_by TEXT NOT NULL DEFAULT '';

CREATE TABLE sessions (
    -- SHA-256 of the cookie's secret: whoever reads this table can be nobody.
    id_hash          BLOB PRIMARY KEY NOT NULL,
    created_ms       BIGINT NOT NULL,
    last_seen_ms     BIGINT NOT NULL,
    -- The absolute end, whatever happens until then.
    expires_ms       BIGINT NOT NULL,
    subject          TEXT NOT NULL,
    name             TEXT NOT NULL,
    email            TEXT,
    -- JSON array of strings.
    member_of        TEXT NOT NULL,
    issuer           TEXT NOT NULL,
    -- The provider's own id of the session, for logout from there.
    sid              TEXT,
    -- Encrypted before it comes here.
    tokens           BLOB,
    tokens_expire_ms BIGINT
);

CREATE INDEX sessions_by_last_seen ON sessions (last_seen_ms);

-- Sign-ins under way, between the redirect to the provider and the way back.
CREATE TABLE logins (
    state_hash   BLOB PRIMARY KEY NOT NULL,
    created_ms   BIGINT NOT NULL,
    -- The browser that began it, and alone may end it.
    browser_hash BLOB NOT NULL,
    nonce        TEXT NOT NULL,
    -- PKCE's verifier, encrypted before it comes here.
    verifier     BLOB NOT NULL,
    return_to    TEXT NOT NULL,
    issuer       TEXT NOT NULL
);

CREATE INDEX logins_by_created ON logins (created_ms);

-- What may be used once and was: logout tokens, one-time links.
CREATE TABLE used_tokens (
    jti_hash   BLOB PRIMARY KEY NOT NULL,
    -- From then on nobody would take it anyway.
    expires_ms BIGINT NOT NULL
);

CREATE INDEX used_tokens_by_expiry ON used_tokens (expires_ms);

CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms       BIGINT NOT NULL,
    who         TEXT NOT NULL,
    how         TEXT NOT NULL,
    action      TEXT NOT NULL,
    -- The object, where it was about one: all four or none.
    api_version TEXT,
    kind        TEXT,
    namespace   TEXT,
    name        TEXT,
    diff        TEXT NOT NULL,
    detail      TEXT NOT NULL
);

-- Views that people named: the address that restores one.
CREATE TABLE views (
    id         TEXT PRIMARY KEY NOT NULL,
    owner      TEXT NOT NULL,
    name       TEXT NOT NULL,
    location   TEXT NOT NULL,
    shared     BOOLEAN NOT NULL,
    created_ms BIGINT NOT NULL,
    UNIQUE (owner, name)
);

-- Where readiness tries whether a write works again after one failed; empty otherwise.
CREATE TABLE probe (
    id     BIGINT PRIMARY KEY NOT NULL,
    filler TEXT NOT NULL
);
