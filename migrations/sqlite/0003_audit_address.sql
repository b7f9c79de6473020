-- From which address somebody did it. The Postgres file of the same number says the same.

ALTER TABLE audit ADD COLUMN address TEXT;

-- What is about signing in is kept in smaller numbers, and people look for it.
CREATE INDEX audit_by_action ON audit (action, id);
