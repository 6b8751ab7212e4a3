-- What is disclosed on another basis than consent is reviewed afterwards: a row is opened with the disclosure, whoever makes it and however.
CREATE TABLE review (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    basis text NOT NULL,  -- a code of disclosure_basis, or emergency_access
    subject text NOT NULL CHECK (subject IN ('referral', 'transfer', 'emergency_access')),
    subject_id uuid NOT NULL,
    disclosure_id uuid,
    sender_id uuid REFERENCES agency (id),  -- who disclosed it, also when another leads the case by now; nobody: emergency access
    receiver_id uuid NOT NULL REFERENCES agency (id),
    sections text[] NOT NULL,
    legal_basis text,
    article text,
    practice boolean NOT NULL,  -- of practice agencies: nobody real reviews it
    opened_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    look_at timestamptz,
    clock text NOT NULL DEFAULT 'ok' CHECK (clock IN ('ok', 'due', 'overdue')),
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'justified', 'not_justified', 're_based', 'closed')),
    disclosed_by_id uuid REFERENCES agency (id),
    disclosed_actor text,
    log_entry uuid,
    decided_at timestamptz,
    decided_by_id uuid REFERENCES agency (id),
    decided_actor text,
    ground bytea,
    despite_restriction text[] NOT NULL DEFAULT '{}',  -- what of it the person had restricted then (restrictions.sql)
    CHECK ((disclosure_id IS NULL) = (subject = 'emergency_access')),
    PRIMARY KEY (case_id, id)
);
CREATE INDEX review_id ON review USING hash (id);
CREATE INDEX review_queue ON review (due_at, id) WHERE NOT practice;
CREATE INDEX review_sender ON review (sender_id, due_at, id);
CREATE INDEX review_receiver ON review (receiver_id, due_at, id);
CREATE INDEX review_disclosure ON review (disclosure_id) WHERE disclosure_id IS NOT NULL;
CREATE INDEX review_look ON review (look_at) WHERE look_at IS NOT NULL;

ALTER TABLE review ENABLE ROW LEVEL SECURITY;
ALTER TABLE review FORCE ROW LEVEL SECURITY;
CREATE POLICY by_definer ON review TO rujukan_definer USING (true) WITH CHECK (true);
CREATE POLICY reviewer_parties_and_lead ON review FOR SELECT TO rujukan_app USING (
    sender_id = (SELECT current_agency()) OR receiver_id = (SELECT current_agency())
    OR (NOT practice AND (SELECT is_reviewer())) OR is_lead(case_id));

-- The agency that reviews: the one made so, else the desk; never of a practice case.
CREATE FUNCTION reviewing_agency(p_practice boolean) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT id FROM agency WHERE (reviewer OR desk) AND NOT p_practice ORDER BY reviewer DESC LIMIT 1
$$;

-- A vital interest ends when its review is due. (A correction follows what it corrects.)
CREATE FUNCTION date_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.review_by := coalesce(NEW.review_by, NEW.recorded_at + CASE NEW.basis WHEN 'vital_interest' THEN interval '72 hours' ELSE interval '30 days' END);
    IF NEW.basis = 'vital_interest' THEN
        NEW.until_at := least(NEW.until_at, NEW.review_by);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER date_review BEFORE INSERT ON disclosure
    FOR EACH ROW WHEN (NEW.basis <> 'consent' AND NEW.subject <> 'correction') EXECUTE FUNCTION date_review();

CREATE FUNCTION open_review() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_practice boolean; v_id uuid := uuidv7(NEW.recorded_at - clock_timestamp());
BEGIN
    SELECT sandbox INTO v_practice FROM agency WHERE id = NEW.sender_id;
    INSERT INTO review (id, case_id, basis, subject, subject_id, disclosure_id, sender_id, receiver_id, sections, legal_basis, article, practice,
                        opened_at, due_at, look_at)
    VALUES (v_id, NEW.case_id, NEW.basis, NEW.subject, NEW.subject_id, NEW.id, NEW.sender_id, NEW.receiver_id, NEW.sections, NEW.legal_basis, NEW.article,
            v_practice, NEW.recorded_at, NEW.review_by, NEW.recorded_at + (NEW.review_by - NEW.recorded_at) / 2);
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT g, 'review.opened', 'review', v_id, NEW.case_id, 'waiting', NEW.recorded_at
    FROM reviewing_agency(v_practice) AS g WHERE g IS NOT NULL AND g IS DISTINCT FROM current_agency();
    RETURN NULL;
