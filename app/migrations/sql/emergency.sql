-- Emergency access: named sections are read for a few hours, because life is at stake, without anything having been sent. It opens no disclosure,
-- so nothing can be done with it: no move, no passing on, no form.
CREATE TABLE emergency_access (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    agency_id uuid NOT NULL REFERENCES agency (id),
    actor text NOT NULL,
    reason text NOT NULL,
    sections text[] NOT NULL,
    by_reference boolean NOT NULL,  -- no party of the case: it has the person, or their paper, before it
    practice boolean NOT NULL,
    started_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by_id uuid REFERENCES agency (id),
    end_reason text CHECK (end_reason IN ('time', 'holder', 'lead', 'reviewer', 'not_justified')),
    detail bytea,  -- null once it is erased
    CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    PRIMARY KEY (case_id, id)
);
CREATE INDEX emergency_access_id ON emergency_access USING hash (id);
CREATE UNIQUE INDEX emergency_access_one_open ON emergency_access (case_id, agency_id) WHERE ended_at IS NULL;
CREATE INDEX emergency_access_until ON emergency_access (until_at) WHERE ended_at IS NULL;

-- Each time an agency that is no party asks by a reference, right or wrong.
CREATE TABLE emergency_knock (
    agency_id uuid NOT NULL REFERENCES agency (id),
    at timestamptz NOT NULL,
    PRIMARY KEY (agency_id, at)
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['emergency_access', 'emergency_knock'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    END LOOP;
END $$;
CREATE POLICY by_definer ON emergency_access TO rujukan_definer USING (true) WITH CHECK (true);
CREATE POLICY holder_lead_and_reviewer ON emergency_access FOR SELECT TO rujukan_app USING (
    agency_id = (SELECT current_agency()) OR is_lead(case_id) OR (NOT practice AND (SELECT is_reviewer())));
CREATE POLICY own ON emergency_knock TO rujukan_app
    USING (agency_id = (SELECT current_agency())) WITH CHECK (agency_id = (SELECT current_agency()));

-- Counts this knock and returns how many there were since. In a transaction of its own: a wrong one counts too.
CREATE FUNCTION knock(a acting, p_since timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM begin_acting(a);
    PERFORM pg_advisory_xact_lock(hashtextextended('knock ' || a.agency::text, 0));
    DELETE FROM emergency_knock WHERE agency_id = a.agency AND at <= p_since;
    INSERT INTO emergency_knock (agency_id, at) VALUES (a.agency, a.at) ON CONFLICT DO NOTHING;
    RETURN (SELECT count(*) FROM emergency_knock WHERE agency_id = a.agency);
END $$;

CREATE FUNCTION tell_of_emergency(e emergency_access, p_type text, p_state text, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, p_type, 'emergency_access', e.id, e.case_id, p_state, p_at
    FROM (SELECT e.agency_id AS told UNION SELECT lead_id FROM case_file WHERE id = e.case_id UNION SELECT reviewing_agency(e.practice)) AS parties
    WHERE told IS NOT NULL AND told IS DISTINCT FROM current_agency() ORDER BY told
$$;

-- p: id, case_id or reference, sections, reason, until_at, due_at, and whether this kind of agency may come with no more than a reference.
CREATE FUNCTION apply_emergency(p jsonb, p_detail bytea, p_actor text, p_at timestamptz, OUT o_case uuid, OUT o_reference text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE x record; c case_file; e emergency_access; v review; v_me uuid := current_agency(); v_party boolean; v_other uuid;
BEGIN
    SELECT * INTO x FROM jsonb_to_record(p) AS x(id uuid, case_id uuid, reference text, sections text[], reason text, until_at timestamptz,
                                                 due_at timestamptz, may_knock boolean);
    o_case := coalesce(x.case_id, (SELECT id FROM case_file WHERE reference = x.reference), (SELECT case_id FROM referral WHERE reference = x.reference LIMIT 1),
                       (SELECT case_id FROM transfer WHERE reference = x.reference LIMIT 1));
    SELECT * INTO c FROM case_file WHERE id = o_case FOR NO KEY UPDATE;
    v_party := v_me IN (SELECT parties_of_case(o_case));
    IF v_me IS NULL OR c.id IS NULL OR NOT one_world(v_me, c.lead_id) OR NOT (v_party OR (x.case_id IS NULL AND x.may_knock)) THEN
        RAISE EXCEPTION 'no such case' USING ERRCODE = 'RJ404';
    END IF;
    -- what is over is over, whether or not the worker has looked
    UPDATE emergency_access SET ended_at = until_at, end_reason = 'time' WHERE case_id = o_case AND agency_id = v_me AND ended_at IS NULL AND until_at <= p_at;
    SELECT id INTO v_other FROM emergency_access WHERE case_id = o_case AND agency_id = v_me AND ended_at IS NULL;
    IF FOUND THEN
        RAISE EXCEPTION 'open already' USING ERRCODE = 'RJ093', DETAIL = jsonb_build_object('emergency_access_id', v_other)::text;
    END IF;
    INSERT INTO emergency_access (id, case_id, agency_id, actor, reason, sections, by_reference, practice, started_at, until_at, detail)
    SELECT x.id, o_case, v_me, p_actor, x.reason, x.sections, NOT v_party, g.sandbox, p_at, x.until_at, p_detail FROM agency g WHERE g.id = v_me
    RETURNING * INTO e;
    INSERT INTO review (id, case_id, basis, subject, subject_id, receiver_id, sections, practice, opened_at, due_at, look_at, disclosed_by_id, disclosed_actor)
    VALUES (uuidv7(p_at - clock_timestamp()), o_case, 'emergency_access', 'emergency_access', x.id, v_me, x.sections, e.practice, p_at, x.due_at,
            p_at + (x.due_at - p_at) / 2, v_me, p_actor) RETURNING * INTO v;
    PERFORM tell_of_emergency(e, 'emergency_access.opened', 'open', p_at);
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT g, 'review.opened', 'review', v.id, o_case, 'waiting', p_at FROM reviewing_agency(e.practice) AS g WHERE g IS NOT NULL AND g <> v_me;
    o_reference := c.reference;
END $$;

CREATE FUNCTION open_emergency(a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_detail bytea) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w record;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO w FROM apply_emergency(p, p_detail, a.actor, a.at);
    m := (false, 'emergency_access', (p->>'id')::uuid, w.o_case, w.o_reference, 'open', 1,
          log_by(a, 'emergency_access:open', 'done', 'emergency_access', (p->>'id')::uuid, w.o_case, jsonb_build_object(
              'sections', p->'sections', 'basis', 'vital_interest', 'reason', p->'reason', 'until', p->'until_at', 'by_reference', p ? 'reference')
              || despite_in_review(w.o_case, (p->>'id')::uuid)), a.at);
    PERFORM note_in_reviews(a, w.o_case, m.log_id);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- The parts of the named sections, each from the newest version that has it, for whom it is open to and as long as it is.
CREATE FUNCTION emergency_content(p_id uuid, p_at timestamptz) RETURNS TABLE (version_id uuid, schema_version text, wrapped_key bytea, section text, part bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE e emergency_access;
BEGIN
    SELECT * INTO e FROM emergency_access x WHERE x.id = p_id AND x.agency_id = current_agency() AND x.ended_at IS NULL AND x.until_at > p_at;
    IF NOT FOUND OR EXISTS (SELECT FROM agency g WHERE g.id = e.agency_id AND g.status <> 'active') THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT DISTINCT ON (s.section) v.id, v.schema_version, c.wrapped_key, s.section, s.part
        FROM record_version v JOIN record_content c ON c.version_id = v.id AND c.case_id = v.case_id, unnest(v.sections, c.parts) AS s(section, part)
        WHERE v.case_id = e.case_id AND v.retracted_at IS NULL AND c.retracted_at IS NULL AND s.section = ANY (e.sections)
            AND s.section <> ALL (v.erased_sections) AND NOT EXISTS (  -- what is sealed to somebody's own key nobody else can read
                SELECT FROM sealed_recipient r WHERE r.case_id = v.case_id AND r.version_id = v.id AND r.section = s.section)
        ORDER BY s.section, v.number DESC;
END $$;

CREATE FUNCTION apply_emergency_end(p_id uuid, p_at timestamptz, OUT o_case uuid, OUT o_reference text, OUT o_reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE e emergency_access; v_me uuid := current_agency();
BEGIN
    SELECT * INTO e FROM emergency_access WHERE id = p_id;
    o_reason := CASE WHEN e.agency_id = v_me THEN 'holder' WHEN is_lead(e.case_id) THEN 'lead' WHEN NOT e.practice AND is_reviewer() THEN 'reviewer' END;
    IF o_reason IS NULL THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    UPDATE emergency_access SET ended_at = p_at, ended_by_id = v_me, end_reason = o_reason
    WHERE case_id = e.case_id AND id = e.id AND ended_at IS NULL AND until_at > p_at RETURNING * INTO e;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'ended already' USING ERRCODE = 'RJ094';
    END IF;
    PERFORM tell_of_emergency(e, 'emergency_access.ended', 'ended', p_at);
    o_case := e.case_id;
    SELECT reference INTO o_reference FROM case_file WHERE id = e.case_id;
END $$;

CREATE FUNCTION end_emergency(a acting, p_key text, p_hash bytea, p_days integer, p_id uuid) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w record;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    IF a.recorder IS NOT NULL THEN RAISE EXCEPTION 'not by proxy' USING ERRCODE = 'RJ404'; END IF;
    SELECT * INTO w FROM apply_emergency_end(p_id, a.at);
    m := (false, 'emergency_access', p_id, w.o_case, w.o_reference, 'ended', 2,
          log_by(a, 'emergency_access:end', 'done', 'emergency_access', p_id, w.o_case, jsonb_build_object('as', w.o_reason)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- An emergency access that was not justified ends, and who read under it is asked to erase what it noted. Called by the review.
CREATE FUNCTION end_refused_emergency(v review, p_at timestamptz, p_within interval) RETURNS void LANGUAGE plpgsql AS $$
DECLARE e emergency_access; v_id uuid := uuidv7(p_at - clock_timestamp());
BEGIN
    UPDATE emergency_access SET ended_at = p_at, ended_by_id = current_agency(), end_reason = 'not_justified'
    WHERE case_id = v.case_id AND id = v.subject_id AND ended_at IS NULL RETURNING * INTO e;
    IF FOUND THEN
        PERFORM tell_of_emergency(e, 'emergency_access.ended', 'ended', p_at);
    END IF;
    INSERT INTO request (id, case_id, kind, cause, from_id, to_id, subject, subject_id, sections, requested_at, recorded_at, due_at, look_at)
    SELECT v_id, v.case_id, 'erasure', 'not_justified', c.lead_id, v.receiver_id, 'emergency_access', v.subject_id, v.sections, p_at, p_at, p_at + p_within,
           p_at + p_within / 2 FROM case_file c WHERE c.id = v.case_id;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    VALUES (v.receiver_id, 'request.opened', 'request', v_id, v.case_id, 'open', p_at);
END $$;

-- What is over is marked as ended, and told: for the worker, one at a time; false: another one was here. Nobody reads by it from its last moment on, marked or not.
CREATE FUNCTION end_emergency_over(p_id uuid, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE e emergency_access;
BEGIN
    IF session_user <> 'rujukan_worker' OR current_agency() IS NOT NULL THEN
        RAISE EXCEPTION 'only the worker watches the clock' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO e FROM emergency_access WHERE id = p_id AND ended_at IS NULL AND until_at <= p_at FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN false; END IF;
    UPDATE emergency_access SET ended_at = e.until_at, end_reason = 'time' WHERE case_id = e.case_id AND id = e.id;
    PERFORM tell_of_emergency(e, 'emergency_access.ended', 'ended', p_at);
    RETURN true;
END $$;

GRANT SELECT ON emergency_access TO rujukan_app;
GRANT SELECT, INSERT, DELETE ON emergency_knock TO rujukan_app;
GRANT SELECT, INSERT, UPDATE ON emergency_access TO rujukan_definer;
GRANT CREATE ON SCHEMA public TO rujukan_definer;
DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['apply_emergency(jsonb,bytea,text,timestamptz)', 'emergency_content(uuid,timestamptz)', 'apply_emergency_end(uuid,timestamptz)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    ALTER FUNCTION end_emergency_over(uuid, timestamptz) OWNER TO rujukan_definer;
END $$;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT EXECUTE ON FUNCTION knock(acting, timestamptz), open_emergency(acting, text, bytea, integer, jsonb, bytea),
    end_emergency(acting, text, bytea, integer, uuid) TO rujukan_app;
GRANT EXECUTE ON FUNCTION tell_of_emergency(emergency_access, text, text, timestamptz), end_refused_emergency(review, timestamptz, interval) TO rujukan_definer;
GRANT EXECUTE ON FUNCTION end_emergency_over(uuid, timestamptz) TO rujukan_worker;
