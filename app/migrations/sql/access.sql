-- Who saw what of a case: of the log's entries about it, those that show something or pass it on, oldest first. For its lead and for the
-- reviewing agency; nobody else learns that there is a case. What the parties do besides is not in it: who lends a hand, and when, is not the
-- lead's to follow step by step.
CREATE FUNCTION access_to_case(p_case uuid, p_after timestamptz, p_after_id uuid, p_limit integer) RETURNS TABLE (
    id uuid, recorded_at timestamptz, agency_id uuid, client_id text, actor text, action text, subject text, subject_id uuid, detail jsonb,
    sender_id uuid, receiver_id uuid
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp ROWS 50 AS $$
BEGIN
    IF current_agency() IS NULL OR NOT (is_lead(p_case) OR (is_reviewer() AND EXISTS (  -- nobody real looks into a practice case
        SELECT FROM case_file c WHERE c.id = p_case AND one_world(current_agency(), c.lead_id)))) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT e.id, e.recorded_at, e.agency_id, e.client_id, e.actor, e.action, e.subject, e.subject_id, e.detail, s.sender_id, s.receiver_id
    FROM log_entry e LEFT JOIN LATERAL (
        SELECT r.sender_id, r.receiver_id FROM referral r WHERE e.subject = 'referral' AND r.case_id = p_case AND r.id = e.subject_id
        UNION ALL
        SELECT t.sender_id, t.receiver_id FROM transfer t WHERE e.subject = 'transfer' AND t.case_id = p_case AND t.id = e.subject_id) AS s ON true
    WHERE e.case_id = p_case AND e.outcome = 'done' AND e.agency_id IS NOT NULL
      AND (e.recorded_at, e.id) > (coalesce(p_after, '-infinity'), coalesce(p_after_id, '00000000-0000-0000-0000-000000000000'))
      AND (e.action LIKE '%:read' OR e.action LIKE '%:list' OR e.action IN (
               'referral:send', 'transfer:offer', 'referral:reroute', 'referral:amend', 'case:correct', 'case:access_report', 'subject_request:lift')
           OR (e.action = 'subject_request:answer' AND e.detail->>'kind' = 'restrict' AND e.detail->>'answer' <> 'refused')
           -- words to the other side: the sender's are a disclosure of the section they name
           OR (e.action IN ('referral:note', 'transfer:note', 'referral:provide_info', 'transfer:provide_info')
               AND e.agency_id = s.sender_id AND jsonb_array_length(coalesce(e.detail->'sections', '[]')) > 0))
    ORDER BY e.recorded_at, e.id LIMIT p_limit;
END $$;

GRANT CREATE ON SCHEMA public TO rujukan_definer;
ALTER FUNCTION access_to_case(uuid, timestamptz, uuid, integer) OWNER TO rujukan_definer;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT EXECUTE ON FUNCTION access_to_case(uuid, timestamptz, uuid, integer) TO rujukan_app;
