-- phase: expand
-- transaction: no
-- step
CREATE TABLE application_moves (
    app_id     uuid        NOT NULL,
    source     text        NOT NULL,
    target     text        NOT NULL,
    phase      text        NOT NULL DEFAULT 'copying',
    timeline   bigint,
    busy_ms    integer,
    started_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT application_moves_pkey PRIMARY KEY (app_id),
    CONSTRAINT application_moves_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT application_moves_phase_check CHECK (phase IN ('copying', 'aborting', 'moved'))
);
CREATE TABLE application_fences (
    app_id    uuid    NOT NULL,
    cluster   text    NOT NULL,
    is_closed boolean NOT NULL,
    is_hidden boolean NOT NULL,
    mark      uuid    NOT NULL,
    CONSTRAINT application_fences_pkey PRIMARY KEY (app_id, cluster)
);
CREATE FUNCTION closed_applications() RETURNS uuid[] LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp
RETURN ARRAY(SELECT f.app_id FROM application_fences f WHERE f.is_closed);
CREATE FUNCTION hidden_applications() RETURNS uuid[] LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp
RETURN ARRAY(SELECT f.app_id FROM application_fences f WHERE f.is_hidden);
REVOKE EXECUTE ON FUNCTION closed_applications(), hidden_applications() FROM PUBLIC;
ALTER TABLE application_moves ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON application_moves FOR SELECT
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY registry ON application_moves FOR SELECT TO aero2_tenancy USING (true);
ALTER TABLE application_fences ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON application_fences FOR SELECT
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON application_fences FOR SELECT
    TO aero2_sweep, aero2_logout, aero2_upkeep, aero2_search USING (true);
GRANT EXECUTE ON FUNCTION closed_applications() TO aero2_sweep, aero2_logout, aero2_upkeep;
GRANT EXECUTE ON FUNCTION hidden_applications() TO aero2_search;
GRANT SELECT ON application_fences TO aero2_sweep, aero2_logout, aero2_upkeep, aero2_search;
GRANT SELECT ON application_moves TO aero2_tenancy;
-- step
ALTER POLICY search ON users USING (app_id <> ALL ((SELECT hidden_applications())::uuid[]));
-- step
ALTER POLICY jobs ON access_tokens USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON active_user_counts USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON active_users USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON audit_chain USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON audit_checkpoints USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON audit_counts USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON audit_logs USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON authorization_codes USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON authorization_requests USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON client_assertion_jtis USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON consents USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON device_codes USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON email_verification_codes USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON identity_provider_documents USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON identity_providers USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON known_devices USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON link_proofs USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON logout_deliveries USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON mail_senders USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON mail_templates USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON oauth_client_secrets USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON oauth_clients USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON oauth_state USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON organization_domains USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON organization_invitations USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON organization_members USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON organization_role_permissions USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON organization_roles USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON organization_words USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON organizations USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON passkeys USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON passwords USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON permissions USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON platform_settings USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON rate_limits USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON recovery_codes USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON refresh_tokens USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON resources USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON revoked_grants USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON revoked_tokens USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON role_permissions USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON roles USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON scopes USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON session_clients USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON sign_in_guards USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON signing_keys USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON support_views USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON token_families USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON totp_factors USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON trusted_devices USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON usage_counts USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON user_batch_parts USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON user_batches USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON user_identity_links USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON user_invitations USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON user_roles USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON user_sessions USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON user_words USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON users USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
-- step
ALTER POLICY jobs ON webauthn_challenges USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
