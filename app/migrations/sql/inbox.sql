-- What waits for an agency: one read over every kind of thing that can wait, soonest deadline first. Each kind is a walk along an index that
-- begins with the agency, so that a page costs the same whatever the tables hold.
CREATE TYPE waiting AS (
    kind text, subject text, id uuid, case_id uuid, reference text, state text, version integer, urgency text, since timestamptz,
    deadline_at timestamptz, clock text, other_id uuid, sender_id uuid, receiver_id uuid, paper text, error_reported_at timestamptz
);

-- What whose turn it is has to do in a state.
CREATE FUNCTION waiting_for(p_subject text, p_state text) RETURNS text LANGUAGE sql IMMUTABLE RETURN CASE
    WHEN p_state IN ('sent', 'offered', 'received') THEN 'answer'
    WHEN p_state = 'info_requested' THEN 'give_information'
    WHEN p_state = 'accepted' AND p_subject = 'referral' THEN 'start'
    WHEN p_state = 'accepted' THEN 'confirm_handover'
    WHEN p_state IN ('in_progress', 'on_hold') THEN 'continue'
    WHEN p_state = 'cancel_requested' THEN 'answer_cancellation'
    WHEN p_state = 'completed' THEN 'supply_paper' END;

CREATE FUNCTION list_inbox(
    a acting, p_kinds text[], p_overdue boolean, p_after timestamptz, p_after_id uuid, p_limit integer
) RETURNS SETOF waiting LANGUAGE plpgsql ROWS 50
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    v_until timestamptz := CASE WHEN p_overdue THEN a.at ELSE 'infinity' END;
    v_after timestamptz := coalesce(p_after, '-infinity'); v_after_id uuid := coalesce(p_after_id, '00000000-0000-0000-0000-000000000000');
BEGIN
    PERFORM begin_acting(a);
    RETURN QUERY
    SELECT * FROM (
        SELECT w.* FROM unnest(ARRAY['sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested']) AS st,
        LATERAL (
            SELECT waiting_for('referral', state), 'referral', id, case_id, reference, state, version, urgency, updated_at, deadline_at, clock,
                   CASE WHEN receiver_id = a.agency THEN sender_id ELSE receiver_id END, sender_id, receiver_id, NULL::text, error_reported_at
            FROM referral WHERE turn_id = a.agency AND state = st AND deadline_at <= v_until AND (deadline_at, id) > (v_after, v_after_id)
            ORDER BY deadline_at, id LIMIT p_limit) AS w
        WHERE p_kinds IS NULL OR waiting_for('referral', st) = ANY (p_kinds)
        UNION ALL
        SELECT w.* FROM unnest(ARRAY['offered', 'received', 'info_requested', 'accepted', 'completed']) AS st,
        LATERAL (
            SELECT waiting_for('transfer', state), 'transfer', id, case_id, reference, state, version, urgency, updated_at, deadline_at, clock,
                   CASE WHEN receiver_id = a.agency THEN sender_id ELSE receiver_id END, sender_id, receiver_id, paper, error_reported_at
            FROM transfer WHERE turn_id = a.agency AND state = st AND deadline_at <= v_until AND (deadline_at, id) > (v_after, v_after_id)
            ORDER BY deadline_at, id LIMIT p_limit) AS w
        WHERE p_kinds IS NULL OR waiting_for('transfer', st) = ANY (p_kinds)
    ) AS found (kind, subject, id, case_id, reference, state, version, urgency, since, deadline_at, clock, other_id, sender_id, receiver_id, paper,
                error_reported_at)
    ORDER BY found.deadline_at, found.id LIMIT p_limit;
END $$;

-- How many of each kind wait; a kind is counted up to p_most and no further, so that a count costs no more than that.
CREATE FUNCTION count_inbox(a acting, p_most integer) RETURNS TABLE (kind text, waiting bigint, overdue bigint) LANGUAGE plpgsql ROWS 12
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    PERFORM begin_acting(a);
    RETURN QUERY
    SELECT k, least(sum(n), p_most)::bigint, least(sum(late), p_most)::bigint FROM (
        SELECT waiting_for('referral', st) AS k, count(w.id) AS n, count(w.id) FILTER (WHERE w.deadline_at <= a.at) AS late
        FROM unnest(ARRAY['sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested']) AS st
        LEFT JOIN LATERAL (SELECT id, deadline_at FROM referral WHERE turn_id = a.agency AND state = st
                           ORDER BY deadline_at, id LIMIT p_most) AS w ON true GROUP BY st
        UNION ALL
        SELECT waiting_for('transfer', st), count(w.id), count(w.id) FILTER (WHERE w.deadline_at <= a.at)
        FROM unnest(ARRAY['offered', 'received', 'info_requested', 'accepted', 'completed']) AS st
        LEFT JOIN LATERAL (SELECT id, deadline_at FROM transfer WHERE turn_id = a.agency AND state = st
                           ORDER BY deadline_at, id LIMIT p_most) AS w ON true GROUP BY st
    ) AS counted GROUP BY k;
END $$;

GRANT EXECUTE ON FUNCTION waiting_for(text, text), list_inbox(acting, text[], boolean, timestamptz, uuid, integer), count_inbox(acting, integer)
    TO rujukan_app;
