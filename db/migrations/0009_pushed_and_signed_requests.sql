-- phase: expand
--
-- For pushed authorization requests (RFC 9126), request objects (RFC 9101) and signed responses (JARM): see
-- docs/adr/0040.

ALTER TABLE oauth_clients
    ADD COLUMN require_pushed_authorization_requests boolean NOT NULL DEFAULT false,
    ADD COLUMN require_signed_request_object boolean NOT NULL DEFAULT false,
    ADD COLUMN request_object_signing_alg text,
    ADD COLUMN authorization_signed_response_alg text;
ALTER TABLE authorization_requests
    ADD COLUMN visited_at timestamptz,
    ADD COLUMN pushed_hash text,
    ADD COLUMN signed boolean NOT NULL DEFAULT false,
    ADD COLUMN jti_hash text;
