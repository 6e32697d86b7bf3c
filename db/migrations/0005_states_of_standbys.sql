-- phase: expand
--
-- For the metrics of standbys: two numbers, without the right to see the statements of all sessions.

CREATE FUNCTION standby_states(OUT synchronous_standbys integer, OUT standby_lag float8)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $states$
    SELECT CASE WHEN count(*) = count(r.sync_state)
               THEN count(*) FILTER (WHERE r.sync_state IN ('sync', 'quorum')) END,
           max(greatest(extract(epoch FROM r.replay_lag),
               extract(epoch FROM clock_timestamp() - r.reply_time), 0))
    FROM pg_stat_replication r WHERE r.state IS DISTINCT FROM 'backup'
$states$;
REVOKE EXECUTE ON FUNCTION standby_states() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION standby_states() TO aero2_upkeep;
