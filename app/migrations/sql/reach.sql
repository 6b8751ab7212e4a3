-- Whether webhooks can be reached at all. While nothing gets through to anybody, though more than one receiver is tried and one of them had worked, the
-- fault is taken to be the exchange's own (its line, its names, its clock): that time counts against no webhook and no message (record_attempt,
-- app/delivery/claims.py). No row while the last attempt of all got through: so an attempt that does writes nothing here.
CREATE TABLE webhook_silence (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    began_at timestamptz NOT NULL,       -- the first attempt that failed since the last that did not
    first_host text NOT NULL,            -- to whom that was
    several boolean NOT NULL,            -- whether another receiver's failed too: one alone says nothing
    worked boolean NOT NULL,             -- whether one of them was not failing before: those that are gone for good say nothing
    since timestamptz                    -- when both came to be so
);

-- The same of times that are over, where they lasted.
CREATE TABLE webhook_outage (
    since timestamptz PRIMARY KEY,
    until_at timestamptz NOT NULL CHECK (until_at > since),
    began_at timestamptz NOT NULL
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
CREATE FUNCTION note_reach(p_webhook uuid, p_host text, p_through boolean, p_at timestamptz, p_long interval) RETURNS text LANGUAGE plpgsql AS $$
DECLARE s webhook_silence; v_time integer; v_worked boolean;
BEGIN
    IF p_through THEN
        DELETE FROM webhook_silence RETURNING * INTO s;
        IF s.since <= p_at - p_long THEN
            INSERT INTO webhook_outage (since, until_at, began_at) VALUES (s.since, p_at, s.began_at) ON CONFLICT DO NOTHING;
            DELETE FROM parked_job WHERE job = 'reach_receivers';
            RETURN 'reached';
        END IF;
        RETURN NULL;
    END IF;
    SELECT * INTO s FROM webhook_silence;
    IF s.since IS NULL THEN
        v_worked := coalesce((SELECT failing_since IS NULL FROM webhook WHERE id = p_webhook), false);
        IF s.one AND (s.several OR s.first_host = p_host) AND (s.worked OR NOT v_worked) THEN
            RETURN NULL;  -- nothing new
        END IF;
        INSERT INTO webhook_silence AS o (began_at, first_host, several, worked) VALUES (p_at, p_host, false, v_worked)
        ON CONFLICT (one) DO UPDATE SET several = o.several OR o.first_host <> p_host, worked = o.worked OR v_worked,
            since = CASE WHEN (o.several OR o.first_host <> p_host) AND (o.worked OR v_worked) THEN coalesce(o.since, p_at) END;
    ELSIF s.since <= p_at - p_long THEN
        -- it stays until the next try that is sure to come
        INSERT INTO parked_job AS p (job, subject, subject_id, error, attempts, first_at, last_at, retry_at)
        VALUES ('reach_receivers', 'job', '00000000-0000-0000-0000-000000000000', 'reached_nobody', 1, s.since, p_at, p_at + interval '10 hours')
        ON CONFLICT (job, subject_id) DO UPDATE SET attempts = p.attempts + 1, last_at = p_at, retry_at = excluded.retry_at
        RETURNING attempts INTO v_time;
        IF v_time = 1 THEN
            RETURN 'nobody';
        END IF;
    END IF;
    RETURN NULL;
END $$;
GRANT EXECUTE ON FUNCTION reached_nobody(timestamptz, timestamptz), note_reach(uuid, text, boolean, timestamptz, interval) TO rujukan_worker;
