-- A lead that is gone: reassigned by two people, with the new lead's agreement.
CREATE TABLE reassignment (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    case_reference text NOT NULL,  -- neither the desk nor the new lead sees the case
    from_id uuid NOT NULL REFERENCES agency (id),
    to_id uuid NOT NULL REFERENCES agency (id),
    state text NOT NULL CHECK (state IN ('proposed', 'approved', 'agreed', 'declined', 'withdrawn')),
    version integer NOT NULL DEFAULT 1,
    proposed_by text NOT NULL,
    approved_by text CHECK (approved_by <> proposed_by),
    proposed_at timestamptz NOT NULL,
    approved_at timestamptz,
    updated_at timestamptz NOT NULL,
    transfer_id uuid,
    detail bytea,  -- null once it is erased
    end_detail bytea,
    CHECK (from_id <> to_id),
    PRIMARY KEY (case_id, id)
);
CREATE INDEX reassignment_id ON reassignment USING hash (id);
CREATE INDEX reassignment_to ON reassignment (to_id, id);
CREATE INDEX reassignment_waiting ON reassignment (to_id, approved_at, id) WHERE state = 'approved';
CREATE UNIQUE INDEX reassignment_one_open ON reassignment (case_id) WHERE state IN ('proposed', 'approved');

CREATE FUNCTION is_desk() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM agency WHERE id = current_agency() AND desk)
$$;

-- Who reviews what was disclosed without consent: the agency made so, else the desk.
CREATE FUNCTION is_reviewer() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM agency WHERE id = current_agency()
                   AND (reviewer OR (desk AND NOT EXISTS (SELECT FROM agency WHERE reviewer))))
$$;

ALTER TABLE reassignment ENABLE ROW LEVEL SECURITY;
ALTER TABLE reassignment FORCE ROW LEVEL SECURITY;
CREATE POLICY by_definer ON reassignment TO rujukan_definer USING (true) WITH CHECK (true);
CREATE POLICY seen_by_desk ON reassignment FOR SELECT TO rujukan_app USING ((SELECT is_desk()));
CREATE POLICY seen_by_new_lead ON reassignment FOR SELECT TO rujukan_app
    USING (to_id = (SELECT current_agency()) AND approved_at IS NOT NULL);
-- a lead that is not gone after all learns of it
CREATE POLICY seen_by_lead ON reassignment FOR SELECT TO rujukan_app USING (is_lead(case_id));
GRANT SELECT ON reassignment TO rujukan_app;
GRANT SELECT, INSERT, UPDATE ON reassignment TO rujukan_definer;
GRANT SELECT ON record_version TO rujukan_definer;
GRANT INSERT ON transfer, disclosure TO rujukan_definer;

