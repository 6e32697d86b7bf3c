-- phase: expand
--
-- For clients that are named by the URL of their metadata document: what their documents say.

CREATE TABLE client_documents (
    app_id         uuid        NOT NULL,
    client_id      text        NOT NULL,  -- the URL
    fields         jsonb,      -- what we use of it; NULL: it is being fetched for the first time
    pinned         boolean     NOT NULL DEFAULT false,  -- a copy that an administrator stored
    fetched_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    fetching_until timestamptz,  -- somebody fetches it now
    CONSTRAINT client_documents_pkey PRIMARY KEY (app_id, client_id),
    CONSTRAINT client_documents_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_client_documents_expires ON client_documents (expires_at);
DO $partitions$
DECLARE
    of_table text;
    of_partition text;
    partition text;
BEGIN
    FOR n IN 0..15 LOOP
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
            'client_documents_p' || lpad(n::text, 2, '0'), 'client_documents', n);
    END LOOP;
    -- Postgres reports a violated key under the name of the partition's index (see schema.sql).
    FOR of_table, of_partition, partition IN
        SELECT whole.relname, part.relname, held.relname
        FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class whole ON whole.oid = i.indexrelid
        JOIN pg_catalog.pg_inherits h ON h.inhparent = whole.oid
        JOIN pg_catalog.pg_class part ON part.oid = h.inhrelid
        JOIN pg_catalog.pg_index p ON p.indexrelid = part.oid
        JOIN pg_catalog.pg_class held ON held.oid = p.indrelid
        WHERE i.indrelid = 'client_documents'::regclass
    LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', of_partition, of_table || right(partition, 4));
    END LOOP;
END
$partitions$;
ALTER TABLE client_documents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON client_documents
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON client_documents TO aero2_sweep, aero2_logout, aero2_upkeep
    USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON client_documents TO aero2_oidc;
GRANT SELECT (app_id, expires_at, pinned), DELETE ON client_documents TO aero2_sweep;
