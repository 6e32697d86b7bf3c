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
CREATE UNLOGGED TABLE dpop_jtis_p00 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 0);
CREATE UNLOGGED TABLE dpop_jtis_p01 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 1);
CREATE UNLOGGED TABLE dpop_jtis_p02 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 2);
CREATE UNLOGGED TABLE dpop_jtis_p03 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 3);
CREATE UNLOGGED TABLE dpop_jtis_p04 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 4);
CREATE UNLOGGED TABLE dpop_jtis_p05 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 5);
CREATE UNLOGGED TABLE dpop_jtis_p06 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 6);
CREATE UNLOGGED TABLE dpop_jtis_p07 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 7);
CREATE UNLOGGED TABLE dpop_jtis_p08 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 8);
CREATE UNLOGGED TABLE dpop_jtis_p09 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 9);
CREATE UNLOGGED TABLE dpop_jtis_p10 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 10);
CREATE UNLOGGED TABLE dpop_jtis_p11 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 11);
CREATE UNLOGGED TABLE dpop_jtis_p12 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 12);
CREATE UNLOGGED TABLE dpop_jtis_p13 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 13);
CREATE UNLOGGED TABLE dpop_jtis_p14 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 14);
CREATE UNLOGGED TABLE dpop_jtis_p15 PARTITION OF dpop_jtis FOR VALUES WITH (MODULUS 16, REMAINDER 15);
ALTER INDEX dpop_jtis_p00_expires_at_idx RENAME TO idx_dpop_jtis_expires_p00;
ALTER INDEX dpop_jtis_p01_expires_at_idx RENAME TO idx_dpop_jtis_expires_p01;
ALTER INDEX dpop_jtis_p02_expires_at_idx RENAME TO idx_dpop_jtis_expires_p02;
ALTER INDEX dpop_jtis_p03_expires_at_idx RENAME TO idx_dpop_jtis_expires_p03;
ALTER INDEX dpop_jtis_p04_expires_at_idx RENAME TO idx_dpop_jtis_expires_p04;
ALTER INDEX dpop_jtis_p05_expires_at_idx RENAME TO idx_dpop_jtis_expires_p05;
ALTER INDEX dpop_jtis_p06_expires_at_idx RENAME TO idx_dpop_jtis_expires_p06;
ALTER INDEX dpop_jtis_p07_expires_at_idx RENAME TO idx_dpop_jtis_expires_p07;
ALTER INDEX dpop_jtis_p08_expires_at_idx RENAME TO idx_dpop_jtis_expires_p08;
ALTER INDEX dpop_jtis_p09_expires_at_idx RENAME TO idx_dpop_jtis_expires_p09;
ALTER INDEX dpop_jtis_p10_expires_at_idx RENAME TO idx_dpop_jtis_expires_p10;
ALTER INDEX dpop_jtis_p11_expires_at_idx RENAME TO idx_dpop_jtis_expires_p11;
ALTER INDEX dpop_jtis_p12_expires_at_idx RENAME TO idx_dpop_jtis_expires_p12;
ALTER INDEX dpop_jtis_p13_expires_at_idx RENAME TO idx_dpop_jtis_expires_p13;
ALTER INDEX dpop_jtis_p14_expires_at_idx RENAME TO idx_dpop_jtis_expires_p14;
ALTER INDEX dpop_jtis_p15_expires_at_idx RENAME TO idx_dpop_jtis_expires_p15;
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
    PERFORM set_config('aero2.app_id', OLD.id::text, true);  -- row level security binds the owner, too
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
