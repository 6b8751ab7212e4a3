-- The life of a case: followed up, closed, reopened; what is known of its victim status, and of its guardian.

-- What was decided about the person's status as a victim, each decision a row: nothing of it in the open.
CREATE TABLE victim_status (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    agency_id uuid NOT NULL REFERENCES agency (id),
    recorded_by_id uuid NOT NULL REFERENCES agency (id),
    recorded_at timestamptz NOT NULL,
    detail bytea,  -- null once it is erased
    PRIMARY KEY (case_id, id)
);
ALTER TABLE victim_status ENABLE ROW LEVEL SECURITY;
ALTER TABLE victim_status FORCE ROW LEVEL SECURITY;
CREATE POLICY by_lead ON victim_status TO rujukan_app
    USING (is_lead(case_id)) WITH CHECK (agency_id = (SELECT current_agency()) AND is_lead(case_id));
GRANT SELECT, INSERT ON victim_status TO rujukan_app;

-- Who takes part in a case, or did: its leads, and both sides of whatever is open or was accepted. Who was asked and never accepted is
-- no party, nor is who got what was entered in error.
CREATE FUNCTION parties_of_case(p_case uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    SELECT agency_id FROM case_lead WHERE case_id = p_case
    UNION
    SELECT party FROM referral r, unnest(ARRAY[r.sender_id, r.receiver_id]) AS party
    WHERE r.case_id = p_case AND (r.ended_at IS NULL OR r.accepted_at IS NOT NULL) AND r.state <> 'entered_in_error'
    UNION
    SELECT party FROM transfer t, unnest(ARRAY[t.sender_id, t.receiver_id]) AS party
    WHERE t.case_id = p_case AND (t.ended_at IS NULL OR t.accepted_at IS NOT NULL) AND t.state <> 'entered_in_error'
$$;

-- Tells every party of a case but the one who acts. Only its lead tells.
CREATE FUNCTION publish_case(p_case uuid, p_type text, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT is_lead(p_case) THEN
        RAISE EXCEPTION 'only the lead tells of a case' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT party, p_type, 'case', p_case, p_case, c.state, p_at
    FROM case_file c, parties_of_case(p_case) AS party WHERE c.id = p_case AND party <> current_agency() ORDER BY party;
END $$;

-- The case's own row: changed only by who leads it, where state and version fit. All null: they do not.
CREATE FUNCTION change_case(
    p_case uuid, p_from text[], p_to text, p_seen integer, p_at timestamptz,
    OUT from_state text, OUT new_version integer, OUT case_reference text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE c case_file; v_transfers uuid[]; v_referrals uuid[];
BEGIN
    SELECT * INTO c FROM case_file WHERE id = p_case AND lead_id = current_agency() FOR NO KEY UPDATE;
    -- without a new state: a recorded death is corrected, and there must be one
    IF NOT FOUND OR c.state <> ALL (p_from) OR c.version <> p_seen OR (p_to IS NULL AND c.deceased_at IS NULL) THEN
        RETURN;
    END IF;
    IF p_to = 'closed' THEN
        -- whoever sends holds this row first, so nothing can be sent between this look and the commit
        SELECT coalesce(array_agg(id ORDER BY id), '{}') INTO v_transfers FROM transfer WHERE case_id = p_case AND ended_at IS NULL;
        SELECT coalesce(array_agg(id ORDER BY id), '{}') INTO v_referrals
        FROM referral WHERE case_id = p_case AND ended_at IS NULL AND urgency = 'immediate';
        IF cardinality(v_transfers) + cardinality(v_referrals) > 0 THEN
            RAISE EXCEPTION 'the case has open duties' USING ERRCODE = 'RJ070',
                DETAIL = jsonb_build_object('transfers', v_transfers, 'referrals', v_referrals)::text;
        END IF;
    END IF;
    UPDATE case_file SET state = coalesce(p_to, state), version = version + 1, updated_at = p_at, closed_at = CASE p_to WHEN 'closed' THEN p_at END,
        deceased_at = CASE WHEN c.state <> 'closed' AND p_to IS NOT NULL THEN deceased_at END  -- a case is reopened for somebody who lives
    WHERE id = p_case RETURNING version, reference INTO new_version, case_reference;
    IF p_to = 'closed' THEN
        PERFORM end_escalations(p_case, p_at, false);
    END IF;
    IF c.deceased_at IS NOT NULL AND (c.state = 'closed' OR p_to IS NULL) THEN  -- the clock looks again at once at what it had stopped watching
        UPDATE referral SET due_at = p_at WHERE case_id = p_case AND ended_at IS NULL;
        UPDATE transfer SET due_at = p_at WHERE case_id = p_case AND ended_at IS NULL;
    END IF;
    from_state := c.state;
END $$;

-- Says why a case was not changed: 404, 412, 409. One read.
CREATE FUNCTION refuse_case_move(a acting, p_case uuid, p_from text[], p_seen integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE c case_file;
BEGIN
    SELECT * INTO c FROM case_file WHERE id = p_case;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    IF c.lead_id = a.agency AND c.state = ANY (p_from) AND c.version <> p_seen THEN
        RAISE EXCEPTION 'stale' USING ERRCODE = 'RJ412', DETAIL = jsonb_build_object('state', c.state, 'version', c.version)::text;
    END IF;
    RAISE EXCEPTION 'not now' USING ERRCODE = 'RJ409', DETAIL = jsonb_build_object('subject', 'case', 'state', c.state, 'version', c.version,
        'party', CASE c.lead_id WHEN a.agency THEN 'lead' ELSE 'anyone' END)::text;
END $$;

-- Every move of a case itself. The table of its lifecycle comes as parameters.
CREATE FUNCTION apply_case_move(a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_detail bytea) RETURNS moved
LANGUAGE plpgsql AS $$
DECLARE m moved; x record; c record;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(
        id uuid, event text, from_states text[], to_state text, seen integer, tells text, death boolean, move_id uuid, occurred_at timestamptz,
        channel text, recorded_by_id uuid);
    SELECT * INTO c FROM change_case(x.id, x.from_states, x.to_state, x.seen, a.at);
    IF c.new_version IS NULL THEN
        PERFORM refuse_case_move(a, x.id, x.from_states, x.seen);
    END IF;
    x.to_state := coalesce(x.to_state, c.from_state);
    INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, agency_id, recorded_by_id, actor, channel,
                      occurred_at, recorded_at, detail)
    VALUES (x.move_id, x.id, 'case', x.id, x.event, c.from_state, x.to_state, c.new_version, a.agency, x.recorded_by_id, a.actor, x.channel,
            x.occurred_at, a.at, p_detail);
    m := (false, 'case', x.id, x.id, c.case_reference, x.to_state, c.new_version,
          log_by(a, 'case:' || x.event, 'done', 'case', x.id, x.id, NULL), a.at);
    IF x.tells IS NOT NULL THEN
        PERFORM publish_case(x.id, x.tells, a.at);
    END IF;
    IF x.death THEN
        PERFORM apply_death(x.id, a.at);
    END IF;
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Death stops every clock of the case and tells every party, once. A party calls it, with the case's row locked before any row of a
-- referral or transfer.
CREATE FUNCTION apply_death(p_case uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_state text;
BEGIN
    IF current_agency() IS NULL OR current_agency() NOT IN (SELECT parties_of_case(p_case)) THEN
        RAISE EXCEPTION 'only a party tells of a death' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE case_file SET deceased_at = p_at, updated_at = p_at WHERE id = p_case AND deceased_at IS NULL RETURNING state INTO v_state;
    UPDATE referral SET due_at = NULL, clock = 'ok' WHERE case_id = p_case AND ended_at IS NULL;
    UPDATE transfer SET due_at = NULL, clock = 'ok' WHERE case_id = p_case AND (ended_at IS NULL OR paper = 'pending');
    PERFORM end_escalations(p_case, p_at, true);
    IF v_state IS NOT NULL THEN
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        SELECT party, 'case.deceased', 'case', p_case, p_case, v_state, p_at
        FROM parties_of_case(p_case) AS party WHERE party <> current_agency() ORDER BY party;
    END IF;
END $$;

-- What the lead writes into a case that does not change its state: the row, locked; or why not.
CREATE FUNCTION lock_case_as_lead(a acting, p_case uuid) RETURNS case_file LANGUAGE plpgsql AS $$
DECLARE c case_file;
BEGIN
    UPDATE case_file SET updated_at = a.at WHERE id = p_case AND lead_id = a.agency RETURNING * INTO c;
    IF NOT FOUND THEN
        PERFORM refuse_unless_lead(p_case);
    END IF;
    RETURN c;
END $$;

CREATE FUNCTION refuse_unless_lead(p_case uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM case_file WHERE id = p_case;
    IF NOT FOUND THEN RAISE EXCEPTION 'no such case' USING ERRCODE = 'RJ404'; END IF;
    RAISE EXCEPTION 'not the lead' USING ERRCODE = 'RJ020';
END $$;

CREATE FUNCTION record_victim_status(
    a acting, p_key text, p_hash bytea, p_days integer, p_case uuid, p_id uuid, p_recorded_by uuid, p_detail bytea
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; c case_file;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    c := lock_case_as_lead(a, p_case);
    INSERT INTO victim_status (id, case_id, agency_id, recorded_by_id, recorded_at, detail)
    VALUES (p_id, p_case, a.agency, p_recorded_by, a.at, p_detail);
    m := (false, 'case', p_case, p_case, c.reference, c.state, c.version,
          log_by(a, 'case:victim_status', 'done', 'case', p_case, p_case, jsonb_build_object('victim_status', p_id)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Any party may find a guardian suspect; only the lead lifts it.
CREATE FUNCTION bar_guardian(p_case uuid, p_suspect boolean, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT is_lead(p_case) AND (NOT p_suspect OR current_agency() IS NULL OR current_agency() NOT IN (SELECT parties_of_case(p_case))) THEN
        RAISE EXCEPTION 'only a party bars a guardian, only the lead lifts it' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE case_file SET guardian_barred_at = CASE WHEN p_suspect THEN coalesce(guardian_barred_at, p_at) END, updated_at = p_at
    WHERE id = p_case AND (guardian_barred_at IS NOT NULL) IS DISTINCT FROM p_suspect;
END $$;

CREATE FUNCTION mark_guardian(a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_detail bytea) RETURNS moved
LANGUAGE plpgsql AS $$
DECLARE m moved; x record; c case_file;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(
        id uuid, event text, suspect boolean, move_id uuid, occurred_at timestamptz, channel text, recorded_by_id uuid);
    c := lock_case_as_lead(a, x.id);
    PERFORM bar_guardian(x.id, x.suspect, a.at);
    INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, agency_id, recorded_by_id, actor, channel,
                      occurred_at, recorded_at, detail)
    VALUES (x.move_id, x.id, 'case', x.id, x.event, c.state, c.state, c.version, a.agency, x.recorded_by_id, a.actor, x.channel, x.occurred_at,
            a.at, p_detail);
    m := (false, 'case', x.id, x.id, c.reference, c.state, c.version, log_by(a, 'case:' || x.event, 'done', 'case', x.id, x.id, NULL), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- How much an agency still answers for: what stands in the way of closing it. The administrator learns numbers, never cases.
CREATE FUNCTION duties_of(
    p_agency uuid, OUT cases bigint, OUT referrals bigint, OUT transfers bigint, OUT requests bigint, OUT escalations bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    SELECT count(*) INTO cases FROM case_file WHERE lead_id = p_agency AND state <> 'closed';
    SELECT count(*) INTO referrals FROM referral
    WHERE receiver_id = p_agency AND state IN ('accepted', 'in_progress', 'on_hold', 'cancel_requested');
    SELECT count(*) INTO transfers FROM transfer WHERE receiver_id = p_agency AND state = 'accepted';
    SELECT count(*) INTO requests FROM request WHERE to_id = p_agency AND state = 'open';
    SELECT count(*) INTO escalations FROM escalation WHERE taken_by_id = p_agency AND closed_at IS NULL;
END $$;

GRANT CREATE ON SCHEMA public TO rujukan_definer;
ALTER FUNCTION publish_case(uuid, text, timestamptz) OWNER TO rujukan_definer;
ALTER FUNCTION change_case(uuid, text[], text, integer, timestamptz) OWNER TO rujukan_definer;
ALTER FUNCTION apply_death(uuid, timestamptz) OWNER TO rujukan_definer;
ALTER FUNCTION bar_guardian(uuid, boolean, timestamptz) OWNER TO rujukan_definer;
ALTER FUNCTION duties_of(uuid) OWNER TO rujukan_definer;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT EXECUTE ON FUNCTION parties_of_case(uuid) TO rujukan_definer;
GRANT EXECUTE ON FUNCTION
    publish_case(uuid, text, timestamptz), change_case(uuid, text[], text, integer, timestamptz), apply_death(uuid, timestamptz),
    bar_guardian(uuid, boolean, timestamptz), refuse_case_move(acting, uuid, text[], integer),
    apply_case_move(acting, text, bytea, integer, jsonb, bytea), lock_case_as_lead(acting, uuid), refuse_unless_lead(uuid),
    record_victim_status(acting, text, bytea, integer, uuid, uuid, uuid, bytea), mark_guardian(acting, text, bytea, integer, jsonb, bytea)
    TO rujukan_app;
GRANT EXECUTE ON FUNCTION duties_of(uuid) TO rujukan_admin;
