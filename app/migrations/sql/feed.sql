-- How far a client says it has handled a feed (optional), and the dropping of events that are old.
CREATE TABLE feed_position (
    agency_id uuid NOT NULL REFERENCES agency,
    client_id text NOT NULL REFERENCES client,
    position bigint NOT NULL CHECK (position >= 0),
    acknowledged_at timestamptz NOT NULL,
    PRIMARY KEY (agency_id, client_id)
);
ALTER TABLE feed_position ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON feed_position TO rujukan_app
    USING (agency_id = (SELECT current_agency())) WITH CHECK (agency_id = (SELECT current_agency()));
GRANT SELECT, INSERT, UPDATE (position, acknowledged_at) ON feed_position TO rujukan_app;

-- Where a client stands in a feed; `done` says whether what it asked for was done.
CREATE TYPE feed_standing AS (done boolean, position bigint, acknowledged_at timestamptz, last bigint, dropped bigint);

-- Acknowledges, or with p_position NULL only tells. Never beyond the end, never to what is not kept, and back only where that is said.
CREATE FUNCTION acknowledge_events(a acting, p_position bigint, p_rewind boolean) RETURNS feed_standing LANGUAGE plpgsql AS $$
DECLARE s feed_standing;
BEGIN
    PERFORM begin_acting(a);
    SELECT f.position, f.dropped INTO s.last, s.dropped FROM feed_end f WHERE f.agency_id = a.agency;
    s.last := coalesce(s.last, 0);
    s.dropped := coalesce(s.dropped, 0);
    s.done := p_position IS NULL;
    IF p_position BETWEEN s.dropped AND s.last THEN
        INSERT INTO feed_position AS p (agency_id, client_id, position, acknowledged_at) VALUES (a.agency, a.client, p_position, a.at)
        ON CONFLICT (agency_id, client_id) DO UPDATE SET position = excluded.position, acknowledged_at = excluded.acknowledged_at
            WHERE p_rewind OR p.position <= excluded.position;
        s.done := FOUND;
    END IF;
    SELECT p.position, p.acknowledged_at INTO s.position, s.acknowledged_at FROM feed_position p
    WHERE p.agency_id = a.agency AND p.client_id = a.client;
    RETURN s;
END $$;
GRANT EXECUTE ON FUNCTION acknowledge_events(acting, bigint, boolean) TO rujukan_app;

-- Drops the events of whole months that ended before p_before, and says in each feed up to where. Positions follow the time of recording
-- but for the moments between transactions of the same second, so what is kept of a feed is what comes after its `dropped`.
CREATE FUNCTION drop_events_before(p_before timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_cut timestamptz := date_trunc('month', p_before AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    v_name text; v_dropped integer := 0;
BEGIN
    -- a drop waits for every reader, and every reader would wait behind it: rather tried again later
    PERFORM set_config('lock_timeout', '2s', true);
    -- the sequencer's lock (app/outbox/queries.py): what it puts in after the count would be dropped uncounted
    PERFORM pg_advisory_xact_lock(7201001);
    UPDATE feed_end f SET dropped = gone.upto, dropped_until = greatest(f.dropped_until, gone.until_at)
    FROM (SELECT agency_id, max(position) AS upto, max(recorded_at) AS until_at FROM event WHERE recorded_at < v_cut GROUP BY agency_id) AS gone
    WHERE f.agency_id = gone.agency_id AND f.dropped < gone.upto;
    FOR v_name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                  WHERE i.inhparent = 'event'::regclass AND c.relname ~ '_\d{6}$' ORDER BY 1 LOOP
        IF (to_date(right(v_name, 6), 'YYYYMM') + interval '1 month') AT TIME ZONE 'UTC' <= v_cut THEN
            EXECUTE format('DROP TABLE %I', v_name);
            v_dropped := v_dropped + 1;
        END IF;
    END LOOP;
    DELETE FROM event WHERE recorded_at < v_cut;  -- by now only what came in a month that had no partition
    RETURN v_dropped;
END $$;
ALTER FUNCTION drop_events_before(timestamptz) OWNER TO rujukan_keeper;
CREATE POLICY by_keeper ON event TO rujukan_keeper USING (true);
CREATE POLICY by_keeper ON feed_end TO rujukan_keeper USING (true) WITH CHECK (true);
GRANT SELECT (agency_id, dropped, dropped_until), UPDATE (dropped, dropped_until) ON feed_end TO rujukan_keeper;
GRANT EXECUTE ON FUNCTION drop_events_before(timestamptz) TO rujukan_worker;