CREATE FUNCTION publish_reassignment(r reassignment, p_to uuid, p_type text, p_state text, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT p_to, p_type, 'reassignment', r.id, r.case_id, p_state, p_at WHERE p_to IS NOT NULL AND p_to IS DISTINCT FROM current_agency()
$$;

-- What moves with the lead, whoever agreed to it: its caller has checked that, and holds the case's row. Callable by no login.
CREATE FUNCTION move_lead(p_case uuid, p_from uuid, p_to uuid, p_transfer uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE r referral; v_count integer; g reassignment; e record;
BEGIN
    UPDATE case_file SET lead_id = p_to, version = version + 1, updated_at = p_at WHERE id = p_case AND lead_id = p_from;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count <> 1 THEN
        RAISE EXCEPTION 'the sender no longer leads the case' USING ERRCODE = 'RJ020';
    END IF;
    UPDATE case_lead SET until_at = p_at WHERE case_id = p_case AND agency_id = p_from AND until_at IS NULL;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count <> 1 THEN
        RAISE EXCEPTION 'the case has no one lead' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    INSERT INTO case_lead (case_id, agency_id, from_at, transfer_id) VALUES (p_case, p_to, p_at, p_transfer);

    FOR r IN UPDATE referral SET state = 'absorbed', version = version + 1, updated_at = p_at, ended_at = p_at, due_at = NULL,
                    deadline_at = NULL, clock = 'ok'
             WHERE case_id = p_case AND receiver_id = p_to
               AND state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested')
             RETURNING old.* LOOP
        INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, sender_id, receiver_id, channel, occurred_at, recorded_at)
        VALUES (uuidv7(p_at - clock_timestamp()), r.case_id, 'referral', r.id, 'absorb', r.state, 'absorbed', r.version + 1, r.sender_id, r.receiver_id, 'system', p_at, p_at);
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        VALUES (r.sender_id, 'referral.absorbed', 'referral', r.id, r.case_id, 'absorbed', p_at);
        UPDATE disclosure SET opened_at = coalesce(opened_at, p_at) WHERE subject_id = r.id AND closed_at IS NULL;
        PERFORM append_log(p_at, NULL, NULL, NULL, NULL, 'referral:absorb', 'done', 'referral', r.id, r.case_id,
                           jsonb_build_object('transfer', p_transfer));
        PERFORM close_escalations(r.id, p_at);
    END LOOP;

    UPDATE referral SET sender_id = p_to, updated_at = p_at
    WHERE case_id = p_case AND sender_id = p_from
      AND state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested');
    UPDATE disclosure SET sender_id = p_to
    WHERE case_id = p_case AND sender_id = p_from AND subject = 'referral' AND closed_at IS NULL
      AND subject_id IN (SELECT id FROM referral WHERE case_id = p_case AND sender_id = p_to);
    PERFORM pass_on_notes(p_case, p_from, p_to);

    -- what is late, and was the earlier lead's to see to, is now the new one's; what the earlier one had taken is open again
    FOR e IN SELECT x.* FROM escalation x JOIN escalation_asked k ON k.case_id = x.case_id AND k.escalation_id = x.id AND k.agency_id = p_from
             WHERE x.case_id = p_case AND x.closed_at IS NULL ORDER BY x.id FOR NO KEY UPDATE OF x LOOP
        CONTINUE WHEN EXISTS (SELECT FROM referral WHERE case_id = p_case AND id = e.subject_id AND receiver_id = p_from)
            OR EXISTS (SELECT FROM transfer WHERE case_id = p_case AND id = e.subject_id AND p_from IN (sender_id, receiver_id));
        UPDATE escalation_asked SET closed_at = p_at
        WHERE case_id = p_case AND escalation_id = e.id AND agency_id = p_from AND closed_at IS NULL;
        IF e.taken_by_id = p_from THEN
            UPDATE escalation SET taken_by_id = NULL, taken_at = NULL, next_at = p_at WHERE case_id = p_case AND id = e.id;
            UPDATE escalation_asked SET closed_at = NULL WHERE case_id = p_case AND escalation_id = e.id AND agency_id <> p_from;
        END IF;
        IF coalesce(e.taken_by_id, p_from) = p_from THEN
            INSERT INTO escalation_asked (escalation_id, case_id, agency_id, role, asked_at) VALUES (e.id, p_case, p_to, 'lead', p_at)
            ON CONFLICT (case_id, escalation_id, agency_id) DO NOTHING;
            INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
            VALUES (p_to, 'escalation.opened', 'escalation', e.id, p_case, 'open', p_at);
        END IF;
    END LOOP;

    UPDATE case_link SET lead_id = p_to WHERE case_id = p_case;
    UPDATE case_link SET other_lead_id = p_to WHERE other_case_id = p_case;

    -- a lead that could hand over was not gone
    FOR g IN UPDATE reassignment SET state = 'withdrawn', version = version + 1, updated_at = p_at
             WHERE case_id = p_case AND state IN ('proposed', 'approved') RETURNING old.* LOOP
        PERFORM publish_reassignment(g, (SELECT id FROM agency WHERE desk), 'case.reassignment_withdrawn', 'withdrawn', p_at);
        PERFORM publish_reassignment(g, CASE g.state WHEN 'approved' THEN g.to_id END, 'case.reassignment_withdrawn', 'withdrawn', p_at);
        PERFORM append_log(p_at, NULL, NULL, NULL, NULL, 'reassignment:withdraw', 'done', 'reassignment', g.id, g.case_id, NULL);
    END LOOP;
END $$;

CREATE FUNCTION store_reassignment(p_id uuid, p_reference text, p_to uuid, p_actor text, p_at timestamptz, p_detail bytea)
RETURNS reassignment LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE c case_file; r reassignment; v_open uuid;
BEGIN
    IF NOT is_desk() THEN
        RAISE EXCEPTION 'only the desk reassigns' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO c FROM case_file WHERE reference = p_reference FOR NO KEY UPDATE;
    IF NOT FOUND OR NOT one_world(c.lead_id, current_agency()) THEN
        RAISE EXCEPTION 'no case of this reference' USING ERRCODE = 'RJ072', DETAIL = '{"pointer": "/case"}';
    END IF;
    IF c.state = 'closed' THEN RAISE EXCEPTION 'the case is closed' USING ERRCODE = 'RJ022'; END IF;
    IF c.lead_id = p_to THEN RAISE EXCEPTION 'it leads the case' USING ERRCODE = 'RJ076'; END IF;
    INSERT INTO reassignment (id, case_id, case_reference, from_id, to_id, state, proposed_by, proposed_at, updated_at, detail)
    VALUES (p_id, c.id, c.reference, c.lead_id, p_to, 'proposed', p_actor, p_at, p_at, p_detail)
    ON CONFLICT (case_id) WHERE state IN ('proposed', 'approved') DO NOTHING RETURNING * INTO r;
    IF NOT FOUND THEN
        SELECT id INTO v_open FROM reassignment WHERE case_id = c.id AND state IN ('proposed', 'approved');
        RAISE EXCEPTION 'one is open' USING ERRCODE = 'RJ077', DETAIL = jsonb_build_object('reassignment_id', v_open)::text;
    END IF;
    PERFORM publish_reassignment(r, c.lead_id, 'case.reassignment_proposed', r.state, p_at);
    RETURN r;
END $$;

-- Approves, declines, withdraws, agrees. Null: the caller does not see it.
CREATE FUNCTION change_reassignment(
    p_id uuid, p_event text, p_from text[], p_to text, p_party text, p_seen integer, p_actor text, p_at timestamptz, p_detail bytea,
    p_transfer uuid, p_reference text, p_disclosure uuid, p_recorded_by uuid
) RETURNS reassignment LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE r reassignment; v_me uuid := current_agency(); v_lead uuid; v_state text; v_parties text[];
BEGIN
    SELECT * INTO r FROM reassignment WHERE id = p_id;
    SELECT lead_id, state INTO v_lead, v_state FROM case_file WHERE id = r.case_id FOR NO KEY UPDATE;
    SELECT * INTO r FROM reassignment WHERE id = p_id FOR UPDATE;
    v_parties := array_remove(ARRAY[CASE WHEN is_desk() THEN 'desk' END, CASE WHEN r.to_id = v_me AND r.approved_at IS NOT NULL THEN 'receiver' END,
                                    CASE WHEN v_lead = v_me THEN 'lead' END], NULL);
    IF r.id IS NULL OR cardinality(v_parties) = 0 THEN
        RETURN NULL;
    END IF;
    IF r.state <> ALL (p_from) OR p_party <> ALL (v_parties) THEN
        RAISE EXCEPTION 'not now' USING ERRCODE = 'RJ409', DETAIL = jsonb_build_object('subject', 'reassignment', 'state', r.state,
            'version', r.version, 'party', v_parties[1])::text;
    END IF;
    IF r.version <> p_seen THEN
        RAISE EXCEPTION 'stale' USING ERRCODE = 'RJ412', DETAIL = jsonb_build_object('state', r.state, 'version', r.version)::text;
    END IF;
    IF p_event = 'approve' AND p_actor = r.proposed_by THEN
        RAISE EXCEPTION 'the same person' USING ERRCODE = 'RJ075';
    END IF;
    IF v_state = 'closed' AND p_event IN ('approve', 'agree') THEN
        RAISE EXCEPTION 'the case is closed' USING ERRCODE = 'RJ022';
    END IF;
    UPDATE reassignment SET state = p_to, version = version + 1, updated_at = p_at, end_detail = p_detail,
        approved_by = CASE p_event WHEN 'approve' THEN p_actor ELSE approved_by END,
        approved_at = CASE p_event WHEN 'approve' THEN p_at ELSE approved_at END
    WHERE id = p_id RETURNING * INTO r;
    IF p_event = 'agree' THEN
        r := carry_out_reassignment(r, p_at, p_transfer, p_reference, p_disclosure, p_recorded_by);
    END IF;
    PERFORM publish_reassignment(r, CASE WHEN r.approved_at IS NOT NULL AND p_event IN ('approve', 'withdraw') THEN r.to_id END,
                                 'case.reassignment_' || p_to, p_to, p_at);
    PERFORM publish_reassignment(r, CASE WHEN p_event IN ('agree', 'decline') THEN (SELECT id FROM agency WHERE desk) END,
                                 'case.reassignment_' || p_to, p_to, p_at);
    PERFORM publish_reassignment(r, CASE WHEN p_event IN ('decline', 'withdraw') THEN v_lead END, 'case.reassignment_' || p_to, p_to, p_at);
    RETURN r;
END $$;

-- In the transaction in which the new lead agrees. Callable by no login.
CREATE FUNCTION carry_out_reassignment(r reassignment, p_at timestamptz, p_transfer uuid, p_reference text, p_disclosure uuid, p_recorded_by uuid)
RETURNS reassignment LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE t transfer; v record_version; v_manifest text; v_case case_file; v_to text;
BEGIN
    -- what the earlier lead had offered is offered by nobody now
    FOR t IN UPDATE transfer SET state = CASE state WHEN 'accepted' THEN 'aborted' ELSE 'recalled' END, version = version + 1, updated_at = p_at,
                 ended_at = p_at, due_at = NULL, deadline_at = NULL, clock = 'ok'
             WHERE case_id = r.case_id AND state IN ('offered', 'received', 'info_requested', 'accepted') RETURNING old.* LOOP
        v_to := CASE t.state WHEN 'accepted' THEN 'aborted' ELSE 'recalled' END;
        UPDATE disclosure SET closed_at = p_at WHERE subject_id = t.id AND closed_at IS NULL;
        IF t.state = 'accepted' THEN  -- who has read it answers for it, as after any abort
            PERFORM ask_holders(ARRAY(SELECT d.id FROM disclosure d WHERE d.subject_id = t.id AND d.receiver_id = t.receiver_id AND d.opened_at IS NOT NULL),
                                t.case_id, 'transfer_aborted', r.to_id, 'transfer', t.id, t.version_id, p_at, p_at, '72 hours');
        END IF;
        INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, sender_id, receiver_id, channel, occurred_at, recorded_at)
        VALUES (uuidv7(p_at - clock_timestamp()), t.case_id, 'transfer', t.id, CASE v_to WHEN 'aborted' THEN 'abort' ELSE 'recall' END, t.state, v_to,
                t.version + 1, t.sender_id, t.receiver_id, 'system', p_at, p_at);
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        VALUES (t.receiver_id, 'transfer.' || v_to, 'transfer', t.id, t.case_id, v_to, p_at);
        PERFORM append_log(p_at, NULL, NULL, NULL, NULL, 'transfer:' || CASE v_to WHEN 'aborted' THEN 'abort' ELSE 'recall' END, 'done', 'transfer',
                           t.id, t.case_id, jsonb_build_object('reassignment', r.id));
        UPDATE escalation SET closed_at = p_at, close_reason = 'ended', next_at = NULL WHERE subject_id = t.id AND closed_at IS NULL;
        UPDATE escalation_asked k SET closed_at = p_at FROM escalation e
        WHERE e.subject_id = t.id AND k.case_id = e.case_id AND k.escalation_id = e.id AND k.closed_at IS NULL;
    END LOOP;

    -- the newest record that the earlier lead wrote or holds in full: without it the new lead could help nobody
    SELECT w.* INTO v FROM record_version w WHERE w.case_id = r.case_id AND w.retracted_at IS NULL AND w.preview IS NOT NULL AND (w.author_id = r.from_id OR w.sections <@ ARRAY(
        SELECT s FROM disclosure d, unnest(d.sections) AS s
        WHERE d.version_id = w.id AND d.receiver_id = r.from_id AND d.opened_at IS NOT NULL AND d.closed_at IS NULL AND d.locked_at IS NULL
          AND (d.until_at IS NULL OR d.until_at > p_at)))
    ORDER BY w.number DESC LIMIT 1;
    IF FOUND THEN
        v_manifest := manifest_of(r.case_id, r.from_id, v.id, v.sections, NULL, p_at);
        INSERT INTO transfer (id, case_id, reference, sender_id, receiver_id, recorded_by_id, state, purpose, urgency, respond_by, sections, version_id,
                              manifest, manifest_digest, sent_at, updated_at, acknowledged_at, accepted_at, ended_at, paper, last_occurred_at)
        VALUES (p_transfer, r.case_id, p_reference, r.from_id, r.to_id, p_recorded_by, 'completed', 'case_responsibility', 'standard', p_at, v.sections,
                v.id, v_manifest::jsonb, encode(sha256(convert_to(v_manifest, 'UTF8')), 'hex'), p_at, p_at, p_at, p_at, p_at, 'issued', p_at);
        INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, sender_id, receiver_id, basis, sections, onward, recorded_at, opened_at)
        VALUES (p_disclosure, r.case_id, 'transfer', p_transfer, v.id, r.from_id, r.to_id, 'legal_obligation', v.sections, false, p_at, p_at);
        INSERT INTO move (id, case_id, subject, subject_id, event, to_state, version, sender_id, receiver_id, agency_id, recorded_by_id, channel,
                          occurred_at, recorded_at)
        VALUES (p_transfer, r.case_id, 'transfer', p_transfer, 'reassign_lead', 'completed', 1, r.from_id, r.to_id, r.to_id, p_recorded_by, 'system', p_at, p_at);
        UPDATE reassignment SET transfer_id = p_transfer WHERE id = r.id RETURNING * INTO r;
    END IF;

    PERFORM move_lead(r.case_id, r.from_id, r.to_id, r.transfer_id, p_at);
    SELECT * INTO v_case FROM case_file WHERE id = r.case_id;
    INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, agency_id, recorded_by_id, channel, occurred_at, recorded_at)
    VALUES (uuidv7(p_at - clock_timestamp()), r.case_id, 'case', r.case_id, 'reassign_lead', v_case.state, v_case.state, v_case.version, r.to_id, p_recorded_by, 'system', p_at, p_at);
    PERFORM publish_case(r.case_id, 'case.lead_changed', p_at);
    RETURN r;
