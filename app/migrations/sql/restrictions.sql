-- What a person had restricted (UU 27/2022 art 11, 41): which sections it reaches, what goes out of them all the same, and how it is lifted.
-- Which kinds of basis let a restricted section go is said in app/policy/table.py (`DESPITE_RESTRICTION`) and comes with each basis.

-- The sections that a granted restriction reaches at a time, or an erasure until it is carried out, and since when. Called by the functions below
-- and by what runs as their owner.
CREATE FUNCTION restrictions_of(p_case uuid, p_at timestamptz) RETURNS TABLE (section text, request_id uuid, since timestamptz) LANGUAGE sql STABLE AS $$
    SELECT DISTINCT ON (s) s, q.id, q.answered_at FROM subject_request q, unnest(q.answered_sections) AS s
    WHERE q.case_id = p_case AND q.answer IN ('granted', 'granted_in_part') AND q.answered_at <= p_at
      AND ((q.kind = 'restrict' AND (q.lifted_at IS NULL OR q.lifted_at > p_at))
           OR (q.kind = 'erase' AND (q.erased_at IS NULL OR q.erased_at > p_at)))
    ORDER BY s, q.answered_at, q.id
$$;

-- The same for whoever has a part in the case, or is asked to see to it; nothing for others.
CREATE FUNCTION restricted_sections(p_case uuid, p_at timestamptz) RETURNS TABLE (section text, request_id uuid, since timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp ROWS 5 AS $$
BEGIN
    IF has_part(p_case) OR EXISTS (SELECT FROM escalation_asked k WHERE k.case_id = p_case AND k.agency_id = current_agency()) THEN
        RETURN QUERY SELECT * FROM restrictions_of(p_case, p_at);
    END IF;
END $$;

-- The restricted sections that rest on a basis which does not let them go, with the reason. (Those of a consent: `consent_gaps`.)
CREATE FUNCTION unsendable_restricted(p_case uuid, p_bases jsonb, p_at timestamptz) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE v_sections text[] := ARRAY(
    SELECT unnest(b.sections) FROM jsonb_to_recordset(p_bases) AS b(basis text, sections text[], despite_restriction boolean)
    WHERE b.basis <> 'consent' AND NOT coalesce(b.despite_restriction, false));
BEGIN
    IF v_sections = '{}' THEN
        RETURN '{}';
    END IF;
    RETURN coalesce((SELECT jsonb_object_agg(section, 'restricted') FROM restricted_sections(p_case, p_at) WHERE section = ANY (v_sections)), '{}');
END $$;

-- Of refused sections, those that are so for a restriction: by which request and since when.
CREATE FUNCTION restrictions_among(p_case uuid, p_refused jsonb, p_at timestamptz) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_agg(jsonb_build_object('section', section, 'subject_request', request_id, 'since', since) ORDER BY section)
    FROM restricted_sections(p_case, p_at) WHERE p_refused->>section = 'restricted'
$$;

-- What the log says of sections that go although they are restricted: nothing, or which. Those of a consent are none: it was given since.
CREATE FUNCTION sent_despite(p_case uuid, p_bases jsonb, p_at timestamptz) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE v_sections text[] := ARRAY(
    SELECT unnest(b.sections) FROM jsonb_to_recordset(p_bases) AS b(basis text, sections text[]) WHERE b.basis <> 'consent');
BEGIN
    IF v_sections = '{}' THEN
        RETURN '{}';
    END IF;
    RETURN coalesce((SELECT jsonb_build_object('despite_restriction', jsonb_agg(section ORDER BY section))
                     FROM restricted_sections(p_case, p_at) WHERE section = ANY (v_sections) HAVING count(*) > 0), '{}');
END $$;

-- The reviewers see it, whoever disclosed and however: a referral, another version, words, the desk, another lead, an emergency access.
CREATE FUNCTION mark_restricted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    NEW.despite_restriction := ARRAY(SELECT section FROM restrictions_of(NEW.case_id, NEW.opened_at) WHERE section = ANY (NEW.sections));
    RETURN NEW;
END $$;
CREATE TRIGGER mark_restricted BEFORE INSERT ON review FOR EACH ROW EXECUTE FUNCTION mark_restricted();

-- The same for the log, of what went by no basis that its sender named: an emergency access, a lead that was replaced.
CREATE FUNCTION despite_in_review(p_case uuid, p_subject uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT jsonb_build_object('despite_restriction', to_jsonb(v.despite_restriction)) FROM review v
                     WHERE v.case_id = p_case AND v.subject_id = p_subject AND v.despite_restriction <> '{}' LIMIT 1), '{}')
