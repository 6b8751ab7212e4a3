-- What rests on a consent and what does not; a consent given, widened, narrowed, withdrawn, doubted, reconfirmed.

CREATE TABLE consent_reconfirmation (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    consent_id uuid NOT NULL,
    agency_id uuid NOT NULL REFERENCES agency (id),
    recorded_by_id uuid NOT NULL REFERENCES agency (id),
    actor text,
    client_id text NOT NULL,
    recorded_at timestamptz NOT NULL,
    detail bytea,  -- null once it is erased
    PRIMARY KEY (id, case_id)
);
CREATE INDEX consent_reconfirmation_consent ON consent_reconfirmation (consent_id);
ALTER TABLE consent_reconfirmation ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent_reconfirmation FORCE ROW LEVEL SECURITY;
CREATE POLICY by_definer ON consent_reconfirmation TO rujukan_definer USING (true) WITH CHECK (true);
CREATE POLICY author_and_lead ON consent_reconfirmation FOR SELECT TO rujukan_app USING (
    is_lead(case_id) OR EXISTS (SELECT FROM consent c WHERE c.id = consent_reconfirmation.consent_id AND c.author_id = (SELECT current_agency())));

-- Whether the caller may rest something on a consent: who recorded it, the lead, and for what was sent to it with `onward` whoever holds that.
-- NULL: nothing. A holder learns of the consent nothing but yes or no.
CREATE FUNCTION sections_to_rest_on(c consent, p_at timestamptz, OUT o_sections text[], OUT o_until timestamptz) LANGUAGE plpgsql STABLE AS $$
DECLARE v_me uuid := current_agency();
BEGIN
    o_until := c.until_at;
    IF c.author_id = v_me OR is_lead(c.case_id) THEN
        o_sections := c.sections;
        RETURN;
    END IF;
    SELECT array_agg(s), least(c.until_at, min(d.until_at)) INTO o_sections, o_until
    FROM disclosure d JOIN referral r ON r.id = d.subject_id AND r.case_id = d.case_id, unnest(d.sections) AS s
    WHERE d.case_id = c.case_id AND d.consent_id = c.id AND d.receiver_id = v_me AND d.onward AND d.version_id IS NOT NULL
      AND d.opened_at IS NOT NULL AND d.closed_at IS NULL AND d.locked_at IS NULL AND (d.until_at IS NULL OR d.until_at > p_at)
      AND r.state IN ('accepted', 'in_progress', 'on_hold', 'cancel_requested') AND s = ANY (c.sections);
    IF o_sections IS NULL THEN
        o_until := NULL;
    END IF;
END $$;

