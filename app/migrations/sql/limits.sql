-- Limits that all processes share. Counts of what is over in a minute: not written to the WAL, a crash forgets them.
-- `tokens` may be below zero: what a failure costs is owed. `full_at`: by when it is full again for certain, and the row says nothing.
CREATE UNLOGGED TABLE rate_bucket (
    key        text             CONSTRAINT rate_bucket_pkey PRIMARY KEY,
    tokens     double precision NOT NULL,
    updated_at timestamptz      NOT NULL,
    full_at    timestamptz      NOT NULL
) WITH (fillfactor = 50);

-- How often a client that there is was refused, by hour and reason; from where is not kept.
CREATE TABLE client_refusal (
    client_id text        NOT NULL CONSTRAINT client_refusal_client_id_fkey REFERENCES client (client_id),
    hour      timestamptz NOT NULL,
    reason    text        NOT NULL,
    count     bigint      NOT NULL,
    CONSTRAINT client_refusal_pkey PRIMARY KEY (client_id, hour, reason)
);

-- Takes from token buckets what a process has let through since it last asked (negative: gives back), and returns what is left in each.
-- It always takes: what was let through cannot be undone. A bucket owes at most its burst, so nobody is kept out for longer than it takes
-- to fill it twice. The keys come sorted, so that two processes never wait for each other crosswise.
-- A clock that went back by more than a minute (a mended clock) starts anew; less is the difference between two processes' clocks.
CREATE FUNCTION spend_permits(
    p_keys text[], p_spent double precision[], p_rates double precision[], p_bursts double precision[], p_at timestamptz
) RETURNS double precision[] LANGUAGE plpgsql AS $$
DECLARE
    v_left double precision[] := '{}';
    v_tokens double precision;
BEGIN
    FOR i IN 1 .. cardinality(p_keys) LOOP
        INSERT INTO rate_bucket AS b (key, tokens, updated_at, full_at)
        VALUES (p_keys[i], greatest(-p_bursts[i], least(p_bursts[i], p_bursts[i] - p_spent[i])), p_at,
                p_at + make_interval(secs => least(86400.0, 2 * p_bursts[i] / p_rates[i])))
        ON CONFLICT (key) DO UPDATE SET
            tokens = greatest(-p_bursts[i], least(p_bursts[i],
                least(p_bursts[i], b.tokens + p_rates[i] * greatest(0, extract(epoch FROM p_at - b.updated_at)::double precision)) - p_spent[i])),
            updated_at = CASE WHEN b.updated_at > p_at + interval '1 minute' THEN p_at ELSE greatest(b.updated_at, p_at) END,
            full_at = excluded.full_at
        RETURNING b.tokens INTO v_tokens;
        v_left := v_left || v_tokens;
    END LOOP;
    RETURN v_left;
END $$;

-- Adds to the counts of refusals, and tells a client's agencies once an hour when those that are not mild pass `p_often` (0: never).
-- Returns how many clients' agencies were told. What names no client counts nothing.
CREATE FUNCTION count_refusals(p_clients text[], p_reasons text[], p_counts bigint[], p_mild text[], p_often integer, p_at timestamptz)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r record;
    v_hour timestamptz := date_trunc('hour', p_at, 'UTC');
    v_before bigint;
    v_after bigint;
    v_told integer := 0;
BEGIN
    FOR r IN SELECT c.client_id, c.id, c.status FROM client c WHERE c.client_id = ANY(p_clients) ORDER BY c.client_id LOOP
        -- two processes that count at once must not both, or neither, see the number passed
        PERFORM pg_advisory_xact_lock(hashtextextended('client_refusal ' || r.client_id, 0));
        v_before := (SELECT coalesce(sum(count), 0) FROM client_refusal
                     WHERE client_id = r.client_id AND hour = v_hour AND reason <> ALL(p_mild));
        INSERT INTO client_refusal AS old (client_id, hour, reason, count)
        SELECT r.client_id, v_hour, given.reason, sum(given.count)
        FROM unnest(p_clients, p_reasons, p_counts) AS given (client_id, reason, count)
        WHERE given.client_id = r.client_id GROUP BY given.reason
        ON CONFLICT (client_id, hour, reason) DO UPDATE SET count = old.count + excluded.count;
        v_after := (SELECT coalesce(sum(count), 0) FROM client_refusal
                    WHERE client_id = r.client_id AND hour = v_hour AND reason <> ALL(p_mild));
        IF p_often > 0 AND v_before < p_often AND v_after >= p_often THEN
            PERFORM tell_agencies_of(r.client_id, 'client.refused_often', 'client', r.id, r.status, p_at);
            v_told := v_told + 1;
        END IF;
    END LOOP;
    RETURN v_told;
END $$;

GRANT SELECT, INSERT, UPDATE ON rate_bucket TO rujukan_app;
GRANT SELECT, DELETE ON rate_bucket, client_refusal TO rujukan_worker;
GRANT UPDATE (full_at) ON rate_bucket TO rujukan_worker;  -- to lock what it forgets
GRANT SELECT ON client_refusal TO rujukan_app, rujukan_admin;
GRANT SELECT, INSERT, UPDATE ON client_refusal TO rujukan_definer;

GRANT CREATE ON SCHEMA public TO rujukan_definer;
ALTER FUNCTION count_refusals(text[], text[], bigint[], text[], integer, timestamptz) OWNER TO rujukan_definer;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
REVOKE ALL ON FUNCTION spend_permits(text[], double precision[], double precision[], double precision[], timestamptz),
    count_refusals(text[], text[], bigint[], text[], integer, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spend_permits(text[], double precision[], double precision[], double precision[], timestamptz),
    count_refusals(text[], text[], bigint[], text[], integer, timestamptz) TO rujukan_app;
