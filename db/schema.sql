-- The whole database of Aero2, grouped by service. The owner of a table is the only service that
-- writes to it.
--
-- Rules for every table (tests/service/db checks them):
--  * A table with rows of an application is PARTITION BY HASH (app_id), 16 partitions (the loop at
--    the end), and every primary, unique and foreign key contains app_id. Only these tables are
--    not partitioned: the registries that find an application (applications, application_api_keys,
--    custom_domains, deleted_slugs), the queues (audit_outbox, audit_transfers, mail_outbox),
--    imported_keys, and revoked_grants, which has few rows and is asked for every code.
--  * Row level security is forced. A connection sees only the application that
--    `SET LOCAL aero2.app_id` names. Without it, the connection sees no rows and cannot insert any.
--  * Deleting an application or a user deletes by foreign key; no code enumerates tables. A
--    table that refers to a client, user or session has no second foreign key to applications. It
--    would lock the application's row at every insert, without need.
--  * Tables that grow with every token or record have no foreign keys, and no table that grows with
--    every sign-in has one to an application or a client, because all its rows share that one.
--    Triggers delete their rows (docs/adr/0005).
--  * Secrets that must be compared are stored as keyed hashes (`*_hash`), secrets that must be
--    read back as AES-256-GCM text (`*_sealed`) under the application's data key.
--  * Primary keys begin with app_id; other keys and indexes end with it. Exceptions are the indexes that
--    list an application's rows by age; they are created before the primary key. So every lookup has
--    exactly one index that begins with its key. Postgres plans while tables are still empty, and
--    then all indexes cost the same. It could choose an index that narrows by application only, and
--    keep that plan while the table grows: each sign-in would read every session of the
--    application. tests/service/db/test_plans.py checks this (docs/adr/0004).
--  * Every table has a primary key. Without one, a publication refuses each UPDATE and DELETE of the
--    table, for all applications.
--  * Constraint names are part of the interface: handlers turn a violated constraint into a
--    domain error by its name, as `common.db_errors.violated_constraint` returns it.
--  * Ids are UUIDv7 made by the services; ids of roles and permissions are readable text.

-- ============================================================================================
-- tenancy: applications, and the tables that find them
-- ============================================================================================

-- owner: tenancy. The registry of tenants; slug and custom_domain are unique over all of them.
CREATE TABLE applications (
    id                     uuid        NOT NULL,
    slug                   text        NOT NULL,
    name                   text        NOT NULL,
    owner_org_id           uuid,       -- the developer team: an organization of the dashboard
    owner_app_id           uuid        GENERATED ALWAYS AS ('00000000-0000-0000-0000-000000000000'::uuid) STORED,
    logo_url               text,
    favicon_url            text,
    primary_color          text,
    support_email          text,
    homepage_url           text,
    privacy_policy_url     text,
    terms_url              text,
    settings               jsonb       NOT NULL DEFAULT '{}',
    is_dashboard           boolean     NOT NULL DEFAULT false,
    custom_domain          text,       -- the primary verified row of custom_domains
    custom_domain_verified boolean     NOT NULL DEFAULT false,
    cf_custom_hostname_id  text,
    request_key            text,       -- its creator, and the id of their request: sent twice, it creates one
    state                  text        NOT NULL DEFAULT 'creating',
    provisioned            text[]      NOT NULL DEFAULT '{}',  -- services that have done their part
    home                   text        NOT NULL DEFAULT 'main',  -- the cluster with its rows (docs/adr/0032)
    home_generation        integer     NOT NULL DEFAULT 0,  -- raised whenever the home changes
    home_state             text        NOT NULL DEFAULT 'settled',  -- otherwise bind_at_home lets nobody in
    at_home                boolean     NOT NULL DEFAULT true,  -- the home has its placeholder, with these settings
    closed                 text,       -- nobody is let in: it was exported, or imported and not yet opened
    closed_at              timestamptz,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT applications_pkey PRIMARY KEY (id),
    CONSTRAINT applications_slug_key UNIQUE (slug),
    CONSTRAINT applications_custom_domain_key UNIQUE (custom_domain),
    CONSTRAINT applications_request_key_key UNIQUE (request_key),
    CONSTRAINT applications_slug_check CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{1,61})[a-z0-9]$'),
    CONSTRAINT applications_state_check CHECK (state IN ('creating', 'active', 'deleting')),
    CONSTRAINT applications_home_check CHECK (home ~ '^[a-z][a-z0-9_]{0,30}$'),
    CONSTRAINT applications_home_state_check CHECK (home_state IN ('settled', 'moving', 'arriving')),
    CONSTRAINT applications_closed_check CHECK (closed IN ('exported', 'imported')),
    CONSTRAINT applications_is_dashboard_check CHECK (is_dashboard = (id = '00000000-0000-0000-0000-000000000000'))
);
CREATE INDEX idx_applications_owner ON applications (owner_org_id, created_at, id);
CREATE INDEX idx_applications_created ON applications (created_at, id);
CREATE INDEX idx_applications_state ON applications (state) WHERE state <> 'active';
CREATE INDEX idx_applications_home ON applications (home, id) WHERE home <> 'main';
CREATE INDEX idx_applications_not_at_home ON applications (id) WHERE NOT at_home;
CREATE INDEX idx_applications_dashboard ON applications (is_dashboard) WHERE is_dashboard;

-- owner: tenancy. This cluster (made by `aero2 migrate`), and on `main` the others that are somebody's home.
-- `main` has the registries and the Dashboard. Another cluster has a placeholder of each application that
-- lives there: a row of `applications` with its id, slug, name and settings, for foreign keys and the binding.
CREATE TABLE clusters (
    name    text    NOT NULL,
    is_this boolean NOT NULL DEFAULT false,
    CONSTRAINT clusters_pkey PRIMARY KEY (name),
    CONSTRAINT clusters_name_check CHECK (name ~ '^[a-z][a-z0-9_]{0,30}$')
);
INSERT INTO clusters (name, is_this) VALUES ('main', true);

-- Binds a transaction to an application, as setting `aero2.app_id` does, and raises unless this cluster is
-- its home and nothing is being moved. An empty answer would read as "not found". Only deployments with
-- several clusters bind so. It runs with the rights of its caller.
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

-- Binds a transaction to an application. Postgres puts the body into each statement, so it costs nothing
-- more than `set_config`. While an application is closed, `aero2 apps` has replaced it by one that raises
-- for that application, in all connections at once (docs/adr/0034).
CREATE FUNCTION bind_application(app_id text) RETURNS text LANGUAGE sql AS $bind$
    SELECT set_config('aero2.app_id', $1, true)
$bind$;

-- owner: `aero2 apps import`. The keys that recognize the hashes of an application from another deployment, one
-- for each of that deployment's master keys: `wrapped` has one key for each kind of hash, encrypted with a
-- master key of this deployment. Not partitioned: every service reads all rows when it starts.
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

-- owner: aero2 apps move. On `main`: the applications that are being moved to another cluster (docs/adr/0033).
CREATE TABLE application_moves (
    app_id     uuid        NOT NULL,
    source     text        NOT NULL,
    target     text        NOT NULL,
    phase      text        NOT NULL DEFAULT 'copying',
    timeline   bigint,     -- of the target when the copy began: a promoted standby may lack some of it
    busy_ms    integer,    -- for how long the application answered nobody
    started_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT application_moves_pkey PRIMARY KEY (app_id),
    CONSTRAINT application_moves_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT application_moves_phase_check CHECK (phase IN ('copying', 'aborting', 'moved'))
);

-- owner: aero2 apps move. Applications of which this cluster has rows that nobody may touch: a copy that is not
-- complete, or one that was moved away. Jobs leave them alone while `is_closed`; an operator's search does not
-- find them while `is_hidden`. The row of the source is sent to the target, too: with a new `mark`, it arrives
-- there after everything that was committed before.
CREATE TABLE application_fences (
    app_id    uuid    NOT NULL,
    cluster   text    NOT NULL,  -- that has written the row
    is_closed boolean NOT NULL,
    is_hidden boolean NOT NULL,
    mark      uuid    NOT NULL,
    CONSTRAINT application_fences_pkey PRIMARY KEY (app_id, cluster)
);

-- How many standbys are synchronous, and by how many seconds the worst one lags; NULL if the owner may not see
-- that. A standby that does not reply lags for as long as it is silent. Postgres shows it to members of
-- pg_read_all_stats only, who also see the statements of all sessions. So the owner is the member, and the one
-- role that needs these two numbers gets them by this function.
CREATE FUNCTION standby_states(OUT synchronous_standbys integer, OUT standby_lag float8)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $states$
    SELECT CASE WHEN count(*) = count(r.sync_state)
               THEN count(*) FILTER (WHERE r.sync_state IN ('sync', 'quorum')) END,
           max(greatest(extract(epoch FROM r.replay_lag),
               extract(epoch FROM clock_timestamp() - r.reply_time), 0))
    FROM pg_stat_replication r WHERE r.state IS DISTINCT FROM 'backup'
$states$;

-- Policies call these once for each statement.
CREATE FUNCTION closed_applications() RETURNS uuid[] LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp
RETURN ARRAY(SELECT f.app_id FROM application_fences f WHERE f.is_closed);
CREATE FUNCTION hidden_applications() RETURNS uuid[] LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp
RETURN ARRAY(SELECT f.app_id FROM application_fences f WHERE f.is_hidden);

