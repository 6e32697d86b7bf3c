-- phase: expand
-- transaction: no
--
-- For the grants of docs/adr/0037: what a token is bound to, what else was granted, and what a device code needs
-- to start a token family.

-- step
ALTER TABLE refresh_tokens
    ADD COLUMN cnf                   jsonb,
    ADD COLUMN authorization_details jsonb;
-- step
ALTER TABLE device_codes
    ADD COLUMN family_id             uuid,
    ADD COLUMN sid                   text,
    ADD COLUMN auth_time             timestamptz,
    ADD COLUMN acr                   text,
    ADD COLUMN amr                   text[]  NOT NULL DEFAULT '{}',
    ADD COLUMN org_id                uuid,
    ADD COLUMN client_epoch          integer NOT NULL DEFAULT 0,
    ADD COLUMN user_epoch            integer,
    ADD COLUMN revocations           uuid[]  NOT NULL DEFAULT '{}',
    ADD COLUMN cnf                   jsonb,
    ADD COLUMN authorization_details jsonb;
-- step
ALTER TABLE oauth_clients
    ADD COLUMN security_profile text,
    ADD CONSTRAINT oauth_clients_security_profile_check CHECK (security_profile IN ('fapi2')) NOT VALID;
-- step: each partition
ALTER TABLE oauth_clients_pNN VALIDATE CONSTRAINT oauth_clients_security_profile_check;
-- step
ALTER TABLE oauth_clients VALIDATE CONSTRAINT oauth_clients_security_profile_check;
