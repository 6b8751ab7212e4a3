-- The life of a client: what its agencies are told, and whom a stop leaves stranded.

-- Tells every agency a client acts for. Who may call it does not read or write the outbox otherwise.
CREATE FUNCTION tell_agencies_of(p_client text, p_type text, p_subject text, p_subject_id uuid, p_state text, p_at timestamptz)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_told integer;
BEGIN
    IF p_type NOT LIKE 'client.%' THEN
        RAISE EXCEPTION 'not an event of a client' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT agency_id, p_type, p_subject, p_subject_id, NULL, p_state, p_at FROM client_agency WHERE client_id = p_client;
    GET DIAGNOSTICS v_told = ROW_COUNT;
    RETURN v_told;
END $$;

GRANT CREATE ON SCHEMA public TO rujukan_definer;
ALTER FUNCTION tell_agencies_of(text, text, text, uuid, text, timestamptz) OWNER TO rujukan_definer;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT EXECUTE ON FUNCTION tell_agencies_of(text, text, text, uuid, text, timestamptz) TO rujukan_admin, rujukan_worker;

-- What a client does about its own keys. Each takes the client's agency from the setting, and touches that client's keys alone.
CREATE FUNCTION apply_own_key(p_client text, p_kid text, p_jwk jsonb, p_starts timestamptz, p_ends timestamptz, p_at timestamptz)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_id uuid;
BEGIN
    IF NOT EXISTS (SELECT FROM client_agency WHERE client_id = p_client AND agency_id = current_agency()) THEN
        RAISE EXCEPTION 'only a client itself adds its key' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF p_starts < p_at + interval '1 hour' THEN
        RAISE EXCEPTION 'a key that a client adds waits' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- the client first, as everybody who changes its keys: it may be stopped, or an emergency begin, at this moment
    PERFORM FROM client WHERE client_id = p_client AND status IN ('sandbox', 'requested', 'approved', 'active')
        AND emergency_until IS NULL AND jwks_uri IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    IF EXISTS (SELECT FROM client_key WHERE client_id = p_client AND (kid = p_kid OR key_itself(jwk) = key_itself(p_jwk))) THEN
        RAISE EXCEPTION 'the client has or had this key' USING ERRCODE = 'RJ120';
    END IF;
    IF (SELECT count(*) FROM client_key WHERE client_id = p_client AND (ends_at IS NULL OR ends_at > p_at)) >= 10 THEN
        RAISE EXCEPTION 'too many keys' USING ERRCODE = 'RJ121';
    END IF;
    INSERT INTO client_key (client_id, kid, jwk, starts_at, ends_at, added_at, added_by)
    VALUES (p_client, p_kid, p_jwk, p_starts, p_ends, p_at, 'client') RETURNING id INTO v_id;
    PERFORM tell_agencies_of(p_client, 'client.key_added', 'client_key', v_id, 'added', p_at);
    RETURN v_id;
END $$;

