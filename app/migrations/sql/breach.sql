-- What a client did and could have done, for whoever must tell of a breach (UU 27/2022 art 46); and its moves, disputed by the exchange.
-- Who calls these is the administration, which else reads nothing of any case: references, ids, sections and codes come out, never content.

-- By time alone, a few pages a partition: entries are written in the order of their times, and who asks for a client's nights can wait a moment.
CREATE INDEX log_entry_time ON log_entry USING brin (recorded_at) WITH (pages_per_range = 32);
CREATE POLICY read_for_breach ON log_entry FOR SELECT TO rujukan_definer USING (true);
GRANT SELECT ON log_entry TO rujukan_definer;

ALTER TABLE move
    ADD COLUMN disputed_ground text CHECK (disputed_ground IN ('party', 'breach')),
    ADD COLUMN disputed_clients text[] NOT NULL DEFAULT '{}',  -- of a breach: the clients that may not have been their agency's then
    ADD COLUMN confirmed_at timestamptz,
    ADD COLUMN confirmed_client text;

-- The agencies a client spoke for, or could have: its own, those whose words it may record, and those in whose name the log has it then.
CREATE FUNCTION spoken_for(p_client text, p_since timestamptz, p_until timestamptz) RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v uuid[];
BEGIN
    v := ARRAY(SELECT agency_id FROM client_agency WHERE client_id = p_client
               UNION SELECT agency_id FROM log_entry
               WHERE client_id = p_client AND agency_id IS NOT NULL AND outcome = 'done' AND recorded_at >= p_since AND recorded_at < p_until);
    RETURN ARRAY(SELECT unnest(v) UNION SELECT g.agency_id FROM agreement g
                 WHERE g.kind = 'acts_for' AND g.other_id = ANY (v) AND g.from_at < p_until AND (g.until_at IS NULL OR g.until_at > p_since));
END $$;

