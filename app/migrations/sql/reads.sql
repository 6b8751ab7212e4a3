-- Reads that have to be one statement. `lists` is written once for both tables: {table}, {open}.
-- split: lists
CREATE FUNCTION list_{table}s(
    a acting, p_role text, p_states text[], p_open boolean, p_urgency text[], p_case uuid, p_updated_since timestamptz,
    p_after_updated timestamptz, p_after_id uuid, p_limit integer
) RETURNS SETOF {table} LANGUAGE plpgsql ROWS 50
-- a page is read along its index and never sorted, also while the statistics still speak of an empty table
SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    PERFORM begin_acting(a);
    IF p_role = 'receiver' THEN
        IF p_updated_since IS NOT NULL THEN
            RETURN QUERY SELECT * FROM {table} WHERE receiver_id = a.agency AND updated_at >= p_updated_since
                AND (p_after_id IS NULL OR (updated_at, id) > (p_after_updated, p_after_id))
                AND (p_states IS NULL OR state = ANY (p_states)) AND (p_urgency IS NULL OR urgency = ANY (p_urgency))
                AND (p_case IS NULL OR case_id = p_case)
                ORDER BY updated_at, id LIMIT p_limit;
        ELSIF p_open THEN
            RETURN QUERY SELECT * FROM {table} WHERE receiver_id = a.agency AND state IN ({open})
                AND id < coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                AND (p_states IS NULL OR state = ANY (p_states)) AND (p_urgency IS NULL OR urgency = ANY (p_urgency))
                AND (p_case IS NULL OR case_id = p_case)
                ORDER BY id DESC LIMIT p_limit;
        ELSE
            RETURN QUERY SELECT * FROM {table} WHERE receiver_id = a.agency
                AND id < coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                AND (p_states IS NULL OR state = ANY (p_states)) AND (p_urgency IS NULL OR urgency = ANY (p_urgency))
                AND (p_case IS NULL OR case_id = p_case)
                ORDER BY id DESC LIMIT p_limit;
        END IF;
    ELSIF p_role = 'lead' THEN
        RETURN QUERY SELECT * FROM {table} WHERE case_id = p_case AND is_lead(p_case)
            AND id < coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            AND (p_updated_since IS NULL OR updated_at >= p_updated_since)
            AND (p_states IS NULL OR state = ANY (p_states)) AND (p_urgency IS NULL OR urgency = ANY (p_urgency))
            ORDER BY id DESC LIMIT p_limit;
    ELSE
        IF p_updated_since IS NOT NULL THEN
            RETURN QUERY SELECT * FROM {table} WHERE sender_id = a.agency AND updated_at >= p_updated_since
                AND (p_after_id IS NULL OR (updated_at, id) > (p_after_updated, p_after_id))
                AND (p_states IS NULL OR state = ANY (p_states)) AND (p_urgency IS NULL OR urgency = ANY (p_urgency))
                AND (p_case IS NULL OR case_id = p_case)
                ORDER BY updated_at, id LIMIT p_limit;
        ELSIF p_open THEN
            RETURN QUERY SELECT * FROM {table} WHERE sender_id = a.agency AND state IN ({open})
                AND id < coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                AND (p_states IS NULL OR state = ANY (p_states)) AND (p_urgency IS NULL OR urgency = ANY (p_urgency))
                AND (p_case IS NULL OR case_id = p_case)
                ORDER BY id DESC LIMIT p_limit;
        ELSE
            RETURN QUERY SELECT * FROM {table} WHERE sender_id = a.agency
                AND id < coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                AND (p_states IS NULL OR state = ANY (p_states)) AND (p_urgency IS NULL OR urgency = ANY (p_urgency))
                AND (p_case IS NULL OR case_id = p_case)
                ORDER BY id DESC LIMIT p_limit;
        END IF;
    END IF;
END $$;
-- split: rest
-- One event, or the standing of the look, which comes last and has no id: `position` is how far was looked, `after` from where,
-- `last` the end of the feed, `dropped` the last position that is not kept any more.
CREATE TYPE feed_row AS (
    position bigint, event_id uuid, type text, subject text, subject_id uuid, case_id uuid, state text, recorded_at timestamptz,
    after bigint, last bigint, dropped bigint
);
-- Whether a type is among those somebody wants, at the feed or by a webhook: named whole, or by its first part (`referral.*`); none named is every type.
CREATE FUNCTION type_wanted(p_types text[], p_type text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(cardinality(p_types), 0) = 0 OR p_type = ANY (p_types) OR split_part(p_type, '.', 1) || '.*' = ANY (p_types);
GRANT EXECUTE ON FUNCTION type_wanted(text[], text) TO rujukan_app, rujukan_worker;

-- p_after NULL: from where the client has acknowledged. p_types NULL: every type; else whole names or `referral.*`, looked for among the
-- next p_look positions and no further, so that a rare type costs no more than a frequent one.
CREATE FUNCTION events_after(a acting, p_after bigint, p_types text[], p_limit integer, p_look integer) RETURNS SETOF feed_row
LANGUAGE plpgsql ROWS 100 SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE v_after bigint; v_last bigint; v_to bigint;
BEGIN
    PERFORM begin_acting(a);
    v_after := coalesce(p_after, (SELECT p.position FROM feed_position p WHERE p.agency_id = a.agency AND p.client_id = a.client), 0);
    v_last := coalesce((SELECT f.position FROM feed_end f WHERE f.agency_id = a.agency), 0);
    v_to := CASE WHEN p_types IS NULL THEN v_last ELSE least(v_last, least(v_after, v_last) + p_look) END;
    RETURN QUERY
    SELECT e.position, e.event_id, e.type, e.subject, e.subject_id, e.case_id, e.state, e.recorded_at, NULL::bigint, NULL::bigint, NULL::bigint
    FROM event e WHERE e.agency_id = a.agency AND e.position > v_after AND e.position <= v_to
      AND type_wanted(p_types, e.type)
    ORDER BY e.position LIMIT p_limit;
    -- asked for after the events: what was dropped meanwhile is then a cursor that is too old, and never a gap
    RETURN QUERY
    SELECT v_to, NULL::uuid, NULL, NULL, NULL::uuid, NULL::uuid, NULL, NULL::timestamptz, v_after, v_last,
           coalesce((SELECT f.dropped FROM feed_end f WHERE f.agency_id = a.agency), 0);
END $$;
