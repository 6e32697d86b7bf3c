-- phase: expand
-- transaction: no
--
-- Token exchange (RFC 8693) and assertions of identity providers as grants (RFC 7523), docs/adr/0042: what a
-- client may exchange, and which assertions were used.

-- step
CREATE TABLE token_exchange_policies (
    app_id             uuid        NOT NULL,
    id                 uuid        NOT NULL,
    client_id          text        NOT NULL,
    subject_client_id  text,
    provider_id        uuid,
    audience           text,
    audience_client_id text,
    resources          text[]      NOT NULL DEFAULT '{}',
    scopes             text[]      NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT token_exchange_policies_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT token_exchange_policies_source_key
        UNIQUE NULLS NOT DISTINCT (client_id, subject_client_id, provider_id, audience, app_id),
    CONSTRAINT token_exchange_policies_source_check
        CHECK ((subject_client_id IS NULL) <> (provider_id IS NULL)),
    CONSTRAINT token_exchange_policies_client_id_fkey FOREIGN KEY (app_id, client_id)
        REFERENCES oauth_clients (app_id, client_id) ON DELETE CASCADE,
    CONSTRAINT token_exchange_policies_subject_client_id_fkey FOREIGN KEY (app_id, subject_client_id)
        REFERENCES oauth_clients (app_id, client_id) ON DELETE CASCADE,
    CONSTRAINT token_exchange_policies_provider_id_fkey FOREIGN KEY (app_id, provider_id)
        REFERENCES identity_providers (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_token_exchange_policies_subject ON token_exchange_policies (subject_client_id, app_id);
CREATE INDEX idx_token_exchange_policies_provider ON token_exchange_policies (provider_id, app_id);
ALTER TABLE token_exchange_policies ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON token_exchange_policies
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON token_exchange_policies TO aero2_sweep, aero2_logout, aero2_upkeep
    USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
GRANT SELECT, INSERT, DELETE ON token_exchange_policies TO aero2_oidc;
CREATE TABLE used_assertions (
    app_id         uuid        NOT NULL,
    assertion_hash text        NOT NULL,
    expires_at     timestamptz NOT NULL,
    CONSTRAINT used_assertions_pkey PRIMARY KEY (app_id, assertion_hash),
    CONSTRAINT used_assertions_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_used_assertions_expires ON used_assertions (expires_at);
ALTER TABLE used_assertions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON used_assertions
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON used_assertions TO aero2_sweep, aero2_logout, aero2_upkeep
    USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
GRANT SELECT, INSERT, DELETE ON used_assertions TO aero2_oidc;
GRANT SELECT (app_id, expires_at), DELETE ON used_assertions TO aero2_sweep;
-- step
DO $partitions$
DECLARE
    partitioned text;
    of_table text;
    of_partition text;
    partition text;
BEGIN
    FOREACH partitioned IN ARRAY ARRAY['token_exchange_policies', 'used_assertions'] LOOP
        FOR n IN 0..15 LOOP
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
                partitioned || '_p' || lpad(n::text, 2, '0'), partitioned, n);
        END LOOP;
        FOR of_table, of_partition, partition IN
            SELECT whole.relname, part.relname, held.relname
            FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class whole ON whole.oid = i.indexrelid
            JOIN pg_catalog.pg_inherits h ON h.inhparent = whole.oid
            JOIN pg_catalog.pg_class part ON part.oid = h.inhrelid
            JOIN pg_catalog.pg_index p ON p.indexrelid = part.oid
            JOIN pg_catalog.pg_class held ON held.oid = p.indrelid
            WHERE i.indrelid = partitioned::regclass
        LOOP
            EXECUTE format('ALTER INDEX %I RENAME TO %I', of_partition, of_table || right(partition, 4));
        END LOOP;
    END LOOP;
END
$partitions$;
