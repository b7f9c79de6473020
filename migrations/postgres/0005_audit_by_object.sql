-- What was changed about one workload is looked for by the objects that configure it. The SQLite file of the same number
-- says the same.

-- An entry of an index takes at most 2.7 kB here. No object has names as long as this, but whoever was refused may have
-- asked for any.
UPDATE audit SET kind = left(kind, 200), namespace = left(namespace, 200), name = left(name, 200)
WHERE octet_length(kind) + octet_length(namespace) + octet_length(name) > 2000;

CREATE INDEX audit_by_object ON audit (namespace, kind, name);