-- owner: tenancy. Settings of the platform: one row, in the Dashboard.
CREATE TABLE platform_settings (
    app_id                uuid        NOT NULL,
    applications_per_team integer,    -- NULL: no limit
    new_applications      jsonb       NOT NULL DEFAULT '{}',  -- settings that new applications start with
    updated_at            timestamptz,
    CONSTRAINT platform_settings_pkey PRIMARY KEY (app_id),
    CONSTRAINT platform_settings_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: tenancy. Slugs of deleted applications. Nobody gets such a slug for a while, because cookies,
-- links and tokens that name it still exist.
CREATE TABLE deleted_slugs (
    slug       text        NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    free_at    timestamptz,  -- NULL: never
    CONSTRAINT deleted_slugs_pkey PRIMARY KEY (slug)
);

-- owner: tenancy. Not partitioned: the key alone finds the application.
CREATE TABLE application_api_keys (
    id           uuid        NOT NULL,
    app_id       uuid        NOT NULL,
    key_type     text        NOT NULL,
    key_prefix   text        NOT NULL,  -- first 12 characters
    key_hash     text        NOT NULL,
    name         text,
    created_by   uuid,       -- a developer: a user of the dashboard, or NULL for the first keys
    last_used_at timestamptz,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    rotated_to   uuid,       -- the successor; this key then lives until expires_at (24 h)
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT application_api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT application_api_keys_key_hash_key UNIQUE (key_hash),
    CONSTRAINT application_api_keys_app_id_fkey FOREIGN KEY (app_id)
        REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT application_api_keys_rotated_to_fkey FOREIGN KEY (rotated_to)
        REFERENCES application_api_keys (id) ON DELETE SET NULL,
    CONSTRAINT application_api_keys_key_type_check CHECK (key_type IN ('publishable', 'secret'))
);
CREATE INDEX idx_api_keys_app ON application_api_keys (app_id, created_at, id);
CREATE INDEX idx_api_keys_prefix ON application_api_keys (key_prefix);
CREATE INDEX idx_api_keys_rotated_to ON application_api_keys (rotated_to) WHERE rotated_to IS NOT NULL;

-- owner: tenancy. Not partitioned: the host finds the application, and a domain has one verified owner.
-- Every application may add a domain; only the one that proves control of it is verified.
CREATE TABLE custom_domains (
    id                    uuid        NOT NULL,
    app_id                uuid        NOT NULL,
    domain                text        NOT NULL,  -- lower case, A-labels, no trailing dot
    verification_token    text        NOT NULL,
    txt_ok                boolean     NOT NULL DEFAULT false,
    cname_ok              boolean     NOT NULL DEFAULT false,
    checked_at            timestamptz,
    last_error            text,
    verified_at           timestamptz,
    is_primary            boolean     NOT NULL DEFAULT false,
    cf_custom_hostname_id text,
    certificate_status    text,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT custom_domains_pkey PRIMARY KEY (id),
    CONSTRAINT custom_domains_app_id_domain_key UNIQUE (domain, app_id),
    CONSTRAINT custom_domains_app_id_fkey FOREIGN KEY (app_id)
        REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT custom_domains_is_primary_check CHECK (NOT is_primary OR verified_at IS NOT NULL)
);
CREATE UNIQUE INDEX custom_domains_verified_domain_key ON custom_domains (domain) WHERE verified_at IS NOT NULL;
CREATE UNIQUE INDEX custom_domains_primary_key ON custom_domains (app_id) WHERE is_primary;

-- ============================================================================================
-- identity: users (before the other services, whose tables refer to them)
-- ============================================================================================

-- owner: identity. An address is stored as the user typed it, and found by its key (common/address_keys.py). Both
-- are NULL for users without an address.
CREATE TABLE users (
    app_id                uuid        NOT NULL,
    id                    uuid        NOT NULL,
    email                 text,
    email_normalized      text        COLLATE "C",
    email_verified        boolean     NOT NULL DEFAULT false,
    name                  text,
    given_name            text,
    family_name           text,
    middle_name           text,
    nickname              text,
    preferred_username    text,
    profile               text,
    picture               text,
    website               text,
    gender                text,
    birthdate             text,       -- OIDC Core 5.1: YYYY-MM-DD, YYYY or 0000-MM-DD
    zoneinfo              text,
    locale                text,
    phone_number          text,
    phone_number_verified boolean     NOT NULL DEFAULT false,
    address               jsonb,
    public_metadata       jsonb       NOT NULL DEFAULT '{}',
    private_metadata      jsonb       NOT NULL DEFAULT '{}',
    user_metadata         jsonb       NOT NULL DEFAULT '{}',
    disabled              boolean     NOT NULL DEFAULT false,
    epoch                 integer     NOT NULL DEFAULT 0,  -- raised to end every token at once
    factor_epoch          integer     NOT NULL DEFAULT 0,  -- raised by each change of password, factor or address
    guest                 boolean     NOT NULL DEFAULT false,  -- has no credentials yet
    webauthn_handle       bytea,      -- the user.id of the user's passkeys (WebAuthn 5.4.3): random, not our id
    passkey_offered_at    timestamptz,  -- a passkey is offered once
    last_sign_in_at       timestamptz,
    provisioned_at        timestamptz,  -- has the default role and personal team; NULL: the sweep retries
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT users_email_normalized_check CHECK ((email IS NULL) = (email_normalized IS NULL)),
    CONSTRAINT users_email_verified_check CHECK (email IS NOT NULL OR NOT email_verified)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_users_app_created ON users (app_id, created_at, id);
ALTER TABLE users ADD CONSTRAINT users_pkey PRIMARY KEY (app_id, id);
ALTER TABLE users ADD CONSTRAINT users_app_id_email_key UNIQUE (email_normalized, app_id);
-- For the two filters of the list of users that match few of them.
CREATE INDEX idx_users_disabled ON users (app_id, created_at, id) WHERE disabled;
CREATE INDEX idx_users_unverified ON users (app_id, created_at, id) WHERE NOT email_verified;
-- For the sweep of users who are not provisioned.
CREATE INDEX idx_users_unprovisioned ON users (app_id, id) WHERE provisioned_at IS NULL;
-- For the sweep of guests who are not active any more.
CREATE INDEX idx_users_guests ON users (app_id, id) WHERE guest;

-- Returns about how many users an application has, from the statistics of the planner: for lists with
-- too many users to count. It reads no row.
CREATE FUNCTION estimated_users(app_id uuid, disabled boolean, email_verified boolean)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $estimated$
DECLARE
    plan json;
BEGIN
    EXECUTE format(
        'EXPLAIN (FORMAT JSON) SELECT FROM users u WHERE u.app_id = %L'
        ' AND (%L::boolean IS NULL OR u.disabled = %L) AND (%L::boolean IS NULL OR u.email_verified = %L)',
        $1, $2, $2, $3, $3) INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint;
END
$estimated$;

-- owner: identity, through a trigger on users. The words by which a search finds a user: the address,
-- its parts, and each word of their names. A pattern (LIKE '%…%') would read every user of the
-- application. A range of this table's index reads only the page. A search for the beginning of several
-- words of one user takes the first of them: the one that shares fewer characters with the word before.
CREATE TABLE user_words (
    app_id  uuid    NOT NULL,
    user_id uuid    NOT NULL,
    word    text    COLLATE "C" NOT NULL,
    shared  integer NOT NULL,  -- characters at the beginning that the word before of the same user has, too
    CONSTRAINT user_words_pkey PRIMARY KEY (app_id, word, user_id) INCLUDE (shared)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_user_words_user ON user_words (user_id, app_id, word);

-- Returns the next words of an application that begin with `beginning`, after `word` of the user `user_id`:
-- at most `most`, in the order of the primary key. Whether a row is the first such word of its user, says
-- `is_first`; with `firsts`, the others are left out.
--
-- No plan but a walk along the primary key is left here. Otherwise Postgres may sort all words that begin
-- so to return the first few: it does if statistics promise few of them, or if the table was not vacuumed.
CREATE FUNCTION user_words_from(
    app_id uuid, word text, user_id uuid, beginning text, firsts boolean, most bigint)
RETURNS TABLE (id uuid, key text, is_first boolean) LANGUAGE plpgsql STABLE ROWS 500
SET search_path = pg_catalog, public, pg_temp
SET enable_sort = off
SET enable_bitmapscan = off
SET max_parallel_workers_per_gather = 0 AS $words$
BEGIN
    RETURN QUERY
    SELECT w.user_id, w.word, w.shared < length($4) FROM user_words w
    WHERE w.app_id = $1 AND (w.word, w.user_id) > ($2, $3) AND w.word < $4 || chr(1114111)
      AND (NOT $5 OR w.shared < length($4))
    ORDER BY w.word, w.user_id LIMIT $6;
END
$words$;

-- Returns a word as it is stored and searched: in lower case, without accents.
CREATE FUNCTION search_key(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN lower(regexp_replace(normalize($1, NFKD), E'[\u0300-\u036F]', '', 'g'));

-- Returns the words of a user, each once. Their number and length have an upper bound.
CREATE FUNCTION words_of_user(email text, names text[]) RETURNS TABLE (word text, shared integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.word, (
        SELECT count(*)::integer FROM generate_series(1, least(length(s.word), length(s.before))) AS n
        WHERE left(s.word, n) = left(s.before, n))
    FROM (
        SELECT d.word, lag(d.word) OVER (ORDER BY d.word COLLATE "C") AS before FROM (
            SELECT DISTINCT left(w.word, 100) AS word FROM (
                SELECT email
                UNION ALL SELECT split_part(email, '@', 2)
                UNION ALL SELECT regexp_split_to_table(search_key(split_part(email, '@', 1)), '[-._+]+')
                UNION ALL SELECT regexp_split_to_table(n.name, '\s+')
                    FROM unnest(names) AS named (name), LATERAL (SELECT search_key(named.name)) AS n (name)
                UNION ALL SELECT regexp_split_to_table(n.name, '[-\s.,;:_''’"/()+]+')
                    FROM unnest(names) AS named (name), LATERAL (SELECT search_key(named.name)) AS n (name)
            ) AS w (word)
            WHERE w.word <> '' LIMIT 60
        ) AS d
    ) AS s;
END;

CREATE FUNCTION users_words() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $words$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM user_words WHERE app_id = NEW.app_id AND user_id = NEW.id;
    END IF;
    INSERT INTO user_words (app_id, user_id, word, shared)
    SELECT NEW.app_id, NEW.id, w.word, w.shared FROM words_of_user(
        NEW.email_normalized,
        ARRAY[NEW.name, NEW.given_name, NEW.middle_name, NEW.family_name, NEW.nickname,
              NEW.preferred_username]) AS w;
    RETURN NULL;
END
$words$;
CREATE TRIGGER users_words_insert AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION users_words();
CREATE TRIGGER users_words_update AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.email, OLD.name, OLD.given_name, OLD.middle_name, OLD.family_name, OLD.nickname,
           OLD.preferred_username)
          IS DISTINCT FROM
          (NEW.email, NEW.name, NEW.given_name, NEW.middle_name, NEW.family_name, NEW.nickname,
           NEW.preferred_username))
    EXECUTE FUNCTION users_words();

-- ============================================================================================
-- rbac
-- ============================================================================================

-- owner: rbac. `id` is readable and unique only inside its application.
CREATE TABLE roles (
    app_id      uuid        NOT NULL,
    id          text        NOT NULL,
    name        text        NOT NULL,
    description text,
    is_system   boolean     NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    nats        jsonb,      -- what its users may do on a NATS server that asks Aero2
    CONSTRAINT roles_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT roles_app_id_name_key UNIQUE (name, app_id),
    CONSTRAINT roles_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: rbac
CREATE TABLE permissions (
    app_id      uuid        NOT NULL,
    id          text        NOT NULL,
    name        text        NOT NULL,
    resource    text        NOT NULL,
    action      text        NOT NULL,
    description text,
    is_system   boolean     NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT permissions_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT permissions_app_id_name_key UNIQUE (name, app_id),
    CONSTRAINT permissions_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: rbac
CREATE TABLE role_permissions (
    app_id        uuid        NOT NULL,
    role_id       text        NOT NULL,
    permission_id text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT role_permissions_pkey PRIMARY KEY (app_id, role_id, permission_id),
    CONSTRAINT role_permissions_role_id_fkey FOREIGN KEY (app_id, role_id)
        REFERENCES roles (app_id, id) ON DELETE CASCADE,
    CONSTRAINT role_permissions_permission_id_fkey FOREIGN KEY (app_id, permission_id)
        REFERENCES permissions (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_role_permissions_permission ON role_permissions (permission_id, app_id);

-- owner: rbac. Roles inside an organization (`admin`, `member`, …). Their ids are separate from those
-- of the application's roles: both kinds have an `admin`. Both contain the same kind of permissions.
CREATE TABLE organization_roles (
    app_id      uuid        NOT NULL,
    id          text        NOT NULL,
    name        text        NOT NULL,
    description text,
    is_system   boolean     NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    nats        jsonb,      -- what its users may do on a NATS server that asks Aero2
    CONSTRAINT organization_roles_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT organization_roles_app_id_name_key UNIQUE (name, app_id),
    CONSTRAINT organization_roles_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: rbac
CREATE TABLE organization_role_permissions (
    app_id        uuid        NOT NULL,
    role_id       text        NOT NULL,
    permission_id text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organization_role_permissions_pkey PRIMARY KEY (app_id, role_id, permission_id),
    CONSTRAINT organization_role_permissions_role_id_fkey FOREIGN KEY (app_id, role_id)
        REFERENCES organization_roles (app_id, id) ON DELETE CASCADE,
    CONSTRAINT organization_role_permissions_permission_id_fkey FOREIGN KEY (app_id, permission_id)
        REFERENCES permissions (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_organization_role_permissions_permission
    ON organization_role_permissions (permission_id, app_id);

-- ============================================================================================
-- tenancy: organizations (developer teams are organizations of the dashboard application)
-- ============================================================================================

-- Returns the words of names and slugs as they are stored and searched, each once. Their number and length
-- have an upper bound.
CREATE FUNCTION words_of_names(text[]) RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT DISTINCT left(w.word, 100)
    FROM unnest($1) AS named (name), LATERAL (SELECT search_key(named.name)) AS n (name),
         LATERAL regexp_split_to_table(n.name, '[-\s.,;:_&''’"/()+]+') AS w (word)
    WHERE w.word <> '' LIMIT 60;
END;

-- owner: tenancy
CREATE TABLE organizations (
    app_id           uuid        NOT NULL,
    id               uuid        NOT NULL,
    slug             text        NOT NULL,
    name             text        NOT NULL,
    logo_url         text,
    is_personal      boolean     NOT NULL DEFAULT false,
    sso_required     boolean     NOT NULL DEFAULT false,  -- members sign in through its own provider only
    created_by       uuid,
    request_key      text,       -- its creator, and the id of their request: sent twice, it creates one
    public_metadata  jsonb       NOT NULL DEFAULT '{}',
    private_metadata jsonb       NOT NULL DEFAULT '{}',
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organizations_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT organizations_created_by_fkey FOREIGN KEY (app_id, created_by)
        REFERENCES users (app_id, id) ON DELETE SET NULL (created_by)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_organizations_app_created ON organizations (app_id, created_at, id);
ALTER TABLE organizations ADD CONSTRAINT organizations_pkey PRIMARY KEY (app_id, id);
ALTER TABLE organizations ADD CONSTRAINT organizations_app_id_slug_key UNIQUE (slug, app_id);
ALTER TABLE organizations ADD CONSTRAINT organizations_request_key_key UNIQUE (request_key, app_id);
CREATE INDEX idx_organizations_created_by ON organizations (created_by, app_id);
CREATE UNIQUE INDEX organizations_personal_key ON organizations (created_by, app_id) WHERE is_personal;

-- owner: tenancy, through a trigger on organizations. The words of their names and slugs, by which a search
-- finds them: a range of the index reads only the page.
CREATE TABLE organization_words (
    app_id uuid NOT NULL,
    org_id uuid NOT NULL,
    word   text COLLATE "C" NOT NULL,
    CONSTRAINT organization_words_pkey PRIMARY KEY (app_id, org_id, word),
    CONSTRAINT organization_words_org_id_fkey FOREIGN KEY (app_id, org_id)
        REFERENCES organizations (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_organization_words_word ON organization_words (word, app_id, org_id);

CREATE FUNCTION organizations_words() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $words$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM organization_words WHERE app_id = NEW.app_id AND org_id = NEW.id;
    END IF;
    INSERT INTO organization_words (app_id, org_id, word)
    SELECT NEW.app_id, NEW.id, w.word FROM words_of_names(ARRAY[NEW.name, NEW.slug]) AS w (word);
    RETURN NULL;
END
$words$;
CREATE TRIGGER organizations_words_insert AFTER INSERT ON organizations
    FOR EACH ROW EXECUTE FUNCTION organizations_words();
CREATE TRIGGER organizations_words_update AFTER UPDATE ON organizations FOR EACH ROW
    WHEN ((OLD.name, OLD.slug) IS DISTINCT FROM (NEW.name, NEW.slug))
    EXECUTE FUNCTION organizations_words();

-- owner: tenancy, through a trigger on applications. The same for operators, who search the applications of all
-- teams. Not partitioned, as the applications themselves.
CREATE TABLE application_words (
    app_id uuid NOT NULL,
    word   text COLLATE "C" NOT NULL,
    CONSTRAINT application_words_pkey PRIMARY KEY (app_id, word),
    CONSTRAINT application_words_app_id_fkey FOREIGN KEY (app_id)
        REFERENCES applications (id) ON DELETE CASCADE
);
CREATE INDEX idx_application_words_word ON application_words (word, app_id);

CREATE FUNCTION applications_words() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $words$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM application_words WHERE app_id = NEW.id;
    END IF;
    INSERT INTO application_words (app_id, word)
    SELECT NEW.id, w.word FROM words_of_names(ARRAY[NEW.name, NEW.slug]) AS w (word);
    RETURN NULL;
END
$words$;
CREATE TRIGGER applications_words_insert AFTER INSERT ON applications
    FOR EACH ROW EXECUTE FUNCTION applications_words();
CREATE TRIGGER applications_words_update AFTER UPDATE ON applications FOR EACH ROW
    WHEN ((OLD.name, OLD.slug) IS DISTINCT FROM (NEW.name, NEW.slug))
    EXECUTE FUNCTION applications_words();

-- A team that owns applications cannot be deleted. The handler reports this by the constraint's name.
ALTER TABLE applications ADD CONSTRAINT applications_owner_org_id_fkey
    FOREIGN KEY (owner_app_id, owner_org_id) REFERENCES organizations (app_id, id);

-- owner: tenancy. Each member has one organization role. rbac reads it for the rights of the member.
CREATE TABLE organization_members (
    app_id     uuid        NOT NULL,
    org_id     uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    role_id    text        NOT NULL DEFAULT 'member',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organization_members_pkey PRIMARY KEY (app_id, org_id, user_id),
    CONSTRAINT organization_members_org_id_fkey FOREIGN KEY (app_id, org_id)
        REFERENCES organizations (app_id, id) ON DELETE CASCADE,
    CONSTRAINT organization_members_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE,
    CONSTRAINT organization_members_role_id_fkey FOREIGN KEY (app_id, role_id)
        REFERENCES organization_roles (app_id, id)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_organization_members_user ON organization_members (user_id, app_id, org_id);
CREATE INDEX idx_organization_members_role ON organization_members (role_id, app_id);
CREATE INDEX idx_organization_members_created ON organization_members (org_id, app_id, created_at, user_id);

-- owner: tenancy. `email` in lower case; expired = pending and past expires_at.
CREATE TABLE organization_invitations (
    app_id      uuid        NOT NULL,
    id          uuid        NOT NULL,
    org_id      uuid        NOT NULL,
    email       text        NOT NULL,
    email_normalized text   COLLATE "C" NOT NULL,
    role_id     text        NOT NULL DEFAULT 'member',
    token_hash  text        NOT NULL,
    status      text        NOT NULL DEFAULT 'pending',
    invited_by  uuid,
    accepted_by uuid,
    accepted_at timestamptz,
    sent_at     timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organization_invitations_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT organization_invitations_token_hash_key UNIQUE (token_hash, app_id),
    CONSTRAINT organization_invitations_org_id_fkey FOREIGN KEY (app_id, org_id)
        REFERENCES organizations (app_id, id) ON DELETE CASCADE,
    CONSTRAINT organization_invitations_role_id_fkey FOREIGN KEY (app_id, role_id)
        REFERENCES organization_roles (app_id, id) ON DELETE CASCADE,
    CONSTRAINT organization_invitations_status_check CHECK (status IN ('pending', 'accepted', 'revoked'))
) PARTITION BY HASH (app_id);
CREATE UNIQUE INDEX organization_invitations_pending_key
    ON organization_invitations (org_id, app_id, email_normalized) WHERE status = 'pending';
CREATE INDEX idx_organization_invitations_created ON organization_invitations (org_id, app_id, created_at, id);
CREATE INDEX idx_organization_invitations_role ON organization_invitations (role_id, app_id);
CREATE INDEX idx_organization_invitations_inviter ON organization_invitations (invited_by, app_id, sent_at);
CREATE INDEX idx_organization_invitations_expires ON organization_invitations (expires_at);

-- owner: tenancy. Users with an address in a proven e-mail domain may join without an invitation.
CREATE TABLE organization_domains (
    app_id             uuid        NOT NULL,
    id                 uuid        NOT NULL,
    org_id             uuid        NOT NULL,
    domain             text        NOT NULL,
    verification_token text        NOT NULL,
    verified_at        timestamptz,
    checked_at         timestamptz NOT NULL DEFAULT now(),  -- when the TXT record was last looked up
    missing_since      timestamptz,  -- the record of a verified domain is gone: nobody joins
    auto_join          boolean     NOT NULL DEFAULT false,
    role_id            text        NOT NULL DEFAULT 'member',
    created_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organization_domains_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT organization_domains_org_id_domain_key UNIQUE (org_id, domain, app_id),
    CONSTRAINT organization_domains_org_id_fkey FOREIGN KEY (app_id, org_id)
        REFERENCES organizations (app_id, id) ON DELETE CASCADE,
    CONSTRAINT organization_domains_role_id_fkey FOREIGN KEY (app_id, role_id)
        REFERENCES organization_roles (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE UNIQUE INDEX organization_domains_verified_key
    ON organization_domains (domain, app_id) WHERE verified_at IS NOT NULL;
CREATE INDEX idx_organization_domains_checked ON organization_domains (checked_at) WHERE verified_at IS NOT NULL;
CREATE INDEX idx_organization_domains_role ON organization_domains (role_id, app_id);

-- owner: rbac. A role in the whole application (org_id NULL) or inside one organization. The latter is
-- deleted with the membership.
CREATE TABLE user_roles (
    app_id     uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    role_id    text        NOT NULL,
    org_id     uuid,
    granted_by text,       -- 'bootstrap', 'system', a user's id, or `idp:` and a provider's id
    granted_at timestamptz NOT NULL DEFAULT now(),
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),  -- for the primary key: org_id may be NULL
    CONSTRAINT user_roles_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT user_roles_key UNIQUE NULLS NOT DISTINCT (user_id, role_id, org_id, app_id),
    CONSTRAINT user_roles_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE,
    CONSTRAINT user_roles_role_id_fkey FOREIGN KEY (app_id, role_id)
        REFERENCES roles (app_id, id) ON DELETE CASCADE,
    CONSTRAINT user_roles_org_id_fkey FOREIGN KEY (app_id, org_id, user_id)
        REFERENCES organization_members (app_id, org_id, user_id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_user_roles_app_user ON user_roles (user_id, app_id);
CREATE INDEX idx_user_roles_role ON user_roles
    (role_id, app_id, granted_at, user_id, coalesce(org_id, '00000000-0000-0000-0000-000000000000'));

-- ============================================================================================
-- identity: credentials, sessions, codes, protection
-- ============================================================================================

-- owner: identity
CREATE TABLE passwords (
    app_id      uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    phc         text        NOT NULL,  -- PHC string: our argon2id, or an imported hash until next sign-in
    must_change boolean     NOT NULL DEFAULT false,
    breached    boolean     NOT NULL DEFAULT false,
    changed_at  timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT passwords_pkey PRIMARY KEY (app_id, user_id),
    CONSTRAINT passwords_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: identity. The key is a hash of the address, not the user. So an address without a user is
-- locked in the same way.
CREATE TABLE sign_in_guards (
    app_id          uuid        NOT NULL,
    address_hash    text        NOT NULL,
    failed_attempts integer     NOT NULL DEFAULT 0,
    last_failed_at  timestamptz,
    locked_until    timestamptz,
    pending         integer     NOT NULL DEFAULT 0,  -- tries without a verdict yet
    pending_until   timestamptz,
    expires_at      timestamptz NOT NULL,
    CONSTRAINT sign_in_guards_pkey PRIMARY KEY (app_id, address_hash)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_sign_in_guards_expires ON sign_in_guards (expires_at);

-- owner: identity. One act on many users. `caller` is who started it, as the header of a call has it.
CREATE TABLE user_batches (
    app_id      uuid        NOT NULL,
    id          uuid        NOT NULL,
    act         text        NOT NULL,
    state       text        NOT NULL,  -- open, running, done, cancelled or stopped
    role_id     text,
    caller      jsonb       NOT NULL,
    total       integer     NOT NULL DEFAULT 0,
    done        integer     NOT NULL DEFAULT 0,
    succeeded   integer     NOT NULL DEFAULT 0,
    unchanged   integer     NOT NULL DEFAULT 0,
    failed      integer     NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    expires_at  timestamptz NOT NULL DEFAULT now() + interval '7 days',
    CONSTRAINT user_batches_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT user_batches_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_user_batches_created ON user_batches (app_id, created_at, id);
CREATE INDEX idx_user_batches_expires ON user_batches (expires_at);

-- owner: identity. Rows of a batch that are done together. At most one part of a batch is due. A worker
-- that takes it puts `due_at` off, so that another worker takes it if the first one dies.
CREATE TABLE user_batch_parts (
    app_id   uuid    NOT NULL,
    batch_id uuid    NOT NULL,
    first    integer NOT NULL,  -- the number of its first row
    size     integer NOT NULL,
    input    text,              -- sealed; NULL once it is done: it can have passwords
    results  text,              -- sealed
    failed   integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    due_at   timestamptz,
    CONSTRAINT user_batch_parts_pkey PRIMARY KEY (app_id, batch_id, first),
    CONSTRAINT user_batch_parts_batch_id_fkey FOREIGN KEY (app_id, batch_id)
        REFERENCES user_batches (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_user_batch_parts_due ON user_batch_parts (due_at) WHERE due_at IS NOT NULL;

-- owner: identity. The active organization becomes NULL when the membership is deleted.
CREATE TABLE user_sessions (
    app_id          uuid        NOT NULL,
    id              uuid        NOT NULL,
    user_id         uuid        NOT NULL,
    token_hash      text        NOT NULL,
    kind            text        NOT NULL,  -- full | mfa_required | mfa_setup_required
    idp_name        text,
    idp_org_id      uuid,       -- the organization of the provider that started it: opens it if sso_required
    acr             text,
    amr             text[]      NOT NULL DEFAULT '{}',
    auth_time       timestamptz NOT NULL DEFAULT now(),
    factor_times    jsonb       NOT NULL DEFAULT '{}',  -- when each factor was last shown, in epoch seconds
    factor_epoch    integer     NOT NULL DEFAULT 0,     -- that of the user when a half session started
    pending         jsonb,      -- of a half session: what the full session takes over
    attempts        integer     NOT NULL DEFAULT 0,     -- of a half session: wrong codes
    remembered      boolean     NOT NULL DEFAULT false,
    active_org_id   uuid,
    previous_id     uuid,       -- the session this one replaced at a change of privilege
    ip_address      text,
    user_agent      text,
    device_name     text,
    place           text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_active_at  timestamptz NOT NULL DEFAULT now(),
    idle_expires_at timestamptz,
    expires_at      timestamptz NOT NULL,  -- absolute
    revoked_at      timestamptz,
    revoked_reason  text,
    actor_id        uuid,       -- of an impersonation: who acts as the user (RFC 8693 section 4.1)
    actor_app_id    uuid,       -- the actor's application: this one, or the Dashboard
    actor_session   uuid,       -- the actor's session: the impersonation ends with it
    actor_reason    text,
    CONSTRAINT user_sessions_kind_check CHECK (kind IN ('full', 'mfa_required', 'mfa_setup_required')),
    CONSTRAINT user_sessions_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT user_sessions_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE,
    CONSTRAINT user_sessions_active_org_id_fkey FOREIGN KEY (app_id, active_org_id, user_id)
        REFERENCES organization_members (app_id, org_id, user_id) ON DELETE SET NULL (active_org_id)
) PARTITION BY HASH (app_id);
CREATE UNIQUE INDEX idx_user_sessions_token ON user_sessions (token_hash, app_id);
CREATE INDEX idx_user_sessions_user ON user_sessions (user_id, app_id);
CREATE INDEX idx_user_sessions_revoked ON user_sessions (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX idx_user_sessions_expires ON user_sessions (expires_at);
-- For the job that ends impersonations together with the rights of their actors.
CREATE INDEX idx_user_sessions_actor ON user_sessions (app_id, id)
    WHERE actor_id IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX idx_user_sessions_previous ON user_sessions (previous_id, app_id) WHERE previous_id IS NOT NULL;

-- owner: identity. One mail may carry a code and a link; `email` in lower case. `browser_hash`
-- binds the link to the browser that requested it.
CREATE TABLE email_verification_codes (
    app_id       uuid        NOT NULL,
    id           uuid        NOT NULL,
    email        text        NOT NULL,
    user_id      uuid,
    type         text        NOT NULL,
    code_hash    text,
    link_hash    text,
    browser_hash text,
    payload      jsonb       NOT NULL DEFAULT '{}',
    attempts     integer     NOT NULL DEFAULT 0,
    max_attempts integer     NOT NULL DEFAULT 5,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT email_verification_codes_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT email_verification_codes_app_id_fkey FOREIGN KEY (app_id)
        REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT email_verification_codes_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE,
    CONSTRAINT email_verification_codes_type_check CHECK (type IN
        ('email_code', 'magic_link', 'password_reset', 'email_verification', 'email_change', 'invitation', 'owner_link',
         'link_proof', 'impersonation')),
    CONSTRAINT email_verification_codes_hash_check CHECK (code_hash IS NOT NULL OR link_hash IS NOT NULL)
) PARTITION BY HASH (app_id);
CREATE UNIQUE INDEX email_verification_codes_link_hash_key
    ON email_verification_codes (link_hash, app_id) WHERE link_hash IS NOT NULL;
CREATE INDEX idx_verification_codes_lookup ON email_verification_codes (email, app_id, type);
CREATE INDEX idx_verification_codes_user ON email_verification_codes (user_id, app_id);
CREATE INDEX idx_verification_codes_expires ON email_verification_codes (expires_at);

-- owner: identity. An administrator's invitation into the application.
CREATE TABLE user_invitations (
    app_id      uuid        NOT NULL,
    id          uuid        NOT NULL,
    email       text        NOT NULL,
    email_normalized text   COLLATE "C" NOT NULL,
    token_hash  text        NOT NULL,
    role_ids    text[]      NOT NULL DEFAULT '{}',
    profile     jsonb       NOT NULL DEFAULT '{}',
    invited_by  text,
    accepted_by uuid,
    accepted_at timestamptz,
    revoked_at  timestamptz,
    sent_at     timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT user_invitations_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT user_invitations_token_hash_key UNIQUE (token_hash, app_id),
    CONSTRAINT user_invitations_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT user_invitations_accepted_by_fkey FOREIGN KEY (app_id, accepted_by)
        REFERENCES users (app_id, id) ON DELETE SET NULL (accepted_by)
) PARTITION BY HASH (app_id);
CREATE UNIQUE INDEX user_invitations_pending_key
    ON user_invitations (email_normalized, app_id) WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX idx_user_invitations_created ON user_invitations (app_id, created_at, id);
CREATE INDEX idx_user_invitations_expires ON user_invitations (expires_at);
CREATE INDEX idx_user_invitations_accepted_by ON user_invitations (accepted_by, app_id);

-- owner: identity. Devices on which a user has signed in. A sign-in on a new device sends a mail.
CREATE TABLE known_devices (
    app_id        uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    device_hash   text        NOT NULL,
    name          text,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT known_devices_pkey PRIMARY KEY (app_id, user_id, device_hash),
    CONSTRAINT known_devices_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_known_devices_seen ON known_devices (last_seen_at);

-- owner: identity. A device that may skip the second factor for some days.
CREATE TABLE trusted_devices (
    app_id       uuid        NOT NULL,
    id           uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    token_hash   text        NOT NULL,
    name         text,
    factor_epoch integer     NOT NULL,  -- that of the user: the device counts only while it is the same
    last_used_at timestamptz,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT trusted_devices_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT trusted_devices_token_hash_key UNIQUE (token_hash, app_id),
    CONSTRAINT trusted_devices_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_trusted_devices_user ON trusted_devices (user_id, app_id);
CREATE INDEX idx_trusted_devices_expires ON trusted_devices (expires_at);
CREATE INDEX idx_trusted_devices_revoked ON trusted_devices (revoked_at) WHERE revoked_at IS NOT NULL;

-- owner: identity. For a short time, one operator may read the data of this user, in the session in which
-- they gave the reason.
CREATE TABLE support_views (
    app_id        uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    actor_session uuid        NOT NULL,  -- the session of the operator, in the Dashboard
    actor_id      uuid        NOT NULL,  -- the operator, a user of the Dashboard
    reason        text        NOT NULL,
    expires_at    timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT support_views_pkey PRIMARY KEY (app_id, user_id, actor_session),
    CONSTRAINT support_views_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_support_views_expires ON support_views (expires_at);

-- owner: identity
CREATE TABLE passkeys (
    app_id          uuid        NOT NULL,
    id              uuid        NOT NULL,
    user_id         uuid        NOT NULL,
    credential_id   bytea       NOT NULL,
    public_key      bytea       NOT NULL,
    sign_count      bigint      NOT NULL DEFAULT 0,
    rp_id           text        NOT NULL,  -- the domain it was made on; a custom domain may come later
    aaguid          uuid,
    transports      text[]      NOT NULL DEFAULT '{}',
    backup_eligible boolean     NOT NULL DEFAULT false,
    backed_up       boolean     NOT NULL DEFAULT false,
    name            text,
    last_used_at    timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT passkeys_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT passkeys_credential_id_key UNIQUE (credential_id, app_id),
    CONSTRAINT passkeys_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_passkeys_user ON passkeys (user_id, app_id);
-- For the question whether an earlier host of the application still has passkeys.
CREATE INDEX idx_passkeys_rp ON passkeys (rp_id, app_id);

-- owner: identity. One UPDATE … WHERE used_at IS NULL consumes a challenge before any cryptography, also
-- if the ceremony fails afterwards (WebAuthn 13.4.3).
CREATE TABLE webauthn_challenges (
    app_id         uuid        NOT NULL,
    challenge_hash text        NOT NULL,
    purpose        text        NOT NULL,  -- register | sign_in | sign_up | second_factor | step_up
    rp_id          text        NOT NULL,
    browser_hash   text,
    session_id     uuid,       -- the session in which the challenge was made
    user_id        uuid,       -- who has to answer; NULL: any user
    payload        jsonb       NOT NULL DEFAULT '{}',
    expires_at     timestamptz NOT NULL,
    used_at        timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webauthn_challenges_pkey PRIMARY KEY (app_id, challenge_hash)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_webauthn_challenges_expires ON webauthn_challenges (expires_at);
CREATE INDEX idx_webauthn_challenges_user ON webauthn_challenges (user_id, app_id);

-- owner: identity. `last_step` is the time step of the last code, so no code is accepted twice
-- (RFC 6238 section 5.2). A secret that is not confirmed yet belongs to the session that created it.
CREATE TABLE totp_factors (
    app_id        uuid        NOT NULL,
    id            uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    secret_sealed text        NOT NULL,
    name          text,
    last_step     bigint      NOT NULL DEFAULT 0,
    session_id    uuid,
    confirmed_at  timestamptz,
    last_used_at  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT totp_factors_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT totp_factors_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_totp_factors_user ON totp_factors (user_id, app_id);
-- For the sweep of secrets that nobody has confirmed.
CREATE INDEX idx_totp_factors_pending ON totp_factors (created_at) WHERE confirmed_at IS NULL;

-- owner: identity
CREATE TABLE recovery_codes (
    app_id     uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    code_hash  text        NOT NULL,
    used_at    timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (app_id, user_id, code_hash),
    CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: identity. A provider for sign-in: of the whole application, or of one organization. For type
-- `oidc` the issuer is enough: discovery fills in the endpoints that are NULL.
CREATE TABLE identity_providers (
    app_id                 uuid        NOT NULL,
    id                     uuid        NOT NULL,
    name                   text        NOT NULL,
    display_name           text        NOT NULL,
    type                   text        NOT NULL,
    preset                 text,
    org_id                 uuid,
    issuer                 text,
    authorization_endpoint text,
    token_endpoint         text,
    userinfo_endpoint      text,
    jwks_uri               text,
    client_id              text        NOT NULL,
    client_secret_sealed   text,       -- of Apple: the private key that signs the client secret
    auth_method            text        NOT NULL DEFAULT 'client_secret_basic',
    scopes                 text[]      NOT NULL DEFAULT '{}',
    pkce                   boolean     NOT NULL DEFAULT true,
    nonce                  text        NOT NULL DEFAULT 'required',  -- required | optional | off
    response_mode          text        NOT NULL DEFAULT 'query',     -- query | form_post
    iss_mode               text        NOT NULL DEFAULT 'exact',     -- exact | optional | template (RFC 9207)
    algorithms             text[]      NOT NULL DEFAULT '{RS256,PS256,ES256,EdDSA}',
    claim_mapping          jsonb       NOT NULL DEFAULT '{}',
    role_mapping           jsonb       NOT NULL DEFAULT '[]',
    options                jsonb       NOT NULL DEFAULT '{}',  -- further settings of the preset
    trusts_email           boolean     NOT NULL DEFAULT false,  -- its email_verified counts as our own proof
    trusts_factors         boolean     NOT NULL DEFAULT false,  -- its acr and amr count as our own
    position               integer     NOT NULL DEFAULT 0,     -- order of the buttons
    enabled                boolean     NOT NULL DEFAULT true,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT identity_providers_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT identity_providers_app_id_name_key UNIQUE (name, app_id),
    CONSTRAINT identity_providers_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT identity_providers_org_id_fkey FOREIGN KEY (app_id, org_id)
        REFERENCES organizations (app_id, id) ON DELETE CASCADE,
    CONSTRAINT identity_providers_type_check CHECK (type IN ('oauth2', 'oidc')),
    CONSTRAINT identity_providers_issuer_check CHECK (type <> 'oidc' OR issuer IS NOT NULL)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_identity_providers_org ON identity_providers (org_id, app_id) WHERE org_id IS NOT NULL;

-- owner: identity. What a provider publishes: its discovery document and its keys. All replicas share it,
-- so that an unknown `kid` is looked up once in 30 seconds.
CREATE TABLE identity_provider_documents (
    app_id       uuid        NOT NULL,
    idp_id       uuid        NOT NULL,
    kind         text        NOT NULL,  -- discovery | keys
    url          text        NOT NULL,
    document     jsonb,
    fetched_at   timestamptz,
    attempted_at timestamptz NOT NULL DEFAULT now(),
    sought_at    timestamptz,  -- the last fetch for an unknown kid
    failure      text,       -- why the last attempt failed
    CONSTRAINT identity_provider_documents_pkey PRIMARY KEY (app_id, idp_id, kind),
    CONSTRAINT identity_provider_documents_idp_id_fkey FOREIGN KEY (app_id, idp_id)
        REFERENCES identity_providers (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: identity. One account at a provider belongs to one user. Two users cannot share it.
CREATE TABLE user_identity_links (
    app_id               uuid        NOT NULL,
    id                   uuid        NOT NULL,
    user_id              uuid        NOT NULL,
    idp_id               uuid        NOT NULL,
    iss                  text        NOT NULL DEFAULT '',  -- empty: a provider without an issuer
    idp_user_id          text        NOT NULL,
    idp_username         text,
    idp_email            text,
    access_token_sealed  text,
    refresh_token_sealed text,
    token_scopes         text[]      NOT NULL DEFAULT '{}',
    token_expires_at     timestamptz,
    token_lease_until    timestamptz,  -- one process refreshes the token until then
    last_used_at         timestamptz,
    created_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT user_identity_links_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT user_identity_links_idp_user_key UNIQUE (idp_id, iss, idp_user_id, app_id),
    CONSTRAINT user_identity_links_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE,
    CONSTRAINT user_identity_links_idp_id_fkey FOREIGN KEY (app_id, idp_id)
        REFERENCES identity_providers (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_user_identity_links_app_user ON user_identity_links (user_id, app_id);

-- owner: identity. Mail texts of an application's own, instead of the built-in ones.
CREATE TABLE mail_templates (
    app_id     uuid        NOT NULL,
    kind       text        NOT NULL,
    locale     text        NOT NULL,
    subject    text        NOT NULL,
    text_body  text        NOT NULL,
    html_body  text        NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT mail_templates_pkey PRIMARY KEY (app_id, kind, locale),
    CONSTRAINT mail_templates_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: identity. The SMTP server of an application's own. While it fails, its mails wait until
-- `paused_until`, and then one of them tries again.
CREATE TABLE mail_senders (
    app_id          uuid        NOT NULL,
    host            text        NOT NULL,
    port            integer     NOT NULL,
    tls             text        NOT NULL,  -- tls | starttls | none
    username        text,
    password_sealed text,
    from_address    text        NOT NULL,
    from_name       text,
    version         uuid        NOT NULL DEFAULT gen_random_uuid(),  -- of the settings: a late failure of older ones does not count
    failures        integer     NOT NULL DEFAULT 0,  -- in a row
    failing_since   timestamptz,
    paused_until    timestamptz,
    last_error      text,  -- the step that failed
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT mail_senders_pkey PRIMARY KEY (app_id),
    CONSTRAINT mail_senders_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT mail_senders_tls_check CHECK (tls IN ('tls', 'starttls', 'none'))
) PARTITION BY HASH (app_id);

-- owner: identity. One UPDATE … WHERE used_at IS NULL consumes a row, and only for the browser that
-- started the sign-in, at the provider that it was started for.
CREATE TABLE oauth_state (
    app_id               uuid        NOT NULL,
    state_hash           text        NOT NULL,
    idp_id               uuid        NOT NULL,
    purpose              text        NOT NULL,  -- sign_in | link | step_up
    redirect_uri         text        NOT NULL,  -- where the user goes afterwards
    browser_hash         text        NOT NULL,
    session_id           uuid,       -- the session that links a provider or confirms who the user is
    link_user_id         uuid,       -- set when a signed-in user links a provider
    nonce                text,
    code_verifier_sealed text,
    response_sealed      text,       -- a posted response (form_post) until the browser comes back with its cookie
    payload              jsonb       NOT NULL DEFAULT '{}',
    expires_at           timestamptz NOT NULL,
    used_at              timestamptz,
    created_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT oauth_state_pkey PRIMARY KEY (app_id, state_hash),
    CONSTRAINT oauth_state_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT oauth_state_link_user_id_fkey FOREIGN KEY (app_id, link_user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_oauth_state_expires ON oauth_state (expires_at);
CREATE INDEX idx_oauth_state_link_user ON oauth_state (link_user_id, app_id);

-- owner: identity. An account at a provider that may become a link once its owner has proven an existing
-- account here. It proves this one link only: the user, the provider and the subject.
CREATE TABLE link_proofs (
    app_id       uuid        NOT NULL,
    id           uuid        NOT NULL,
    token_hash   text        NOT NULL,
    browser_hash text        NOT NULL,
    user_id      uuid,       -- the account to prove; NULL: none has the address yet
    idp_id       uuid        NOT NULL,
    iss          text        NOT NULL DEFAULT '',
    idp_user_id  text        NOT NULL,
    sealed       text        NOT NULL,  -- the profile and the tokens of the account at the provider
    payload      jsonb       NOT NULL DEFAULT '{}',
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT link_proofs_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT link_proofs_token_hash_key UNIQUE (token_hash, app_id),
    CONSTRAINT link_proofs_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE,
    CONSTRAINT link_proofs_idp_id_fkey FOREIGN KEY (app_id, idp_id)
        REFERENCES identity_providers (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_link_proofs_user ON link_proofs (user_id, app_id);
CREATE INDEX idx_link_proofs_idp ON link_proofs (idp_id, app_id);
CREATE INDEX idx_link_proofs_expires ON link_proofs (expires_at);

-- owner: shared by the services that limit. Its partitions are UNLOGGED: a crash forgets the counts,
-- which is acceptable for limits. `tat` for GCRA, `window_start` and `hits` for fixed windows.
CREATE TABLE rate_limits (
    app_id       uuid        NOT NULL,
    key          text        NOT NULL,  -- '<limit>:<hash of whom>'
    tat          timestamptz,
    window_start timestamptz,
    hits         integer     NOT NULL DEFAULT 0,
    expires_at   timestamptz NOT NULL,
    CONSTRAINT rate_limits_pkey PRIMARY KEY (app_id, key)
) PARTITION BY HASH (app_id);

-- ============================================================================================
-- oidc
-- ============================================================================================

-- owner: oidc. The secrets of a client are in oauth_client_secrets; during a rotation there are several.
CREATE TABLE oauth_clients (
    app_id                        uuid        NOT NULL,
    id                            uuid        NOT NULL,
    client_id                     text        NOT NULL,
    name                          text        NOT NULL,
    type                          text        NOT NULL DEFAULT 'web',
    redirect_uris                 text[]      NOT NULL DEFAULT '{}',
    post_logout_redirect_uris     text[]      NOT NULL DEFAULT '{}',
    scopes                        text[]      NOT NULL DEFAULT '{}',
    grant_types                   text[]      NOT NULL DEFAULT '{authorization_code,refresh_token}',
    allowed_origins               text[]      NOT NULL DEFAULT '{}',
    default_resources             text[]      NOT NULL DEFAULT '{}',
    token_endpoint_auth_method    text,       -- NULL: a secret, by Basic or in the body
    token_endpoint_auth_alg       text,
    require_pkce                  boolean,    -- NULL: PKCE, or openid with a nonce
    jwks                          jsonb,
    jwks_uri                      text,
    first_party                   boolean     NOT NULL DEFAULT true,  -- consent is not asked
    subject_type                  text        NOT NULL DEFAULT 'public',
    sector_identifier             text,
    id_token_alg                  text        NOT NULL DEFAULT 'RS256',
    access_token_alg              text        NOT NULL DEFAULT 'ES256',
    access_token_format           text        NOT NULL DEFAULT 'jwt',
    userinfo_alg                  text,       -- NULL: plain JSON
    access_token_lifetime         integer     NOT NULL DEFAULT 900,
    id_token_lifetime             integer     NOT NULL DEFAULT 3600,
    id_token_claims               text        NOT NULL DEFAULT 'scopes',
    refresh_token_lifetime        integer     NOT NULL DEFAULT 604800,   -- idle, sliding
    refresh_token_max_lifetime    integer     NOT NULL DEFAULT 2592000,  -- absolute
    rotate_refresh_tokens         boolean     NOT NULL DEFAULT true,
    include_rights                boolean     NOT NULL DEFAULT false,
    claims_mapping                jsonb       NOT NULL DEFAULT '{}',
    backchannel_logout_uri        text,
    backchannel_session_required  boolean     NOT NULL DEFAULT false,
    backchannel_logout_failure    jsonb,      -- the last delivery, if it failed
    frontchannel_logout_uri       text,
    frontchannel_session_required boolean     NOT NULL DEFAULT false,
    initiate_login_uri            text,
    default_max_age               integer,
    require_auth_time             boolean     NOT NULL DEFAULT false,
    default_acr_values            text[]      NOT NULL DEFAULT '{}',
    logo_uri                      text,
    client_uri                    text,
    policy_uri                    text,
    tos_uri                       text,
    contacts                      text[]      NOT NULL DEFAULT '{}',
    enabled                       boolean     NOT NULL DEFAULT true,
    epoch                         integer     NOT NULL DEFAULT 0,  -- raised to end every token at once
    created_at                    timestamptz NOT NULL DEFAULT now(),
    updated_at                    timestamptz NOT NULL DEFAULT now(),
    security_profile              text,       -- NULL: none
    dpop_bound_access_tokens      boolean     NOT NULL DEFAULT false,
    source                        text        NOT NULL DEFAULT 'developer',
    last_used_at                  timestamptz,  -- about: written once a day
    registration_token_hash       text,       -- HMAC-SHA-256 (RFC 7592)
    registered_metadata           jsonb,      -- what a client registered and no other column holds (RFC 7591)
    fetched_jwks                  jsonb,      -- the key set at jwks_uri, for all replicas
    jwks_fetched_at               timestamptz,
    require_pushed_authorization_requests boolean NOT NULL DEFAULT false,
    require_signed_request_object boolean     NOT NULL DEFAULT false,
    request_object_signing_alg    text,       -- NULL: any of ours
    authorization_signed_response_alg text,   -- NULL: RS256
    CONSTRAINT oauth_clients_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT oauth_clients_type_check CHECK (type IN ('web', 'spa', 'native', 'service')),
    CONSTRAINT oauth_clients_auth_method_check CHECK (token_endpoint_auth_method IN
        ('none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt')),
    CONSTRAINT oauth_clients_pkce_check CHECK (require_pkce OR token_endpoint_auth_method <> 'none'),
    CONSTRAINT oauth_clients_subject_type_check CHECK (subject_type IN ('public', 'pairwise')),
    CONSTRAINT oauth_clients_access_token_format_check CHECK (access_token_format IN ('jwt', 'opaque')),
    CONSTRAINT oauth_clients_id_token_claims_check CHECK (id_token_claims IN ('scopes', 'asked')),
    CONSTRAINT oauth_clients_security_profile_check CHECK (security_profile IN ('fapi2')),
    CONSTRAINT oauth_clients_source_check CHECK (source IN ('developer', 'registered', 'document'))
) PARTITION BY HASH (app_id);
CREATE INDEX idx_oauth_clients_app_created ON oauth_clients (app_id, created_at, id);
ALTER TABLE oauth_clients ADD CONSTRAINT oauth_clients_pkey PRIMARY KEY (app_id, id);
ALTER TABLE oauth_clients ADD CONSTRAINT oauth_clients_app_id_client_id_key UNIQUE (client_id, app_id);
CREATE INDEX idx_oauth_clients_source ON oauth_clients (app_id, created_at, id) WHERE source <> 'developer';

-- owner: oidc. `secret_sealed` is set only for client_secret_jwt, which needs the secret itself.
CREATE TABLE oauth_client_secrets (
    app_id        uuid        NOT NULL,
    id            uuid        NOT NULL,
    client_id     text        NOT NULL,
    secret_hash   text        NOT NULL,  -- PBKDF2-SHA-256
    secret_hint   text,       -- last characters, for people
    secret_sealed text,
    expires_at    timestamptz,
    last_used_at  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT oauth_client_secrets_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT oauth_client_secrets_client_id_fkey FOREIGN KEY (app_id, client_id)
        REFERENCES oauth_clients (app_id, client_id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_oauth_client_secrets_client ON oauth_client_secrets (client_id, app_id, created_at);

-- owner: oidc. With one of them, a client registers itself (RFC 7591 section 3).
CREATE TABLE initial_access_tokens (
    app_id       uuid        NOT NULL,
    id           uuid        NOT NULL,
    name         text        NOT NULL,
    token_hash   text        NOT NULL,  -- HMAC-SHA-256
    max_clients  integer,    -- NULL: no limit
    clients      integer     NOT NULL DEFAULT 0,  -- that were registered with it
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT initial_access_tokens_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT initial_access_tokens_token_hash_key UNIQUE (token_hash, app_id),
    CONSTRAINT initial_access_tokens_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_initial_access_tokens_expires ON initial_access_tokens (expires_at);

-- owner: oidc. What is known of clients that are named by the URL of their metadata document. The client
-- itself is stored when the first user consents.
CREATE TABLE client_documents (
    app_id         uuid        NOT NULL,
    client_id      text        NOT NULL,  -- the URL
    fields         jsonb,      -- what we use of it; NULL: it is being fetched for the first time
    pinned         boolean     NOT NULL DEFAULT false,  -- a copy that an administrator stored
    fetched_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    fetching_until timestamptz,  -- somebody fetches it now
    CONSTRAINT client_documents_pkey PRIMARY KEY (app_id, client_id),
    CONSTRAINT client_documents_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_client_documents_expires ON client_documents (expires_at);

-- owner: oidc. An API that tokens are for (RFC 8707).
CREATE TABLE resources (
    app_id                uuid        NOT NULL,
    id                    uuid        NOT NULL,
    identifier            text        NOT NULL,  -- the resource indicator: an absolute URI
    name                  text        NOT NULL,
    access_token_lifetime integer,
    access_token_alg      text,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT resources_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT resources_app_id_identifier_key UNIQUE (identifier, app_id),
    CONSTRAINT resources_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: oidc. A scope that is bound to a permission is granted only to users who have the permission.
-- It is deleted with the permission, because it must never become a scope without one.
CREATE TABLE scopes (
    app_id        uuid        NOT NULL,
    id            uuid        NOT NULL,
    resource_id   uuid,       -- NULL: of the application itself
    name          text        NOT NULL,
    description   text,
    permission_id text,
    claims        text[]      NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT scopes_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT scopes_resource_id_name_key UNIQUE NULLS NOT DISTINCT (resource_id, name, app_id),
    CONSTRAINT scopes_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT scopes_resource_id_fkey FOREIGN KEY (app_id, resource_id)
        REFERENCES resources (app_id, id) ON DELETE CASCADE,
    CONSTRAINT scopes_permission_id_fkey FOREIGN KEY (app_id, permission_id)
        REFERENCES permissions (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_scopes_permission ON scopes (permission_id, app_id);

-- owner: oidc. An authorization request that waits for its user to sign in or consent.
CREATE TABLE authorization_requests (
    app_id       uuid        NOT NULL,
    id_hash      text        NOT NULL,
    client_id    text        NOT NULL,
    params       jsonb       NOT NULL,
    browser_hash text,
    user_id      uuid,
    session_id   uuid,
    prompted     text[]      NOT NULL DEFAULT '{}',  -- steps the user was sent to: login, consent, …
    authenticated_after timestamptz,                 -- prompt=login, max_age: older sessions do not count
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    visited_at   timestamptz,           -- of a pushed request: when a browser first came with it
    pushed_hash  text,                  -- id_hash of the pushed request from which this one was made
    signed       boolean     NOT NULL DEFAULT false,  -- the parameters were in a signed request object
    jti_hash     text,                  -- the request object's jti, which makes one code
    device_code_hash text,                           -- of device_codes: the user decides on a device
    CONSTRAINT authorization_requests_pkey PRIMARY KEY (app_id, id_hash)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_authorization_requests_client ON authorization_requests (client_id, app_id);
CREATE INDEX idx_authorization_requests_expires ON authorization_requests (expires_at);

-- owner: oidc. All tokens of one authorization. One UPDATE here revokes them. Families that are not
-- offline end with their session. A code that was refused leaves a revoked family without user and tokens,
-- so that it cannot be tried again.
CREATE TABLE token_families (
    app_id              uuid        NOT NULL,
    id                  uuid        NOT NULL,
    client_id           text        NOT NULL,
    user_id             uuid,       -- NULL: a refused code
    session_id          uuid,
    client_epoch        integer     NOT NULL DEFAULT 0,
    offline             boolean     NOT NULL DEFAULT false,
    created_at          timestamptz NOT NULL DEFAULT now(),
    absolute_expires_at timestamptz NOT NULL,
    revoked_at          timestamptz,
    revoked_reason      text,
    CONSTRAINT token_families_pkey PRIMARY KEY (app_id, id)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_token_families_client ON token_families (client_id, app_id);
CREATE INDEX idx_token_families_user ON token_families (user_id, app_id, client_id);
CREATE INDEX idx_token_families_session ON token_families (session_id, app_id);
CREATE INDEX idx_token_families_expires ON token_families (absolute_expires_at);

-- owner: oidc. The content of codes that do not carry it themselves: those of pending requests, and
-- large ones (docs/adr/0019). A code has the id of the token family that it starts, whose row says that
-- it was used.
CREATE TABLE authorization_codes (
    app_id     uuid        NOT NULL,
    id         uuid        NOT NULL,
    client_id  text        NOT NULL,
    user_id    uuid        NOT NULL,
    content    jsonb       NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT authorization_codes_pkey PRIMARY KEY (app_id, id)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_auth_codes_user ON authorization_codes (user_id, app_id);
CREATE INDEX idx_auth_codes_expires ON authorization_codes (expires_at);

-- owner: oidc. The last revocation of what a user, or all users (NULL), granted a client. Codes that were
-- issued before are refused. Rows are few and live for minutes, and every code asks for them, so there are
-- no partitions.
CREATE TABLE revoked_grants (
    app_id     uuid        NOT NULL,
    id         uuid        NOT NULL,
    client_id  text        NOT NULL,
    user_id    uuid,
    expires_at timestamptz NOT NULL,  -- when every code that was issued before has expired
    CONSTRAINT revoked_grants_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT revoked_grants_client_id_user_id_key UNIQUE NULLS NOT DISTINCT (client_id, user_id, app_id),
    CONSTRAINT revoked_grants_client_id_fkey FOREIGN KEY (app_id, client_id)
        REFERENCES oauth_clients (app_id, client_id) ON DELETE CASCADE,
    CONSTRAINT revoked_grants_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE
);
CREATE INDEX idx_revoked_grants_user ON revoked_grants (user_id, app_id);
CREATE INDEX idx_revoked_grants_expires ON revoked_grants (expires_at);

-- owner: oidc. Tokens are stored as hashes. Client and user are copies, to read them without a join. The
-- row is deleted with its family.
CREATE TABLE refresh_tokens (
    app_id              uuid        NOT NULL,
    token_hash          text        NOT NULL,
    family_id           uuid        NOT NULL,
    parent_hash         text,
    generation          integer     NOT NULL DEFAULT 0,
    client_id           text        NOT NULL,
    user_id             uuid,
    session_id          uuid,
    sid                 text,
    scopes              text[]      NOT NULL,
    resource            text[]      NOT NULL DEFAULT '{}',
    claims              jsonb,
    nonce               text,
    auth_time           timestamptz,
    acr                 text,
    amr                 text[]      NOT NULL DEFAULT '{}',
    org_id              uuid,
    user_epoch          integer     NOT NULL DEFAULT 0,
    expires_at          timestamptz NOT NULL,  -- sliding
    absolute_expires_at timestamptz NOT NULL,
    used_at             timestamptz,
    rotated_at          timestamptz,
    revoked_at          timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    cnf                 jsonb,      -- what the token is bound to (RFC 7800)
    authorization_details jsonb,    -- RFC 9396
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (app_id, token_hash),
    CONSTRAINT refresh_tokens_family_id_generation_key UNIQUE (family_id, generation, app_id)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_refresh_tokens_expires ON refresh_tokens (expires_at);

-- owner: oidc. Opaque access tokens only; JWTs are stored nowhere.
CREATE TABLE access_tokens (
    app_id     uuid        NOT NULL,
    token_hash text        NOT NULL,
    jti        text        NOT NULL,
    family_id  uuid,       -- NULL: client_credentials
    client_id  text        NOT NULL,
    user_id    uuid,
    session_id uuid,
    sid        text,
    scopes     text[]      NOT NULL,
    audience   text[]      NOT NULL,
    claims     jsonb       NOT NULL DEFAULT '{}',
    user_epoch integer     NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT access_tokens_pkey PRIMARY KEY (app_id, token_hash)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_access_tokens_client ON access_tokens (client_id, app_id);
CREATE INDEX idx_access_tokens_user ON access_tokens (user_id, app_id);
CREATE INDEX idx_access_tokens_family ON access_tokens (family_id, app_id);
CREATE INDEX idx_access_tokens_expires ON access_tokens (expires_at);

-- owner: oidc. JWTs that were revoked one by one. A row is kept until its token expires.
CREATE TABLE revoked_tokens (
    app_id     uuid        NOT NULL,
    jti        text        NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT revoked_tokens_pkey PRIMARY KEY (app_id, jti),
    CONSTRAINT revoked_tokens_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_revoked_tokens_expires ON revoked_tokens (expires_at);

-- owner: oidc. Scopes that a user has allowed a client. For any other scope the user is asked again.
CREATE TABLE consents (
    app_id     uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    client_id  text        NOT NULL,
    scopes     text[]      NOT NULL DEFAULT '{}',
    resources  text[]      NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT consents_pkey PRIMARY KEY (app_id, user_id, client_id),
    CONSTRAINT consents_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE,
    CONSTRAINT consents_client_id_fkey FOREIGN KEY (app_id, client_id)
        REFERENCES oauth_clients (app_id, client_id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_consents_client ON consents (client_id, app_id, created_at, user_id);

-- owner: oidc. next → active → retiring → retired; one active key for each algorithm.
CREATE TABLE signing_keys (
    app_id         uuid        NOT NULL,
    kid            text        NOT NULL,
    alg            text        NOT NULL,
    use            text        NOT NULL DEFAULT 'sig',
    public_jwk     jsonb       NOT NULL,
    private_sealed text,       -- NULL once retired
    state          text        NOT NULL DEFAULT 'next',
    not_before     timestamptz NOT NULL DEFAULT now(),  -- published earlier, signs from this time on
    activated_at   timestamptz,
    retire_at      timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT signing_keys_pkey PRIMARY KEY (app_id, kid),
    CONSTRAINT signing_keys_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE,
    CONSTRAINT signing_keys_state_check CHECK (state IN ('next', 'active', 'retiring', 'retired')),
    CONSTRAINT signing_keys_private_check CHECK (private_sealed IS NOT NULL OR state = 'retired')
) PARTITION BY HASH (app_id);
CREATE UNIQUE INDEX signing_keys_active_key ON signing_keys (alg, app_id) WHERE state = 'active';
CREATE UNIQUE INDEX signing_keys_next_key ON signing_keys (alg, app_id) WHERE state = 'next';

-- owner: oidc. The jti of each client assertion that was used (RFC 7523), until it expires.
CREATE TABLE client_assertion_jtis (
    app_id     uuid        NOT NULL,
    client_id  text        NOT NULL,
    jti_hash   text        NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT client_assertion_jtis_pkey PRIMARY KEY (app_id, client_id, jti_hash)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_client_assertion_jtis_expires ON client_assertion_jtis (expires_at);

-- owner: oidc (RFC 9449). DPoP proofs that were used. Its partitions are UNLOGGED: a crash forgets them, and with
-- them the epoch, without which no nonce of before is good (docs/adr/0038).
CREATE TABLE dpop_jtis (
    app_id     uuid        NOT NULL,
    id         bytea       NOT NULL,  -- hash of key and jti; empty: the epoch
    epoch      uuid,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT dpop_jtis_pkey PRIMARY KEY (app_id, id)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_dpop_jtis_expires ON dpop_jtis (expires_at);

-- owner: oidc. What a confidential client may exchange (docs/adr/0042): tokens of a client of the application,
-- or assertions of an identity provider, for these resources and scopes. `audience` is the issuer of another
-- authorization server for which the client gets assertions (ID-JAG), and `audience_client_id` its name there.
CREATE TABLE token_exchange_policies (
    app_id             uuid        NOT NULL,
    id                 uuid        NOT NULL,
    client_id          text        NOT NULL,
    subject_client_id  text,
    provider_id        uuid,
    audience           text,
    audience_client_id text,
    resources          text[]      NOT NULL DEFAULT '{}',
    scopes             text[]      NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT token_exchange_policies_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT token_exchange_policies_source_key
        UNIQUE NULLS NOT DISTINCT (client_id, subject_client_id, provider_id, audience, app_id),
    CONSTRAINT token_exchange_policies_source_check
        CHECK ((subject_client_id IS NULL) <> (provider_id IS NULL)),
    CONSTRAINT token_exchange_policies_client_id_fkey FOREIGN KEY (app_id, client_id)
        REFERENCES oauth_clients (app_id, client_id) ON DELETE CASCADE,
    CONSTRAINT token_exchange_policies_subject_client_id_fkey FOREIGN KEY (app_id, subject_client_id)
        REFERENCES oauth_clients (app_id, client_id) ON DELETE CASCADE,
    CONSTRAINT token_exchange_policies_provider_id_fkey FOREIGN KEY (app_id, provider_id)
        REFERENCES identity_providers (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_token_exchange_policies_subject ON token_exchange_policies (subject_client_id, app_id);
CREATE INDEX idx_token_exchange_policies_provider ON token_exchange_policies (provider_id, app_id);

-- owner: oidc. Each assertion of an identity provider that was exchanged (RFC 7523 section 3), until it
-- expires. The hash is that of its issuer and its jti.
CREATE TABLE used_assertions (
    app_id         uuid        NOT NULL,
    assertion_hash text        NOT NULL,
    expires_at     timestamptz NOT NULL,
    CONSTRAINT used_assertions_pkey PRIMARY KEY (app_id, assertion_hash),
    CONSTRAINT used_assertions_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_used_assertions_expires ON used_assertions (expires_at);

-- owner: oidc. Device authorization (RFC 8628). Polls write last_polled_at, too_fast and poll_interval alone,
-- the user's decision writes status and what belongs to it, and the redemption writes used_at. So none undoes another.
CREATE TABLE device_codes (
    app_id           uuid        NOT NULL,
    device_code_hash text        NOT NULL,
    user_code_hash   text        NOT NULL,
    client_id        text        NOT NULL,
    scopes           text[]      NOT NULL,
    resource         text[]      NOT NULL DEFAULT '{}',
    user_id          uuid,
    session_id       uuid,
    status           text        NOT NULL DEFAULT 'pending',
    poll_interval    integer     NOT NULL DEFAULT 5,
    last_polled_at   timestamptz,
    expires_at       timestamptz NOT NULL,
    used_at          timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    family_id        uuid,          -- of the token family that the code will start
    sid              text,
    auth_time        timestamptz,
    acr              text,
    amr              text[]      NOT NULL DEFAULT '{}',
    org_id           uuid,
    client_epoch     integer     NOT NULL DEFAULT 0,
    user_epoch       integer,
    revocations      uuid[]      NOT NULL DEFAULT '{}',  -- of the user's grants, when it was approved
    cnf              jsonb,
    authorization_details jsonb,
    ip_address       text,        -- of the device, as its user agent
    user_agent       text,
    decided_at       timestamptz,
    too_fast         boolean     NOT NULL DEFAULT false,  -- the last poll came before its time
    CONSTRAINT device_codes_pkey PRIMARY KEY (app_id, device_code_hash),
    CONSTRAINT device_codes_user_code_hash_key UNIQUE (user_code_hash, app_id),
    CONSTRAINT device_codes_client_id_fkey FOREIGN KEY (app_id, client_id)
        REFERENCES oauth_clients (app_id, client_id) ON DELETE CASCADE,
    CONSTRAINT device_codes_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE,
    CONSTRAINT device_codes_status_check CHECK (status IN ('pending', 'approved', 'denied'))
) PARTITION BY HASH (app_id);
CREATE INDEX idx_device_codes_client ON device_codes (client_id, app_id);
CREATE INDEX idx_device_codes_user ON device_codes (user_id, app_id);
CREATE INDEX idx_device_codes_expires ON device_codes (expires_at);

-- owner: oidc. Logout tokens that are not yet delivered. The worker reads them as aero2_logout.
CREATE TABLE logout_deliveries (
    app_id          uuid        NOT NULL,
    id              uuid        NOT NULL,
    client_id       text        NOT NULL,
    user_id         uuid,       -- no foreign key: a deleted user's clients are told too
    issuer          text        NOT NULL DEFAULT '',  -- the host the client signed its user in by
    subject         text,       -- the `sub` this client knows (pairwise)
    sid             text,
    uri             text        NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT logout_deliveries_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT logout_deliveries_client_id_fkey FOREIGN KEY (app_id, client_id)
        REFERENCES oauth_clients (app_id, client_id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_logout_deliveries_due ON logout_deliveries (next_attempt_at);
CREATE INDEX idx_logout_deliveries_client ON logout_deliveries (client_id, app_id);

-- owner: oidc. The clients of a session, which a logout notifies, and the issuer they know. A row
-- outlives its session and user: deleting the user sets user_id to NULL in the same transaction. A row
-- with a subject and without a user is a client that is still to be notified.
CREATE TABLE session_clients (
    app_id       uuid        NOT NULL,
    session_id   uuid        NOT NULL,  -- no foreign key
    client_id    text        NOT NULL,
    issuer       text        NOT NULL DEFAULT '',  -- the host it was signed in by
    sid          text        NOT NULL,
    subject      text,       -- the `sub` this client knows (pairwise)
    user_id      uuid,
    unmet        text[]      NOT NULL DEFAULT '{}',  -- requested classes of sign-in that were not reached
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL DEFAULT now() + interval '400 days',  -- the session's
    CONSTRAINT session_clients_pkey PRIMARY KEY (app_id, session_id, client_id, issuer),
    CONSTRAINT session_clients_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE SET NULL (user_id)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_session_clients_user ON session_clients (user_id, app_id);
CREATE INDEX idx_session_clients_orphaned ON session_clients (session_id, app_id)
    WHERE user_id IS NULL AND subject IS NOT NULL;
CREATE INDEX idx_session_clients_expires ON session_clients (expires_at);
CREATE INDEX idx_session_clients_client ON session_clients (client_id, app_id);
CREATE INDEX idx_session_clients_sid ON session_clients (sid, app_id);

-- ============================================================================================
-- every service
-- ============================================================================================

-- owner: libs/common. The data key of an application, encrypted with the master key that `wrapped` names.
-- The first seal creates it (INSERT … ON CONFLICT DO NOTHING); deleting the application deletes it, so that
-- its sealed data cannot be decrypted any more.
CREATE TABLE data_keys (
    app_id     uuid        NOT NULL,
    id         text        NOT NULL,
    wrapped    text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    wrapped_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,  -- decrypts, but encrypts nothing new
    CONSTRAINT data_keys_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT data_keys_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE UNIQUE INDEX data_keys_active_key ON data_keys (app_id) WHERE retired_at IS NULL;

-- owner: libs/common. The master keys of the deployment, but not the keys themselves. In each
-- row, `wrapped` is the key of the hashes that this master key made, encrypted with the active one.
CREATE TABLE master_keys (
    id         text        NOT NULL,
    age        bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,  -- the eldest is the smallest
    wrapped    text        NOT NULL,
    audit_key  text        NOT NULL,  -- public: verifies the checkpoints that this key has signed
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,  -- encrypts nothing any more, and need not be configured
    CONSTRAINT master_keys_pkey PRIMARY KEY (id)
);

-- owner: every service inserts, tenancy reads, nobody changes. `user_id` is the acting user of this
-- application; a developer from the dashboard is actor_kind 'developer' with actor_id alone.
CREATE TABLE audit_logs (
    app_id       uuid        NOT NULL,
    id           uuid        NOT NULL,
    user_id      uuid,
    actor_kind   text,
    actor_id     text,
    session_id   uuid,
    org_id       uuid,
    event_type   text        NOT NULL,
    target       text,       -- '<noun>:<id>' of the object of the action
    event_data   jsonb       NOT NULL DEFAULT '{}',
    data_version integer     NOT NULL DEFAULT 1,
    ip_address   text,
    user_agent   text,
    trace        text,       -- W3C traceparent of the work, as in the log lines
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_logs_pkey PRIMARY KEY (app_id, id)
) PARTITION BY HASH (app_id);
CREATE INDEX idx_audit_logs_app_created ON audit_logs (app_id, created_at DESC, id DESC);
CREATE INDEX idx_audit_logs_app_user ON audit_logs (user_id, app_id, created_at DESC, id DESC);
CREATE INDEX idx_audit_logs_app_type ON audit_logs (event_type, app_id, created_at DESC, id DESC);
CREATE INDEX idx_audit_logs_app_ip ON audit_logs (ip_address, app_id, created_at DESC, id DESC)
    WHERE ip_address IS NOT NULL;

-- owner: tenancy. How many events of a type were sealed: by hour (UTC), and by day once they are older
-- than 90 days. Counting in the log itself would read every event of the period.
CREATE TABLE audit_counts (
    app_id     uuid        NOT NULL,
    since      timestamptz NOT NULL,  -- when the hour or day begins
    event_type text        NOT NULL,
    count      bigint      NOT NULL,
    daily      boolean     NOT NULL DEFAULT false,
    CONSTRAINT audit_counts_pkey PRIMARY KEY (app_id, since, event_type),
    CONSTRAINT audit_counts_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
CREATE INDEX idx_audit_counts_hours ON audit_counts (app_id, since) WHERE NOT daily;

-- owner: tenancy. The figures of the Dashboard's charts, by quarter of an hour: the days of every time
-- zone begin at one. Kept for as long as the longest window and the one before it.
CREATE TABLE usage_counts (
    app_id   uuid        NOT NULL,
    since    timestamptz NOT NULL,  -- when the quarter begins
    sign_ins bigint      NOT NULL,
    sign_ups bigint      NOT NULL,
    failures bigint      NOT NULL,
    CONSTRAINT usage_counts_pkey PRIMARY KEY (app_id, since),
    CONSTRAINT usage_counts_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: tenancy. How many users were active in an hour or on a day, by the hour or day on which they
-- were active before. So the users of any period can be added up, each once (ADR 14).
CREATE TABLE active_user_counts (
    app_id   uuid        NOT NULL,
    unit     text        NOT NULL,
    since    timestamptz NOT NULL,  -- an hour (UTC); or midnight (UTC) of the application's date
    previous timestamptz NOT NULL,  -- the same; the year 1 if the users were not active before
    count    bigint      NOT NULL,
    CONSTRAINT active_user_counts_pkey PRIMARY KEY (app_id, unit, since, previous),
    CONSTRAINT active_user_counts_unit_check CHECK (unit IN ('hour', 'day')),
    CONSTRAINT active_user_counts_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: tenancy. When a user was active lately, as active_user_counts has it: the last two or three
-- days, and the last time before. A trigger on the deletion of the user deletes it.
CREATE TABLE active_users (
    app_id  uuid          NOT NULL,
    user_id uuid          NOT NULL,
    hours   timestamptz[] NOT NULL DEFAULT '{}',
    days    timestamptz[] NOT NULL DEFAULT '{}',
    CONSTRAINT active_users_pkey PRIMARY KEY (app_id, user_id),
    CONSTRAINT active_users_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: tenancy. The hash chain over the audit_logs of one application. Links stay when retention
-- deletes their events, so that the remaining events can still be verified.
CREATE TABLE audit_chain (
    app_id        uuid        NOT NULL,
    seq           bigint      NOT NULL,
    event_id      uuid        NOT NULL,
    previous_hash bytea       NOT NULL,
    hash          bytea       NOT NULL,
    user_ref      text,       -- salted digest of the event's user: the hash outlives the user
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_chain_pkey PRIMARY KEY (app_id, seq),
    CONSTRAINT audit_chain_event_id_key UNIQUE (event_id, app_id)
) PARTITION BY HASH (app_id);

-- owner: tenancy. Signed heads of the chain.
CREATE TABLE audit_checkpoints (
    app_id     uuid        NOT NULL,
    seq        bigint      NOT NULL,
    hash       bytea       NOT NULL,
    kid        text        NOT NULL,
    signature  text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_checkpoints_pkey PRIMARY KEY (app_id, seq),
    CONSTRAINT audit_checkpoints_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);

-- owner: every service inserts; its own relay (aero2_relay) sends and deletes. There is no foreign key,
-- because the deletion of an application is an event that must still be sent. `service` is the role that
-- wrote the row. It cannot be set, so no service can publish as another one. A batch is the rows with its
-- id. They get the id together and are deleted together, so a batch that is sent twice is the same twice
-- (docs/adr/0020). The key finds the next application, and then the oldest rows of it.
CREATE TABLE audit_outbox (
    seq        bigint      GENERATED ALWAYS AS IDENTITY,
    app_id     uuid        NOT NULL,
    event_id   uuid        NOT NULL,
    event_type text        NOT NULL,
    payload    bytea       NOT NULL,  -- what goes to the stream, byte for byte
    created_at timestamptz NOT NULL DEFAULT now(),
    service    text        NOT NULL DEFAULT substr(current_user, 7),  -- `aero2_oidc` writes oidc's
    batch_id   uuid,         -- the message id on the stream, set before the first attempt to publish
    batched_at timestamptz,
    batch_end  bigint,       -- no row of the batch has a higher seq
    CONSTRAINT audit_outbox_pkey PRIMARY KEY (service, app_id, seq),
    CONSTRAINT audit_outbox_event_type_check CHECK (event_type ~ '^[a-z][a-z0-9_]*$')
) WITH (fillfactor = 50);  -- room for the rows' second version on the same page


-- owner: every service inserts. Events for the log of an application whose home is another cluster, written
-- in the transaction of their work. The service of the row writes them into the log at home, and its relay
-- (aero2_relay) deletes them then (docs/adr/0032).
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

-- owner: every service inserts; identity's mailer (aero2_mail) sends and deletes.
CREATE TABLE mail_outbox (
    seq             bigint      GENERATED ALWAYS AS IDENTITY,
    app_id          uuid        NOT NULL,
    id              uuid        NOT NULL,
    kind            text        NOT NULL,
    locale          text        NOT NULL,
    sealed          text        NOT NULL,  -- recipient and template data
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    failed_at       timestamptz,  -- delivery has failed for good; kept for a while for inspection
    last_error      text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz,  -- when its code or link ends: not sent after that
    CONSTRAINT mail_outbox_pkey PRIMARY KEY (seq),
    CONSTRAINT mail_outbox_id_key UNIQUE (id),
    CONSTRAINT mail_outbox_app_id_fkey FOREIGN KEY (app_id) REFERENCES applications (id) ON DELETE CASCADE
);
CREATE INDEX idx_mail_outbox_due ON mail_outbox (next_attempt_at) WHERE failed_at IS NULL;
CREATE INDEX idx_mail_outbox_app ON mail_outbox (app_id);

-- ============================================================================================
-- audit_logs cannot be changed
-- ============================================================================================

-- Only two kinds of changes are allowed. Triggers and foreign keys of this schema, which run as the
-- owner of the table, set user_id to NULL when a user is deleted, and delete rows with their
-- application. Retention deletes as aero2_upkeep. The trigger depth alone is no proof, because any role
-- can be inside a trigger of its own.
CREATE FUNCTION audit_logs_keep() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $keep$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'aero2_upkeep' THEN
        RETURN OLD;
    END IF;
    IF pg_trigger_depth() > 1
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        END IF;
        IF TG_OP = 'UPDATE' AND NEW.user_id IS NULL
            AND to_jsonb(NEW) - 'user_id' = to_jsonb(OLD) - 'user_id' THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'audit_logs are immutable' USING ERRCODE = 'integrity_constraint_violation';
END
$keep$;
CREATE TRIGGER audit_logs_keep BEFORE UPDATE OR DELETE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION audit_logs_keep();
-- Rows are only added to the chain. They are deleted with their application, and in no other way.
CREATE FUNCTION audit_chain_keep() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $keep$
BEGIN
    IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit chain is immutable' USING ERRCODE = 'integrity_constraint_violation';
END
$keep$;
CREATE TRIGGER audit_chain_keep BEFORE UPDATE OR DELETE ON audit_chain
    FOR EACH ROW EXECUTE FUNCTION audit_chain_keep();
CREATE TRIGGER audit_checkpoints_keep BEFORE UPDATE OR DELETE ON audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION audit_chain_keep();
CREATE TRIGGER audit_logs_keep_all BEFORE TRUNCATE ON audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION audit_logs_keep();  -- on each partition, too: see the end

-- ============================================================================================
-- triggers that delete dependent rows where there is no foreign key (docs/adr/0005)
-- ============================================================================================

-- A foreign key reads and locks the row that it refers to at every insert, through all partitions of
-- its table. Tables that are written at every sign-in and token have none; these triggers delete their
-- rows. A row that is inserted while its application, client or user is being deleted may stay. No
-- statement returns such a row, because each joins all three, and the row expires.
-- The setting is needed because row level security binds the owner, too.
CREATE FUNCTION applications_take_along() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $take$
DECLARE
    bound text := current_setting('aero2.app_id', true);
BEGIN
    PERFORM set_config('aero2.app_id', OLD.id::text, true);
    DELETE FROM authorization_codes WHERE app_id = OLD.id;
    DELETE FROM refresh_tokens WHERE app_id = OLD.id;
    DELETE FROM access_tokens WHERE app_id = OLD.id;
    DELETE FROM token_families WHERE app_id = OLD.id;
    DELETE FROM audit_logs WHERE app_id = OLD.id;
    DELETE FROM audit_chain WHERE app_id = OLD.id;
    DELETE FROM sign_in_guards WHERE app_id = OLD.id;
    DELETE FROM user_words WHERE app_id = OLD.id;
    DELETE FROM webauthn_challenges WHERE app_id = OLD.id;
    DELETE FROM rate_limits WHERE app_id = OLD.id;
    DELETE FROM dpop_jtis WHERE app_id = OLD.id;
    PERFORM set_config('aero2.app_id', coalesce(bound, ''), true);
    RETURN NULL;
END
$take$;
CREATE TRIGGER applications_take_along AFTER DELETE ON applications
    FOR EACH ROW EXECUTE FUNCTION applications_take_along();

CREATE FUNCTION oauth_clients_take_along() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $take$
DECLARE
    bound text := current_setting('aero2.app_id', true);
BEGIN
    PERFORM set_config('aero2.app_id', OLD.app_id::text, true);
    DELETE FROM authorization_requests WHERE app_id = OLD.app_id AND client_id = OLD.client_id;
    DELETE FROM authorization_codes WHERE app_id = OLD.app_id AND client_id = OLD.client_id;
    DELETE FROM token_families WHERE app_id = OLD.app_id AND client_id = OLD.client_id;
    DELETE FROM access_tokens WHERE app_id = OLD.app_id AND client_id = OLD.client_id;
    DELETE FROM client_assertion_jtis WHERE app_id = OLD.app_id AND client_id = OLD.client_id;
    DELETE FROM session_clients WHERE app_id = OLD.app_id AND client_id = OLD.client_id;
    PERFORM set_config('aero2.app_id', coalesce(bound, ''), true);
    RETURN NULL;
END
$take$;
CREATE TRIGGER oauth_clients_take_along AFTER DELETE ON oauth_clients
    FOR EACH ROW EXECUTE FUNCTION oauth_clients_take_along();

-- These two triggers run once for all rows of a statement, because an application has many users and a
-- client many grants. If the application itself is being deleted, they have nothing to do.
CREATE FUNCTION users_take_along() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $take$
DECLARE
    bound text := current_setting('aero2.app_id', true);
    app   uuid;
BEGIN
    FOR app IN SELECT DISTINCT app_id FROM gone LOOP
        PERFORM set_config('aero2.app_id', app::text, true);
        CONTINUE WHEN NOT EXISTS (SELECT FROM applications WHERE id = app);
        DELETE FROM authorization_codes t USING gone
            WHERE t.app_id = app AND gone.app_id = app AND t.user_id = gone.id;
        DELETE FROM token_families t USING gone
            WHERE t.app_id = app AND gone.app_id = app AND t.user_id = gone.id;
        DELETE FROM access_tokens t USING gone
            WHERE t.app_id = app AND gone.app_id = app AND t.user_id = gone.id;
        DELETE FROM user_words t USING gone
            WHERE t.app_id = app AND gone.app_id = app AND t.user_id = gone.id;
        DELETE FROM active_users t USING gone
            WHERE t.app_id = app AND gone.app_id = app AND t.user_id = gone.id;
        UPDATE audit_logs t SET user_id = NULL FROM gone
            WHERE t.app_id = app AND gone.app_id = app AND t.user_id = gone.id;
    END LOOP;
    PERFORM set_config('aero2.app_id', coalesce(bound, ''), true);
    RETURN NULL;
END
$take$;
CREATE TRIGGER users_take_along AFTER DELETE ON users REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION users_take_along();

CREATE FUNCTION token_families_take_along() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $take$
DECLARE
    bound text := current_setting('aero2.app_id', true);
    app   uuid;
BEGIN
    FOR app IN SELECT DISTINCT app_id FROM gone LOOP
        PERFORM set_config('aero2.app_id', app::text, true);
        DELETE FROM refresh_tokens t USING gone
            WHERE t.app_id = app AND gone.app_id = app AND t.family_id = gone.id;
        DELETE FROM access_tokens t USING gone
            WHERE t.app_id = app AND gone.app_id = app AND t.family_id = gone.id;
    END LOOP;
    PERFORM set_config('aero2.app_id', coalesce(bound, ''), true);
    RETURN NULL;
END
$take$;
CREATE TRIGGER token_families_take_along AFTER DELETE ON token_families REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION token_families_take_along();

-- ============================================================================================
-- the built-in application; tenancy provisions it at start like any other
-- ============================================================================================

-- Users of the Dashboard can create applications, so signing up there needs an invitation: of an operator, or
-- into a team.
INSERT INTO applications (id, slug, name, is_dashboard, settings)
VALUES ('00000000-0000-0000-0000-000000000000', 'dashboard', 'Dashboard', true,
        '{"signup_mode": "invite_only", "signup_by_organization_invitations": true,
          "mfa_policy": "optional"}');

-- ============================================================================================
-- partitions and row level security
-- ============================================================================================

-- The policy denies, and does not raise, if `aero2.app_id` was never set (NULL) and if its SET LOCAL has
-- ended (empty text).
DO $partitions$
DECLARE
    partitioned text;
    persistence text;
    of_table text;
    of_partition text;
    partition text;
BEGIN
    FOR partitioned IN
        SELECT relname FROM pg_catalog.pg_class
        WHERE relkind = 'p' AND relnamespace = 'public'::regnamespace ORDER BY oid
    LOOP
        persistence := CASE WHEN partitioned IN ('rate_limits', 'dpop_jtis') THEN 'UNLOGGED' ELSE '' END;
        FOR n IN 0..15 LOOP
            EXECUTE format(
                'CREATE %s TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
                persistence, partitioned || '_p' || lpad(n::text, 2, '0'), partitioned, n);
        END LOOP;
        -- Postgres reports a violated key under the name of the partition's index. The index is
        -- named after the table's key and the partition: `users_app_id_email_key_p07`.
        FOR of_table, of_partition, partition IN
            SELECT whole.relname, part.relname, held.relname
            FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class whole ON whole.oid = i.indexrelid
            JOIN pg_catalog.pg_inherits h ON h.inhparent = whole.oid
            JOIN pg_catalog.pg_class part ON part.oid = h.inhrelid
            JOIN pg_catalog.pg_index p ON p.indexrelid = part.oid
            JOIN pg_catalog.pg_class held ON held.oid = p.indrelid
            WHERE i.indrelid = partitioned::regclass
        LOOP
            EXECUTE format('ALTER INDEX %I RENAME TO %I', of_partition, of_table || right(partition, 4));
        END LOOP;
        IF partitioned = 'audit_logs' THEN
            FOR n IN 0..15 LOOP
                EXECUTE format(
                    'CREATE TRIGGER audit_logs_keep_all BEFORE TRUNCATE ON %I'
                    ' FOR EACH STATEMENT EXECUTE FUNCTION audit_logs_keep()',
                    partitioned || '_p' || lpad(n::text, 2, '0'));
            END LOOP;
        END IF;
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partitioned);
        EXECUTE format(
            'CREATE POLICY tenant ON %I USING (app_id = nullif(current_setting(''aero2.app_id'', true), '''')::uuid)',
            partitioned);
        EXECUTE format(
            'CREATE POLICY jobs ON %I TO aero2_sweep, aero2_logout, aero2_upkeep USING (%s)', partitioned,
            -- A data key is wrapped again in every copy.
            CASE WHEN partitioned = 'data_keys' THEN 'true'
                 ELSE 'app_id <> ALL ((SELECT closed_applications())::uuid[])' END);
    END LOOP;
END
$partitions$;

-- An operator finds the users of one address in all applications. identity records each search first.
CREATE POLICY search ON users FOR SELECT TO aero2_search
    USING (app_id <> ALL ((SELECT hidden_applications())::uuid[]));

-- The registries. tenancy must find the application of a host or key, so it reads all rows. It writes
-- the rows of an application only while bound to that application.
ALTER TABLE applications ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON applications FOR SELECT
    USING (id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY registry ON applications TO aero2_tenancy USING (true);
CREATE POLICY jobs ON applications FOR SELECT TO aero2_upkeep USING (true);

ALTER TABLE application_words ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON application_words FOR SELECT
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY registry ON application_words TO aero2_tenancy USING (true);

ALTER TABLE deleted_slugs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY registry ON deleted_slugs TO aero2_tenancy USING (true);
CREATE POLICY jobs ON deleted_slugs TO aero2_upkeep USING (true);

ALTER TABLE application_api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON application_api_keys
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY registry ON application_api_keys FOR SELECT TO aero2_tenancy USING (true);
CREATE POLICY jobs ON application_api_keys TO aero2_upkeep USING (true);

ALTER TABLE custom_domains ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON custom_domains
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY registry ON custom_domains FOR SELECT TO aero2_tenancy USING (true);
CREATE POLICY jobs ON custom_domains TO aero2_upkeep USING (true);

ALTER TABLE imported_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON imported_keys
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY registry ON imported_keys FOR SELECT
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac USING (true);

ALTER TABLE audit_outbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_outbox
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON audit_outbox TO aero2_relay, aero2_upkeep USING (true);

ALTER TABLE audit_transfers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_transfers
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON audit_transfers TO aero2_relay USING (true);

ALTER TABLE mail_outbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON mail_outbox
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON mail_outbox TO aero2_mail, aero2_sweep USING (true);

ALTER TABLE revoked_grants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON revoked_grants
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON revoked_grants TO aero2_sweep
    USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));

ALTER TABLE application_moves ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON application_moves FOR SELECT
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY registry ON application_moves FOR SELECT TO aero2_tenancy USING (true);

ALTER TABLE application_fences ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON application_fences FOR SELECT
    USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON application_fences FOR SELECT
    TO aero2_sweep, aero2_logout, aero2_upkeep, aero2_search USING (true);

-- ============================================================================================
-- grants: on the partitioned table only, never on a partition
-- ============================================================================================

-- A trigger fires without the EXECUTE privilege. With that privilege, any role could attach a SECURITY
-- DEFINER function to a table of its own, and run it as the owner on rows of its choice.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
-- The words of a user. A trigger stores them with identity's privileges, and identity searches them.
GRANT EXECUTE ON FUNCTION search_key(text), words_of_user(text, text[]) TO aero2_identity;
GRANT EXECUTE ON FUNCTION estimated_users(uuid, boolean, boolean) TO aero2_identity;
GRANT EXECUTE ON FUNCTION user_words_from(uuid, text, uuid, text, boolean, bigint) TO aero2_identity;
GRANT EXECUTE ON FUNCTION search_key(text), words_of_names(text[]) TO aero2_tenancy;

GRANT EXECUTE ON FUNCTION bind_at_home(text, text)
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac;
GRANT EXECUTE ON FUNCTION bind_application(text)
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac,
       aero2_relay, aero2_sweep, aero2_mail, aero2_logout, aero2_upkeep, aero2_search;
GRANT SELECT ON imported_keys TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac;
GRANT SELECT (id, home, home_state) ON applications TO aero2_identity, aero2_rbac;  -- for bind_at_home
GRANT EXECUTE ON FUNCTION closed_applications() TO aero2_sweep, aero2_logout, aero2_upkeep;
GRANT EXECUTE ON FUNCTION hidden_applications() TO aero2_search;
GRANT EXECUTE ON FUNCTION standby_states() TO aero2_upkeep;
GRANT SELECT ON application_fences TO aero2_sweep, aero2_logout, aero2_upkeep, aero2_search;
GRANT SELECT ON application_moves TO aero2_tenancy;
GRANT INSERT (name), DELETE ON clusters TO aero2_tenancy;
GRANT SELECT ON clusters
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac,
       aero2_relay, aero2_sweep, aero2_mail, aero2_logout, aero2_upkeep, aero2_search;

GRANT SELECT, INSERT, UPDATE, DELETE ON
    applications, deleted_slugs, application_api_keys, custom_domains, organizations,
    organization_members, organization_invitations, organization_domains
    TO aero2_tenancy;
GRANT SELECT, INSERT, DELETE ON organization_words, application_words TO aero2_tenancy;
GRANT SELECT, INSERT, UPDATE ON platform_settings TO aero2_tenancy;
-- Members are listed, and invitations matched, by name and address in one round trip (ADR 0003).
GRANT SELECT (app_id, id, email, email_normalized, email_verified, name, picture, disabled)
    ON users TO aero2_tenancy;
GRANT SELECT ON audit_logs TO aero2_tenancy;
GRANT SELECT, INSERT ON audit_chain, audit_checkpoints TO aero2_tenancy;
GRANT SELECT, INSERT, UPDATE, DELETE ON audit_counts TO aero2_tenancy;
GRANT SELECT, INSERT, UPDATE, DELETE ON usage_counts, active_user_counts TO aero2_tenancy;
GRANT SELECT, INSERT, UPDATE ON active_users TO aero2_tenancy;
GRANT SELECT (app_id, id, email, name) ON users TO aero2_tenancy;  -- the names in audit records (ADR 0003)

GRANT SELECT, INSERT, UPDATE, DELETE ON
    users, passwords, sign_in_guards, user_sessions, email_verification_codes, user_invitations,
    known_devices, trusted_devices, passkeys, webauthn_challenges, totp_factors, recovery_codes,
    identity_providers, identity_provider_documents, user_identity_links, oauth_state, link_proofs,
    mail_templates, mail_senders, support_views, user_batches, user_batch_parts
    TO aero2_identity;
GRANT SELECT, INSERT, DELETE ON user_words TO aero2_identity;
GRANT SELECT, UPDATE, DELETE ON mail_outbox TO aero2_identity;
GRANT SELECT ON organization_members TO aero2_identity;  -- developers see members of their teams
-- Every sign-in asks whether an organization demands its own provider (ADR 0012).
GRANT SELECT (app_id, id, name, sso_required) ON organizations TO aero2_identity;
GRANT SELECT (app_id, org_id, domain, verified_at, missing_since) ON organization_domains TO aero2_identity;
-- The last operator is neither disabled nor deleted.
GRANT SELECT (app_id, user_id, role_id, org_id) ON user_roles TO aero2_identity;

GRANT SELECT, INSERT, UPDATE, DELETE ON
    oauth_clients, oauth_client_secrets, resources, scopes, authorization_requests, token_families,
    authorization_codes, revoked_grants, refresh_tokens, access_tokens, revoked_tokens, consents, signing_keys,
    client_assertion_jtis, device_codes, logout_deliveries, session_clients, client_documents
    TO aero2_oidc;
GRANT SELECT, INSERT, UPDATE, DELETE ON dpop_jtis TO aero2_oidc;
GRANT SELECT, INSERT, UPDATE, DELETE ON initial_access_tokens TO aero2_oidc;
GRANT SELECT, INSERT, DELETE ON token_exchange_policies, used_assertions TO aero2_oidc;
-- Token statements check that the user, session and membership are live, in one round trip (ADR 0002).
GRANT SELECT (
    app_id, id, email, email_normalized, email_verified, name, given_name, family_name, middle_name,
    nickname, preferred_username, profile, picture, website, gender, birthdate, zoneinfo, locale,
    phone_number, phone_number_verified, address, public_metadata, user_metadata, disabled, epoch, guest,
    created_at, updated_at
) ON users TO aero2_oidc;
GRANT SELECT (
    app_id, id, user_id, kind, idp_name, idp_org_id, acr, amr, auth_time, factor_times, actor_id, actor_app_id, remembered,
    active_org_id, previous_id,
    created_at, idle_expires_at, expires_at, revoked_at
) ON user_sessions TO aero2_oidc;
-- Whether a user has a second factor decides what a token may do (RFC 9470).
GRANT SELECT (app_id, user_id, confirmed_at) ON totp_factors TO aero2_oidc;
GRANT SELECT (app_id, user_id) ON passkeys TO aero2_oidc;
GRANT SELECT (app_id, id, slug, name, logo_url, is_personal, sso_required, public_metadata)
    ON organizations TO aero2_oidc;
GRANT SELECT ON organization_members, applications TO aero2_oidc;

GRANT SELECT, INSERT, UPDATE, DELETE ON
    roles, permissions, role_permissions, user_roles, organization_roles, organization_role_permissions
    TO aero2_rbac;
GRANT SELECT ON organization_members TO aero2_rbac;  -- a member's rights are those of their role
GRANT SELECT (app_id, id, disabled) ON users TO aero2_rbac;  -- a disabled user has no rights

GRANT INSERT ON audit_logs, mail_outbox
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac;
GRANT INSERT (app_id, event_id, event_type, payload) ON audit_outbox
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac;
GRANT INSERT (app_id, event_id, home, payload) ON audit_transfers
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac;
GRANT SELECT, INSERT ON data_keys, master_keys
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac;
GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limits
    TO aero2_tenancy, aero2_identity, aero2_oidc, aero2_rbac;

-- Jobs see all applications, but each only the columns that it needs. No job reads a credential or
-- changes an account. SELECT … FOR UPDATE needs the UPDATE privilege on one column.
GRANT SELECT, UPDATE (batch_id, batched_at, batch_end), DELETE ON audit_outbox TO aero2_relay;
GRANT SELECT, UPDATE (home), DELETE ON audit_transfers TO aero2_relay;
GRANT SELECT, UPDATE (attempts, next_attempt_at, failed_at, last_error), DELETE ON mail_outbox TO aero2_mail;
GRANT SELECT, UPDATE (attempts, next_attempt_at), DELETE
    ON logout_deliveries TO aero2_logout;
GRANT SELECT (app_id, session_id, user_id, subject) ON session_clients TO aero2_logout;
GRANT SELECT (app_id, id, email_normalized, email_verified, disabled, guest) ON users TO aero2_search;
GRANT SELECT (app_id, id, previous_id, revoked_at) ON user_sessions TO aero2_logout;
GRANT SELECT ON applications TO aero2_upkeep;
GRANT SELECT (app_id) ON audit_outbox TO aero2_upkeep;
GRANT SELECT (seq, failed_at), DELETE ON mail_outbox TO aero2_sweep;
GRANT SELECT (id, app_id, last_used_at), UPDATE (last_used_at) ON application_api_keys TO aero2_upkeep;
GRANT SELECT, UPDATE (wrapped, wrapped_at, retired_at) ON data_keys TO aero2_upkeep;
GRANT SELECT (slug, free_at), DELETE ON deleted_slugs TO aero2_upkeep;
GRANT SELECT (app_id, id, org_id, domain, verification_token, verified_at, checked_at, missing_since),
    UPDATE (checked_at) ON organization_domains TO aero2_upkeep;
GRANT SELECT (app_id, id, created_at), DELETE ON audit_logs TO aero2_upkeep;
GRANT SELECT (app_id, seq, event_id) ON audit_chain TO aero2_upkeep;  -- retention deletes the oldest events
GRANT SELECT (app_id, id, expires_at, revoked_at), DELETE ON user_sessions, trusted_devices TO aero2_sweep;
GRANT SELECT (app_id, id, expires_at, used_at), DELETE ON email_verification_codes TO aero2_sweep;
GRANT SELECT (app_id, id, expires_at, accepted_at, revoked_at), DELETE ON user_invitations TO aero2_sweep;
GRANT SELECT (app_id, id, expires_at, status), DELETE ON organization_invitations TO aero2_sweep;
GRANT SELECT (app_id, id, absolute_expires_at, revoked_at), DELETE ON token_families TO aero2_sweep;
GRANT SELECT (app_id, session_id, user_id, subject, expires_at), DELETE ON session_clients TO aero2_sweep;
GRANT SELECT (app_id, last_seen_at), DELETE ON known_devices TO aero2_sweep;
GRANT SELECT (previous_id) ON user_sessions TO aero2_sweep;
GRANT SELECT (app_id, id, confirmed_at, created_at), DELETE ON totp_factors TO aero2_sweep;
GRANT SELECT (app_id, id, provisioned_at, created_at, guest) ON users TO aero2_sweep;
GRANT SELECT (app_id, batch_id, first, attempts, due_at), UPDATE (attempts, due_at)
    ON user_batch_parts TO aero2_sweep;
GRANT SELECT (app_id, id, expires_at), DELETE ON user_batches TO aero2_sweep;
GRANT SELECT (app_id, expires_at, pinned), DELETE ON client_documents TO aero2_sweep;
GRANT SELECT (user_id, last_active_at, actor_id) ON user_sessions TO aero2_sweep;  -- guests, impersonations
GRANT SELECT (id) ON link_proofs TO aero2_sweep;
GRANT SELECT (state_hash) ON oauth_state TO aero2_sweep;
GRANT SELECT (challenge_hash) ON webauthn_challenges TO aero2_sweep;
GRANT SELECT (app_id, expires_at), DELETE ON
    sign_in_guards, support_views, oauth_state, link_proofs, webauthn_challenges, rate_limits, authorization_requests, authorization_codes, revoked_grants,
    refresh_tokens, access_tokens, revoked_tokens, client_assertion_jtis, device_codes,
    oauth_client_secrets
    TO aero2_sweep;
GRANT SELECT (app_id, expires_at), DELETE ON dpop_jtis TO aero2_sweep;
GRANT SELECT (app_id, id, client_id, source, created_at, last_used_at) ON oauth_clients TO aero2_sweep;
GRANT SELECT (app_id, expires_at), DELETE ON initial_access_tokens TO aero2_sweep;
GRANT SELECT (app_id, expires_at), DELETE ON used_assertions TO aero2_sweep;
GRANT SELECT (family_id, used_at) ON device_codes TO aero2_sweep;
