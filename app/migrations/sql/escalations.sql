-- What nobody answered: who is asked next, who takes it, and how the desk re-routes it. And whom to call at an agency.
CREATE TABLE duty_contact (
    agency_id uuid NOT NULL REFERENCES agency (id),
    place integer NOT NULL,
    role text NOT NULL,
    phone text NOT NULL CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    email text,
    hours text,
    PRIMARY KEY (agency_id, place)
);

CREATE TABLE escalation (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    subject text NOT NULL CHECK (subject IN ('referral', 'transfer')),
    subject_id uuid NOT NULL,
    reference text NOT NULL,
    reason text NOT NULL,
    urgency text NOT NULL,
    deadline_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    rung integer NOT NULL DEFAULT 0,
    next_at timestamptz,
    taken_by_id uuid REFERENCES agency (id),
    taken_at timestamptz,
    closed_at timestamptz,
    close_reason text CHECK (close_reason IN ('answered', 'rerouted', 'replaced', 'ended')),
    CHECK ((taken_by_id IS NULL) = (taken_at IS NULL) AND (closed_at IS NULL) = (close_reason IS NULL)),
    CHECK (next_at IS NULL OR (taken_at IS NULL AND closed_at IS NULL)),
    PRIMARY KEY (case_id, id)
);
CREATE UNIQUE INDEX escalation_one_open ON escalation (case_id, subject_id) WHERE closed_at IS NULL;
CREATE INDEX escalation_id ON escalation USING hash (id);
CREATE INDEX escalation_subject ON escalation (subject_id) WHERE closed_at IS NULL;
CREATE INDEX escalation_taken ON escalation (taken_by_id) WHERE taken_by_id IS NOT NULL AND closed_at IS NULL;
CREATE INDEX escalation_next ON escalation (next_at) WHERE next_at IS NOT NULL;