$$;

-- Why a section would be locked if nobody had restricted it; null: it would be open, as far as its basis lasts. What happened while it was restricted
-- counts: a consent taken back, a review, an end.
CREATE FUNCTION locked_besides(d disclosure, p_section text, p_at timestamptz) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE v_subject uuid := coalesce(d.origin_id, d.subject_id); v_state text; v_purpose text; c consent; v_found text; v_code text; v_kind text;
BEGIN
    SELECT state, purpose INTO v_state, v_purpose FROM (
        SELECT state, purpose FROM referral WHERE id = v_subject AND case_id = d.case_id
        UNION ALL SELECT state, purpose FROM transfer WHERE id = v_subject AND case_id = d.case_id) AS passed;
    IF v_state = 'entered_in_error' THEN
        RETURN 'entered_in_error';
    ELSIF v_state = 'aborted' AND d.opened_at IS NOT NULL THEN
        RETURN 'transfer_aborted';
    END IF;
    IF d.basis = 'consent' THEN
        SELECT * INTO c FROM consent WHERE id = d.consent_id AND case_id = d.case_id;
        SELECT code, kind INTO v_code, v_kind FROM agency WHERE id = d.receiver_id;
        RETURN CASE WHEN c.withdrawn_at IS NOT NULL THEN 'consent_withdrawn'
                    WHEN c.doubted_at IS NOT NULL THEN 'consent_doubted'
                    WHEN p_section <> ALL (c.sections) OR NOT reaches(c, v_code, v_kind) OR v_purpose <> ALL (c.purposes) THEN 'consent_narrowed' END;
    END IF;
    SELECT CASE v.state WHEN 'not_justified' THEN 'not_justified' ELSE 'review_lapsed' END INTO v_found
    FROM review v
    WHERE v.case_id = d.case_id AND v.subject_id = v_subject AND v.receiver_id = d.receiver_id AND v.basis = d.basis AND p_section = ANY (v.sections)
      AND v.legal_basis IS NOT DISTINCT FROM d.legal_basis AND v.article IS NOT DISTINCT FROM d.article
      AND (d.origin_id IS NOT NULL OR v.opened_at = d.recorded_at)
      AND (v.state = 'not_justified' OR (v.basis = 'vital_interest' AND v.due_at <= p_at AND v.state IN ('waiting', 'justified', 'closed')))
    ORDER BY v.state = 'not_justified' DESC LIMIT 1;
    RETURN v_found;
END $$;

