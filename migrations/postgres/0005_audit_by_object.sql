-- What was changed about one workload is looked for by the objects that configure it. The SQLite file of the same number
-- says the same.

CREATE INDEX audit_by_object ON audit (namespace, kind, name);
