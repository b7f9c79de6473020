-- A search for a workload reads what it wants to know of its spans here, and attributes only where a tag is asked for.
DROP INDEX spans_by_operation;
CREATE INDEX spans_by_operation ON spans (workload, name, kind, start_us, error, trace_id);

-- A search without a workload asks each trace, newest first, for a span that fits; attributes would be ten times as much.
CREATE INDEX spans_by_trace ON spans (trace_id, namespace, name, error);