CREATE FUNCTION reaches(c consent, p_code text, p_kind text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT p_code = ANY (c.agencies) OR (p_kind = ANY (c.agency_kinds) AND p_code <> ALL (c.except_agencies))
$$;

-- Why sections cannot rest on a consent now, by section: for this receiver and purpose; `p_child`: the record says that the person is a child.
-- app/policy/decide.py (`uncovered`) says the same of a consent that is not stored yet.
CREATE FUNCTION consent_gaps(
    p_case uuid, p_consent uuid, p_sections text[], p_code text, p_kind text, p_purpose text, p_child boolean, p_at timestamptz
) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE c consent; v_mine text[]; v_why text; v_restricted text[];
BEGIN
    SELECT * INTO c FROM consent WHERE id = p_consent AND case_id = p_case;
    IF FOUND THEN
        v_mine := (sections_to_rest_on(c, p_at)).o_sections;
    END IF;
    v_why := CASE
        WHEN v_mine IS NULL OR c.withdrawn_at IS NOT NULL OR c.given_at > p_at OR c.until_at <= p_at OR is_barred(p_case, c.giver)
             OR NOT reaches(c, p_code, p_kind) OR p_purpose <> ALL (c.purposes) THEN 'consent'
        WHEN c.doubted_at IS NOT NULL THEN 'consent_doubted'
        WHEN NOT c.provable THEN 'consent_not_provable'
        WHEN c.assent = 'refused' THEN 'consent_without_assent'
        WHEN p_child AND NOT c.for_child THEN 'consent_not_for_child'
        WHEN p_kind = 'foreign_mission' AND NOT c.own THEN 'consent_not_own'
    END;
    -- what the person has since asked to be restricted or erased, only a consent given after that opens
    v_restricted := ARRAY(SELECT DISTINCT unnest(q.answered_sections) FROM subject_request q
                          WHERE q.case_id = p_case AND q.kind IN ('restrict', 'erase') AND q.answer IN ('granted', 'granted_in_part')
                            AND q.lifted_at IS NULL AND q.received_at >= c.given_at);
    RETURN (SELECT coalesce(jsonb_object_agg(s, CASE WHEN s <> ALL (v_mine) THEN 'consent' ELSE coalesce(v_why, 'restricted') END), '{}')
            FROM unnest(p_sections) AS s WHERE v_why IS NOT NULL OR s <> ALL (v_mine) OR s = ANY (v_restricted));
END $$;

-- What rests on a consent ends with it, at the latest; and of who passes on what it holds, with that.
CREATE FUNCTION consent_until(p_case uuid, p_consent uuid) RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE c consent;
BEGIN
    IF p_consent IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT * INTO c FROM consent WHERE id = p_consent AND case_id = p_case;
    RETURN (sections_to_rest_on(c, '-infinity')).o_until;
END $$;

-- The lead and who recorded what is widened learn of an act of consent, unless it is theirs.
CREATE FUNCTION tell_of_consent(p_case uuid, p_consent uuid, p_state text, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE c consent;
BEGIN
    SELECT * INTO c FROM consent WHERE id = p_consent AND case_id = p_case;
    IF c.author_id IS DISTINCT FROM current_agency() THEN
        RAISE EXCEPTION 'only who recorded it tells of a consent' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, 'consent.' || p_state, 'consent', p_consent, p_case, p_state, p_at
    FROM (SELECT lead_id AS told FROM case_file WHERE id = p_case UNION SELECT w.author_id FROM consent w WHERE w.id = c.widens_id) AS parties
    WHERE told <> c.author_id ORDER BY told;
END $$;

-- p: the consent's codes; `widens_id`: the earlier one that it widens. Nothing opens by it.
CREATE FUNCTION give_consent(a acting, p_key text, p_hash bytea, p_days integer, p_case uuid, p jsonb, p_detail bytea)
RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; c case_file; w consent; v_widens uuid := (p->>'widens_id')::uuid;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO c FROM case_file WHERE id = p_case
       AND (lead_id = a.agency OR EXISTS (SELECT FROM referral r WHERE r.case_id = p_case AND r.receiver_id = a.agency
                                          AND r.state IN ('accepted', 'in_progress', 'on_hold', 'cancel_requested')))
       FOR NO KEY UPDATE;  -- what is widened may be taken back at this moment
    IF NOT FOUND THEN RAISE EXCEPTION 'no such case' USING ERRCODE = 'RJ404'; END IF;
    IF v_widens IS NOT NULL THEN
        SELECT * INTO w FROM consent WHERE id = v_widens AND case_id = p_case;
        IF NOT FOUND THEN RAISE EXCEPTION 'no such consent' USING ERRCODE = 'RJ404'; END IF;
        IF w.withdrawn_at IS NOT NULL THEN RAISE EXCEPTION 'withdrawn' USING ERRCODE = 'RJ081'; END IF;
    END IF;
    IF c.state = 'closed' THEN RAISE EXCEPTION 'the case is closed' USING ERRCODE = 'RJ022'; END IF;
    m := (false, 'consent', (p->>'id')::uuid, p_case, c.reference, CASE WHEN v_widens IS NULL THEN 'given' ELSE 'widened' END, 1,
          store_consent(a, p_case, p, p_detail), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- The consent and every later act that widens it: whoever takes something back takes it back of all of them.
CREATE FUNCTION consent_and_wider(p_case uuid, p_consent uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    WITH RECURSIVE wider AS (
        SELECT id FROM consent WHERE id = p_consent AND case_id = p_case
        UNION SELECT c.id FROM consent c JOIN wider w ON c.widens_id = w.id WHERE c.case_id = p_case)
    SELECT id FROM wider
$$;

-- The case, then what is passed on, then what is disclosed of it: nobody who takes two of these waits for another who has one.
CREATE FUNCTION lock_subjects_of(p_case uuid, p_consents uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM referral WHERE case_id = p_case AND id IN (
        SELECT coalesce(e.origin_id, e.subject_id) FROM disclosure e WHERE e.consent_id = ANY (p_consents)) ORDER BY id FOR NO KEY UPDATE;
    PERFORM FROM transfer WHERE case_id = p_case AND id IN (
        SELECT coalesce(e.origin_id, e.subject_id) FROM disclosure e WHERE e.consent_id = ANY (p_consents)) ORDER BY id FOR NO KEY UPDATE;
END $$;

-- Locks what rested on a consent as it was before and does not rest on it as it stands now; what it still covers goes on. Returns what was open
-- to its receiver, and who has to know. Called by the functions below and by nobody else.
CREATE FUNCTION lock_resting(p_before consent, p_reason text, p_at timestamptz, OUT o_open uuid[], OUT o_told uuid[]) LANGUAGE plpgsql AS $$
DECLARE c consent; d record; v_cut text[]; v_new uuid;
BEGIN
    o_open := '{}';
    o_told := '{}';
    SELECT * INTO c FROM consent WHERE id = p_before.id AND case_id = p_before.case_id;
    IF c.until_at IS DISTINCT FROM p_before.until_at THEN
        UPDATE disclosure SET until_at = least(until_at, c.until_at) WHERE consent_id = c.id AND case_id = c.case_id AND closed_at IS NULL;
        SELECT coalesce(array_agg(DISTINCT receiver_id), '{}') INTO o_told
        FROM disclosure WHERE consent_id = c.id AND case_id = c.case_id AND closed_at IS NULL AND locked_at IS NULL;
    END IF;
    FOR d IN SELECT e.*, g.code, g.kind, coalesce(r.purpose, t.purpose) AS purpose FROM disclosure e
             JOIN agency g ON g.id = e.receiver_id
             LEFT JOIN referral r ON r.id = coalesce(e.origin_id, e.subject_id) AND r.case_id = e.case_id
             LEFT JOIN transfer t ON t.id = coalesce(e.origin_id, e.subject_id) AND t.case_id = e.case_id
             WHERE e.consent_id = c.id AND e.case_id = c.case_id AND (e.locked_at IS NULL OR e.lock_reason = 'consent_doubted')
               AND (p_reason <> 'consent_doubted' OR e.closed_at IS NULL)
             ORDER BY e.id FOR NO KEY UPDATE OF e LOOP
        IF c.withdrawn_at IS NOT NULL OR p_reason = 'consent_doubted'
           OR (reaches(p_before, d.code, d.kind) AND NOT reaches(c, d.code, d.kind))
           OR (d.purpose = ANY (p_before.purposes) AND d.purpose <> ALL (c.purposes)) THEN
            v_cut := d.sections;
        ELSE
            v_cut := ARRAY(SELECT s FROM unnest(d.sections) AS s WHERE s <> ALL (c.sections));
        END IF;
        CONTINUE WHEN v_cut = '{}';
        IF d.sections <@ v_cut THEN
            v_new := d.id;
            UPDATE disclosure SET locked_at = p_at, lock_reason = p_reason WHERE id = d.id AND case_id = d.case_id;
        ELSE  -- the rest of its sections goes on as it was
            v_new := uuidv7(p_at - clock_timestamp());
            UPDATE disclosure SET sections = ARRAY(SELECT s FROM unnest(d.sections) AS s WHERE s <> ALL (v_cut)) WHERE id = d.id AND case_id = d.case_id;
            INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, move_id, sender_id, receiver_id, basis, consent_id, sections, until_at,
                                    onward, recorded_at, opened_at, closed_at, locked_at, lock_reason, origin_id)
            VALUES (v_new, d.case_id, d.subject, d.subject_id, d.version_id, d.move_id, d.sender_id, d.receiver_id, d.basis, d.consent_id,
                    v_cut, d.until_at, d.onward, d.recorded_at, d.opened_at, d.closed_at, p_at, p_reason, d.origin_id);
        END IF;
        IF d.opened_at IS NOT NULL THEN
            o_open := o_open || v_new;
        END IF;
        IF d.opened_at IS NOT NULL OR d.closed_at IS NULL THEN
            o_told := o_told || d.receiver_id;
        END IF;
        IF d.closed_at IS NULL THEN  -- who sent it on may know another basis
            o_told := o_told || d.sender_id;
        END IF;
    END LOOP;
END $$;

-- Takes back a consent, whole or in part, for every holder at once, and asks each who had open what is lost. Whoever has a part in what rests on
-- it may record it; the consent itself is never checked, or the check would keep the person from taking it back. p: `event` withdrawn, of
-- `sections` (null: all), or narrowed, by sections, agencies (code and kind), agency_kinds, purposes and until_at. Of what nothing is left is withdrawn.
CREATE FUNCTION apply_withdrawal(
    p_case uuid, p_consent uuid, p jsonb, p_detail bytea, p_at timestamptz, p_within interval,
    OUT o_reference text, OUT o_sections text[], OUT o_asked integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_me uuid := current_agency(); c case_file; v consent; b consent; x record; v_family uuid[]; v_open uuid[] := '{}'; v_told uuid[] := '{}';
    lost record; v_agencies text[];
BEGIN
    IF v_me IS NULL OR NOT EXISTS (
        SELECT FROM consent t WHERE t.id = p_consent AND t.case_id = p_case AND (
            t.author_id = v_me
            OR EXISTS (SELECT FROM case_lead l WHERE l.case_id = p_case AND l.agency_id = v_me)
            OR EXISTS (SELECT FROM disclosure e WHERE e.consent_id = p_consent AND v_me IN (e.sender_id, e.receiver_id) AND e.closed_at IS NULL))) THEN
        RAISE EXCEPTION 'no such consent' USING ERRCODE = 'RJ404';
    END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(
        id uuid, event text, sections text[], agencies jsonb, agency_kinds text[], purposes text[], until_at timestamptz, requested_by text,
        requested_at timestamptz, channel text, occurred_at timestamptz, recorded_by_id uuid, actor text);
    SELECT * INTO c FROM case_file WHERE id = p_case FOR NO KEY UPDATE;
    v_family := ARRAY(SELECT consent_and_wider(p_case, p_consent));
    PERFORM FROM consent WHERE id = ANY (v_family) AND case_id = p_case ORDER BY id FOR NO KEY UPDATE;
    IF is_barred(p_case, x.requested_by) THEN
        RAISE EXCEPTION 'the guardian is barred' USING ERRCODE = 'RJ029', DETAIL = jsonb_build_object('case_id', p_case)::text;
    END IF;
    PERFORM lock_subjects_of(p_case, v_family);
    FOR b IN SELECT * FROM consent WHERE id = ANY (v_family) AND case_id = p_case ORDER BY id <> p_consent, id LOOP
        IF b.id = p_consent AND x.requested_at < b.given_at THEN
            RAISE EXCEPTION 'withdrawn before it was given' USING ERRCODE = 'RJ061';
        END IF;
        v := b;
        IF x.event = 'withdrawn' THEN
            v.sections := CASE WHEN x.sections IS NULL THEN '{}' ELSE ARRAY(SELECT s FROM unnest(b.sections) AS s WHERE s <> ALL (x.sections)) END;
        ELSE
            v_agencies := ARRAY(SELECT g->>'code' FROM jsonb_array_elements(x.agencies) AS g WHERE reaches(b, g->>'code', g->>'kind'));
            v.sections := ARRAY(SELECT s FROM unnest(b.sections) AS s WHERE s <> ALL (x.sections));
            v.agencies := ARRAY(SELECT s FROM unnest(b.agencies) AS s WHERE s <> ALL (v_agencies));
            v.agency_kinds := ARRAY(SELECT s FROM unnest(b.agency_kinds) AS s WHERE s <> ALL (x.agency_kinds));
            v.except_agencies := ARRAY(SELECT DISTINCT s FROM unnest(b.except_agencies || v_agencies) AS s ORDER BY s);
            v.purposes := ARRAY(SELECT s FROM unnest(b.purposes) AS s WHERE s <> ALL (x.purposes));
            v.until_at := least(b.until_at, x.until_at);
        END IF;
        IF b.withdrawn_at IS NOT NULL OR v IS NOT DISTINCT FROM b THEN
            IF b.id = p_consent THEN
                RAISE EXCEPTION 'nothing left to withdraw' USING ERRCODE = 'RJ060';
            END IF;
            CONTINUE;
        END IF;
        INSERT INTO consent_withdrawal (id, case_id, consent_id, event, agency_id, recorded_by_id, actor, requested_by, requested_at, sections, agencies,
                                        agency_kinds, purposes, until_at, channel, occurred_at, recorded_at, detail)
        VALUES (CASE WHEN b.id = p_consent THEN x.id ELSE uuidv7(p_at - clock_timestamp()) END, p_case, b.id, x.event, v_me, x.recorded_by_id, x.actor,
                x.requested_by, x.requested_at, ARRAY(SELECT s FROM unnest(b.sections) AS s WHERE s <> ALL (v.sections)),
                coalesce(v_agencies, '{}'), ARRAY(SELECT s FROM unnest(b.agency_kinds) AS s WHERE s <> ALL (v.agency_kinds)),
                ARRAY(SELECT s FROM unnest(b.purposes) AS s WHERE s <> ALL (v.purposes)), CASE WHEN v.until_at IS DISTINCT FROM b.until_at THEN v.until_at END,
                x.channel, x.occurred_at, p_at, CASE WHEN b.id = p_consent THEN p_detail END);
        IF v.sections = '{}' OR v.purposes = '{}' OR (v.agencies = '{}' AND v.agency_kinds = '{}') THEN  -- nothing is left: as it covered last
            UPDATE consent SET withdrawn_at = p_at WHERE id = b.id AND case_id = p_case;
        ELSE
            UPDATE consent SET sections = v.sections, agencies = v.agencies, agency_kinds = v.agency_kinds, except_agencies = v.except_agencies,
                               purposes = v.purposes, until_at = v.until_at WHERE id = b.id AND case_id = p_case;
        END IF;
        IF b.id = p_consent THEN
            o_sections := ARRAY(SELECT s FROM unnest(b.sections) AS s WHERE s <> ALL (v.sections));
        END IF;
        SELECT * INTO lost FROM lock_resting(b, 'consent_' || x.event, p_at);
        v_open := v_open || lost.o_open;
        v_told := v_told || lost.o_told || b.author_id;
    END LOOP;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, 'consent.' || x.event, 'consent', p_consent, p_case, x.event, p_at
    FROM (SELECT c.lead_id AS told UNION SELECT unnest(v_told)) AS parties WHERE told <> v_me ORDER BY told;
    -- the lead asks, whoever recorded it: one holder does not learn of the others
    o_asked := ask_holders(v_open, p_case, 'consent_' || x.event, c.lead_id, 'consent', p_consent, NULL, x.requested_at, p_at, p_within);
    o_reference := c.reference;
END $$;

CREATE FUNCTION withdraw_consent(
    a acting, p_key text, p_hash bytea, p_days integer, p_case uuid, p_consent uuid, p jsonb, p_detail bytea, p_within interval
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w record;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO w FROM apply_withdrawal(p_case, p_consent, p || jsonb_build_object('actor', a.actor), p_detail, a.at, p_within);
    m := (false, 'consent', p_consent, p_case, w.o_reference, p->>'event', 1,
          log_by(a, CASE p->>'event' WHEN 'withdrawn' THEN 'consent:withdraw' ELSE 'consent:narrow' END, 'done', 'consent', p_consent, p_case,
                 jsonb_strip_nulls(jsonb_build_object('sections', w.o_sections, 'requested_by', p->'requested_by', 'requests', w.o_asked,
                                                      'until', p->'until_at'))), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- The consents that a system recorded or reconfirmed since a time, after it was found compromised: nothing rests on them until the person has been
-- asked again. Who holds something of it loses it until then, and is not asked to erase. Called by the administration.
CREATE FUNCTION doubt_consents(p_client text, p_since timestamptz, p_at timestamptz, OUT o_consents integer, OUT o_cases uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_case uuid; c case_file; b consent; v_ids uuid[]; lost record;
BEGIN
    o_consents := 0;
    o_cases := ARRAY(SELECT DISTINCT case_id FROM consent WHERE client_id = p_client AND coalesce(confirmed_at, recorded_at) >= p_since
                       AND withdrawn_at IS NULL AND doubted_at IS NULL ORDER BY case_id);
    FOREACH v_case IN ARRAY o_cases LOOP
        SELECT * INTO c FROM case_file WHERE id = v_case FOR NO KEY UPDATE;
        v_ids := ARRAY(SELECT id FROM consent WHERE case_id = v_case AND client_id = p_client AND coalesce(confirmed_at, recorded_at) >= p_since
                         AND withdrawn_at IS NULL AND doubted_at IS NULL ORDER BY id FOR NO KEY UPDATE);
        PERFORM lock_subjects_of(v_case, v_ids);
        FOR b IN SELECT * FROM consent WHERE id = ANY (v_ids) AND case_id = v_case ORDER BY id LOOP
            UPDATE consent SET doubted_at = p_at WHERE id = b.id AND case_id = v_case;
            SELECT * INTO lost FROM lock_resting(b, 'consent_doubted', p_at);
            INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
            SELECT told, 'consent.doubted', 'consent', b.id, v_case, 'doubted', p_at
            FROM (SELECT c.lead_id AS told UNION SELECT b.author_id UNION SELECT unnest(lost.o_told)) AS parties ORDER BY told;
            PERFORM append_log(p_at, NULL, NULL, NULL, NULL, 'consent:doubt', 'done', 'consent', b.id, v_case,
                               jsonb_build_object('client', p_client, 'since', p_since, 'sections', b.sections));
            o_consents := o_consents + 1;
        END LOOP;
    END LOOP;
END $$;

-- The person was asked again, through another system than the one in doubt: the consent counts as it is proved now, and what was locked opens.
CREATE FUNCTION apply_reconfirmation(p_case uuid, p_consent uuid, p jsonb, p_detail bytea, p_at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_me uuid := current_agency(); c case_file; b consent; v consent; x record; v_told uuid[]; v_subjects uuid[]; v_subject uuid; k correction;
BEGIN
    SELECT * INTO x FROM jsonb_to_record(p) AS x(
        id uuid, giver text, method text, language text, interpreter text, interpreter_independent boolean, witnessed boolean, for_child boolean,
        assent text, decided boolean, given_at timestamptz, recorded_by_id uuid, actor text, client_id text);
    SELECT * INTO c FROM case_file WHERE id = p_case FOR NO KEY UPDATE;
    SELECT * INTO b FROM consent WHERE id = p_consent AND case_id = p_case FOR NO KEY UPDATE;
    IF NOT FOUND OR v_me IS NULL OR v_me NOT IN (b.author_id, c.lead_id) THEN
        RAISE EXCEPTION 'no such consent' USING ERRCODE = 'RJ404';
    END IF;
    IF b.withdrawn_at IS NOT NULL THEN RAISE EXCEPTION 'withdrawn' USING ERRCODE = 'RJ081'; END IF;
    IF b.doubted_at IS NULL THEN RAISE EXCEPTION 'not in doubt' USING ERRCODE = 'RJ082'; END IF;
    IF b.client_id = x.client_id THEN RAISE EXCEPTION 'by the system in doubt' USING ERRCODE = 'RJ083'; END IF;
    IF is_barred(p_case, x.giver) THEN
        RAISE EXCEPTION 'the guardian is barred' USING ERRCODE = 'RJ029', DETAIL = jsonb_build_object('case_id', p_case)::text;
    END IF;
    IF x.given_at < b.doubted_at THEN RAISE EXCEPTION 'asked before the doubt' USING ERRCODE = 'RJ084'; END IF;
    UPDATE consent SET client_id = x.client_id, giver = x.giver, method = x.method, language = x.language, interpreter = x.interpreter,
        interpreter_independent = x.interpreter_independent, witnessed = x.witnessed, for_child = x.for_child, assent = x.assent, decided = x.decided,
        doubted_at = NULL, confirmed_at = p_at
    WHERE id = p_consent AND case_id = p_case RETURNING * INTO v;
    IF NOT v.provable OR v.assent = 'refused' OR (b.for_child AND NOT v.for_child) THEN
        RAISE EXCEPTION 'not proved' USING ERRCODE = 'RJ085';
    END IF;
    INSERT INTO consent_reconfirmation (id, case_id, consent_id, agency_id, recorded_by_id, actor, client_id, recorded_at, detail)
    VALUES (x.id, p_case, p_consent, v_me, x.recorded_by_id, x.actor, x.client_id, p_at, p_detail);
    PERFORM bind_evidence(p_case, p_consent, x.id, p->'file', p_at);
    PERFORM lock_subjects_of(p_case, ARRAY[p_consent]);
    WITH opened AS (
        UPDATE disclosure d SET locked_at = NULL, lock_reason = NULL FROM agency g
        WHERE d.consent_id = p_consent AND d.case_id = p_case AND d.lock_reason = 'consent_doubted' AND g.id = d.receiver_id
          AND (g.kind <> 'foreign_mission' OR v.own)
        RETURNING d.sender_id, d.receiver_id, d.subject_id, d.subject, d.closed_at)
    SELECT array_agg(sender_id) FILTER (WHERE closed_at IS NULL) || array_agg(receiver_id), array_agg(subject_id) FILTER (WHERE subject <> 'correction')
    INTO v_told, v_subjects FROM opened;
    -- what was corrected meanwhile did not reach who could not read it
    FOR v_subject IN SELECT DISTINCT s FROM unnest(v_subjects) AS s ORDER BY s LOOP
        FOR k IN SELECT * FROM correction WHERE case_id = p_case AND recorded_at >= b.doubted_at ORDER BY recorded_at, id LOOP
            PERFORM disclose_correction(k, v_subject, p_consent, p_at);
        END LOOP;
    END LOOP;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, 'consent.reconfirmed', 'consent', p_consent, p_case, 'reconfirmed', p_at
    FROM (SELECT c.lead_id AS told UNION SELECT b.author_id UNION SELECT unnest(v_told)) AS parties WHERE told <> v_me ORDER BY told;
    RETURN c.reference;
END $$;

CREATE FUNCTION reconfirm_consent(a acting, p_key text, p_hash bytea, p_days integer, p_case uuid, p_consent uuid, p jsonb, p_detail bytea)
RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; v_reference text;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    v_reference := apply_reconfirmation(p_case, p_consent, p || jsonb_build_object('actor', a.actor, 'client_id', a.client), p_detail, a.at);
    m := (false, 'consent', p_consent, p_case, v_reference, 'reconfirmed', 1,
          log_by(a, 'consent:reconfirm', 'done', 'consent', p_consent, p_case, jsonb_build_object('reconfirmation', p->'id')), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

GRANT SELECT ON consent_reconfirmation TO rujukan_app;
GRANT INSERT ON consent_reconfirmation TO rujukan_definer;
GRANT UPDATE (client_id, giver, method, language, interpreter, interpreter_independent, witnessed, for_child, assent, decided, until_at, sections,
              agencies, agency_kinds, except_agencies, purposes, withdrawn_at, doubted_at, confirmed_at) ON consent TO rujukan_definer;
GRANT SELECT (code) ON agency TO rujukan_definer;

DO $$
DECLARE f text;
BEGIN
    GRANT CREATE ON SCHEMA public TO rujukan_definer;
    FOREACH f IN ARRAY ARRAY[
        'consent_gaps(uuid,uuid,text[],text,text,text,boolean,timestamptz)', 'consent_until(uuid,uuid)',
        'tell_of_consent(uuid,uuid,text,timestamptz)', 'apply_withdrawal(uuid,uuid,jsonb,bytea,timestamptz,interval)',
        'apply_reconfirmation(uuid,uuid,jsonb,bytea,timestamptz)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    ALTER FUNCTION doubt_consents(text, timestamptz, timestamptz) OWNER TO rujukan_definer;
    REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
    FOREACH f IN ARRAY ARRAY[
        'give_consent(acting,text,bytea,integer,uuid,jsonb,bytea)', 'withdraw_consent(acting,text,bytea,integer,uuid,uuid,jsonb,bytea,interval)',
        'reconfirm_consent(acting,text,bytea,integer,uuid,uuid,jsonb,bytea)'] LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION doubt_consents(text, timestamptz, timestamptz) TO rujukan_admin;
GRANT EXECUTE ON FUNCTION sections_to_rest_on(consent, timestamptz), reaches(consent, text, text), consent_and_wider(uuid, uuid),
    lock_subjects_of(uuid, uuid[]), lock_resting(consent, text, timestamptz) TO rujukan_definer;
