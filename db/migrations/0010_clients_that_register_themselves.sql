-- phase: expand
-- transaction: no
--
-- For clients that nobody of the application registered (docs/adr/0041): where a client comes from, when it was last
-- used, and the tokens with which clients register themselves.

-- step
ALTER TABLE oauth_clients
    ADD COLUMN source                  text        NOT NULL DEFAULT 'developer',
    ADD COLUMN last_used_at            timestamptz,
    ADD COLUMN registration_token_hash text,
    ADD COLUMN registered_metadata     jsonb,
    ADD COLUMN fetched_jwks            jsonb,
    ADD COLUMN jwks_fetched_at         timestamptz,
    ADD CONSTRAINT oauth_clients_source_check CHECK (source IN ('developer', 'registered', 'document')) NOT VALID;
GRANT SELECT (app_id, id, client_id, source, created_at, last_used_at) ON oauth_clients TO aero2_sweep;
-- step: each partition
ALTER TABLE oauth_clients_pNN VALIDATE CONSTRAINT oauth_clients_source_check;
-- step
ALTER TABLE oauth_clients VALIDATE CONSTRAINT oauth_clients_source_check;
CREATE INDEX idx_oauth_clients_source ON ONLY oauth_clients (app_id, created_at, id) WHERE source <> 'developer';
-- step: each partition
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_oauth_clients_source_pNN ON oauth_clients_pNN (app_id, created_at, id)
    WHERE source <> 'developer';
-- step: each partition
ALTER INDEX idx_oauth_clients_source ATTACH PARTITION idx_oauth_clients_source_pNN;
-- step
CREATE TABLE initial_access_tokens (
    app_id       uuid        NOT NULL,
    id           uuid        NOT NULL,
    name         text        NOT NULL,
    token_hash   text        NOT NULL,  -- HMAC-SHA-256
    max_clients  integer,    -- NULL: no limit
    clients      integer     NOT NULL DEFAULT 0,  -- that were registered with it
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT initial_access_tokens_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT initial_access_tokens_token_hash_key UNIQUE (token_hash, app_id),
    CONSTRAINT initial_access_tokens_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_initial_access_tokens_expires ON initial_access_tokens (expires_at);
DO $partitions$
DECLARE
    of_table text;
    of_partition text;
    partition text;
BEGIN
    FOR n IN 0..15 LOOP
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
            'initial_access_tokens_p' || lpad(n::text, 2, '0'), 'initial_access_tokens', n);
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
        WHERE i.indrelid = 'initial_access_tokens'::regclass
    LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', of_partition, of_table || right(partition, 4));
    END LOOP;
END
$partitions$;
ALTER TABLE initial_access_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON initial_access_tokens
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON initial_access_tokens TO aero2_sweep, aero2_logout, aero2_upkeep
    USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON initial_access_tokens TO aero2_oidc;
GRANT SELECT (app_id, expires_at), DELETE ON initial_access_tokens TO aero2_sweep;