-- Opens what only a restriction kept shut; what is locked besides stays so, for that reason, and its holder is asked, unless it was before. A section
-- that another granted request still reaches is not among p_sections. Returns what opened.
CREATE FUNCTION open_restricted(r subject_request, p_sections text[], p_lead uuid, p_at timestamptz, p_within interval) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE d disclosure; g record; v_id uuid; v_request uuid; v_opened uuid[] := '{}'; v_lost jsonb := '{}'; v_reason text;
BEGIN
    PERFORM FROM referral WHERE case_id = r.case_id ORDER BY id FOR NO KEY UPDATE;
    PERFORM FROM transfer WHERE case_id = r.case_id ORDER BY id FOR NO KEY UPDATE;
    FOR d IN SELECT * FROM disclosure e WHERE e.case_id = r.case_id AND e.lock_reason = 'restricted' AND e.sections && p_sections
             ORDER BY e.id FOR NO KEY UPDATE LOOP
        v_id := d.id;
        -- what opens comes first and stays the row that was reviewed: a part that is split off opens no review of its own, since it is locked
        FOR g IN SELECT why, array_agg(s ORDER BY n) AS sections FROM (
                     SELECT s, n, CASE WHEN s = ANY (p_sections) THEN coalesce(locked_besides(d, s, p_at), '') ELSE 'restricted' END AS why
                     FROM unnest(d.sections) WITH ORDINALITY AS u(s, n)) AS each
                 GROUP BY why ORDER BY why LOOP
            IF v_id IS NOT NULL THEN
                UPDATE disclosure SET sections = g.sections, locked_at = CASE WHEN g.why <> '' THEN locked_at END, lock_reason = nullif(g.why, '')
                WHERE id = v_id AND case_id = r.case_id;
            ELSE
                v_id := uuidv7(p_at - clock_timestamp());
                INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, move_id, sender_id, receiver_id, basis, consent_id, legal_basis,
                                        article, sections, until_at, onward, recorded_at, opened_at, closed_at, locked_at, lock_reason, origin_id, request_id)
                VALUES (v_id, d.case_id, d.subject, d.subject_id, d.version_id, d.move_id, d.sender_id, d.receiver_id, d.basis, d.consent_id, d.legal_basis,
                        d.article, g.sections, d.until_at, d.onward, d.recorded_at, d.opened_at, d.closed_at, d.locked_at, g.why, d.origin_id, d.request_id);
            END IF;
            IF g.why = '' THEN
                v_opened := v_opened || v_id;
            ELSIF g.why NOT IN ('restricted', 'consent_doubted', 'entered_in_error') AND d.opened_at IS NOT NULL THEN
                SELECT id INTO v_request FROM request q
                WHERE q.case_id = r.case_id AND q.to_id = d.receiver_id AND q.cause = g.why AND q.state = 'open' ORDER BY id DESC LIMIT 1;
                IF FOUND THEN
                    UPDATE disclosure SET request_id = v_request WHERE id = v_id AND case_id = r.case_id;
                ELSIF d.locked_at >= r.answered_at THEN  -- it was lost while it was restricted, and nobody asked
                    v_lost := v_lost || jsonb_build_object(g.why, coalesce(v_lost->g.why, '[]') || to_jsonb(v_id));
                END IF;
            END IF;
            v_id := NULL;
        END LOOP;
    END LOOP;
    FOR v_reason IN SELECT jsonb_object_keys(v_lost) ORDER BY 1 LOOP
        PERFORM ask_holders(ARRAY(SELECT jsonb_array_elements_text(v_lost->v_reason)::uuid), r.case_id, v_reason, p_lead, 'subject_request', r.id, NULL,
                            p_at, p_at, p_within);
    END LOOP;
    RETURN v_opened;
END $$;

