-- Whether webhooks can be reached at all. While nothing gets through to anybody, though more than one receiver is tried, the fault is taken to be the
-- exchange's own (its line, its names, its clock): that time counts against no webhook and no message (record_attempt, app/delivery/claims.py).
-- No row while the last attempt of all got through: so an attempt that does writes nothing here.
CREATE TABLE webhook_silence (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    first_host text NOT NULL,            -- whose attempt was the first to fail since the last that did not
    since timestamptz                    -- when another receiver's failed too; null: one alone says nothing
);

-- The same of times that are over, where they lasted.
CREATE TABLE webhook_outage (
    since timestamptz PRIMARY KEY,
    until_at timestamptz NOT NULL CHECK (until_at > since)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_silence, webhook_outage TO rujukan_worker;

-- How much of a time the exchange reached nobody: 30 days at most, so that nothing is tried for ever where no receiver there is works.
CREATE FUNCTION reached_nobody(p_from timestamptz, p_until timestamptz) RETURNS interval LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT least(interval '30 days', coalesce(sum(greatest(interval '0', least(o.until_at, p_until) - greatest(o.since, p_from))), interval '0'))
    FROM (SELECT since, until_at FROM webhook_outage WHERE until_at > p_from
          UNION ALL SELECT since, p_until FROM webhook_silence WHERE since < p_until) AS o
$$;

-- An attempt got through, or did not. Returns `reached` where that ends a time in which nobody was, and `nobody` where such a time has lasted for
-- p_long and is told for the first time: it stands among what the worker could not do until somebody is reached.
CREATE FUNCTION note_reach(p_host text, p_through boolean, p_at timestamptz, p_long interval) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v_since timestamptz; v_time integer;
BEGIN
    IF p_through THEN
        DELETE FROM webhook_silence RETURNING since INTO v_since;
        IF v_since <= p_at - p_long THEN
            INSERT INTO webhook_outage (since, until_at) VALUES (v_since, p_at) ON CONFLICT DO NOTHING;
            DELETE FROM parked_job WHERE job = 'reach_receivers';
            RETURN 'reached';
        END IF;
        RETURN NULL;
    END IF;
    SELECT since INTO v_since FROM webhook_silence;
    IF v_since IS NULL THEN
        INSERT INTO webhook_silence AS s (first_host) VALUES (p_host)
        ON CONFLICT (one) DO UPDATE SET since = CASE WHEN s.first_host <> excluded.first_host THEN coalesce(s.since, p_at) END;
    ELSIF v_since <= p_at - p_long THEN
        -- it stays until the next try that is sure to come
        INSERT INTO parked_job AS p (job, subject, subject_id, error, attempts, first_at, last_at, retry_at)
        VALUES ('reach_receivers', 'job', '00000000-0000-0000-0000-000000000000', 'reached_nobody', 1, v_since, p_at, p_at + interval '10 hours')
        ON CONFLICT (job, subject_id) DO UPDATE SET attempts = p.attempts + 1, last_at = p_at, retry_at = excluded.retry_at
        RETURNING attempts INTO v_time;
        IF v_time = 1 THEN
            RETURN 'nobody';
        END IF;
    END IF;
    RETURN NULL;
END $$;
GRANT EXECUTE ON FUNCTION reached_nobody(timestamptz, timestamptz), note_reach(text, boolean, timestamptz, interval) TO rujukan_worker;
