-- The database's roles; idempotent, run by `aero2 migrate` before the schema.
--
-- Every role is made NOLOGIN here; the runner adds LOGIN and a password from its environment, so
-- that no secret stands in a file. None is a superuser, owns a table or has BYPASSRLS: row level
-- security binds all of them, and a managed Postgres can run this with CREATEROLE alone.
--
--   aero2_owner     owns the schema when a superuser migrates; else the connecting role owns it
--   aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac    one per service, see the grants in schema.sql
--   aero2_platform  outbox relay and expiry sweeps: the only role whose policies see every application

DO $roles$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'aero2_owner', 'aero2_tenancy', 'aero2_identity', 'aero2_oidc', 'aero2_rbac', 'aero2_platform'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another runner, in another database of this cluster, was faster
            END;
        END IF;
    END LOOP;
END
$roles$;

-- Nothing may wait for ever: a stuck statement, lock or forgotten transaction ends by itself.
DO $limits$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['aero2_tenancy', 'aero2_identity', 'aero2_oidc', 'aero2_rbac'] LOOP
        EXECUTE format('ALTER ROLE %I SET statement_timeout = ''15s''', name);
        EXECUTE format('ALTER ROLE %I SET lock_timeout = ''5s''', name);
        EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''30s''', name);
    END LOOP;
    ALTER ROLE aero2_platform SET lock_timeout = '5s';
    ALTER ROLE aero2_platform SET idle_in_transaction_session_timeout = '60s';
END
$limits$;
