-- What was changed about one workload is looked for by the objects that configure it. The Postgres file of the same number
-- says the same, and shortens what is too long for an index there.

CREATE INDEX audit_by_object ON audit (namespace, kind, name);
