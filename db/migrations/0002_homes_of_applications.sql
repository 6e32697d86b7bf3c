-- phase: expand
-- transaction: no
-- step
ALTER TABLE applications
    ADD COLUMN home            text    NOT NULL DEFAULT 'main',
    ADD COLUMN home_generation integer NOT NULL DEFAULT 0,
    ADD COLUMN home_state      text    NOT NULL DEFAULT 'settled',
    ADD COLUMN at_home         boolean NOT NULL DEFAULT true,
    ADD CONSTRAINT applications_home_check CHECK (home ~ '^[a-z][a-z0-9_]{0,30}$') NOT VALID,
    ADD CONSTRAINT applications_home_state_check CHECK (home_state IN ('settled', 'moving', 'arriving')) NOT VALID;
-- step
ALTER TABLE applications VALIDATE CONSTRAINT applications_home_check;
ALTER TABLE applications VALIDATE CONSTRAINT applications_home_state_check;
-- step
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_applications_home ON applications (home, id) WHERE home <> 'main';
-- step
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_applications_not_at_home ON applications (id) WHERE NOT at_home;
-- step
CREATE TABLE clusters (
    name    text    NOT NULL,
    is_this boolean NOT NULL DEFAULT false,
    CONSTRAINT clusters_pkey PRIMARY KEY (name),
    CONSTRAINT clusters_name_check CHECK (name ~ '^[a-z][a-z0-9_]{0,30}$')
);
INSERT INTO clusters (name, is_this) VALUES ('main', true);
CREATE FUNCTION bind_at_home(app_id text, home text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $bind$
BEGIN
    PERFORM set_config('aero2.app_id', $1, true);
    IF NOT EXISTS (
        SELECT FROM applications a WHERE a.id = $1::uuid AND a.home = $2 AND a.home_state = 'settled') THEN
        RAISE EXCEPTION 'application % is not at home in cluster %', $1, $2 USING ERRCODE = 'AE001';
    END IF;
    RETURN $1;
END
$bind$;
REVOKE EXECUTE ON FUNCTION bind_at_home(text, text) FROM PUBLIC;
CREATE TABLE audit_transfers (
    app_id     uuid        NOT NULL,
    event_id   uuid        NOT NULL,
    home       text        NOT NULL,  -- where the application was when the event was written
    payload    bytea       NOT NULL,  -- as in audit_outbox
    service    text        NOT NULL DEFAULT substr(current_user, 7),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_transfers_pkey PRIMARY KEY (app_id, event_id),
    CONSTRAINT audit_transfers_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
);
CREATE INDEX idx_audit_transfers_service ON audit_transfers (service, created_at, event_id);
ALTER TABLE audit_transfers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_transfers
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON audit_transfers TO aero2_relay USING (true);
GRANT EXECUTE ON FUNCTION bind_at_home(text, text)
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac;
GRANT SELECT (id, home, home_state) ON applications TO aero2_identity, aero2_rbac;  -- for bind_at_home
GRANT INSERT (name), DELETE ON clusters TO aero2_tenancy;
GRANT SELECT ON clusters
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac,
       aero2_relay, aero2_sweep, aero2_mail, aero2_logout, aero2_upkeep, aero2_search;
GRANT INSERT (app_id, event_id, home, payload) ON audit_transfers
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac;
GRANT SELECT, UPDATE (home), DELETE ON audit_transfers TO aero2_relay;