-- What the log says that it did, put together by what it was done to. `o_recorder`: the agency that recorded it for `o_agency`.
CREATE FUNCTION breach_log(p_client text, p_since timestamptz, p_until timestamptz) RETURNS TABLE (
    o_agency text, o_recorder text, o_action text, o_outcome text, o_subject text, o_subject_id uuid, o_reference text,
    o_case_id uuid, o_case_reference text, o_lead text, o_lead_then text, o_sections text[], o_preview boolean, o_times bigint,
    o_first_at timestamptz, o_last_at timestamptz, o_ids uuid[], o_parties text[]
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH e AS (
        SELECT l.agency_id, nullif(l.detail->>'recorded_by', '')::uuid AS recorder_id, l.action, l.outcome, l.subject, l.subject_id, l.case_id,
               count(*) AS times, min(l.recorded_at) AS first_at, max(l.recorded_at) AS last_at,
               bool_or(l.detail->'preview' = 'true') AS preview,
               jsonb_agg(DISTINCT l.detail->'sections') || jsonb_agg(DISTINCT l.detail->'after_withdrawal') AS sections,
               (array_agg(l.id ORDER BY l.recorded_at, l.id))[1:20] AS ids
        FROM log_entry l
        WHERE l.client_id = p_client AND l.recorded_at >= p_since AND l.recorded_at < p_until AND l.action <> 'token:issue'
        GROUP BY 1, 2, 3, 4, 5, 6, 7)
    SELECT a.code, b.code, e.action, e.outcome, e.subject, e.subject_id,
           CASE e.subject WHEN 'referral' THEN (SELECT r.reference FROM referral r WHERE r.id = e.subject_id)
                          WHEN 'transfer' THEN (SELECT t.reference FROM transfer t WHERE t.id = e.subject_id) END,
           e.case_id, c.reference, d.code,
           (SELECT g.code FROM case_lead l JOIN agency g ON g.id = l.agency_id
            WHERE l.case_id = e.case_id AND l.from_at <= e.first_at AND (l.until_at IS NULL OR l.until_at > e.first_at)),
           ARRAY(SELECT DISTINCT s FROM jsonb_array_elements(e.sections) AS each,
                     jsonb_array_elements_text(CASE jsonb_typeof(each) WHEN 'array' THEN each ELSE '[]' END) AS s ORDER BY s),
           coalesce(e.preview, false), e.times, e.first_at, e.last_at, e.ids,
           ARRAY(SELECT g.code FROM referral r JOIN agency g ON g.id IN (r.sender_id, r.receiver_id) WHERE e.subject = 'referral' AND r.id = e.subject_id
                 UNION SELECT g.code FROM transfer t JOIN agency g ON g.id IN (t.sender_id, t.receiver_id) WHERE e.subject = 'transfer' AND t.id = e.subject_id
                 ORDER BY 1)
    FROM e LEFT JOIN agency a ON a.id = e.agency_id LEFT JOIN agency b ON b.id = e.recorder_id
         LEFT JOIN case_file c ON c.id = e.case_id LEFT JOIN agency d ON d.id = c.lead_id
    ORDER BY e.first_at, e.action, e.subject_id;
END $$;

-- The access tokens it was given, by the key it proved itself with.
CREATE FUNCTION breach_tokens(p_client text, p_since timestamptz, p_until timestamptz) RETURNS TABLE (
    o_kid text, o_times bigint, o_first_at timestamptz, o_last_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT l.detail->>'kid', count(*), min(l.recorded_at), max(l.recorded_at) FROM log_entry l
    WHERE l.client_id = p_client AND l.recorded_at >= p_since AND l.recorded_at < p_until AND l.action = 'token:issue' AND l.outcome = 'done'
    GROUP BY 1 ORDER BY 3;
END $$;

-- What was open to the agencies it spoke for at some time between. What opened and closed twice counts by the last time alone; what is
-- locked now counts as open until then.
CREATE FUNCTION breach_reach(p_client text, p_since timestamptz, p_until timestamptz) RETURNS TABLE (
    o_agency text, o_how text, o_subject text, o_subject_id uuid, o_reference text, o_case_id uuid, o_case_reference text, o_lead text,
    o_sections text[]
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v uuid[] := spoken_for(p_client, p_since, p_until);
BEGIN
    RETURN QUERY
    WITH found AS (
        SELECT d.receiver_id AS agency_id, 'disclosed' AS how, d.subject, d.subject_id, d.case_id, s AS section
        FROM disclosure d LEFT JOIN disclosure o ON o.subject_id = d.origin_id AND o.receiver_id = d.receiver_id, unnest(d.sections) AS s
        WHERE d.receiver_id = ANY (v) AND d.recorded_at < p_until
          AND (d.closed_at IS NULL OR d.closed_at > p_since)
          -- what keeps everybody safe stays with whoever has the person for a day after it was locked
          AND (d.locked_at IS NULL OR d.locked_at > p_since - CASE WHEN s IN ('safety', 'health') THEN interval '1 day' ELSE '0' END)
          AND (d.until_at IS NULL OR d.until_at > p_since)
          AND CASE WHEN d.origin_id IS NULL THEN d.opened_at < p_until
              ELSE o.opened_at < p_until AND (o.closed_at IS NULL OR o.closed_at > p_since) AND s = ANY (o.sections) END
        UNION SELECT r.author_id, 'written', 'record_version', r.id, r.case_id, s
        FROM record_version r, unnest(r.sections) AS s
        WHERE r.author_id = ANY (v) AND r.recorded_at < p_until AND (r.retracted_at IS NULL OR r.retracted_at > p_since)
        UNION SELECT r.receiver_id, 'preview', 'referral', r.id, r.case_id, NULL FROM referral r
        WHERE r.receiver_id = ANY (v) AND r.sent_at < p_until AND (r.accepted_at IS NULL OR r.accepted_at > p_since)
          AND (r.ended_at IS NULL OR r.ended_at > p_since)
        UNION SELECT t.receiver_id, 'preview', 'transfer', t.id, t.case_id, NULL FROM transfer t
        WHERE t.receiver_id = ANY (v) AND t.sent_at < p_until AND (t.accepted_at IS NULL OR t.accepted_at > p_since)
          AND (t.ended_at IS NULL OR t.ended_at > p_since)
        UNION SELECT q.agency_id, 'preview', e.subject, e.subject_id, e.case_id, NULL
        FROM escalation_asked q JOIN escalation e ON e.id = q.escalation_id AND e.case_id = q.case_id
        WHERE q.agency_id = ANY (v) AND q.role = 'desk' AND q.asked_at < p_until AND (q.closed_at IS NULL OR q.closed_at > p_since)
        UNION SELECT y.agency_id, 'emergency', 'emergency_access', y.id, y.case_id, s FROM emergency_access y, unnest(y.sections) AS s
        WHERE y.agency_id = ANY (v) AND y.started_at < p_until AND least(y.until_at, y.ended_at) > p_since
        UNION SELECT l.agency_id, 'led', 'case', l.case_id, l.case_id, NULL FROM case_lead l
        WHERE l.agency_id = ANY (v) AND l.from_at < p_until AND (l.until_at IS NULL OR l.until_at > p_since))
    SELECT a.code, f.how, f.subject, f.subject_id,
           CASE f.subject WHEN 'referral' THEN (SELECT r.reference FROM referral r WHERE r.id = f.subject_id)
                          WHEN 'transfer' THEN (SELECT t.reference FROM transfer t WHERE t.id = f.subject_id) END,
           f.case_id, c.reference, l.code,
           coalesce(array_agg(f.section ORDER BY f.section) FILTER (WHERE f.section IS NOT NULL), '{}')
    FROM found f JOIN agency a ON a.id = f.agency_id JOIN case_file c ON c.id = f.case_id JOIN agency l ON l.id = c.lead_id
    GROUP BY a.code, f.how, f.subject, f.subject_id, f.case_id, c.reference, l.code
    ORDER BY f.case_id, f.how, f.subject_id, a.code;
END $$;

-- The moves it made on referrals and transfers, and in cases, found by their entries of the log.
CREATE FUNCTION breach_moves(p_client text, p_since timestamptz, p_until timestamptz) RETURNS SETOF move
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT m.* FROM move m WHERE EXISTS (
        SELECT FROM log_entry l
        WHERE l.client_id = p_client AND l.recorded_at >= p_since AND l.recorded_at < p_until AND l.outcome = 'done'
          AND l.recorded_at = m.recorded_at AND l.case_id = m.case_id
          AND m.subject_id = CASE WHEN l.subject IN ('referral', 'transfer') THEN l.subject_id ELSE l.case_id END
          AND coalesce(nullif(l.detail->>'recorded_by', '')::uuid, l.agency_id) = coalesce(m.recorded_by_id, m.agency_id)
          AND (split_part(l.action, ':', 2) = m.event OR (l.action = 'referral:reroute' AND m.event = 'send') OR l.subject = 'link'))
    ORDER BY m.recorded_at, m.id;
END $$;

-- The same, as the administration reads them, with how what they moved stands now.
CREATE FUNCTION breach_moves_shown(p_client text, p_since timestamptz, p_until timestamptz) RETURNS TABLE (
    o_id uuid, o_subject text, o_subject_id uuid, o_reference text, o_case_id uuid, o_case_reference text, o_event text, o_from_state text,
    o_to_state text, o_agency text, o_recorder text, o_sender text, o_receiver text, o_lead text, o_occurred_at timestamptz,
    o_recorded_at timestamptz, o_state text, o_open boolean, o_disputed_at timestamptz, o_disputed_ground text, o_confirmed_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT m.id, m.subject, m.subject_id, coalesce(r.reference, t.reference), m.case_id, c.reference, m.event, m.from_state, m.to_state,
           a.code, CASE WHEN b.id <> a.id THEN b.code END, s.code, x.code, l.code, m.occurred_at, m.recorded_at,
           coalesce(r.state, t.state, c.state), coalesce(CASE m.subject WHEN 'referral' THEN r.ended_at WHEN 'transfer' THEN t.ended_at ELSE c.closed_at END IS NULL, true),
           m.disputed_at, m.disputed_ground, m.confirmed_at
    FROM breach_moves(p_client, p_since, p_until) m
         JOIN case_file c ON c.id = m.case_id JOIN agency l ON l.id = c.lead_id
         LEFT JOIN referral r ON r.case_id = m.case_id AND r.id = m.subject_id
         LEFT JOIN transfer t ON t.case_id = m.case_id AND t.id = m.subject_id
         LEFT JOIN agency a ON a.id = m.agency_id LEFT JOIN agency b ON b.id = m.recorded_by_id
         LEFT JOIN agency s ON s.id = coalesce(r.sender_id, t.sender_id) LEFT JOIN agency x ON x.id = coalesce(r.receiver_id, t.receiver_id)
    ORDER BY m.recorded_at, m.id;
END $$;

-- Marks its moves on referrals and transfers as disputed: all, or those named, which must be its own. They stand, and everybody who sees
-- them sees it. What was disputed before, or is confirmed, stays so; what was confirmed through this client then is in doubt again.
-- Tells both parties and the lead.
CREATE FUNCTION dispute_moves_of(p_client text, p_since timestamptz, p_until timestamptz, p_moves uuid[], p_at timestamptz) RETURNS uuid[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_all uuid[]; v_again uuid[]; v_done uuid[] := '{}'; v move;
BEGIN
    v_all := ARRAY(SELECT id FROM breach_moves(p_client, p_since, p_until) WHERE subject IN ('referral', 'transfer'));
    IF NOT p_moves <@ v_all THEN
        RAISE EXCEPTION 'not its own' USING ERRCODE = 'RJ087', DETAIL = jsonb_build_object('moves', ARRAY(
            SELECT unnest(p_moves) EXCEPT SELECT unnest(v_all) ORDER BY 1))::text;
    END IF;
    v_all := coalesce(p_moves, v_all);
    v_again := ARRAY(SELECT m.id FROM move m JOIN move c ON c.subject_id = m.subject_id AND c.event = 'confirm_move' AND c.recorded_at = m.confirmed_at
                     WHERE c.id = ANY (v_all) AND m.confirmed_client = p_client);
    PERFORM FROM move WHERE id = ANY (v_all || v_again) ORDER BY id FOR UPDATE;
    FOR v IN UPDATE move SET disputed_at = p_at, disputed_ground = 'breach', disputed_clients = disputed_clients || p_client,
                             confirmed_at = NULL, confirmed_client = NULL
             WHERE (id = ANY (v_all) AND disputed_at IS NULL) OR (id = ANY (v_again) AND confirmed_client = p_client) RETURNING * LOOP
        v_done := v_done || v.id;
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        SELECT told, v.subject || '.disputed', v.subject, v.subject_id, v.case_id, v.to_state, p_at
        FROM (SELECT unnest(ARRAY[sender_id, receiver_id]) AS told FROM referral WHERE case_id = v.case_id AND id = v.subject_id
              UNION SELECT unnest(ARRAY[sender_id, receiver_id]) FROM transfer WHERE case_id = v.case_id AND id = v.subject_id
              UNION SELECT lead_id FROM case_file WHERE id = v.case_id UNION SELECT v.recorded_by_id) AS parties
        WHERE told IS NOT NULL ORDER BY told;
        PERFORM append_log(p_at, NULL, NULL, NULL, NULL, v.subject || ':dispute', 'done', v.subject, v.subject_id, v.case_id,
                           jsonb_build_object('move', v.id, 'ground', 'breach', 'client', p_client));
    END LOOP;
    RETURN v_done;
END $$;

-- The party says that a move which the exchange disputes was its own. Not by the client it may not have been.
CREATE FUNCTION apply_confirmation(p_move uuid, p_client text, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v move;
BEGIN
    UPDATE move SET confirmed_at = p_at, confirmed_client = p_client
    WHERE id = p_move AND agency_id = current_agency() AND disputed_ground = 'breach' AND p_client <> ALL (disputed_clients) AND confirmed_at IS NULL
    RETURNING * INTO v;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'only the party confirms, once, what the exchange disputes' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, v.subject || '.confirmed', v.subject, v.subject_id, v.case_id, v.to_state, p_at
    FROM (SELECT unnest(ARRAY[sender_id, receiver_id]) AS told FROM referral WHERE case_id = v.case_id AND id = v.subject_id
          UNION SELECT unnest(ARRAY[sender_id, receiver_id]) FROM transfer WHERE case_id = v.case_id AND id = v.subject_id
          UNION SELECT lead_id FROM case_file WHERE id = v.case_id UNION SELECT v.recorded_by_id) AS parties
    WHERE told <> current_agency() ORDER BY told;
END $$;

CREATE FUNCTION confirm_move(a acting, p_key text, p_hash bytea, p_days integer, p_subject text, p_id uuid, p_move uuid, p jsonb) RETURNS moved
LANGUAGE plpgsql AS $$
DECLARE m moved; v move; s standing; x record;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(move_id uuid, occurred_at timestamptz, channel text);
    s := standing_of(p_subject, p_id);
    SELECT * INTO v FROM move WHERE id = p_move AND subject_id = p_id AND agency_id = a.agency;
    IF s.case_id IS NULL OR NOT FOUND THEN RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404'; END IF;
    IF v.disputed_ground IS DISTINCT FROM 'breach' OR v.confirmed_at IS NOT NULL THEN
        RAISE EXCEPTION 'nothing to confirm' USING ERRCODE = 'RJ086';
    END IF;
    IF a.client = ANY (v.disputed_clients) THEN RAISE EXCEPTION 'by the system in doubt' USING ERRCODE = 'RJ083'; END IF;
    PERFORM apply_confirmation(p_move, a.client, a.at);
    INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, sender_id, receiver_id, agency_id, recorded_by_id,
                      actor, channel, occurred_at, recorded_at)
    VALUES (x.move_id, s.case_id, p_subject, p_id, 'confirm_move', s.state, s.state, s.version, s.sender_id, s.receiver_id, a.agency,
            coalesce(a.recorder, a.agency), a.actor, x.channel, x.occurred_at, a.at);
    m := (false, p_subject, p_id, s.case_id, s.reference, s.state, s.version,
          log_by(a, p_subject || ':confirm_move', 'done', p_subject, p_id, s.case_id, jsonb_build_object('move', p_move)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- How many consents recorded by it since then still count without having been reconfirmed.
CREATE FUNCTION consents_undoubted(p_client text, p_since timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (SELECT count(*) FROM consent WHERE client_id = p_client AND coalesce(confirmed_at, recorded_at) >= p_since
            AND withdrawn_at IS NULL AND doubted_at IS NULL);
END $$;

DO $$
DECLARE f text;
BEGIN
    GRANT CREATE ON SCHEMA public TO rujukan_definer;
    FOREACH f IN ARRAY ARRAY[
        'spoken_for(text,timestamptz,timestamptz)', 'breach_log(text,timestamptz,timestamptz)', 'breach_reach(text,timestamptz,timestamptz)', 'breach_tokens(text,timestamptz,timestamptz)',
        'breach_moves(text,timestamptz,timestamptz)', 'breach_moves_shown(text,timestamptz,timestamptz)',
        'dispute_moves_of(text,timestamptz,timestamptz,uuid[],timestamptz)', 'consents_undoubted(text,timestamptz)',
        'apply_confirmation(uuid,text,timestamptz)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
END $$;
GRANT EXECUTE ON FUNCTION breach_log(text, timestamptz, timestamptz), breach_reach(text, timestamptz, timestamptz), breach_tokens(text, timestamptz, timestamptz),
    breach_moves_shown(text, timestamptz, timestamptz), dispute_moves_of(text, timestamptz, timestamptz, uuid[], timestamptz),
    consents_undoubted(text, timestamptz) TO rujukan_admin;
GRANT EXECUTE ON FUNCTION apply_confirmation(uuid, text, timestamptz),
    confirm_move(acting, text, bytea, integer, text, uuid, uuid, jsonb) TO rujukan_app;
GRANT SELECT (client_id, agency_id) ON client_agency TO rujukan_definer;
GRANT SELECT ON agreement TO rujukan_definer;
GRANT SELECT ON record_version TO rujukan_definer;