-- Who was asked; closed_at: when it stopped waiting for this agency, because another took it or because it was closed.
CREATE TABLE escalation_asked (
    escalation_id uuid NOT NULL,
    case_id uuid NOT NULL,
    agency_id uuid NOT NULL REFERENCES agency (id),
    role text NOT NULL CHECK (role IN ('receiver', 'sender', 'lead', 'desk')),
    asked_at timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (case_id, escalation_id, agency_id),
    FOREIGN KEY (case_id, escalation_id) REFERENCES escalation (case_id, id)
);
CREATE INDEX escalation_asked_agency ON escalation_asked (agency_id, escalation_id);
CREATE INDEX escalation_asked_waiting ON escalation_asked (agency_id, asked_at, escalation_id) WHERE closed_at IS NULL;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['duty_contact', 'escalation', 'escalation_asked'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['escalation', 'escalation_asked'] LOOP
        EXECUTE format('CREATE POLICY by_definer ON %I TO rujukan_definer USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY by_worker ON %I TO rujukan_worker USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;

CREATE POLICY known_to_all ON duty_contact FOR SELECT TO rujukan_app USING (true);
CREATE POLICY entered ON duty_contact FOR INSERT TO rujukan_app WITH CHECK (agency_id = (SELECT current_agency()));
CREATE POLICY removed ON duty_contact FOR DELETE TO rujukan_app USING (agency_id = (SELECT current_agency()));
CREATE POLICY by_administrator ON duty_contact TO rujukan_admin USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON duty_contact TO rujukan_app, rujukan_admin;

-- Who was asked and still answers for it: as the desk, the lead, or a party now. Asks past the policies of escalation_asked, or they would ask
-- themselves for ever.
CREATE FUNCTION is_asked(p_escalation uuid, p_case uuid) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM escalation_asked k JOIN escalation e ON e.case_id = k.case_id AND e.id = k.escalation_id
        WHERE k.case_id = p_case AND k.escalation_id = p_escalation AND k.agency_id = current_agency() AND (
            is_lead(p_case)
            OR EXISTS (SELECT FROM agency g WHERE g.id = k.agency_id AND g.desk)
            OR EXISTS (SELECT FROM referral r WHERE r.case_id = p_case AND r.id = e.subject_id AND k.agency_id IN (r.sender_id, r.receiver_id))
            OR EXISTS (SELECT FROM transfer t WHERE t.case_id = p_case AND t.id = e.subject_id AND k.agency_id IN (t.sender_id, t.receiver_id))));
END $$;
CREATE POLICY seen_by_asked ON escalation FOR SELECT TO rujukan_app USING (is_asked(id, case_id));
CREATE POLICY seen_by_asked ON escalation_asked FOR SELECT TO rujukan_app
    USING (agency_id = (SELECT current_agency()) OR is_asked(escalation_id, case_id));

CREATE FUNCTION escalation_state(e escalation) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN e.closed_at IS NOT NULL THEN 'closed' WHEN e.taken_at IS NOT NULL THEN 'taken' ELSE 'open' END
$$;

-- One an open deadline: nothing if there is one already. The ladder asks its first contact as soon as it looks.
CREATE FUNCTION open_escalation(p_id uuid, p_subject text, p_subject_id uuid, p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO escalation (id, case_id, subject, subject_id, reference, reason, urgency, deadline_at, opened_at, next_at)
    SELECT p_id, s.case_id, p_subject, p_subject_id, s.reference, s.state, s.urgency, s.deadline_at, p_at, p_at
    FROM (SELECT case_id, reference, state, urgency, deadline_at FROM referral WHERE p_subject = 'referral' AND id = p_subject_id
          UNION ALL
          SELECT case_id, reference, state, urgency, deadline_at FROM transfer WHERE p_subject = 'transfer' AND id = p_subject_id) s
    ON CONFLICT (case_id, subject_id) WHERE closed_at IS NULL DO NOTHING;
END $$;

-- One rung of an escalation whose time has come: receiver, sender, lead, desk, whoever of them takes part and was not asked yet; after
-- the last one the desk again and again. In a practice case the lead is the last. A worker that was away skips nobody. The worker has it locked.
CREATE FUNCTION climb_escalation(p_case uuid, p_id uuid, p_at timestamptz, p_immediate interval, p_urgent interval, p_standard interval)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE e escalation; v_next record; v_desk uuid; v_last uuid;
BEGIN
    SELECT * INTO STRICT e FROM escalation WHERE case_id = p_case AND id = p_id;
    SELECT id INTO v_desk FROM agency WHERE desk;
    SELECT CASE WHEN one_world(v_desk, c.lead_id) THEN v_desk END INTO v_last FROM case_file c WHERE c.id = e.case_id;
    SELECT l.* INTO v_next FROM (
        SELECT 1 AS rung, 'receiver' AS role, s.receiver_id AS agency_id FROM escalated(e.subject, e.subject_id) s
        UNION ALL SELECT 2, 'sender', s.sender_id FROM escalated(e.subject, e.subject_id) s
        UNION ALL SELECT 3, 'lead', c.lead_id FROM case_file c WHERE c.id = e.case_id
        UNION ALL SELECT 4, 'desk', v_last) AS l
    JOIN agency g ON g.id = l.agency_id AND g.status = 'active'
    WHERE l.rung > e.rung AND NOT EXISTS (SELECT FROM escalation_asked k
        WHERE k.case_id = e.case_id AND k.escalation_id = e.id AND k.agency_id = l.agency_id)
    ORDER BY l.rung LIMIT 1;
    IF FOUND THEN
        INSERT INTO escalation_asked (escalation_id, case_id, agency_id, role, asked_at)
        VALUES (e.id, e.case_id, v_next.agency_id, v_next.role, p_at);
    ELSE
        v_next.rung := e.rung;
        v_next.agency_id := coalesce(v_last, (SELECT k.agency_id FROM escalation_asked k WHERE k.case_id = e.case_id
            AND k.escalation_id = e.id ORDER BY k.asked_at DESC LIMIT 1));
    END IF;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT v_next.agency_id, CASE WHEN v_next.rung > e.rung THEN 'escalation.opened' ELSE 'escalation.reminder' END,
           'escalation', e.id, e.case_id, 'open', p_at
    WHERE v_next.agency_id IS NOT NULL;
    UPDATE escalation SET rung = v_next.rung,
        next_at = p_at + CASE e.urgency WHEN 'immediate' THEN p_immediate WHEN 'urgent' THEN p_urgent ELSE p_standard END
    WHERE case_id = e.case_id AND id = e.id;
END $$;

-- The parties of what is escalated, for the worker.
CREATE FUNCTION escalated(p_subject text, p_id uuid) RETURNS TABLE (sender_id uuid, receiver_id uuid) LANGUAGE sql STABLE AS $$
    SELECT r.sender_id, r.receiver_id FROM referral r WHERE p_subject = 'referral' AND r.id = p_id
    UNION ALL SELECT t.sender_id, t.receiver_id FROM transfer t WHERE p_subject = 'transfer' AND t.id = p_id
$$;

-- Tells everybody who was asked, but the one who acts.
CREATE FUNCTION tell_asked(p_case uuid, p_escalation uuid, p_type text, p_state text, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT agency_id, p_type, 'escalation', p_escalation, p_case, p_state, p_at FROM escalation_asked
    WHERE case_id = p_case AND escalation_id = p_escalation AND agency_id IS DISTINCT FROM current_agency() ORDER BY agency_id
$$;

-- Closes what is open about a subject that has moved on, and tells whoever was asked. For its parties, and for whoever accepted another
-- offer of the same group. A referral that had expired was replaced by another.
CREATE FUNCTION close_escalations(p_subject_id uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE e escalation; v_me uuid := current_agency(); v_state text;
BEGIN
    IF v_me IS NULL AND session_user <> 'rujukan_worker'
       OR v_me IS NOT NULL AND NOT EXISTS (
        SELECT FROM referral r WHERE r.id = p_subject_id AND (v_me IN (r.sender_id, r.receiver_id) OR is_lead(r.case_id) OR EXISTS (
            SELECT FROM referral s WHERE s.offer_group = r.offer_group AND s.receiver_id = v_me AND s.accepted_at IS NOT NULL))
        UNION ALL SELECT FROM transfer t WHERE t.id = p_subject_id AND v_me IN (t.sender_id, t.receiver_id)) THEN
        RAISE EXCEPTION 'only a party closes an escalation' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT state INTO v_state FROM referral WHERE id = p_subject_id UNION ALL SELECT state FROM transfer WHERE id = p_subject_id;
    FOR e IN UPDATE escalation SET closed_at = p_at, close_reason = CASE v_state WHEN 'expired' THEN 'replaced' ELSE 'answered' END, next_at = NULL
             WHERE subject_id = p_subject_id AND closed_at IS NULL RETURNING * LOOP
        UPDATE escalation_asked SET closed_at = p_at WHERE case_id = e.case_id AND escalation_id = e.id AND closed_at IS NULL;
        PERFORM tell_asked(e.case_id, e.id, 'escalation.closed', 'closed', p_at);
    END LOOP;
END $$;

-- Closes what is open about a case: all of it when the person has died; when its lead closes it, what is about referrals that have ended.
-- Called by what has checked that.
CREATE FUNCTION end_escalations(p_case uuid, p_at timestamptz, p_all boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE e escalation;
BEGIN
    FOR e IN UPDATE escalation SET closed_at = p_at, close_reason = 'ended', next_at = NULL
             WHERE case_id = p_case AND closed_at IS NULL AND (p_all OR NOT EXISTS (
                 SELECT FROM referral r WHERE r.case_id = p_case AND r.id = escalation.subject_id AND r.ended_at IS NULL
                 UNION ALL SELECT FROM transfer t WHERE t.case_id = p_case AND t.id = escalation.subject_id AND t.paper = 'pending')) RETURNING * LOOP
        UPDATE escalation_asked SET closed_at = p_at WHERE case_id = e.case_id AND escalation_id = e.id AND closed_at IS NULL;
        PERFORM tell_asked(e.case_id, e.id, 'escalation.closed', 'closed', p_at);
    END LOOP;
END $$;

-- Tells lead and desk that nobody is asked for this person any more, if that is so: the last open immediate referral of the case has ended
-- unaccepted. A lead that ended it itself knows. The last thing its transaction does: whoever ends the other one at this moment waits for
-- our commit, or each would take the other's for open and nobody would be told.
CREATE FUNCTION publish_unattended(p_referral uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE r referral; v_me uuid := current_agency();
BEGIN
    SELECT * INTO r FROM referral WHERE id = p_referral;
    IF NOT FOUND OR v_me IS NULL OR v_me NOT IN (r.sender_id, r.receiver_id) THEN
        RAISE EXCEPTION 'only a party tells of a referral' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF r.urgency <> 'immediate' OR (r.accepted_at IS NOT NULL AND r.state <> 'declined') OR r.state NOT IN ('declined', 'recalled', 'entered_in_error', 'expired') THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('unattended ' || r.case_id::text, 0));
    IF EXISTS (SELECT FROM referral o WHERE o.case_id = r.case_id AND o.urgency = 'immediate' AND o.ended_at IS NULL) THEN
        RETURN;
    END IF;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, 'case.unattended', 'case', r.case_id, r.case_id, c.state, p_at
    FROM case_file c, LATERAL (SELECT c.lead_id AS told WHERE c.lead_id <> v_me UNION SELECT g.id FROM agency g WHERE g.desk AND one_world(g.id, c.lead_id)) AS l
    WHERE c.id = r.case_id AND c.state <> 'closed';
END $$;

-- What is escalated, as it stands now, for whoever was asked: the desk is no party to it.
CREATE FUNCTION escalation_subject(p_escalation uuid) RETURNS TABLE (
    state text, urgency text, purpose text, respond_by timestamptz, deadline_at timestamptz, sender_id uuid, receiver_id uuid,
    sent_at timestamptz, accepted_at timestamptz, ended_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE e escalation;
BEGIN
    SELECT * INTO e FROM escalation WHERE id = p_escalation;
    IF NOT FOUND OR NOT is_asked(e.id, e.case_id) THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT r.state, r.urgency, r.purpose, r.respond_by, r.deadline_at, r.sender_id, r.receiver_id, r.sent_at, r.accepted_at, r.ended_at
        FROM referral r WHERE e.subject = 'referral' AND r.case_id = e.case_id AND r.id = e.subject_id
        UNION ALL
        SELECT t.state, t.urgency, t.purpose, t.respond_by, t.deadline_at, t.sender_id, t.receiver_id, t.sent_at, t.accepted_at, t.ended_at
        FROM transfer t WHERE e.subject = 'transfer' AND t.case_id = e.case_id AND t.id = e.subject_id;
END $$;

-- For the desk alone, once it was asked, while nobody else has taken it and nobody has accepted: the version and its preview, which of its
-- sections the receiver's bases cover (for one that expired: covered until then), and which it has.
CREATE FUNCTION escalated_record(p_escalation uuid, p_at timestamptz) RETURNS TABLE (
    id uuid, case_id uuid, preview bytea, covered text[], sections text[]
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE e escalation; v_me uuid := current_agency();
BEGIN
    SELECT * INTO e FROM escalation x WHERE x.id = p_escalation AND x.closed_at IS NULL AND coalesce(x.taken_by_id, v_me) = v_me;
    IF NOT FOUND OR NOT is_asked(e.id, e.case_id) OR NOT EXISTS (SELECT FROM agency g WHERE g.id = v_me AND g.desk) THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT v.id, v.case_id, v.preview, ARRAY(
            SELECT DISTINCT u.section FROM disclosure d, unnest(d.sections) AS u(section)
            WHERE d.subject_id = e.subject_id AND d.version_id = v.id AND d.locked_at IS NULL AND (d.until_at IS NULL OR d.until_at > p_at)
              AND (d.closed_at IS NULL OR d.closed_at = s.ended_at)), ARRAY(
            SELECT u.section FROM unnest(v.sections) WITH ORDINALITY AS u(section, place)  -- what is sealed to the one who did not answer helps no other
            WHERE NOT EXISTS (SELECT FROM sealed_recipient k WHERE k.case_id = v.case_id AND k.version_id = v.id AND k.section = u.section)
            ORDER BY u.place)
        FROM (SELECT r.version_id, r.ended_at, r.state, r.accepted_at FROM referral r WHERE e.subject = 'referral' AND r.id = e.subject_id
              UNION ALL
              SELECT t.version_id, t.ended_at, t.state, t.accepted_at FROM transfer t WHERE e.subject = 'transfer' AND t.id = e.subject_id) AS s
        JOIN record_version v ON v.id = s.version_id AND v.case_id = e.case_id AND v.retracted_at IS NULL
        WHERE s.accepted_at IS NULL AND (s.ended_at IS NULL OR s.state = 'expired');
END $$;

-- Whoever takes it stops the ladder; it stays theirs until the subject moves on.
CREATE FUNCTION apply_take(p_escalation uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE e escalation;
BEGIN
    SELECT * INTO e FROM escalation WHERE id = p_escalation FOR UPDATE;
    IF NOT FOUND OR NOT is_asked(e.id, e.case_id) THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    IF escalation_state(e) <> 'open' THEN
        RAISE EXCEPTION 'not open' USING ERRCODE = 'RJ050', DETAIL = jsonb_build_object('state', escalation_state(e))::text;
    END IF;
    UPDATE escalation SET taken_by_id = current_agency(), taken_at = p_at, next_at = NULL WHERE case_id = e.case_id AND id = e.id;
    UPDATE escalation_asked SET closed_at = p_at WHERE case_id = e.case_id AND escalation_id = e.id AND agency_id <> current_agency();
    PERFORM tell_asked(e.case_id, e.id, 'escalation.taken', 'taken', p_at);
END $$;

CREATE FUNCTION take_escalation(a acting, p_key text, p_hash bytea, p_days integer, p_id uuid) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; e escalation;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    PERFORM apply_take(p_id, a.at);
    SELECT * INTO e FROM escalation WHERE id = p_id;
    m := (false, 'escalation', e.id, e.case_id, e.reference, 'taken', 2,
          log_by(a, 'escalation:take', 'done', 'escalation', e.id, e.case_id, jsonb_build_object('subject', e.subject, 'subject_id', e.subject_id)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- The desk asks another agency for what nobody answered: the same version, of which only what a vital interest opens. Its sender stays
-- responsible. Both stand in one group of offers, so that the first acceptance recalls the other.
CREATE FUNCTION apply_reroute(p jsonb, p_reason bytea, p_recorder uuid, p_actor text, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    e escalation; r referral; x record; v_me uuid := current_agency(); v_state text; v_sections text[]; v_needs bytea; v_other uuid;
    v_lead uuid; v_group uuid;
BEGIN
    IF NOT EXISTS (SELECT FROM agency WHERE id = v_me AND desk) THEN
        RAISE EXCEPTION 'only the desk re-routes' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(
        id uuid, reference text, escalation_id uuid, receiver_id uuid, urgency text, respond_by timestamptz, due_at timestamptz,
        version_id uuid, sections text[], basis_id uuid, offer_group uuid, review_by timestamptz);
    SELECT * INTO e FROM escalation WHERE id = x.escalation_id;
    IF NOT FOUND OR NOT is_asked(e.id, e.case_id) THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    -- the case, then what is escalated, then the escalation: the order of whoever locks several
    SELECT state, lead_id INTO v_state, v_lead FROM case_file WHERE id = e.case_id FOR NO KEY UPDATE;
    SELECT * INTO r FROM referral WHERE e.subject = 'referral' AND case_id = e.case_id AND id = e.subject_id FOR NO KEY UPDATE;
    SELECT * INTO e FROM escalation WHERE case_id = e.case_id AND id = e.id FOR NO KEY UPDATE;
    IF e.closed_at IS NOT NULL OR coalesce(e.taken_by_id, v_me) <> v_me THEN
        RAISE EXCEPTION 'not open' USING ERRCODE = 'RJ050', DETAIL = jsonb_build_object('state', escalation_state(e))::text;
    END IF;
    IF v_state = 'closed' THEN RAISE EXCEPTION 'the case is closed' USING ERRCODE = 'RJ022'; END IF;
    IF r.id IS NULL OR r.state NOT IN ('sent', 'received', 'info_requested', 'expired') THEN
        RAISE EXCEPTION 'not unanswered' USING ERRCODE = 'RJ051';
    END IF;
    SELECT sections, needs_hash INTO v_sections, v_needs FROM record_version WHERE id = x.version_id AND case_id = r.case_id AND id = r.version_id
        AND retracted_at IS NULL;
    IF NOT FOUND OR NOT (x.sections <@ v_sections) OR NOT (x.sections <@ ARRAY['identity', 'location', 'safety', 'health', 'needs']) THEN
        RAISE EXCEPTION 'no such record version with these sections' USING ERRCODE = 'RJ026';  -- amended meanwhile
    END IF;
    IF x.receiver_id IN (r.sender_id, v_me) OR NOT EXISTS (SELECT FROM agency WHERE id = x.receiver_id AND status = 'active') THEN
        RAISE EXCEPTION 'no such receiver' USING ERRCODE = 'RJ032';
    END IF;
    v_group := coalesce(r.offer_group, x.offer_group);
    INSERT INTO referral (id, case_id, reference, sender_id, sent_by_id, receiver_id, recorded_by_id, state, purpose, urgency, respond_by,
                          sections, needs_hash, version_id, replaces_id, offer_group, sent_at, updated_at, last_occurred_at, deadline_at, due_at)
    VALUES (x.id, r.case_id, x.reference, r.sender_id, v_me, x.receiver_id, p_recorder, 'sent', r.purpose, x.urgency, x.respond_by,
            x.sections, v_needs, r.version_id, CASE WHEN r.ended_at IS NOT NULL THEN r.id END, v_group, p_at, p_at, p_at, x.respond_by, x.due_at)
    ON CONFLICT (case_id, receiver_id, needs_hash)
        WHERE state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested') DO NOTHING;
    IF NOT FOUND THEN
        SELECT id INTO v_other FROM referral WHERE case_id = r.case_id AND receiver_id = x.receiver_id AND needs_hash = v_needs
            AND state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested');
        RAISE EXCEPTION 'an open twin' USING ERRCODE = 'RJ023', DETAIL = jsonb_build_object('referral_id', v_other)::text;
    END IF;
    UPDATE referral SET offer_group = v_group WHERE case_id = r.case_id AND id = r.id;
    INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, sender_id, receiver_id, basis, reason, sections, onward, recorded_at, review_by)
    VALUES (x.basis_id, r.case_id, 'referral', x.id, r.version_id, r.sender_id, x.receiver_id, 'vital_interest', p_reason, x.sections, false, p_at, x.review_by);
    INSERT INTO move (id, case_id, subject, subject_id, event, to_state, version, sender_id, receiver_id, agency_id, recorded_by_id, actor,
                      channel, occurred_at, recorded_at)
    VALUES (x.id, r.case_id, 'referral', x.id, 'send', 'sent', 1, r.sender_id, x.receiver_id, v_me, p_recorder, p_actor, 'system', p_at, p_at);
    IF e.taken_at IS NULL THEN
        PERFORM apply_take(e.id, p_at);
    END IF;
    IF r.ended_at IS NOT NULL THEN  -- nothing else will ever close it
        UPDATE escalation SET closed_at = p_at, close_reason = 'rerouted' WHERE case_id = e.case_id AND id = e.id;
        UPDATE escalation_asked SET closed_at = p_at WHERE case_id = e.case_id AND escalation_id = e.id AND closed_at IS NULL;
        PERFORM tell_asked(e.case_id, e.id, 'escalation.closed', 'closed', p_at);
    END IF;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, type, 'referral', x.id, r.case_id, 'sent', p_at
    FROM (SELECT x.receiver_id AS told, 'referral.sent' AS type
          UNION SELECT r.sender_id, 'referral.rerouted' UNION SELECT v_lead, 'referral.rerouted') AS parties
    WHERE told <> v_me;
END $$;

CREATE FUNCTION reroute_referral(a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_reason bytea, p_log jsonb) RETURNS moved
LANGUAGE plpgsql AS $$
DECLARE m moved; e escalation;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    PERFORM apply_reroute(p, p_reason, coalesce(a.recorder, a.agency), a.actor, a.at);
    SELECT * INTO e FROM escalation WHERE id = (p->>'escalation_id')::uuid;
    m := (false, 'referral', (p->>'id')::uuid, e.case_id, p->>'reference', 'sent', 1,
          log_by(a, 'referral:reroute', 'done', 'referral', (p->>'id')::uuid, e.case_id, p_log || jsonb_build_object('instead_of', e.subject_id)
              || sent_despite(e.case_id, jsonb_build_array(jsonb_build_object('basis', 'vital_interest', 'sections', p->'sections')), a.at)), a.at);
    PERFORM note_in_reviews(a, e.case_id, m.log_id);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

GRANT SELECT ON escalation, escalation_asked TO rujukan_app;
GRANT SELECT, UPDATE ON escalation, escalation_asked TO rujukan_definer;
GRANT INSERT ON escalation_asked TO rujukan_definer;
GRANT SELECT ON record_version TO rujukan_definer;
GRANT INSERT ON referral, disclosure TO rujukan_definer;
GRANT SELECT, INSERT, UPDATE (rung, next_at, taken_by_id, taken_at) ON escalation TO rujukan_worker;
GRANT SELECT, INSERT, UPDATE (closed_at) ON escalation_asked TO rujukan_worker;

GRANT CREATE ON SCHEMA public TO rujukan_definer;
DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY[
        'is_asked(uuid,uuid)', 'close_escalations(uuid,timestamptz)', 'publish_unattended(uuid,timestamptz)', 'escalation_subject(uuid)',
        'escalated_record(uuid,timestamptz)', 'apply_take(uuid,timestamptz)', 'apply_reroute(jsonb,bytea,uuid,text,timestamptz)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT EXECUTE ON FUNCTION close_escalations(uuid, timestamptz) TO rujukan_worker;
GRANT EXECUTE ON FUNCTION tell_asked(uuid, uuid, text, text, timestamptz), end_escalations(uuid, timestamptz, boolean) TO rujukan_definer;
GRANT EXECUTE ON FUNCTION escalation_state(escalation) TO rujukan_app, rujukan_definer;
GRANT EXECUTE ON FUNCTION take_escalation(acting, text, bytea, integer, uuid),
    reroute_referral(acting, text, bytea, integer, jsonb, bytea, jsonb) TO rujukan_app;
GRANT EXECUTE ON FUNCTION open_escalation(uuid, text, uuid, timestamptz), escalated(text, uuid),
    climb_escalation(uuid, uuid, timestamptz, interval, interval, interval) TO rujukan_worker;
