-- phase: expand
-- transaction: no
--
-- For DPoP (docs/adr/0038): the proofs that were used, and the clients that must send one.

-- step
CREATE TABLE dpop_jtis (
    app_id     uuid        NOT NULL,
    id         bytea       NOT NULL,
    epoch      uuid,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT dpop_jtis_pkey PRIMARY KEY (app_id, id)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_dpop_jtis_expires ON dpop_jtis (expires_at);
DO $partitions$
BEGIN
    FOR n IN 0..15 LOOP
        EXECUTE format(
            'CREATE UNLOGGED TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
            'dpop_jtis_p' || lpad(n::text, 2, '0'), 'dpop_jtis', n);
        EXECUTE format('ALTER INDEX %I RENAME TO %I', 'dpop_jtis_p' || lpad(n::text, 2, '0') || '_expires_at_idx',
            'idx_dpop_jtis_expires_p' || lpad(n::text, 2, '0'));
        EXECUTE format('ALTER INDEX %I RENAME TO %I', 'dpop_jtis_p' || lpad(n::text, 2, '0') || '_pkey',
            'dpop_jtis_pkey_p' || lpad(n::text, 2, '0'));
    END LOOP;
END
$partitions$;
ALTER TABLE dpop_jtis ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON dpop_jtis
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON dpop_jtis TO aero2_sweep, aero2_logout, aero2_upkeep
    USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON dpop_jtis TO aero2_oidc;
GRANT SELECT (app_id, expires_at), DELETE ON dpop_jtis TO aero2_sweep;
-- step
CREATE OR REPLACE FUNCTION applications_take_along() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $take$
DECLARE
    bound text := current_setting('aero2.app_id', true);
BEGIN
    PERFORM set_config('aero2.app_id', OLD.id::text, true);
    DELETE FROM authorization_codes WHERE app_id = OLD.id;
    DELETE FROM refresh_tokens WHERE app_id = OLD.id;
    DELETE FROM access_tokens WHERE app_id = OLD.id;
    DELETE FROM token_families WHERE app_id = OLD.id;
    DELETE FROM audit_logs WHERE app_id = OLD.id;
    DELETE FROM audit_chain WHERE app_id = OLD.id;
    DELETE FROM sign_in_guards WHERE app_id = OLD.id;
    DELETE FROM user_words WHERE app_id = OLD.id;
    DELETE FROM webauthn_challenges WHERE app_id = OLD.id;
    DELETE FROM rate_limits WHERE app_id = OLD.id;
    DELETE FROM dpop_jtis WHERE app_id = OLD.id;
    PERFORM set_config('aero2.app_id', coalesce(bound, ''), true);
    RETURN NULL;
END
$take$;
-- step
ALTER TABLE oauth_clients ADD COLUMN dpop_bound_access_tokens boolean NOT NULL DEFAULT false;
