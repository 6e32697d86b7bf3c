-- The roles of the database. `aero2 migrate` runs this file before the schema; it is idempotent.
--
-- Every role is created NOLOGIN here. `aero2 migrate` adds LOGIN and a password from its environment,
-- so that no file contains a secret. None is a superuser, owns a table or has BYPASSRLS: row level
-- security binds all of them, and a managed Postgres can run this with CREATEROLE alone.
--
--   aero2_owner     owns the schema when a superuser migrates; else the connecting role owns it
--   aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac    one per service, see the grants in schema.sql
--   one per job that works on all applications; only the services with the job have it (docs/adr/0008):
--   aero2_relay   every service: sends the audit outbox       aero2_mail    identity: delivers mail
--   aero2_sweep   identity, oidc, tenancy: expired rows       aero2_logout  oidc: logout tokens
--   aero2_upkeep  tenancy: sealing, retention, use of keys, provisioning, deletion, domains, metrics of
--                 the server
--   aero2_search  identity: finds the users of one address for an operator

DO $roles$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'aero2_owner', 'aero2_tenancy', 'aero2_identity', 'aero2_oidc', 'aero2_rbac',
        'aero2_relay', 'aero2_sweep', 'aero2_mail', 'aero2_logout', 'aero2_upkeep', 'aero2_search'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another migration, in another database of this cluster, has created it
            END;
        END IF;
    END LOOP;
END
$roles$;

-- Lets `standby_states` see how far standbys are behind. A role that may not grant that leaves it out: the
-- metric is NaN then.
DO $statistics$
BEGIN
    IF NOT pg_catalog.pg_has_role('aero2_owner', 'pg_read_all_stats', 'MEMBER') THEN
        GRANT pg_read_all_stats TO aero2_owner;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$statistics$;

-- A stuck statement, a lock and a forgotten transaction end after a time limit. The limits are set
-- once and not changed later, so that an operator can choose others.
DO $limits$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT r.oid, r.rolname, l.setting, l.value
        FROM (VALUES
            -- Longer than a client waits for a statement (10 s). It never ends a COMMIT that waits for a
            -- synchronous standby: Postgres stops this clock before it commits.
            ('statement_timeout', '15s', 'services'),
            ('statement_timeout', '15s', 'all'),
            -- Services and the relay keep their plans. A plan made while a table was small must not
            -- read the whole table when it has grown.
            ('enable_seqscan', 'off', 'plans'),
            ('enable_hashjoin', 'off', 'plans'),
            ('enable_mergejoin', 'off', 'plans'),
            ('enable_material', 'off', 'plans'),
            -- The relay reads the first rows of a queue in the order of its index, however long it is.
            ('enable_bitmapscan', 'off', 'relay'),
            ('lock_timeout', '5s', 'all'),
            ('idle_in_transaction_session_timeout', '60s', 'all')
        ) AS l (setting, value, roles)
        JOIN pg_catalog.pg_roles r
            ON (l.roles <> 'relay' AND r.rolname IN
                ('aero2_tenancy', 'aero2_identity', 'aero2_oidc', 'aero2_rbac', 'aero2_search'))
            OR (l.roles IN ('plans', 'relay') AND r.rolname = 'aero2_relay')
            OR (l.roles = 'all' AND r.rolname IN
                ('aero2_relay', 'aero2_sweep', 'aero2_mail', 'aero2_logout', 'aero2_upkeep'))
        WHERE NOT EXISTS (
            SELECT FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) AS line
            WHERE s.setrole = r.oid AND s.setdatabase = 0 AND line LIKE l.setting || '=%'
        )
    LOOP
        EXECUTE format('ALTER ROLE %I SET %I = %L', wanted.rolname, wanted.setting, wanted.value);
    END LOOP;
END
$limits$;

-- Revokes the privileges that Postgres grants to PUBLIC, as far as the connected role can: a superuser
-- revokes all of them, the owner of the database only those on the database. Our roles connect to this
-- database only, and create no objects: no temporary tables (whose names would hide ours) and no large
-- objects. Only remaining privileges are revoked, so a second run writes nothing.
DO $public$
DECLARE
    database text;
    large_object regprocedure;
BEGIN
    FOR database IN
        SELECT d.datname FROM pg_catalog.pg_database d
        WHERE d.datname IN (current_database(), 'postgres', 'template1')
            AND (pg_catalog.has_database_privilege('public', d.oid, 'CONNECT')
                OR pg_catalog.has_database_privilege('public', d.oid, 'TEMPORARY'))
            AND pg_catalog.pg_has_role(d.datdba, 'USAGE')
    LOOP
        EXECUTE format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', database);
    END LOOP;
    IF NOT pg_catalog.has_database_privilege('aero2_search', current_database(), 'CONNECT') THEN
        EXECUTE format(
            'GRANT CONNECT ON DATABASE %I TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac,'
            ' aero2_relay, aero2_sweep, aero2_mail, aero2_logout, aero2_upkeep, aero2_search',
            current_database());
    END IF;
    IF pg_catalog.has_schema_privilege('public', 'public', 'CREATE') THEN
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    END IF;
    FOR large_object IN
        SELECT p.oid FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace
            AND (p.proname LIKE 'lo\_%' OR p.proname IN ('loread', 'lowrite'))
            AND pg_catalog.has_function_privilege('public', p.oid, 'EXECUTE')
            AND pg_catalog.pg_has_role(p.proowner, 'USAGE')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', large_object);
    END LOOP;
END
$public$;
