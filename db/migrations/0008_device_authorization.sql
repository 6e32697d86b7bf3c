-- phase: expand
--
-- Device authorization (RFC 8628): where a device is, when its user decided, whether its last poll came too
-- early, and the authorization request of the user who decides on it.

ALTER TABLE device_codes
    ADD COLUMN ip_address text,
    ADD COLUMN user_agent text,
    ADD COLUMN decided_at timestamptz,
    ADD COLUMN too_fast   boolean NOT NULL DEFAULT false;
ALTER TABLE authorization_requests ADD COLUMN device_code_hash text;
GRANT SELECT (family_id, used_at) ON device_codes TO aero2_sweep;