END $$;
CREATE TRIGGER open_review AFTER INSERT ON disclosure
    -- a part that is split off because it locks is reviewed with the whole
    FOR EACH ROW WHEN (NEW.basis <> 'consent' AND NEW.subject <> 'correction' AND NEW.locked_at IS NULL) EXECUTE FUNCTION open_review();

-- Who disclosed, and the log's entry of it: known once that is written, in the same transaction.
CREATE FUNCTION note_disclosure(p_case uuid, p_log uuid, p_actor text, p_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE review SET log_entry = p_log, disclosed_by_id = current_agency(), disclosed_actor = p_actor
    WHERE case_id = p_case AND opened_at = p_at AND log_entry IS NULL
$$;
CREATE FUNCTION note_in_reviews(a acting, p_case uuid, p_log uuid) RETURNS void LANGUAGE sql AS $$
    SELECT note_disclosure(p_case, p_log, a.actor, a.at)
$$;

-- Tells of a review: who disclosed it, who holds it, the case's lead, the reviewers; never the one who acts.
CREATE FUNCTION tell_of_review(v review, p_type text, p_state text, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, p_type, 'review', v.id, v.case_id, p_state, p_at
    FROM (SELECT v.sender_id AS told UNION SELECT v.receiver_id UNION SELECT lead_id FROM case_file WHERE id = v.case_id
          UNION SELECT sender_id FROM disclosure WHERE id = v.disclosure_id AND case_id = v.case_id  -- whoever stands for it by now
          UNION SELECT reviewing_agency(v.practice)) AS parties
    WHERE told IS NOT NULL AND told IS DISTINCT FROM current_agency() ORDER BY told
$$;

-- The case, then what is passed on: the order in which everybody takes them who takes several. Called by what has checked who asks.
CREATE FUNCTION lock_for_review(v review) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM case_file WHERE id = v.case_id FOR NO KEY UPDATE;
    PERFORM FROM referral WHERE case_id = v.case_id AND id = v.subject_id FOR NO KEY UPDATE;
    PERFORM FROM transfer WHERE case_id = v.case_id AND id = v.subject_id FOR NO KEY UPDATE;
END $$;

-- Locks what rests on a basis, with the corrections of it, and asks its holder, if it was open, to erase it or to say on what it is kept. The lead
-- asks, as after a withdrawal: the person stays where they are. Returns what was locked.
CREATE FUNCTION lock_reviewed(v review, p_reason text, p_at timestamptz, p_within interval) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE v_locked uuid[]; v_opened boolean; v_lead uuid;
BEGIN
    SELECT opened_at IS NOT NULL INTO v_opened FROM disclosure WHERE case_id = v.case_id AND id = v.disclosure_id;
    WITH locked AS (
        UPDATE disclosure d SET locked_at = coalesce(d.locked_at, p_at), lock_reason = p_reason
        WHERE d.case_id = v.case_id AND (d.locked_at IS NULL OR (p_reason = 'not_justified' AND d.lock_reason = 'review_lapsed'))
          AND (d.closed_at IS NULL OR p_reason = 'not_justified')
          AND (d.id = v.disclosure_id
               -- a part that was split off while it was restricted, and is open again
               OR (d.subject_id = v.subject_id AND d.receiver_id = v.receiver_id AND d.recorded_at = v.opened_at AND d.basis = v.basis
                   AND d.sections <@ v.sections)
               OR (d.origin_id = v.subject_id AND d.basis = v.basis AND d.sections && v.sections
               AND d.legal_basis IS NOT DISTINCT FROM v.legal_basis AND d.article IS NOT DISTINCT FROM v.article))
        RETURNING d.id)
    SELECT array_agg(id) INTO v_locked FROM locked;
    IF v_opened AND v.disclosure_id = ANY (v_locked) AND NOT EXISTS (  -- asked already, when the review lapsed
        SELECT FROM request q JOIN disclosure d ON d.case_id = q.case_id AND d.request_id = q.id
        WHERE q.case_id = v.case_id AND d.id = v.disclosure_id AND q.state = 'open') THEN
        SELECT lead_id INTO v_lead FROM case_file WHERE id = v.case_id;
        PERFORM ask_holders(v_locked, v.case_id, p_reason, v_lead, v.subject, v.subject_id, NULL, p_at, p_at, p_within);
    END IF;
    RETURN v_locked;
END $$;

-- The reviewers' decision, once. What was not justified locks; what was justified for longer ends later.
CREATE FUNCTION apply_review(
    p_review uuid, p_state text, p_until timestamptz, p_actor text, p_ground bytea, p_at timestamptz, p_within interval,
    OUT o_review review, OUT o_reference text, OUT o_locked integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v review; v_me uuid := current_agency(); v_locked uuid[];
BEGIN
    SELECT * INTO v FROM review WHERE id = p_review AND NOT practice;
    IF NOT FOUND OR NOT is_reviewer() THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    PERFORM lock_for_review(v);
    SELECT * INTO v FROM review WHERE case_id = v.case_id AND id = v.id FOR UPDATE;
    IF v.state NOT IN ('waiting', 'closed') THEN
        RAISE EXCEPTION 'decided already' USING ERRCODE = 'RJ090', DETAIL = jsonb_build_object('state', v.state)::text;
    END IF;
    IF v.disclosed_by_id = v_me AND v.disclosed_actor IS NOT DISTINCT FROM p_actor THEN
        RAISE EXCEPTION 'a second person reviews it' USING ERRCODE = 'RJ091';
    END IF;
    IF p_until IS NOT NULL AND (v.basis <> 'vital_interest' OR v.state <> 'waiting' OR p_until <= v.due_at) THEN
        RAISE EXCEPTION 'nothing to let last longer' USING ERRCODE = 'RJ092';
    END IF;
    IF p_state = 'not_justified' AND v.disclosure_id IS NOT NULL THEN
        v_locked := lock_reviewed(v, 'not_justified', p_at, p_within);
    ELSIF p_state = 'not_justified' THEN
        PERFORM end_refused_emergency(v, p_at, p_within);
    ELSIF p_until IS NOT NULL THEN
        UPDATE disclosure SET until_at = p_until WHERE case_id = v.case_id AND id = v.disclosure_id AND until_at = v.due_at;
    END IF;
    UPDATE review SET state = p_state, decided_at = p_at, decided_by_id = v_me, decided_actor = p_actor, ground = p_ground, clock = 'ok',
        due_at = coalesce(p_until, due_at),
        -- what was right then ends all the same, unless it was let last longer: the clock looks once more
        look_at = CASE WHEN p_state = 'justified' AND v.basis = 'vital_interest' AND v.state = 'waiting' THEN coalesce(p_until, due_at) END
    WHERE case_id = v.case_id AND id = v.id RETURNING * INTO v;
    PERFORM tell_of_review(v, 'review.decided', p_state, p_at);
    o_review := v;
    o_locked := coalesce(cardinality(v_locked), 0);
    SELECT reference INTO o_reference FROM case_file WHERE id = v.case_id;
END $$;

CREATE FUNCTION decide_review(
    a acting, p_key text, p_hash bytea, p_days integer, p_review uuid, p_state text, p_until timestamptz, p_ground bytea, p_within interval
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w record; v review;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    IF a.recorder IS NOT NULL THEN RAISE EXCEPTION 'nobody reviews by proxy' USING ERRCODE = 'RJ404'; END IF;
    SELECT * INTO w FROM apply_review(p_review, p_state, p_until, a.actor, p_ground, a.at, p_within);
    v := w.o_review;
    m := (false, 'review', v.id, v.case_id, w.o_reference, v.state, 2,
          log_by(a, 'review:decide', 'done', 'review', v.id, v.case_id, jsonb_strip_nulls(jsonb_build_object(
              'sections', v.sections, 'basis', v.basis, 'decision', p_state, 'until', p_until, 'locked', w.o_locked, 'disclosed', v.log_entry))), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Why it was disclosed, sealed: for the reviewers and who disclosed it.
CREATE FUNCTION review_reason(p_review uuid) RETURNS bytea LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v review;
BEGIN
    SELECT * INTO v FROM review WHERE id = p_review;
    IF NOT FOUND OR NOT (v.sender_id IS NOT DISTINCT FROM current_agency() OR (NOT v.practice AND is_reviewer())) THEN
        RETURN NULL;
    END IF;
    RETURN coalesce((SELECT d.reason FROM disclosure d WHERE d.case_id = v.case_id AND d.id = v.disclosure_id),
                    (SELECT e.detail FROM emergency_access e WHERE e.case_id = v.case_id AND e.id = v.subject_id AND v.disclosure_id IS NULL));
END $$;

-- Takes sections off the bases they rest on, so that new ones can take their place: all but a consent that still covers them, what was retracted
-- or sent in error, and what the person asked to be restricted or erased, unless they consent anew (p_consented). What then rests on nothing is closed, its review ended, and its erasure request answered.
CREATE FUNCTION take_off_bases(p_subject text, p_id uuid, p_sections text[], p_consented text[], p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_me uuid := current_agency(); v_case uuid; v_sender uuid; v_receiver uuid; v_version uuid; d disclosure; v review; r request; v_found text[] := '{}';
BEGIN
    IF p_subject = 'referral' THEN
        SELECT case_id, sender_id, receiver_id, version_id INTO v_case, v_sender, v_receiver, v_version FROM referral WHERE id = p_id;
    ELSE
        SELECT case_id, sender_id, receiver_id, version_id INTO v_case, v_sender, v_receiver, v_version FROM transfer WHERE id = p_id;
    END IF;
    IF v_me IS NULL OR v_sender IS DISTINCT FROM v_me THEN
        RAISE EXCEPTION 'only its sender gives it another basis' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR d IN SELECT * FROM disclosure e
             WHERE e.case_id = v_case AND e.receiver_id = v_receiver AND e.closed_at IS NULL AND e.sections && p_sections
               AND ((e.subject_id = p_id AND e.version_id = v_version) OR e.origin_id = p_id)
               AND (e.basis <> 'consent' OR e.locked_at IS NOT NULL OR e.until_at <= p_at)
               AND coalesce(e.lock_reason, '') NOT IN ('retracted', 'entered_in_error')
               AND (coalesce(e.lock_reason, '') NOT IN ('restricted', 'erasure_asked')
                    OR NOT EXISTS (SELECT FROM unnest(e.sections) AS s WHERE s = ANY (p_sections) AND s <> ALL (p_consented)))
             ORDER BY e.id FOR NO KEY UPDATE LOOP
        IF d.origin_id IS NULL THEN
            v_found := v_found || d.sections;
        END IF;
        IF d.sections <@ p_sections THEN
            UPDATE disclosure SET closed_at = p_at WHERE case_id = v_case AND id = d.id;
            FOR v IN UPDATE review SET state = 're_based', decided_at = p_at, look_at = NULL, clock = 'ok'
                     WHERE case_id = v_case AND disclosure_id = d.id AND state IN ('waiting', 'closed') RETURNING * LOOP
                PERFORM tell_of_review(v, 'review.decided', 're_based', p_at);
            END LOOP;
        ELSE
            UPDATE disclosure SET sections = ARRAY(SELECT s FROM unnest(d.sections) AS s WHERE s <> ALL (p_sections)) WHERE case_id = v_case AND id = d.id;
        END IF;
        FOR r IN UPDATE request q SET state = 'answered', answer = 're_based', answered_at = p_at, answered_by_id = v_me, look_at = NULL, clock = 'ok'
                 WHERE q.case_id = v_case AND q.id = d.request_id AND q.state = 'open' AND NOT EXISTS (
                     SELECT FROM disclosure o WHERE o.case_id = v_case AND o.request_id = q.id AND o.closed_at IS NULL) RETURNING * LOOP
            INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
            SELECT told, 'request.answered', 'request', r.id, r.case_id, 'answered', p_at
            FROM (SELECT r.to_id AS told UNION SELECT r.from_id) AS parties WHERE told <> v_me ORDER BY told;
        END LOOP;
    END LOOP;
    IF NOT (p_sections <@ v_found) THEN
        RAISE EXCEPTION 'nothing to put on another basis' USING ERRCODE = 'RJ063';
    END IF;
END $$;

-- The corrections of what was put on another basis at p_at go with it, also those made while it was locked.
CREATE FUNCTION carry_rebased(p_id uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, sender_id, receiver_id, basis, consent_id, legal_basis, article, sections,
                            until_at, onward, recorded_at, opened_at, origin_id)
    SELECT uuidv7(p_at - clock_timestamp()), n.case_id, 'correction', k.id, k.version_id, k.author_id, n.receiver_id, n.basis, n.consent_id, n.legal_basis,
           n.article, ARRAY(SELECT s FROM unnest(n.sections) AS s WHERE s = ANY (k.sections)), n.until_at, n.onward, p_at, n.opened_at, p_id
    FROM disclosure n JOIN correction k ON k.case_id = n.case_id AND k.sections && n.sections
    JOIN record_version w ON w.id = k.version_id AND w.case_id = k.case_id AND w.retracted_at IS NULL
    WHERE n.subject_id = p_id AND n.recorded_at = p_at AND n.closed_at IS NULL AND n.version_id IS NOT NULL AND n.sender_id = current_agency()
      AND n.receiver_id <> k.author_id
      AND w.number > (SELECT b.number FROM record_version b WHERE b.id = n.version_id AND b.case_id = n.case_id);
END $$;

-- Gives sections of a referral or transfer another basis: changes access, not state. The receiver keeps reading, or reads again.
CREATE FUNCTION rebase(a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_reasons bytea[]) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; x record; s standing; v_version uuid;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(subject text, id uuid, seen integer, sections text[], bases jsonb, receiver_code text, receiver_kind text,
                                                 move_id uuid, occurred_at timestamptz, channel text, recorded_by_id uuid);
    PERFORM lock_case_of(x.id);
    s := standing_of(x.subject, x.id);
    IF s.case_id IS NULL OR s.sender_id <> a.agency THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    IF x.seen <> s.version THEN
        RAISE EXCEPTION 'stale' USING ERRCODE = 'RJ412', DETAIL = jsonb_build_object('state', s.state, 'version', s.version)::text;
    END IF;
    PERFORM take_off_bases(x.subject, x.id, x.sections, ARRAY(
        SELECT jsonb_array_elements_text(b->'sections') FROM jsonb_array_elements(x.bases) AS b WHERE b->>'basis' = 'consent'), a.at);
    IF x.subject = 'referral' THEN
        UPDATE referral SET version = version + 1, updated_at = a.at WHERE id = x.id RETURNING version_id INTO v_version;
    ELSE
        UPDATE transfer SET version = version + 1, updated_at = a.at WHERE id = x.id RETURNING version_id INTO v_version;
    END IF;
    PERFORM store_disclosures(a, x.subject, x.id, s.case_id, v_version, NULL, s.receiver_id, x.receiver_code, x.receiver_kind, s.purpose, x.bases,
                              p_reasons, CASE WHEN s.accepted_at IS NOT NULL THEN a.at END);
    PERFORM carry_rebased(x.id, a.at);
    INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, sender_id, receiver_id, agency_id, recorded_by_id,
                      actor, channel, occurred_at, recorded_at)
    VALUES (x.move_id, s.case_id, x.subject, x.id, 'rebase', s.state, s.state, s.version + 1, s.sender_id, s.receiver_id, a.agency, x.recorded_by_id,
            a.actor, x.channel, x.occurred_at, a.at);
    m := (false, x.subject, x.id, s.case_id, s.reference, s.state, s.version + 1,
          log_by(a, x.subject || ':rebase', 'done', x.subject, x.id, s.case_id, jsonb_build_object(
              'sections', x.sections, 'purpose', s.purpose, 'receiver', x.receiver_code, 'bases', (
                  SELECT jsonb_agg(jsonb_build_object('basis', b.basis, 'sections', b.sections))
                  FROM jsonb_to_recordset(x.bases) AS b(basis text, sections text[]))) || sent_despite(s.case_id, x.bases, a.at)), a.at, met_by(s));
    PERFORM note_in_reviews(a, s.case_id, m.log_id);
    PERFORM publish(x.subject, x.id, x.subject || '.rebased', '{receiver,lead}', a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- The clock of reviews, for the worker: a reminder at half-time; at the deadline a vital interest is over, and what still rests on it locks,
-- judged or not; what nobody has judged is overdue, again and again. One review; false: its case is held by somebody just now, or another worker was here.
CREATE FUNCTION watch_review(p_id uuid, p_case uuid, p_at timestamptz, p_again interval, p_answer interval) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v review; v_locked uuid[]; v_vital boolean;
BEGIN
    IF session_user <> 'rujukan_worker' OR current_agency() IS NOT NULL THEN
        RAISE EXCEPTION 'only the worker watches the clock' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM FROM case_file WHERE id = p_case FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN false; END IF;
    SELECT * INTO v FROM review WHERE case_id = p_case AND id = p_id AND look_at <= p_at;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM lock_for_review(v);
    v_vital := v.basis = 'vital_interest' AND v.disclosure_id IS NOT NULL;
    v_locked := NULL;
    IF v.due_at > p_at THEN
        UPDATE review SET clock = 'due', look_at = v.due_at WHERE case_id = v.case_id AND id = v.id;
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        SELECT told, 'review.due', 'review', v.id, v.case_id, v.state, p_at
        FROM (SELECT reviewing_agency(v.practice) AS told
              UNION SELECT sender_id FROM disclosure WHERE v_vital AND case_id = v.case_id AND id = v.disclosure_id AND closed_at IS NULL) AS parties
        WHERE told IS NOT NULL ORDER BY told;
        RETURN true;
    END IF;
    IF v_vital THEN
        v_locked := lock_reviewed(v, 'review_lapsed', p_at, p_answer);
    END IF;
    IF v_locked IS NOT NULL OR v.state <> 'waiting' THEN
        UPDATE review SET state = CASE state WHEN 'waiting' THEN 'closed' ELSE state END, clock = CASE state WHEN 'waiting' THEN 'overdue' ELSE 'ok' END,
            look_at = NULL
        WHERE case_id = v.case_id AND id = v.id RETURNING * INTO v;
    ELSE
        UPDATE review SET clock = 'overdue', look_at = CASE WHEN v.practice THEN NULL ELSE p_at + p_again END
        WHERE case_id = v.case_id AND id = v.id;
    END IF;
    IF v_locked IS NOT NULL THEN
        PERFORM tell_of_review(v, 'review.overdue', v.state, p_at);
        PERFORM append_log(p_at, NULL, NULL, NULL, NULL, 'review:lapse', 'done', 'review', v.id, v.case_id, jsonb_build_object(
            'sections', v.sections, 'basis', v.basis, 'disclosed', v.log_entry));
    ELSIF v.state = 'waiting' THEN
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        SELECT g, 'review.overdue', 'review', v.id, v.case_id, v.state, p_at FROM reviewing_agency(v.practice) AS g WHERE g IS NOT NULL;
    END IF;
    RETURN true;
END $$;

GRANT SELECT ON review TO rujukan_app;
GRANT SELECT, INSERT, UPDATE ON review TO rujukan_definer;
GRANT CREATE ON SCHEMA public TO rujukan_definer;
DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY[
        'note_disclosure(uuid,uuid,text,timestamptz)', 'apply_review(uuid,text,timestamptz,text,bytea,timestamptz,interval)', 'review_reason(uuid)',
        'take_off_bases(text,uuid,text[],text[],timestamptz)', 'carry_rebased(uuid,timestamptz)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    ALTER FUNCTION open_review() OWNER TO rujukan_definer;
    ALTER FUNCTION watch_review(uuid, uuid, timestamptz, interval, interval) OWNER TO rujukan_definer;
    FOREACH f IN ARRAY ARRAY[
        'note_in_reviews(acting,uuid,uuid)', 'rebase(acting,text,bytea,integer,jsonb,bytea[])',
        'decide_review(acting,text,bytea,integer,uuid,text,timestamptz,bytea,interval)'] LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    FOREACH f IN ARRAY ARRAY[
        'reviewing_agency(boolean)', 'tell_of_review(review,text,text,timestamptz)', 'lock_for_review(review)',
        'lock_reviewed(review,text,timestamptz,interval)'] LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_definer', f);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT EXECUTE ON FUNCTION date_review() TO rujukan_app, rujukan_definer;
GRANT EXECUTE ON FUNCTION watch_review(uuid, uuid, timestamptz, interval, interval) TO rujukan_worker;