CREATE FUNCTION add_own_key(
    a acting, p_key text, p_hash bytea, p_days integer, p_kid text, p_jwk jsonb, p_starts timestamptz, p_ends timestamptz
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; v_id uuid;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    v_id := apply_own_key(a.client, p_kid, p_jwk, p_starts, p_ends, a.at);
    m := (false, 'client_key', v_id, NULL, p_kid, 'added', 1,
          log_by(a, 'client:add_own_key', 'done', 'client_key', v_id, NULL, jsonb_build_object('kid', p_kid, 'starts_at', p_starts, 'ends_at', p_ends)),
          a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Ends one at once, never the last that counts: a client cannot shut itself out.
CREATE FUNCTION apply_own_key_end(p_client text, p_id uuid, p_at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_kid text;
BEGIN
    IF NOT EXISTS (SELECT FROM client_agency WHERE client_id = p_client AND agency_id = current_agency()) THEN
        RAISE EXCEPTION 'only a client itself ends its key' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- the client first, as everybody who changes its keys: an administrator, or the client from elsewhere, may be ending another, or stop it
    PERFORM FROM client WHERE client_id = p_client AND status IN ('sandbox', 'requested', 'approved', 'active')
        AND emergency_until IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    IF NOT EXISTS (SELECT FROM client_key WHERE client_id = p_client AND id = p_id AND (ends_at IS NULL OR ends_at > p_at)) THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    -- a minute on: another may have been ended a moment ago by a request whose time is later than this one's
    IF NOT EXISTS (SELECT FROM client_key WHERE client_id = p_client AND id <> p_id AND starts_at <= p_at
                   AND (ends_at IS NULL OR ends_at > p_at + interval '1 minute')) THEN
        RAISE EXCEPTION 'the last key' USING ERRCODE = 'RJ122';
    END IF;
    UPDATE client_key SET ends_at = p_at WHERE client_id = p_client AND id = p_id RETURNING kid INTO v_kid;
    PERFORM tell_agencies_of(p_client, 'client.key_ended', 'client_key', p_id, 'ended', p_at);
    RETURN v_kid;
END $$;

CREATE FUNCTION end_own_key(a acting, p_key text, p_hash bytea, p_days integer, p_id uuid) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; v_kid text;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    v_kid := apply_own_key_end(a.client, p_id, a.at);
    m := (false, 'client_key', p_id, NULL, v_kid, 'ended', 2,
          log_by(a, 'client:end_own_key', 'done', 'client_key', p_id, NULL, jsonb_build_object('kid', v_kid)), a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Which of a client's agencies have no other client that works and may hear: while it is shut out, nobody there hears of anything.
CREATE FUNCTION silent_without(p_client text, p_at timestamptz) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT ca.agency_id FROM client_agency ca WHERE ca.client_id = p_client AND NOT EXISTS (
        SELECT FROM client_agency o JOIN client c USING (client_id)
        WHERE o.agency_id = ca.agency_id AND c.client_id <> p_client AND c.status = 'active'
          AND c.scopes && ARRAY['events.read', 'referrals.read', 'transfers.read']
          AND (c.emergency_until IS NULL OR c.emergency_until > p_at)
          AND (c.auth_method = 'tls_client_auth' OR EXISTS (SELECT FROM client_key k WHERE k.client_id = c.client_id
               AND k.starts_at <= p_at AND (k.ends_at IS NULL OR k.ends_at > p_at))));
END $$;

-- What waits on them: ids, states and times, never content. Each once; where both sides are silent, by the one whose turn it is.
CREATE FUNCTION stranded_by(p_client text, p_at timestamptz) RETURNS TABLE (
    kind text, id uuid, reference text, case_id uuid, state text, urgency text, respond_by timestamptz, deadline_at timestamptz,
    agency text, agency_is text, other text, turn text, escalation text
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY WITH silent AS MATERIALIZED (SELECT silent_without AS id FROM silent_without(p_client, p_at)),
    passed AS (  -- by the indexes of what is open, of one side and of the other
        SELECT 'referral' AS kind, r.id, r.reference, r.case_id, r.state, r.urgency, r.respond_by, r.deadline_at, r.turn_id, r.sender_id, r.receiver_id
        FROM silent s JOIN referral r ON r.receiver_id = s.id
        WHERE r.state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested')
        UNION
        SELECT 'referral', r.id, r.reference, r.case_id, r.state, r.urgency, r.respond_by, r.deadline_at, r.turn_id, r.sender_id, r.receiver_id
        FROM silent s JOIN referral r ON r.sender_id = s.id
        WHERE r.state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested')
        UNION
        SELECT 'transfer', t.id, t.reference, t.case_id, t.state, t.urgency, t.respond_by, t.deadline_at, t.turn_id, t.sender_id, t.receiver_id
        FROM silent s JOIN transfer t ON t.receiver_id = s.id WHERE t.state IN ('offered', 'received', 'info_requested', 'accepted')
        UNION
        SELECT 'transfer', t.id, t.reference, t.case_id, t.state, t.urgency, t.respond_by, t.deadline_at, t.turn_id, t.sender_id, t.receiver_id
        FROM silent s JOIN transfer t ON t.sender_id = s.id WHERE t.state IN ('offered', 'received', 'info_requested', 'accepted'))
    SELECT found.* FROM (
        SELECT DISTINCT ON (p.id) p.kind, p.id, p.reference, p.case_id, p.state, p.urgency, p.respond_by, p.deadline_at, g.code,
            CASE WHEN g.id = p.receiver_id THEN 'receiver' ELSE 'sender' END, o.code,
            CASE p.turn_id WHEN p.receiver_id THEN 'receiver' WHEN p.sender_id THEN 'sender' END,
            CASE WHEN e.taken_at IS NOT NULL THEN 'taken' WHEN e.id IS NOT NULL THEN 'open' ELSE 'none' END
        FROM passed p JOIN silent s ON s.id IN (p.sender_id, p.receiver_id) JOIN agency g ON g.id = s.id
        JOIN agency o ON o.id = CASE WHEN g.id = p.receiver_id THEN p.sender_id ELSE p.receiver_id END
        LEFT JOIN escalation e ON e.case_id = p.case_id AND e.subject_id = p.id AND e.closed_at IS NULL
        ORDER BY p.id, (g.id = p.turn_id) DESC NULLS LAST, (g.id = p.receiver_id) DESC
    ) AS found ORDER BY array_position(ARRAY['immediate', 'urgent', 'standard'], found.urgency), coalesce(found.deadline_at, found.respond_by), found.id;
END $$;

-- Has the other side of each asked now, whatever the deadline: who is silent is passed over where it is the receiver, and what it had taken
-- waits for the next one again. Returns how many.
CREATE FUNCTION escalate_stranded(p_client text, p_at timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s record; v_silent uuid[]; v_sender uuid; v_receiver uuid; v_rung integer; v_taken uuid; v_id uuid; v_count integer := 0;
BEGIN
    v_silent := ARRAY(SELECT silent_without(p_client, p_at));
    FOR s IN SELECT * FROM stranded_by(p_client, p_at) ORDER BY case_id, id LOOP
        -- the case, then what is escalated, then the escalation: the order of whoever locks several
        PERFORM FROM case_file c WHERE c.id = s.case_id FOR NO KEY UPDATE;
        IF s.kind = 'referral' THEN
            SELECT sender_id, receiver_id INTO v_sender, v_receiver FROM referral WHERE case_id = s.case_id AND id = s.id AND ended_at IS NULL FOR NO KEY UPDATE;
        ELSE
            SELECT sender_id, receiver_id INTO v_sender, v_receiver FROM transfer WHERE case_id = s.case_id AND id = s.id AND ended_at IS NULL FOR NO KEY UPDATE;
        END IF;
        CONTINUE WHEN NOT FOUND;  -- it has ended meanwhile
        v_rung := CASE WHEN v_receiver = ANY (v_silent) AND v_sender = ANY (v_silent) THEN 2 WHEN v_receiver = ANY (v_silent) THEN 1 ELSE 0 END;
        SELECT id, taken_by_id INTO v_id, v_taken FROM escalation WHERE case_id = s.case_id AND subject_id = s.id AND closed_at IS NULL FOR UPDATE;
        IF NOT FOUND THEN
            INSERT INTO escalation (id, case_id, subject, subject_id, reference, reason, urgency, deadline_at, opened_at, rung, next_at)
            VALUES (uuidv7(), s.case_id, s.kind, s.id, s.reference, 'client_suspended', s.urgency, coalesce(s.deadline_at, s.respond_by), p_at, v_rung, p_at);
        ELSIF v_taken IS NULL OR v_taken = ANY (v_silent) THEN
            UPDATE escalation SET reason = 'client_suspended', taken_by_id = NULL, taken_at = NULL, rung = greatest(rung, v_rung), next_at = p_at
            WHERE case_id = s.case_id AND id = v_id;
            IF v_taken IS NOT NULL THEN
                UPDATE escalation_asked SET closed_at = NULL WHERE case_id = s.case_id AND escalation_id = v_id;
            END IF;
        ELSE
            CONTINUE;  -- somebody sees to it
        END IF;
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END $$;

-- Whether something about it is open: what was escalated before its deadline must be closed by a move too.
CREATE FUNCTION is_escalated(p_case uuid, p_subject_id uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM escalation WHERE case_id = p_case AND subject_id = p_subject_id AND closed_at IS NULL);
END $$;

-- What is still on its way to and from an agency, as numbers: it was asked and has not answered; it has sent and others have not ended.
CREATE FUNCTION passing_of(p_agency uuid, OUT unanswered bigint, OUT sent bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    SELECT count(*) INTO unanswered FROM (
        SELECT FROM referral WHERE receiver_id = p_agency AND state IN ('sent', 'received', 'info_requested')
        UNION ALL SELECT FROM transfer WHERE receiver_id = p_agency AND state IN ('offered', 'received', 'info_requested')) AS asked;
    SELECT count(*) INTO sent FROM (
        SELECT FROM referral WHERE sender_id = p_agency
            AND state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested')
        UNION ALL SELECT FROM transfer WHERE sender_id = p_agency AND state IN ('offered', 'received', 'info_requested', 'accepted')) AS gone;
END $$;

GRANT CREATE ON SCHEMA public TO rujukan_definer;
DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['apply_own_key(text,text,jsonb,timestamptz,timestamptz,timestamptz)', 'apply_own_key_end(text,uuid,timestamptz)',
                             'silent_without(text,timestamptz)', 'stranded_by(text,timestamptz)', 'escalate_stranded(text,timestamptz)', 'passing_of(uuid)',
                             'is_escalated(uuid,uuid)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT INSERT, UPDATE (ends_at) ON client_key TO rujukan_definer;
GRANT INSERT ON escalation TO rujukan_definer;
GRANT UPDATE (reminded_at) ON client_key TO rujukan_worker;
GRANT EXECUTE ON FUNCTION is_escalated(uuid, uuid), apply_own_key(text, text, jsonb, timestamptz, timestamptz, timestamptz), apply_own_key_end(text, uuid, timestamptz),
    add_own_key(acting, text, bytea, integer, text, jsonb, timestamptz, timestamptz), end_own_key(acting, text, bytea, integer, uuid) TO rujukan_app;
GRANT EXECUTE ON FUNCTION stranded_by(text, timestamptz), escalate_stranded(text, timestamptz), passing_of(uuid) TO rujukan_admin;
