-- phase: expand
-- transaction: no
--
-- user_roles gets a primary key. Its other key has a column that may be NULL, so it identifies no row to
-- logical replication. Services of the version before write no id: the default does.

-- step
ALTER TABLE user_roles ADD COLUMN id uuid;
ALTER TABLE user_roles ALTER COLUMN id SET DEFAULT gen_random_uuid();
-- step: backfill user_roles
UPDATE user_roles SET id = gen_random_uuid() WHERE id IS NULL AND ctid >= $1 AND ctid < $2;
-- step
ALTER TABLE user_roles ADD CONSTRAINT user_roles_id_check CHECK (id IS NOT NULL) NOT VALID;
-- step: each partition
ALTER TABLE user_roles_pNN VALIDATE CONSTRAINT user_roles_id_check;
-- step
ALTER TABLE user_roles VALIDATE CONSTRAINT user_roles_id_check;
-- step
-- The valid check spares the scan of the table.
ALTER TABLE user_roles ALTER COLUMN id SET NOT NULL;
ALTER TABLE user_roles DROP CONSTRAINT user_roles_id_check;
-- step: each partition
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS user_roles_pkey_pNN ON user_roles_pNN (app_id, id);
-- step: each partition
ALTER TABLE user_roles_pNN ADD CONSTRAINT user_roles_pkey_pNN PRIMARY KEY USING INDEX user_roles_pkey_pNN;
-- step
ALTER TABLE ONLY user_roles ADD CONSTRAINT user_roles_pkey PRIMARY KEY (app_id, id);
-- step: each partition
ALTER INDEX user_roles_pkey ATTACH PARTITION user_roles_pkey_pNN;
