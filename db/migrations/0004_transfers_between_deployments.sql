-- phase: expand
-- transaction: no
--
-- For `aero2 apps export` and `import` (docs/adr/0034): an application can be closed, and one that came from
-- another deployment brings keys that recognize its hashes.

-- step
ALTER TABLE applications
    ADD COLUMN closed    text,
    ADD COLUMN closed_at timestamptz,
    ADD CONSTRAINT applications_closed_check CHECK (closed IN ('exported', 'imported')) NOT VALID;
-- step
ALTER TABLE applications VALIDATE CONSTRAINT applications_closed_check;
-- step
CREATE FUNCTION bind_application(app_id text) RETURNS text LANGUAGE sql AS $bind$
    SELECT set_config('aero2.app_id', $1, true)
$bind$;
REVOKE EXECUTE ON FUNCTION bind_application(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bind_application(text)
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac,
       aero2_relay, aero2_sweep, aero2_mail, aero2_logout, aero2_upkeep, aero2_search;
CREATE TABLE imported_keys (
    app_id     uuid        NOT NULL,
    id         text        NOT NULL,  -- of the master key, as the hashes name it
    place      integer     NOT NULL,  -- 0: the eldest
    wrapped    text        NOT NULL,
    audit_key  text        NOT NULL,  -- public: verifies the checkpoints that came along
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT imported_keys_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT imported_keys_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
);
ALTER TABLE imported_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON imported_keys
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY registry ON imported_keys FOR SELECT
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac USING (true);
GRANT SELECT ON imported_keys TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac;
