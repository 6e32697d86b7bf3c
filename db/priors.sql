-- Statistics for tables that Postgres has never analyzed. `aero2 migrate` runs this file with the schema
-- and with every migration, on PostgreSQL 18 or later.
--
-- Services keep the plan of a statement. Without statistics, every index with `app_id` has the same
-- cost for a partition that is empty, and the plan may read all rows of an application to find one
-- (docs/adr/0004). These figures come from the schema: an id is unique, a partition has few
-- applications, the first column of an index has many values, and half of a nullable column is NULL.
-- ANALYZE replaces them. Tables that were analyzed keep their statistics.
WITH keys AS (  -- the columns of each index in order, without app_id
    SELECT i.indrelid, i.indisunique AND i.indpred IS NULL AS names_one,
           array_agg(a.attname ORDER BY k.place) FILTER (WHERE a.attname <> 'app_id') AS columns
    FROM pg_catalog.pg_index i
    CROSS JOIN LATERAL unnest(i.indkey::integer[]) WITH ORDINALITY AS k (attnum, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    GROUP BY i.indexrelid, i.indrelid, i.indisunique, i.indpred
), priors AS (
    SELECT c.relname, c.relkind = 'p' AS whole, a.attname,
           CASE WHEN a.attnotnull THEN 0 ELSE 0.5 END AS null_part,
           CASE  -- negative: as a part of the rows
               WHEN a.attname = 'app_id' AND c.relkind = 'p' THEN 32
               WHEN a.attname = 'app_id' THEN 2
               WHEN bool_or(k.names_one AND k.columns = ARRAY[a.attname]) THEN -1
               WHEN bool_or(k.columns[1] = a.attname) THEN -0.1
               ELSE -0.05
           END AS distinct_values
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN keys k ON k.indrelid = c.oid AND a.attname = ANY (k.columns)
    WHERE c.relnamespace = 'public'::regnamespace AND c.reltuples < 0
      AND (c.relkind = 'p' OR c.relkind = 'r' AND c.relispartition)
    GROUP BY c.relname, c.relkind, a.attname, a.attnotnull
)
SELECT count(pg_restore_attribute_stats(
    'version', current_setting('server_version_num')::integer,
    'schemaname', 'public'::text,
    'relname', relname::text,
    'attname', attname::text,
    'inherited', whole,
    'null_frac', null_part::real,
    'avg_width', 16,
    'n_distinct', distinct_values::real))
FROM priors;