-- The case's lead, who places a restriction, lifts it. p: ground, requester (of a wish). The wish of whoever asks, or the lead's own judgement, lifts no
-- restriction that a court asked for; and a parent or guardian lifts none that the person asked for.
CREATE FUNCTION apply_restriction_lift(
    p_id uuid, p jsonb, p_detail bytea, p_at timestamptz, p_within interval,
    OUT o_request subject_request, OUT o_reference text, OUT o_sections text[], OUT o_opened integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE r subject_request; c case_file; v_me uuid := current_agency(); v_opened uuid[]; q request;
BEGIN
    SELECT * INTO r FROM subject_request WHERE id = p_id;
    IF v_me IS NULL OR NOT FOUND THEN
        RAISE EXCEPTION 'no such request' USING ERRCODE = 'RJ404';
    END IF;
    SELECT * INTO c FROM case_file WHERE id = r.case_id FOR NO KEY UPDATE;
    IF c.lead_id <> v_me THEN
        IF r.author_id = v_me THEN RAISE EXCEPTION 'not the lead' USING ERRCODE = 'RJ020'; END IF;
        RAISE EXCEPTION 'no such request' USING ERRCODE = 'RJ404';
    END IF;
    SELECT * INTO r FROM subject_request WHERE id = p_id FOR NO KEY UPDATE;
    IF r.kind <> 'restrict' OR coalesce(r.answer, 'refused') = 'refused' OR r.lifted_at IS NOT NULL THEN
        RAISE EXCEPTION 'no restriction in force' USING ERRCODE = 'RJ110';
    END IF;
    IF p->>'ground' <> 'court_order' AND r.requester = 'court' THEN
        RAISE EXCEPTION 'a court asked for it' USING ERRCODE = 'RJ111', DETAIL = '{"needs": "court_order"}';
    END IF;
    IF p->>'ground' = 'person_asked' THEN
        IF is_barred(r.case_id, p->>'requester') THEN
            RAISE EXCEPTION 'the guardian is barred' USING ERRCODE = 'RJ029', DETAIL = jsonb_build_object('case_id', r.case_id)::text;
        END IF;
        IF r.requester = 'person' AND p->>'requester' IN ('parent', 'guardian') THEN
            RAISE EXCEPTION 'the person asked for it' USING ERRCODE = 'RJ111', DETAIL = '{"needs": "person"}';
        END IF;
    END IF;
    UPDATE subject_request SET lifted_at = p_at, lifted_by_id = v_me, lift_ground = p->>'ground', lift_detail = p_detail
    WHERE id = r.id AND case_id = r.case_id RETURNING * INTO o_request;
    o_sections := ARRAY(SELECT s FROM unnest(r.answered_sections) WITH ORDINALITY AS u(s, n)
                        WHERE s NOT IN (SELECT section FROM restrictions_of(r.case_id, p_at)) ORDER BY n);
    v_opened := open_restricted(r, o_sections, c.lead_id, p_at, p_within);
    o_opened := cardinality(v_opened);
    -- what was corrected meanwhile did not reach who could not read it
    INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, sender_id, receiver_id, basis, consent_id, legal_basis, article, sections,
                            until_at, onward, recorded_at, opened_at, origin_id)
    SELECT uuidv7(p_at - clock_timestamp()), d.case_id, 'correction', k.id, k.version_id, k.author_id, d.receiver_id, d.basis, d.consent_id, d.legal_basis,
           d.article, ARRAY(SELECT s FROM unnest(d.sections) AS s WHERE s = ANY (k.sections)), d.until_at, d.onward, p_at, d.opened_at, d.subject_id
    FROM disclosure d JOIN correction k ON k.case_id = d.case_id AND k.sections && d.sections AND k.recorded_at >= r.answered_at
    JOIN record_version w ON w.id = k.version_id AND w.case_id = k.case_id AND w.retracted_at IS NULL
    WHERE d.id = ANY (v_opened) AND d.case_id = r.case_id AND d.subject IN ('referral', 'transfer') AND d.version_id IS NOT NULL AND d.closed_at IS NULL
      AND (d.until_at IS NULL OR d.until_at > p_at) AND d.receiver_id <> k.author_id AND NOT rests_on_barred(d.case_id, d.consent_id);
    -- nobody need answer any more whether they restrict what is open again
    UPDATE request x SET sections = ARRAY(
        SELECT s FROM unnest(x.sections) WITH ORDINALITY AS u(s, n) WHERE EXISTS (
            SELECT FROM disclosure d WHERE d.case_id = x.case_id AND d.request_id = x.id AND d.locked_at IS NOT NULL AND d.closed_at IS NULL
              AND s = ANY (d.sections)) ORDER BY n)
    WHERE x.case_id = r.case_id AND x.subject = 'subject_request' AND x.subject_id = r.id AND x.cause = 'restriction_asked' AND x.state = 'open'
      AND EXISTS (SELECT FROM disclosure d WHERE d.case_id = x.case_id AND d.request_id = x.id AND d.locked_at IS NOT NULL AND d.closed_at IS NULL);
    FOR q IN UPDATE request x SET state = 'answered', answer = 'lifted', answered_at = p_at, answered_by_id = v_me, look_at = NULL, clock = 'ok'
             WHERE x.case_id = r.case_id AND x.subject = 'subject_request' AND x.subject_id = r.id AND x.cause = 'restriction_asked' AND x.state = 'open'
               AND NOT EXISTS (SELECT FROM disclosure d WHERE d.case_id = x.case_id AND d.request_id = x.id AND d.locked_at IS NOT NULL AND d.closed_at IS NULL)
             RETURNING * LOOP
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        SELECT q.to_id, 'request.answered', 'request', q.id, q.case_id, 'answered', p_at WHERE q.to_id <> v_me;
    END LOOP;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, kind || '.restriction_lifted', kind, id, r.case_id, state, p_at
    FROM (SELECT DISTINCT told, p.kind, p.id, p.state FROM disclosure d
          JOIN (SELECT 'referral' AS kind, id, state FROM referral WHERE case_id = r.case_id
                UNION ALL SELECT 'transfer', id, state FROM transfer WHERE case_id = r.case_id) AS p ON p.id = coalesce(d.origin_id, d.subject_id),
          unnest(ARRAY[d.sender_id, d.receiver_id]) AS told
          WHERE d.id = ANY (v_opened) AND d.case_id = r.case_id AND d.closed_at IS NULL) AS parties
    WHERE told <> v_me ORDER BY told, id;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT r.author_id, 'subject_request.lifted', 'subject_request', r.id, r.case_id, 'lifted', p_at WHERE r.author_id <> v_me;
    o_reference := c.reference;