END $$;

CREATE FUNCTION propose_reassignment(a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_detail bytea) RETURNS moved
LANGUAGE plpgsql AS $$
DECLARE m moved; x record; r reassignment;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(id uuid, case_reference text, to_id uuid, to_code text);
    r := store_reassignment(x.id, x.case_reference, x.to_id, a.actor, a.at, p_detail);
    m := (false, 'reassignment', r.id, r.case_id, r.case_reference, r.state, r.version,
          log_by(a, 'reassignment:propose', 'done', 'reassignment', r.id, r.case_id, jsonb_build_object('to', x.to_code)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

CREATE FUNCTION apply_reassignment_move(a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_detail bytea) RETURNS moved
LANGUAGE plpgsql AS $$
DECLARE m moved; x record; r reassignment;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(
        id uuid, event text, from_states text[], to_state text, party text, seen integer, transfer_id uuid, transfer_reference text,
        disclosure_id uuid, recorded_by_id uuid);
    r := change_reassignment(x.id, x.event, x.from_states, x.to_state, x.party, x.seen, a.actor, a.at, p_detail, x.transfer_id,
                             x.transfer_reference, x.disclosure_id, x.recorded_by_id);
    IF r.id IS NULL THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    m := (false, 'reassignment', r.id, r.case_id, r.case_reference, r.state, r.version,
          log_by(a, 'reassignment:' || x.event, 'done', 'reassignment', r.id, r.case_id, despite_in_review(r.case_id, x.transfer_id)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

GRANT CREATE ON SCHEMA public TO rujukan_definer;
ALTER FUNCTION move_lead(uuid, uuid, uuid, uuid, timestamptz) OWNER TO rujukan_definer;
ALTER FUNCTION store_reassignment(uuid, text, uuid, text, timestamptz, bytea) OWNER TO rujukan_definer;
ALTER FUNCTION change_reassignment(uuid, text, text[], text, text, integer, text, timestamptz, bytea, uuid, text, uuid, uuid) OWNER TO rujukan_definer;
ALTER FUNCTION carry_out_reassignment(reassignment, timestamptz, uuid, text, uuid, uuid) OWNER TO rujukan_definer;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT EXECUTE ON FUNCTION publish_reassignment(reassignment, uuid, text, text, timestamptz), manifest_of(uuid, uuid, uuid, text[], jsonb, timestamptz) TO rujukan_definer;
GRANT EXECUTE ON FUNCTION is_desk(), is_reviewer() TO rujukan_app, rujukan_definer;
GRANT EXECUTE ON FUNCTION
    store_reassignment(uuid, text, uuid, text, timestamptz, bytea),
    change_reassignment(uuid, text, text[], text, text, integer, text, timestamptz, bytea, uuid, text, uuid, uuid),
    propose_reassignment(acting, text, bytea, integer, jsonb, bytea), apply_reassignment_move(acting, text, bytea, integer, jsonb, bytea)
    TO rujukan_app;
