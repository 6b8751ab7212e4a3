-- What is done with sealed sections and the keys they are sealed to.
CREATE POLICY known_to_all ON sealing_key FOR SELECT TO rujukan_app USING (true);
CREATE POLICY by_author ON sealed_recipient FOR INSERT TO rujukan_app WITH CHECK (author_id = (SELECT current_agency()));
CREATE POLICY parties ON sealed_recipient FOR SELECT TO rujukan_app
    USING (author_id = (SELECT current_agency()) OR agency_id = (SELECT current_agency()));

CREATE FUNCTION sealing_key_counts(k sealing_key, p_at timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN
    k.starts_at <= p_at AND (k.ends_at IS NULL OR k.ends_at > p_at);

-- Keeps to whom each section is sealed. `p_sealed`: a row for each recipient as the JWE names it; `p_holders`: which agency must be able to open
-- which section. Refuses, with pointers: a key nobody has, one that has ended or not begun, one of an agency that is no party, another curve, and
-- a holder without a key that counts.
CREATE FUNCTION store_sealed(a acting, p_case uuid, p_version uuid, p_sealed jsonb, p_holders jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_errors jsonb;
BEGIN
    WITH holder AS (
        SELECT DISTINCT h.section, h.agency_id FROM jsonb_to_recordset(p_holders) AS h(section text, agency_id uuid)
    ), named AS (
        SELECT x.section, x.kid, x.crv, x.place, k.id, k.agency_id, k.ends_at <= a.at AS ended, k.starts_at > a.at AS early, k.jwk->>'crv' AS curve,
               k.agency_id = a.agency OR EXISTS (SELECT FROM holder h WHERE h.section = x.section AND h.agency_id = k.agency_id) AS is_party
        FROM jsonb_to_recordset(p_sealed) AS x(section text, kid text, crv text, place integer)
        LEFT JOIN LATERAL (
            SELECT * FROM sealing_key s WHERE s.kid = x.kid
            ORDER BY (s.agency_id = a.agency OR EXISTS (SELECT FROM holder h WHERE h.section = x.section AND h.agency_id = s.agency_id)) DESC,
                     s.agency_id <> a.agency DESC, s.id LIMIT 1) AS k ON true
    ), fault AS (
        SELECT format('/record/sealed/%s/recipients/%s/header/kid', section, place) AS pointer,
               CASE WHEN id IS NULL THEN 'unknown_key' WHEN NOT is_party THEN 'not_a_party' WHEN ended THEN 'ended_key'
                    WHEN early THEN 'key_not_begun' ELSE 'another_curve' END AS code
        FROM named WHERE id IS NULL OR NOT is_party OR ended OR early OR curve <> crv
        UNION ALL
        SELECT format('/record/sealed/%s/recipients', h.section), 'receiver_missing' FROM holder h
        WHERE h.agency_id <> a.agency AND h.section IN (SELECT section FROM named)
          AND NOT EXISTS (SELECT FROM named n WHERE n.section = h.section AND n.agency_id = h.agency_id)
    )
    SELECT jsonb_agg(jsonb_build_object('pointer', pointer, 'code', code) ORDER BY pointer) INTO v_errors FROM (SELECT DISTINCT * FROM fault) AS f;
    IF v_errors IS NOT NULL THEN
        RAISE EXCEPTION 'sealed to the wrong keys' USING ERRCODE = 'RJ100', DETAIL = jsonb_build_object('errors', v_errors)::text;
    END IF;
    INSERT INTO sealed_recipient (case_id, version_id, section, key_id, agency_id, author_id)
    SELECT p_case, p_version, x.section, k.id, k.agency_id, a.agency
    FROM jsonb_to_recordset(p_sealed) AS x(section text, kid text) JOIN sealing_key k ON k.kid = x.kid
    WHERE k.agency_id = a.agency
       OR EXISTS (SELECT FROM jsonb_to_recordset(p_holders) AS h(section text, agency_id uuid) WHERE h.section = x.section AND h.agency_id = k.agency_id);
END $$;

-- The same, for one receiver of everything.
CREATE FUNCTION store_sealed_to(a acting, p_case uuid, p_version uuid, p_sealed jsonb, p_receiver uuid) RETURNS void LANGUAGE sql AS $$
    SELECT store_sealed(a, p_case, p_version, p_sealed, (
        SELECT jsonb_agg(jsonb_build_object('section', x.section, 'agency_id', p_receiver)) FROM jsonb_to_recordset(p_sealed) AS x(section text)))
$$;

-- A version that is sent again, and the corrections that go with it: what in them is sealed to others cannot be opened by this receiver.
CREATE FUNCTION sealed_to_others(p_subject_id uuid, p_at timestamptz) RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (SELECT array_agg(DISTINCT s.section ORDER BY s.section) FROM disclosure d JOIN sealed_recipient s
                ON s.case_id = d.case_id AND s.version_id = d.version_id AND s.section = ANY (d.sections)
            WHERE (d.subject_id = p_subject_id OR d.origin_id = p_subject_id) AND d.sender_id = current_agency()
              AND NOT EXISTS (SELECT FROM sealed_recipient o JOIN sealing_key k ON k.id = o.key_id
                              WHERE o.case_id = s.case_id AND o.version_id = s.version_id AND o.section = s.section
                                AND k.agency_id = d.receiver_id AND sealing_key_counts(k, p_at)));
END $$;

CREATE FUNCTION check_sealed_to_receiver(p_subject_id uuid, p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_sections text[] := sealed_to_others(p_subject_id, p_at);
BEGIN
    IF v_sections IS NOT NULL THEN
        RAISE EXCEPTION 'sealed to others' USING ERRCODE = 'RJ101', DETAIL = jsonb_build_object('sections', to_jsonb(v_sections))::text;
    END IF;
END $$;

-- Whoever hands over a case answers for each of its sealed sections.
CREATE FUNCTION check_sealed_answered(a acting, p_case uuid, p_version uuid, p_sections text[], p_given jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_sections text[]; v_left text[];
BEGIN
    v_left := ARRAY(SELECT g->>'section' FROM jsonb_array_elements(coalesce(p_given->'sealed', '[]')) AS g WHERE g->>'answer' = 'left_behind');
    SELECT array_agg(s ORDER BY s) INTO v_sections FROM sealed_of_case(p_case, a.agency, p_version) AS s
    WHERE NOT s = ANY (p_sections) AND NOT s = ANY (v_left);
    IF v_sections IS NOT NULL THEN
        RAISE EXCEPTION 'sealed sections unanswered' USING ERRCODE = 'RJ102', DETAIL = jsonb_build_object('sections', to_jsonb(v_sections))::text;
    END IF;
END $$;

-- Tells the agency whose key it is. For its own client, which has just changed it, and for administrators.
CREATE FUNCTION tell_of_sealing_key(p_key uuid, p_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT agency_id, CASE WHEN ends_at <= p_at THEN 'agency.encryption_key_ended' ELSE 'agency.encryption_key_added' END, 'encryption_key', id, NULL,
           CASE WHEN ends_at <= p_at THEN 'ended' ELSE 'added' END, p_at
    FROM sealing_key WHERE id = p_key
$$;

CREATE FUNCTION apply_sealing_key(p_client text, p_kid text, p_jwk jsonb, p_starts timestamptz, p_ends timestamptz, p_at timestamptz) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_id uuid; v_me uuid := current_agency();
BEGIN
    IF NOT EXISTS (SELECT FROM client_agency WHERE client_id = p_client AND agency_id = v_me) THEN
        RAISE EXCEPTION 'only a client of the agency adds its key' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF p_starts < p_at + interval '1 hour' THEN
        RAISE EXCEPTION 'a key that a client adds waits' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- the client first, as everybody who changes its keys: it may be stopped at this moment
    PERFORM FROM client WHERE client_id = p_client AND status IN ('sandbox', 'requested', 'approved', 'active') AND emergency_until IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    IF EXISTS (SELECT FROM sealing_key WHERE agency_id = v_me AND kid = p_kid) THEN
        RAISE EXCEPTION 'the agency has or had this key' USING ERRCODE = 'RJ120';
    END IF;
    IF (SELECT count(*) FROM sealing_key WHERE agency_id = v_me AND (ends_at IS NULL OR ends_at > p_at)) >= 10 THEN
        RAISE EXCEPTION 'too many keys' USING ERRCODE = 'RJ121';
    END IF;
    INSERT INTO sealing_key (agency_id, kid, jwk, starts_at, ends_at, added_at, client_id)
    VALUES (v_me, p_kid, p_jwk, p_starts, p_ends, p_at, p_client) RETURNING id INTO v_id;
    PERFORM tell_of_sealing_key(v_id, p_at);
    RETURN v_id;
END $$;

CREATE FUNCTION add_sealing_key(
    a acting, p_key text, p_hash bytea, p_days integer, p_kid text, p_jwk jsonb, p_starts timestamptz, p_ends timestamptz
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; v_id uuid;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    v_id := apply_sealing_key(a.client, p_kid, p_jwk, p_starts, p_ends, a.at);
    m := (false, 'encryption_key', v_id, NULL, p_kid, 'added', 1,
          log_by(a, 'agency:add_encryption_key', 'done', 'encryption_key', v_id, NULL,
                 jsonb_build_object('kid', p_kid, 'starts_at', p_starts, 'ends_at', p_ends)), a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Ends one at once, for good.
CREATE FUNCTION apply_sealing_key_end(p_client text, p_id uuid, p_reason text, p_at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_kid text;
BEGIN
    IF NOT EXISTS (SELECT FROM client_agency WHERE client_id = p_client AND agency_id = current_agency()) THEN
        RAISE EXCEPTION 'only a client of the agency ends its key' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE sealing_key SET ends_at = p_at, end_reason = p_reason
    WHERE agency_id = current_agency() AND id = p_id AND (ends_at IS NULL OR ends_at > p_at) RETURNING kid INTO v_kid;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    PERFORM tell_of_sealing_key(p_id, p_at);
    RETURN v_kid;
END $$;

CREATE FUNCTION end_sealing_key(a acting, p_key text, p_hash bytea, p_days integer, p_id uuid, p_reason text) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; v_kid text;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    v_kid := apply_sealing_key_end(a.client, p_id, p_reason, a.at);
    m := (false, 'encryption_key', p_id, NULL, v_kid, 'ended', 2,
          log_by(a, 'agency:end_encryption_key', 'done', 'encryption_key', p_id, NULL, jsonb_build_object('kid', v_kid, 'reason', p_reason)), a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- The receiver cannot open what was sealed to it: asks the sender to seal it again, once while the first is open. Its answer is a new version.
CREATE FUNCTION apply_reseal_request(p_subject text, p_subject_id uuid, p_id uuid, p_sections text[], p_cause text, p_at timestamptz, p_within interval,
                                     OUT o_case uuid, OUT o_reference text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s record;
BEGIN
    SELECT * INTO s FROM (
        SELECT case_id, reference, sender_id, receiver_id, version_id, accepted_at, ended_at, state FROM referral WHERE p_subject = 'referral' AND id = p_subject_id
        UNION ALL
        SELECT case_id, reference, sender_id, receiver_id, version_id, accepted_at, ended_at, state FROM transfer WHERE p_subject = 'transfer' AND id = p_subject_id
    ) AS subject WHERE receiver_id = current_agency();
    IF NOT FOUND THEN RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404'; END IF;
    IF s.ended_at IS NOT NULL OR EXISTS (
        SELECT FROM unnest(p_sections) AS x WHERE NOT EXISTS (
            SELECT FROM sealed_recipient r WHERE r.case_id = s.case_id AND r.version_id = s.version_id AND r.section = x)) THEN
        RAISE EXCEPTION 'not sealed, or over' USING ERRCODE = 'RJ103';
    END IF;
    IF EXISTS (SELECT FROM request WHERE case_id = s.case_id AND kind = 'reseal' AND subject_id = p_subject_id AND state = 'open') THEN
        RAISE EXCEPTION 'asked already' USING ERRCODE = 'RJ104';
    END IF;
    INSERT INTO request (id, case_id, kind, cause, from_id, to_id, subject, subject_id, version_id, sections, requested_at, recorded_at, due_at, look_at)
    VALUES (p_id, s.case_id, 'reseal', p_cause, s.receiver_id, s.sender_id, p_subject, p_subject_id, s.version_id, p_sections, p_at, p_at,
            p_at + p_within, p_at + p_within / 2);
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    VALUES (s.sender_id, 'request.opened', 'request', p_id, s.case_id, 'open', p_at);
    o_case := s.case_id;
    o_reference := s.reference;
END $$;

CREATE FUNCTION request_reseal(
    a acting, p_key text, p_hash bytea, p_days integer, p_subject text, p_subject_id uuid, p_id uuid, p_sections text[], p_cause text, p_within interval
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; v_case uuid; v_reference text;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT o_case, o_reference INTO v_case, v_reference
    FROM apply_reseal_request(p_subject, p_subject_id, p_id, p_sections, p_cause, a.at, p_within);
    m := (false, 'request', p_id, v_case, v_reference, 'open', 1,
          log_by(a, p_subject || ':request_reseal', 'done', 'request', p_id, v_case, jsonb_build_object('sections', p_sections, 'cause', p_cause)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- A new version answers what it seals again, or brings open.
CREATE FUNCTION answer_reseal_requests(a acting, p_case uuid, p_subject_id uuid, p_sections text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r request;
BEGIN
    FOR r IN SELECT * FROM request WHERE case_id = p_case AND kind = 'reseal' AND subject_id = p_subject_id AND state = 'open' AND to_id = a.agency
             AND sections <@ p_sections LOOP
        PERFORM close_request(a, r.id, 'resealed', p_case, 'reseal', '{}', NULL);
    END LOOP;
END $$;

DO $$
DECLARE f text;
BEGIN
    GRANT CREATE ON SCHEMA public TO rujukan_definer;
    FOREACH f IN ARRAY ARRAY[
        'sealed_to_others(uuid,timestamptz)', 'tell_of_sealing_key(uuid,timestamptz)',
        'apply_sealing_key(text,text,jsonb,timestamptz,timestamptz,timestamptz)', 'apply_sealing_key_end(text,uuid,text,timestamptz)',
        'apply_reseal_request(text,uuid,uuid,text[],text,timestamptz,interval)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
    FOREACH f IN ARRAY ARRAY[
        'store_sealed(acting,uuid,uuid,jsonb,jsonb)', 'store_sealed_to(acting,uuid,uuid,jsonb,uuid)', 'check_sealed_to_receiver(uuid,timestamptz)',
        'check_sealed_answered(acting,uuid,uuid,text[],jsonb)', 'add_sealing_key(acting,text,bytea,integer,text,jsonb,timestamptz,timestamptz)',
        'end_sealing_key(acting,text,bytea,integer,uuid,text)',
        'request_reseal(acting,text,bytea,integer,text,uuid,uuid,text[],text,interval)', 'answer_reseal_requests(acting,uuid,uuid,text[])'] LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    GRANT EXECUTE ON FUNCTION sealing_key_counts(sealing_key,timestamptz) TO rujukan_app, rujukan_admin, rujukan_definer;
    REVOKE EXECUTE ON FUNCTION tell_of_sealing_key(uuid,timestamptz) FROM rujukan_app;
    GRANT EXECUTE ON FUNCTION tell_of_sealing_key(uuid,timestamptz) TO rujukan_admin;
END $$;
