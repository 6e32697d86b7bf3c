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

-- Nothing may wait for ever: a stuck statement, lock or forgotten transaction ends by itself. Set
-- once and then left alone, so that an operator's own limits stand and nothing is written needlessly.
DO $limits$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT r.oid, r.rolname, l.setting, l.value
        FROM (VALUES
            ('statement_timeout', '15s', false),
            -- A service only looks things up. Its plans are kept, and one made while a table was small
            -- must not read all of it once it has grown.
            ('enable_seqscan', 'off', false),
            ('enable_hashjoin', 'off', false),
            ('enable_mergejoin', 'off', false),
            ('enable_material', 'off', false),
            ('lock_timeout', '5s', true),
            ('idle_in_transaction_session_timeout', '60s', true)
        ) AS l (setting, value, for_platform)
        JOIN pg_catalog.pg_roles r
            ON r.rolname IN ('aero2_tenancy', 'aero2_identity', 'aero2_oidc', 'aero2_rbac')
            OR (r.rolname = 'aero2_platform' AND l.for_platform)
        WHERE NOT EXISTS (
            SELECT FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) AS line
            WHERE s.setrole = r.oid AND s.setdatabase = 0 AND line LIKE l.setting || '=%'
        )
    LOOP
        EXECUTE format('ALTER ROLE %I SET %I = %L', wanted.rolname, wanted.setting, wanted.value);
    END LOOP;
END
$limits$;