END $$;

CREATE FUNCTION lift_restriction(a acting, p_key text, p_hash bytea, p_days integer, p_id uuid, p jsonb, p_detail bytea, p_within interval) RETURNS moved
LANGUAGE plpgsql AS $$
DECLARE m moved; w record; r subject_request;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO w FROM apply_restriction_lift(p_id, p, p_detail, a.at, p_within);
    r := w.o_request;
    m := (false, 'subject_request', r.id, r.case_id, w.o_reference, 'lifted', 3,
          log_by(a, 'subject_request:lift', 'done', 'subject_request', r.id, r.case_id, jsonb_strip_nulls(jsonb_build_object(
              'ground', r.lift_ground, 'requester', p->'requester', 'sections', w.o_sections, 'opened', w.o_opened))), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

DO $$
DECLARE f text;
BEGIN
    GRANT CREATE ON SCHEMA public TO rujukan_definer;
    FOREACH f IN ARRAY ARRAY['restricted_sections(uuid,timestamptz)', 'apply_restriction_lift(uuid,jsonb,bytea,timestamptz,interval)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    ALTER FUNCTION mark_restricted() OWNER TO rujukan_definer;
    REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
END $$;
GRANT EXECUTE ON FUNCTION unsendable_restricted(uuid,jsonb,timestamptz), sent_despite(uuid,jsonb,timestamptz),
    restrictions_among(uuid,jsonb,timestamptz), despite_in_review(uuid,uuid), lift_restriction(acting,text,bytea,integer,uuid,jsonb,bytea,interval) TO rujukan_app;
GRANT EXECUTE ON FUNCTION restrictions_of(uuid,timestamptz), locked_besides(disclosure,text,timestamptz),
    open_restricted(subject_request,text[],uuid,timestamptz,interval) TO rujukan_definer;
GRANT SELECT (case_id, agency_id) ON escalation_asked TO rujukan_definer;
