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
        UNION ALL
        SELECT w.* FROM (
            SELECT 'escalation', 'escalation', e.id, e.case_id, e.reference, escalation_state(e), NULL::integer, e.urgency, k.asked_at, k.asked_at,
                   'escalated', NULL::uuid, NULL::uuid, NULL::uuid, NULL::text, NULL::timestamptz
            FROM escalation_asked k JOIN escalation e ON e.case_id = k.case_id AND e.id = k.escalation_id
            WHERE k.agency_id = a.agency AND k.closed_at IS NULL AND (k.asked_at, k.escalation_id) > (v_after, v_after_id)
            ORDER BY k.asked_at, k.escalation_id LIMIT p_limit) AS w
        WHERE p_kinds IS NULL OR 'escalation' = ANY (p_kinds)
        UNION ALL
        SELECT w.* FROM (
            SELECT 'request', 'request', q.id, q.case_id, NULL::text, q.state, NULL::integer, NULL::text, q.recorded_at, q.due_at, q.clock,
                   q.from_id, NULL::uuid, NULL::uuid, NULL::text, NULL::timestamptz
            FROM request q WHERE q.to_id = a.agency AND q.state = 'open' AND q.due_at <= v_until AND (q.due_at, q.id) > (v_after, v_after_id)
            ORDER BY q.due_at, q.id LIMIT p_limit) AS w
        WHERE p_kinds IS NULL OR 'request' = ANY (p_kinds)
        UNION ALL
        SELECT w.* FROM (
            SELECT 'answer_subject_request', 'subject_request', q.id, q.case_id, c.reference, q.state, NULL::integer, NULL::text, q.recorded_at, q.due_at,
                   q.clock, nullif(q.author_id, a.agency), NULL::uuid, NULL::uuid, NULL::text, NULL::timestamptz
            FROM subject_request q JOIN case_file c ON c.id = q.case_id AND c.lead_id = a.agency
            WHERE q.state = 'open' AND q.due_at <= v_until AND (q.due_at, q.id) > (v_after, v_after_id)
            ORDER BY q.due_at, q.id LIMIT p_limit) AS w
        WHERE p_kinds IS NULL OR 'answer_subject_request' = ANY (p_kinds)
        UNION ALL
        SELECT w.* FROM (
            SELECT 'see_to_incident', 'incident', i.id, NULL::uuid, i.reference, i.state, NULL::integer, NULL::text, i.recorded_at, i.due_at, i.clock,
                   nullif(i.author_id, a.agency), NULL::uuid, NULL::uuid, NULL::text, NULL::timestamptz
            FROM incident i WHERE i.responsible_id = a.agency AND i.state = 'open' AND i.due_at <= v_until AND (i.due_at, i.id) > (v_after, v_after_id)
            ORDER BY i.due_at, i.id LIMIT p_limit) AS w
        WHERE p_kinds IS NULL OR 'see_to_incident' = ANY (p_kinds)
        UNION ALL
        SELECT 'confirm_link', 'case_link', l.id, l.case_id, NULL, 'proposed', l.version, NULL, l.proposed_at, l.proposed_at, 'ok', l.lead_id,
               NULL, NULL, NULL, NULL
        FROM links_waiting(v_after, v_after_id, p_limit) AS l
        WHERE NOT p_overdue AND (p_kinds IS NULL OR 'confirm_link' = ANY (p_kinds))
        UNION ALL
        SELECT w.* FROM (
            SELECT 'agree_reassignment', 'reassignment', r.id, r.case_id, r.case_reference, r.state, r.version, NULL::text, r.approved_at, r.approved_at,
                   'ok', r.from_id, NULL::uuid, NULL::uuid, NULL::text, NULL::timestamptz
            FROM reassignment r WHERE r.to_id = a.agency AND r.state = 'approved' AND (r.approved_at, r.id) > (v_after, v_after_id)
            ORDER BY r.approved_at, r.id LIMIT p_limit) AS w
        WHERE NOT p_overdue AND (p_kinds IS NULL OR 'agree_reassignment' = ANY (p_kinds))
        UNION ALL
        SELECT 'read_notes', n.subject, n.subject_id, n.case_id, s.reference, s.state, s.version, s.urgency, n.unread_since, n.unread_since, 'ok',
               CASE WHEN s.receiver_id = a.agency THEN s.sender_id ELSE s.receiver_id END, s.sender_id, s.receiver_id, s.paper, s.error_reported_at
        FROM (SELECT * FROM note_seen u WHERE u.agency_id = a.agency AND u.unread > 0 AND (u.unread_since, u.subject_id) > (v_after, v_after_id)
              ORDER BY u.unread_since, u.subject_id LIMIT p_limit) AS n,
        LATERAL (
            SELECT r.reference, r.state, r.version, r.urgency, r.sender_id, r.receiver_id, NULL::text AS paper, r.error_reported_at
            FROM referral r WHERE n.subject = 'referral' AND r.id = n.subject_id AND a.agency IN (r.sender_id, r.receiver_id)
            UNION ALL
            SELECT t.reference, t.state, t.version, t.urgency, t.sender_id, t.receiver_id, t.paper, t.error_reported_at
            FROM transfer t WHERE n.subject = 'transfer' AND t.id = n.subject_id AND a.agency IN (t.sender_id, t.receiver_id)) AS s
        WHERE NOT p_overdue AND (p_kinds IS NULL OR 'read_notes' = ANY (p_kinds))
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
        UNION ALL
        SELECT 'escalation', count(*), count(*) FROM (
            SELECT FROM escalation_asked k WHERE k.agency_id = a.agency AND k.closed_at IS NULL ORDER BY k.asked_at LIMIT p_most) AS w
        UNION ALL
        SELECT 'request', count(*), count(*) FILTER (WHERE w.due_at <= a.at) FROM (
            SELECT q.due_at FROM request q WHERE q.to_id = a.agency AND q.state = 'open' ORDER BY q.due_at LIMIT p_most) AS w
        UNION ALL
        SELECT 'answer_subject_request', count(*), count(*) FILTER (WHERE w.due_at <= a.at) FROM (
            SELECT q.due_at FROM subject_request q JOIN case_file c ON c.id = q.case_id AND c.lead_id = a.agency
            WHERE q.state = 'open' ORDER BY q.due_at LIMIT p_most) AS w
        UNION ALL
        SELECT 'see_to_incident', count(*), count(*) FILTER (WHERE w.due_at <= a.at) FROM (
            SELECT i.due_at FROM incident i WHERE i.responsible_id = a.agency AND i.state = 'open' ORDER BY i.due_at LIMIT p_most) AS w
        UNION ALL
        SELECT 'confirm_link', count(*), 0 FROM links_waiting('-infinity', '00000000-0000-0000-0000-000000000000', p_most)
        UNION ALL
        SELECT 'agree_reassignment', count(*), 0 FROM (
            SELECT FROM reassignment r WHERE r.to_id = a.agency AND r.state = 'approved' LIMIT p_most) AS w
        UNION ALL
        SELECT 'read_notes', count(*), 0 FROM (
            SELECT FROM note_seen u WHERE u.agency_id = a.agency AND u.unread > 0 LIMIT p_most) AS w
    ) AS counted GROUP BY k;
END $$;

GRANT EXECUTE ON FUNCTION waiting_for(text, text), list_inbox(acting, text[], boolean, timestamptz, uuid, integer), count_inbox(acting, integer)
    TO rujukan_app;
