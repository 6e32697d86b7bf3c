-- phase: expand
--
-- Device authorization (RFC 8628): who started it and from where, what an approval grants, and the request of
-- the user who decides on it. The id is that of the token family that a device code starts.

ALTER TABLE device_codes
    ADD COLUMN id         uuid,
    ADD COLUMN ip_address text,
    ADD COLUMN user_agent text,
    ADD COLUMN decided_at timestamptz,
    ADD COLUMN content    jsonb,
    ADD COLUMN too_fast   boolean NOT NULL DEFAULT false;
ALTER TABLE authorization_requests ADD COLUMN device_code_hash text;
GRANT SELECT (id, used_at) ON device_codes TO aero2_sweep;
