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
CREATE FUNCTION events_after(a acting, p_after bigint, p_limit integer) RETURNS SETOF event LANGUAGE plpgsql ROWS 100
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    PERFORM begin_acting(a);
    RETURN QUERY SELECT * FROM event WHERE agency_id = a.agency AND position > p_after ORDER BY position LIMIT p_limit;
END $$;
