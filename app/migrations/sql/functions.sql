-- What happens in one statement. Each function's first act sets the agency and uses up the request's proof of possession.
-- A refusal is raised with a code of class RJ (app/exchange/passing/refusals.py turns it into a problem) and undoes everything.
CREATE TYPE acting AS (
    agency uuid, client text, actor text, request_id text, at timestamptz, proof bytea, proof_until timestamptz,
    recorder uuid  -- the agency that records this for `agency`, under an agreement
);
CREATE TYPE moved AS (
    repeated boolean, subject text, id uuid, case_id uuid, reference text, state text, version integer, log_id uuid, recorded_at timestamptz,
    met text[]  -- conditions of moves that the row meets (app/exchange/lifecycle.py); NULL: none
);

CREATE FUNCTION begin_acting(a acting) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('rujukan.agency', a.agency::text, true);
    IF a.proof IS NOT NULL AND NOT use_proof(a.proof, a.proof_until) THEN
        RAISE EXCEPTION 'the proof was used before' USING ERRCODE = 'RJ401';
    END IF;
    IF a.recorder IS NOT NULL AND NOT EXISTS (
        SELECT FROM agreement g WHERE g.kind = 'acts_for' AND g.agency_id = a.agency AND g.other_id = a.recorder
          AND g.from_at <= a.at AND (g.until_at IS NULL OR g.until_at > a.at)) THEN
        RAISE EXCEPTION 'no agreement lets this agency record for that one' USING ERRCODE = 'RJ403';
    END IF;
END $$;

CREATE FUNCTION log_by(a acting, p_action text, p_outcome text, p_subject text, p_subject_id uuid, p_case_id uuid, p_detail jsonb)
RETURNS uuid LANGUAGE sql AS $$
    SELECT append_log(a.at, a.agency, a.client, a.actor, a.request_id, p_action, p_outcome, p_subject, p_subject_id, p_case_id,
        CASE WHEN a.recorder IS NULL THEN p_detail ELSE coalesce(p_detail, '{}') || jsonb_build_object('recorded_by', a.recorder) END)
$$;

-- A refusal has no transaction to ride on: this is its own. The proof may have been undone with what was refused.
CREATE FUNCTION log_refusal(a acting, p_action text, p_outcome text, p_subject text, p_subject_id uuid, p_detail jsonb)
RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('rujukan.agency', a.agency::text, true);
    IF a.proof IS NOT NULL THEN
        PERFORM use_proof(a.proof, a.proof_until);
    END IF;
    RETURN log_by(a, p_action, p_outcome, p_subject, p_subject_id, NULL, p_detail);
END $$;

-- The earlier answer to this key, or none. Two requests with one key never run at once; the second is told so.
CREATE FUNCTION earlier_answer(a acting, p_key text, p_hash bytea, p_days integer) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE v idempotency; m moved;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended(a.agency::text || a.client || ' ' || p_key, 0)) THEN
        RAISE EXCEPTION 'a request with this key is running' USING ERRCODE = 'RJ010';
    END IF;
    SELECT * INTO v FROM idempotency
    WHERE agency_id = a.agency AND client_id = a.client AND key = p_key AND recorded_at > a.at - make_interval(days => p_days);
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF v.request_hash <> p_hash THEN
        RAISE EXCEPTION 'the key was used for another request' USING ERRCODE = 'RJ011';
    END IF;
    m := (true, v.subject, v.subject_id, v.case_id, v.reference, v.state, v.version, v.log_id, v.recorded_at, v.met);
    RETURN m;
END $$;

CREATE FUNCTION repeated_answer(a acting, p_key text, p_hash bytea, p_days integer) RETURNS moved LANGUAGE plpgsql AS $$
BEGIN
    PERFORM begin_acting(a);
    RETURN earlier_answer(a, p_key, p_hash, p_days);
END $$;

CREATE FUNCTION keep_answer(a acting, p_key text, p_hash bytea, m moved) RETURNS void LANGUAGE sql AS $$
    INSERT INTO idempotency (agency_id, client_id, key, recorded_at, request_hash, subject, subject_id, case_id, reference, state, version, log_id, met)
    VALUES (a.agency, a.client, p_key, a.at, p_hash, m.subject, m.id, m.case_id, m.reference, m.state, m.version, m.log_id, m.met)
$$;

-- Tells the named parties of a referral or transfer, resolved from the row itself; never the one who acts, and no sender of a kind
-- that may not learn of it.
CREATE FUNCTION publish(p_subject text, p_id uuid, p_type text, p_tells text[], p_at timestamptz, p_not_kinds text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_case uuid; v_sender uuid; v_receiver uuid; v_lead uuid; v_state text; v_me uuid := current_agency();
BEGIN
    IF p_subject = 'referral' THEN
        SELECT case_id, sender_id, receiver_id, state INTO v_case, v_sender, v_receiver, v_state FROM referral WHERE id = p_id;
    ELSE
        SELECT case_id, sender_id, receiver_id, state INTO v_case, v_sender, v_receiver, v_state FROM transfer WHERE id = p_id;
    END IF;
    IF v_me IS NULL OR (v_me IS DISTINCT FROM v_sender AND v_me IS DISTINCT FROM v_receiver) THEN
        RAISE EXCEPTION 'only a party tells of %', p_subject USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF 'lead' = ANY (p_tells) THEN
        SELECT lead_id INTO v_lead FROM case_file WHERE id = v_case;
    END IF;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, p_type, p_subject, p_id, v_case, v_state, p_at
    FROM (SELECT v_sender AS told WHERE 'sender' = ANY (p_tells)
          UNION SELECT v_receiver WHERE 'receiver' = ANY (p_tells)
          UNION SELECT v_lead WHERE v_lead IS NOT NULL) AS parties
    WHERE told <> v_me
      AND (p_not_kinds IS NULL OR NOT EXISTS (SELECT FROM agency g WHERE g.id = told AND g.kind = ANY (p_not_kinds)));
END $$;

-- Tells the receivers of the case's open referrals that responsibility is about to move, or has moved.
CREATE FUNCTION publish_to_partners(p_transfer uuid, p_type text, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v transfer; v_state text;
BEGIN
    SELECT * INTO v FROM transfer WHERE id = p_transfer;
    IF NOT FOUND OR current_agency() IS NULL OR current_agency() NOT IN (v.sender_id, v.receiver_id) THEN
        RAISE EXCEPTION 'only a party tells of a transfer' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT state INTO v_state FROM case_file WHERE id = v.case_id;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT DISTINCT r.receiver_id, p_type, 'case', v.case_id, v.case_id, v_state, p_at
    FROM referral r
    WHERE r.case_id = v.case_id AND r.receiver_id NOT IN (v.sender_id, v.receiver_id)
      AND r.state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested');
END $$;

-- The case's row, before the transfer's or referral's: whoever changes both takes them in this order, so that neither ever waits for the other.
CREATE FUNCTION lock_case_of(p_id uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM case_file c WHERE c.id = (
        SELECT case_id FROM transfer WHERE id = p_id AND current_agency() IN (sender_id, receiver_id)
        UNION ALL SELECT case_id FROM referral WHERE id = p_id AND current_agency() IN (sender_id, receiver_id)) FOR NO KEY UPDATE;
END $$;

-- The lead moves, in the transaction that confirms the handover. Checks again who asks and in which state.
CREATE FUNCTION apply_handover(p_transfer uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v transfer;
BEGIN
    SELECT * INTO v FROM transfer WHERE id = p_transfer;
    IF NOT FOUND OR v.receiver_id IS DISTINCT FROM current_agency() OR v.state <> 'completed' THEN
        RAISE EXCEPTION 'only the receiver of a confirmed transfer takes over' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM move_lead(v.case_id, v.sender_id, v.receiver_id, v.id, p_at);
END $$;

-- A record version with its content and its files (p_files, see bind_files); the case's counter is already taken.
CREATE FUNCTION store_record(
    a acting, p_id uuid, p_case uuid, p_number integer, p_schema text, p_sections text[], p_needs_hash bytea,
    p_wrapped_key bytea, p_parts bytea[], p_preview bytea, p_files jsonb
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO record_version (id, case_id, number, author_id, schema_version, sections, needs_hash, preview, recorded_at)
    VALUES (p_id, p_case, p_number, a.agency, p_schema, p_sections, p_needs_hash, p_preview, a.at);
    INSERT INTO record_content (version_id, case_id, author_id, wrapped_key, parts)
    VALUES (p_id, p_case, a.agency, p_wrapped_key, p_parts);
    IF p_files IS NOT NULL THEN
        PERFORM bind_files(p_id, p_case, p_files, a.at);
    END IF;
END $$;

-- Refuses bases whose consent is none for what rests on it, with the reason for each section (app/migrations/sql/consents.sql), and those of another
-- kind that let nothing go that the person had restricted (app/migrations/sql/restrictions.sql).
CREATE FUNCTION check_consents(a acting, p_case uuid, p_receiver_code text, p_receiver_kind text, p_purpose text, p_bases jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_gaps jsonb;
BEGIN
    SELECT jsonb_object_agg(g.key, g.value) INTO v_gaps
    FROM jsonb_to_recordset(p_bases) AS b(basis text, consent_id uuid, sections text[], child boolean),
         jsonb_each(consent_gaps(p_case, b.consent_id, b.sections, p_receiver_code, p_receiver_kind, p_purpose, coalesce(b.child, false), a.at)) AS g
    WHERE b.basis = 'consent';
    v_gaps := nullif(coalesce(v_gaps, '{}') || unsendable_restricted(p_case, p_bases, a.at), '{}');
    IF v_gaps IS NOT NULL THEN
        RAISE EXCEPTION 'the consent does not cover this' USING ERRCODE = 'RJ021', DETAIL = jsonb_build_object(
            'sections', v_gaps, 'restrictions', restrictions_among(p_case, v_gaps, a.at))::text;
    END IF;
END $$;

-- The bases, one row each.
CREATE FUNCTION store_disclosures(
    a acting, p_subject text, p_subject_id uuid, p_case uuid, p_version uuid, p_move uuid, p_receiver uuid, p_receiver_code text,
    p_receiver_kind text, p_purpose text, p_bases jsonb, p_reasons bytea[], p_opened_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM check_consents(a, p_case, p_receiver_code, p_receiver_kind, p_purpose, p_bases);
    -- what rests on a consent ends with it, at the latest
    INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, move_id, sender_id, receiver_id, basis, consent_id, legal_basis, article,
                            reason, sections, until_at, onward, recorded_at, opened_at, review_by)
    SELECT b.id, p_case, p_subject, p_subject_id, p_version, p_move, a.agency, p_receiver, b.basis, b.consent_id, b.legal_basis, b.article,
           p_reasons[b.place], b.sections,
           least(b.until_at, consent_until(p_case, b.consent_id)), b.onward, a.at, p_opened_at,
           b.review_by
    FROM jsonb_to_recordset(p_bases) AS b(place integer, id uuid, basis text, consent_id uuid, legal_basis text, article text,
                                          sections text[], until_at timestamptz, onward boolean, review_by timestamptz);
END $$;

CREATE FUNCTION store_consent(a acting, p_case uuid, p jsonb, p_detail bytea) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    IF is_barred(p_case, p->>'giver') THEN
        RAISE EXCEPTION 'the guardian is barred' USING ERRCODE = 'RJ029', DETAIL = jsonb_build_object('case_id', p_case)::text;
    END IF;
    INSERT INTO consent (id, case_id, author_id, client_id, giver, method, language, interpreter, interpreter_independent, witnessed, for_child,
                         assent, decided, given_at, until_at, sections, agencies, agency_kinds, purposes, detail, widens_id, recorded_at)
    SELECT c.id, p_case, a.agency, a.client, c.giver, c.method, c.language, c.interpreter, c.interpreter_independent, c.witnessed, c.for_child,
           c.assent, c.decided, c.given_at, c.until_at, c.sections, c.agencies, c.agency_kinds, c.purposes, p_detail, c.widens_id, a.at
    FROM jsonb_to_record(p) AS c(id uuid, giver text, method text, language text, interpreter text, interpreter_independent boolean, witnessed boolean,
                                 for_child boolean, assent text, decided boolean, given_at timestamptz, until_at timestamptz, sections text[],
                                 agencies text[], agency_kinds text[], purposes text[], widens_id uuid);
    PERFORM bind_evidence(p_case, (p->>'id')::uuid, (p->>'id')::uuid, p->'file', a.at);
    PERFORM tell_of_consent(p_case, (p->>'id')::uuid, CASE WHEN p->>'widens_id' IS NULL THEN 'given' ELSE 'widened' END, a.at);
    RETURN log_by(a, CASE WHEN p->>'widens_id' IS NULL THEN 'consent:give' ELSE 'consent:widen' END, 'done', 'consent', (p->>'id')::uuid, p_case,
                  jsonb_strip_nulls(jsonb_build_object('sections', p->'sections', 'until', p->'until_at', 'consent', p->'widens_id')));
END $$;

CREATE FUNCTION store_case(a acting, p_id uuid, p_reference text, p_entry_channel text, p_records integer, p_occurred_at timestamptz,
                           p_channel text, p_detail bytea) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO case_file (id, reference, lead_id, state, records, entry_channel, opened_by_id, opened_at, updated_at)
    VALUES (p_id, p_reference, a.agency, 'open', p_records, p_entry_channel, a.agency, a.at, a.at);
    INSERT INTO case_lead (case_id, agency_id, from_at) VALUES (p_id, a.agency, a.at);
    INSERT INTO move (id, case_id, subject, subject_id, event, to_state, version, agency_id, recorded_by_id, actor, channel, occurred_at,
                      recorded_at, detail)
    VALUES (p_id, p_id, 'case', p_id, 'open_case', 'open', 1, a.agency, coalesce(a.recorder, a.agency), a.actor, p_channel, p_occurred_at, a.at, p_detail);
    RETURN log_by(a, 'case:open_case', 'done', 'case', p_id, p_id, NULL);
END $$;

CREATE FUNCTION open_case(a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_detail bytea) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; c record;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO c FROM jsonb_to_record(p) AS c(id uuid, reference text, entry_channel text, occurred_at timestamptz, channel text);
    m := (false, 'case', c.id, c.id, c.reference, 'open', 1,
          store_case(a, c.id, c.reference, c.entry_channel, 0, c.occurred_at, c.channel, p_detail), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- What comes with the case, under a fresh salt; its digest is what the receiver repeats. `p_given`: what the sender says comes besides: how many
-- tasks and protective measures, and the salted digest of their words.
CREATE FUNCTION manifest_of(p_case uuid, p_sender uuid, p_version uuid, p_sections text[], p_given jsonb, p_at timestamptz) RETURNS text LANGUAGE sql VOLATILE AS $$
    -- written by hand in the canonical form of RFC 8785: sorted members, no white space, ASCII only
    SELECT format('{"consents":[%s],"open_referrals":[%s],"protective_measures":%s,"record_version":"%s","salt":"%s","sealed":[%s],"sections":[%s],"tasks":%s,"words":%s}',
        (SELECT string_agg('"' || c.id || '"', ',' ORDER BY c.id) FROM consent c
         WHERE c.case_id = p_case AND c.withdrawn_at IS NULL AND (c.until_at IS NULL OR c.until_at > p_at)),
        (SELECT string_agg('"' || r.id || '"', ',' ORDER BY r.id) FROM referral r
         WHERE r.case_id = p_case AND r.sender_id = p_sender
           AND r.state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested')),
        coalesce(p_given->>'protective_measures', '0'), p_version,
        replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''),
        sealed_in_manifest(p_case, p_sender, p_version, p_sections, p_given),
        (SELECT string_agg('"' || s || '"', ',' ORDER BY n) FROM unnest(p_sections) WITH ORDINALITY AS u(s, n)),
        coalesce(p_given->>'tasks', '0'), coalesce('"' || (p_given->>'words') || '"', 'null'))
$$;

-- Sends a referral or offers a transfer: with its case and consent if they are new, its record, its bases, its log entries and its event.
CREATE FUNCTION send(
    a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_needs_hash bytea, p_wrapped_key bytea, p_parts bytea[], p_preview bytea,
    p_reasons bytea[], p_consent_detail bytea, p_detail bytea
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE
    m moved; x record; v_number integer; v_state text; v_lead uuid; v_other uuid; v_needs bytea := p_needs_hash; v_sections text[];
    v_text text; v_asked integer; v_taken boolean; v_foreign boolean;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;

    SELECT * INTO x FROM jsonb_to_record(p) AS x(
        subject text, id uuid, reference text, case_id uuid, new_case jsonb, consent jsonb, receiver_id uuid, receiver_code text,
        receiver_kind text, recorded_by_id uuid, purpose text, urgency text, respond_by timestamptz, due_at timestamptz, sections text[],
        offer_group uuid, manifest jsonb, version_id uuid, schema_version text, reuse boolean, replaces_id uuid, bases jsonb, occurred_at timestamptz, channel text,
        record_sections text[], guardian_suspected boolean, commitment text, sealed jsonb, files jsonb);

    IF x.new_case IS NOT NULL THEN
        PERFORM store_case(a, x.case_id, x.new_case->>'reference', x.new_case->>'entry_channel', 1, x.occurred_at, x.channel, NULL);
        v_number := 1;
    ELSE
        -- this row's lock keeps the lead who it is until we are done
        UPDATE case_file SET records = records + CASE WHEN x.reuse THEN 0 ELSE 1 END, updated_at = a.at
        WHERE id = x.case_id AND state <> 'closed' AND (
            lead_id = a.agency
            OR (x.subject = 'referral' AND EXISTS (
                SELECT FROM disclosure d JOIN referral r ON r.id = d.subject_id
                WHERE d.case_id = x.case_id AND d.receiver_id = a.agency AND d.onward AND d.version_id IS NOT NULL  -- of a record, not of words
                  AND d.closed_at IS NULL AND d.locked_at IS NULL
                  AND (d.until_at IS NULL OR d.until_at > a.at)
                  AND r.state IN ('accepted', 'in_progress', 'on_hold', 'cancel_requested'))))
        RETURNING records INTO v_number;
        IF NOT FOUND THEN
            SELECT state, lead_id INTO v_state, v_lead FROM case_file WHERE id = x.case_id;
            IF NOT FOUND THEN RAISE EXCEPTION 'no such case' USING ERRCODE = 'RJ404'; END IF;
            IF v_state = 'closed' THEN RAISE EXCEPTION 'the case is closed' USING ERRCODE = 'RJ022'; END IF;
            RAISE EXCEPTION 'not the lead' USING ERRCODE = 'RJ020';
        END IF;
    END IF;

    IF x.replaces_id IS NOT NULL THEN
        PERFORM FROM referral WHERE id = x.replaces_id AND case_id = x.case_id AND (sender_id = a.agency OR is_lead(x.case_id))
            AND state IN ('declined', 'recalled', 'cancelled', 'expired', 'not_completed', 'completed');
        IF NOT FOUND THEN
            PERFORM FROM transfer WHERE id = x.replaces_id AND case_id = x.case_id AND sender_id = a.agency
                AND state IN ('declined', 'recalled', 'expired', 'aborted');
            IF NOT FOUND THEN RAISE EXCEPTION 'nothing to replace' USING ERRCODE = 'RJ025'; END IF;
        END IF;
        PERFORM close_escalations(x.replaces_id, a.at);
    END IF;
    IF x.reuse THEN
        -- its author may send all of it; whoever holds it, what was opened to them, and unless they lead the case only with a basis to pass it on
        SELECT lead_id INTO v_lead FROM case_file WHERE id = x.case_id;
        SELECT v.needs_hash, CASE WHEN v.author_id = a.agency THEN v.sections ELSE (
            SELECT coalesce(array_agg(s), '{}') FROM disclosure d, unnest(d.sections) AS s
            WHERE d.version_id = v.id AND d.receiver_id = a.agency AND d.opened_at IS NOT NULL AND d.closed_at IS NULL AND d.locked_at IS NULL
              AND (d.until_at IS NULL OR d.until_at > a.at) AND (d.onward OR v_lead = a.agency)) END
        INTO v_needs, v_sections FROM record_version v JOIN record_content c ON c.version_id = v.id
        WHERE v.id = x.version_id AND v.case_id = x.case_id AND v.preview IS NOT NULL AND NOT (x.sections && v.erased_sections);  -- a correction alone is no referral
        IF NOT FOUND OR NOT (x.sections <@ v_sections) THEN
            RAISE EXCEPTION 'no such record version with these sections' USING ERRCODE = 'RJ026';
        END IF;
    END IF;

    IF x.guardian_suspected THEN
        PERFORM bar_guardian(x.case_id, true, a.at);
    END IF;
    IF x.consent IS NOT NULL THEN
        PERFORM store_consent(a, x.case_id, x.consent, p_consent_detail);
    END IF;
    IF x.sealed IS NOT NULL THEN
        PERFORM store_sealed_to(a, x.case_id, x.version_id, x.sealed, x.receiver_id);
    END IF;
    IF x.offer_group IS NOT NULL THEN
        SELECT count(*) FILTER (WHERE ended_at IS NULL), bool_or(accepted_at IS NOT NULL), bool_or(case_id <> x.case_id OR sender_id <> a.agency)
        INTO v_asked, v_taken, v_foreign FROM referral WHERE offer_group = x.offer_group AND receiver_id <> a.agency;
        IF v_foreign OR v_asked >= 5 THEN
            RAISE EXCEPTION 'not a group of this case, or full' USING ERRCODE = 'RJ034';
        ELSIF v_taken THEN
            RAISE EXCEPTION 'one of the group has accepted' USING ERRCODE = 'RJ028', DETAIL = '{}';
        END IF;
    END IF;
    IF x.subject = 'referral' THEN
        INSERT INTO referral (id, case_id, reference, sender_id, sent_by_id, receiver_id, recorded_by_id, state, purpose, urgency, respond_by,
                              sections, needs_hash, version_id, replaces_id, offer_group, sent_at, updated_at, last_occurred_at, deadline_at, due_at)
        VALUES (x.id, x.case_id, x.reference, a.agency, a.agency, x.receiver_id, x.recorded_by_id, 'sent', x.purpose, x.urgency, x.respond_by,
                x.sections, v_needs, x.version_id, x.replaces_id, x.offer_group, a.at, a.at, x.occurred_at, x.respond_by, x.due_at)
        ON CONFLICT (case_id, receiver_id, needs_hash)
            WHERE state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested') DO NOTHING;
        IF NOT FOUND THEN
            SELECT id INTO v_other FROM referral WHERE case_id = x.case_id AND receiver_id = x.receiver_id AND needs_hash = v_needs
                AND state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested');
            RAISE EXCEPTION 'an open twin' USING ERRCODE = 'RJ023', DETAIL = jsonb_build_object('referral_id', v_other)::text;
        END IF;
        v_state := 'sent';
    ELSE
        PERFORM check_sealed_answered(a, x.case_id, x.version_id, x.sections, x.manifest);
        v_text := manifest_of(x.case_id, a.agency, x.version_id, x.sections, x.manifest, a.at);
        INSERT INTO transfer (id, case_id, reference, sender_id, receiver_id, recorded_by_id, state, purpose, urgency, respond_by, sections,
                              version_id, replaces_id, manifest, manifest_digest, sent_at, updated_at, last_occurred_at, deadline_at, due_at)
        VALUES (x.id, x.case_id, x.reference, a.agency, x.receiver_id, x.recorded_by_id, 'offered', x.purpose, x.urgency, x.respond_by, x.sections,
                x.version_id, x.replaces_id, v_text::jsonb, encode(sha256(convert_to(v_text, 'UTF8')), 'hex'), a.at, a.at, x.occurred_at, x.respond_by, x.due_at)
        ON CONFLICT (case_id) WHERE state IN ('offered', 'received', 'info_requested', 'accepted') DO NOTHING;
        IF NOT FOUND THEN
            SELECT id INTO v_other FROM transfer WHERE case_id = x.case_id AND state IN ('offered', 'received', 'info_requested', 'accepted');
            RAISE EXCEPTION 'an open transfer' USING ERRCODE = 'RJ024', DETAIL = jsonb_build_object('transfer_id', v_other)::text;
        END IF;
        v_state := 'offered';
    END IF;

    IF NOT x.reuse THEN
        PERFORM store_record(a, x.version_id, x.case_id, v_number, x.schema_version, x.record_sections, v_needs, p_wrapped_key, p_parts, p_preview, x.files);
    END IF;
    PERFORM store_disclosures(a, x.subject, x.id, x.case_id, x.version_id, NULL, x.receiver_id, x.receiver_code, x.receiver_kind, x.purpose,
                              x.bases, p_reasons, NULL);
    IF x.reuse THEN
        PERFORM carry_corrections(x.id, a.at);
        PERFORM check_sealed_to_receiver(x.id, a.at);
    END IF;
    INSERT INTO move (id, case_id, subject, subject_id, event, to_state, version, sender_id, receiver_id, agency_id, recorded_by_id, actor,
                      channel, occurred_at, recorded_at, detail)
    VALUES (x.id, x.case_id, x.subject, x.id, CASE x.subject WHEN 'referral' THEN 'send' ELSE 'offer' END, v_state, 1, a.agency,
            x.receiver_id, a.agency, x.recorded_by_id, a.actor, x.channel, x.occurred_at, a.at, p_detail);
    m := (false, x.subject, x.id, x.case_id, x.reference, v_state, 1,
          log_by(a, CASE x.subject WHEN 'referral' THEN 'referral:send' ELSE 'transfer:offer' END, 'done', x.subject, x.id, x.case_id,
                 CASE WHEN x.commitment IS NULL THEN '{}' ELSE jsonb_build_object('commitment', x.commitment) END
                 || jsonb_build_object('receiver', x.receiver_code, 'purpose', x.purpose, 'record_version', x.version_id, 'bases', (
                     SELECT jsonb_agg(jsonb_build_object('basis', b.basis, 'sections', b.sections))
                     FROM jsonb_to_recordset(x.bases) AS b(basis text, sections text[])))
                 || CASE WHEN x.new_case IS NULL THEN sent_despite(x.case_id, x.bases, a.at) ELSE '{}' END), a.at);
    PERFORM note_in_reviews(a, x.case_id, m.log_id);
    PERFORM publish(x.subject, x.id, CASE x.subject WHEN 'referral' THEN 'referral.sent' ELSE 'transfer.offered' END, '{receiver}', a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- How a referral or transfer stands, locked until the transaction ends. Nothing for who may only look at it.
CREATE TYPE standing AS (
    case_id uuid, reference text, state text, state_before text, version integer, sender_id uuid, receiver_id uuid, purpose text, urgency text,
    respond_by timestamptz, deadline_at timestamptz, due_at timestamptz, review_at timestamptz, clock text, accepted_at timestamptz,
    paused_at timestamptz, pause_used interval, last_occurred_at timestamptz, error_reported_at timestamptz, offer_group uuid, paper text,
    manifest_digest text
);
CREATE FUNCTION standing_of(p_subject text, p_id uuid) RETURNS standing LANGUAGE plpgsql AS $$
DECLARE s standing;
BEGIN
    IF p_subject = 'referral' THEN
        SELECT case_id, reference, state, state_before, version, sender_id, receiver_id, purpose, urgency, respond_by, deadline_at, due_at, review_at,
               clock, accepted_at, paused_at, pause_used, last_occurred_at, error_reported_at, offer_group, NULL, NULL
        INTO s FROM referral WHERE id = p_id FOR NO KEY UPDATE;
    ELSE
        SELECT case_id, reference, state, NULL, version, sender_id, receiver_id, purpose, urgency, respond_by, deadline_at, due_at, NULL,
               clock, accepted_at, paused_at, pause_used, last_occurred_at, error_reported_at, NULL, paper, manifest_digest
        INTO s FROM transfer WHERE id = p_id FOR NO KEY UPDATE;
    END IF;
    RETURN s;
END $$;

-- The conditions of moves that a row meets, as the table of moves names them.
CREATE FUNCTION met_by(s standing) RETURNS text[] LANGUAGE sql IMMUTABLE RETURN
    CASE WHEN s.error_reported_at IS NOT NULL THEN ARRAY['an error reported by the sender'] ELSE '{}' END
    || CASE WHEN s.paper = 'pending' THEN ARRAY['a pending paper'] ELSE '{}' END;

-- Of several receivers asked at once, one has accepted. Asked by another of them, who does not see that row.
CREATE FUNCTION is_taken(p_referral uuid) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM referral r JOIN referral o ON o.offer_group = r.offer_group AND o.case_id = r.case_id AND o.id <> r.id
                   WHERE r.id = p_referral AND r.receiver_id = current_agency() AND o.accepted_at IS NOT NULL);
END $$;

-- The other offers of a group are taken back by the exchange, in the transaction of the acceptance.
CREATE FUNCTION recall_siblings(p_referral uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v referral; r referral;
BEGIN
    SELECT * INTO v FROM referral WHERE id = p_referral;
    IF v.receiver_id IS DISTINCT FROM current_agency() OR v.state <> 'accepted' THEN
        RAISE EXCEPTION 'only who has accepted ends the other offers' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR r IN UPDATE referral SET state = 'recalled', version = version + 1, updated_at = p_at, ended_at = p_at, due_at = NULL,
                    deadline_at = NULL, clock = 'ok'
             WHERE offer_group = v.offer_group AND case_id = v.case_id AND sender_id = v.sender_id AND id <> v.id
               AND state IN ('sent', 'received', 'info_requested')
             RETURNING old.* LOOP
        INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, sender_id, receiver_id, channel, occurred_at, recorded_at)
        VALUES (uuidv7(p_at - clock_timestamp()), r.case_id, 'referral', r.id, 'recall', r.state, 'recalled', r.version + 1, r.sender_id, r.receiver_id,
                'system', p_at, p_at);
        UPDATE disclosure SET closed_at = p_at WHERE subject_id = r.id AND closed_at IS NULL;
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        VALUES (r.receiver_id, 'referral.recalled', 'referral', r.id, r.case_id, 'recalled', p_at),
               (r.sender_id, 'referral.recalled', 'referral', r.id, r.case_id, 'recalled', p_at);
        PERFORM append_log(p_at, NULL, NULL, NULL, NULL, 'referral:recall', 'done', 'referral', r.id, r.case_id,
                           jsonb_build_object('accepted', v.id));
        PERFORM close_escalations(r.id, p_at);
    END LOOP;
END $$;

-- Every move on a referral or transfer. The table of its lifecycle comes as parameters; a row is changed only where state, version and
-- party fit, and then everything that belongs to the move is written.
CREATE FUNCTION apply_move(
    a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_detail bytea, p_needs_hash bytea, p_wrapped_key bytea, p_parts bytea[],
    p_preview bytea, p_reasons bytea[]
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE
    m moved; x record; s standing; v_to text; v_version integer; v_number integer; v_other uuid; v_manifest text; v_due jsonb;
    v_pause interval := '0';
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;

    SELECT * INTO x FROM jsonb_to_record(p) AS x(
        subject text, id uuid, event text, from_states text[], to_state text, party text, seen integer, counts boolean, type text, tells text[],
        not_kinds text[], partners text, handover boolean, access text, final boolean, dues jsonb, own_dues jsonb, pause_at_most interval,
        move_id uuid, occurred_at timestamptz, said_at timestamptz, channel text, recorded_by_id uuid, section text,
        answer_within interval, death boolean, guardian_suspected boolean, service_point_id uuid, review_at timestamptz, manifest_digest text, paper text, paper_due_at timestamptz, final_due_at timestamptz, log jsonb,
        case_id uuid, version_id uuid, schema_version text, record_sections text[], sections text[], bases jsonb, receiver_code text,
        receiver_kind text, other_id uuid, sealed jsonb, files jsonb, note_kind text, in_reply_to uuid, for_other boolean);

    -- the case's row first: whoever changes both takes them in this order, so that neither ever waits for the other
    IF x.handover OR x.death OR x.event = 'accept' OR (x.bases IS NOT NULL AND x.version_id IS NULL) THEN
        PERFORM lock_case_of(x.id);
    ELSIF x.version_id IS NOT NULL THEN
        UPDATE case_file SET records = records + 1, updated_at = a.at WHERE id = x.case_id RETURNING records INTO v_number;
    END IF;
    s := standing_of(x.subject, x.id);
    PERFORM check_move(a, x.subject, x.id, s, x.event, x.from_states, x.to_state, x.party, x.seen, x.said_at, x.manifest_digest);

    v_to := CASE WHEN x.to_state = '(previous)' THEN s.state_before ELSE coalesce(x.to_state, s.state) END;
    v_version := s.version + x.counts::integer;
    -- a question pauses the time to answer, up to a limit in all; what is left of the pause comes off again with the answer
    IF x.event = 'request_info' AND s.urgency <> 'immediate' THEN
        v_pause := greatest(x.pause_at_most - s.pause_used, '0');
        s.paused_at := a.at;
    ELSIF x.event = 'provide_info' AND s.paused_at IS NOT NULL THEN
        v_pause := -greatest(x.pause_at_most - s.pause_used - (a.at - s.paused_at), '0');
        s.pause_used := least(s.pause_used + (a.at - s.paused_at), x.pause_at_most);
        s.paused_at := NULL;
    END IF;
    v_due := coalesce(x.own_dues->s.receiver_id::text, x.dues)->v_to->s.urgency;
    IF x.to_state = '(previous)' AND v_to = 'on_hold' THEN
        v_due := jsonb_build_object('deadline', s.review_at, 'look', greatest(s.review_at, a.at));
    END IF;
    s.respond_by := s.respond_by + v_pause;
    IF x.final THEN
        s.deadline_at := x.paper_due_at;
        s.due_at := x.final_due_at;
    ELSIF v_due IS NOT NULL THEN
        s.deadline_at := (v_due->>'deadline')::timestamptz;
        s.due_at := (v_due->>'look')::timestamptz;
        IF EXISTS (SELECT FROM case_file WHERE id = s.case_id AND deceased_at IS NOT NULL) THEN
            s.due_at := NULL;  -- no clock runs after a death
        END IF;
    ELSE
        s.deadline_at := s.deadline_at + v_pause;
        s.due_at := s.due_at + v_pause;
    END IF;
    IF x.event = 'handover_paper' THEN
        s.deadline_at := NULL;
        s.due_at := NULL;
    ELSIF x.event = 'report_error' THEN
        s.error_reported_at := a.at;
    END IF;
    s.paper := coalesce(x.paper, s.paper);

    IF x.subject = 'referral' THEN
        BEGIN
            UPDATE referral SET
                state = v_to,
                state_before = CASE WHEN x.event = 'request_cancel' THEN s.state WHEN x.to_state IS NULL THEN state_before END,
                version = v_version,
                updated_at = CASE WHEN x.not_kinds IS NOT NULL AND (SELECT kind FROM agency WHERE id = s.sender_id) = ANY (x.not_kinds)
                             THEN updated_at ELSE a.at END,  -- who may not learn of it does not learn when it was
                acknowledged_at = CASE WHEN receiver_id = a.agency THEN coalesce(acknowledged_at, a.at) ELSE acknowledged_at END,
                accepted_at = CASE WHEN x.event = 'accept' THEN a.at ELSE accepted_at END,
                started_at = CASE WHEN x.event = 'start' THEN a.at ELSE started_at END,
                last_recorded_at = CASE WHEN x.event IN ('start', 'record_service') THEN a.at ELSE last_recorded_at END,
                ended_at = CASE WHEN x.final THEN a.at ELSE ended_at END,
                service_point_id = coalesce(x.service_point_id, service_point_id),
                review_at = CASE x.event WHEN 'hold' THEN x.review_at WHEN 'resume' THEN NULL ELSE review_at END,
                respond_by = s.respond_by,
                deadline_at = s.deadline_at,
                due_at = s.due_at,
                clock = CASE WHEN x.final OR v_due IS NOT NULL THEN 'ok' ELSE clock END,
                clock_step = CASE WHEN x.final OR v_due IS NOT NULL THEN 0 ELSE clock_step END,
                paused_at = s.paused_at,
                pause_used = s.pause_used,
                last_occurred_at = CASE WHEN v_to = s.state THEN last_occurred_at ELSE greatest(last_occurred_at, x.occurred_at) END,
                error_reported_at = s.error_reported_at,
                version_id = coalesce(x.version_id, version_id),
                sections = coalesce(x.sections, sections),
                needs_hash = coalesce(p_needs_hash, needs_hash)
            WHERE id = x.id;
        EXCEPTION WHEN unique_violation THEN
            SELECT t.id INTO v_other FROM referral t
            WHERE t.case_id = s.case_id AND t.receiver_id = s.receiver_id AND t.needs_hash = p_needs_hash AND t.id <> x.id AND t.ended_at IS NULL;
            RAISE EXCEPTION 'an open twin' USING ERRCODE = 'RJ023', DETAIL = jsonb_build_object('referral_id', v_other)::text;
        END;
    ELSE
        UPDATE transfer SET
            state = v_to,
            version = v_version,
            updated_at = a.at,
            acknowledged_at = CASE WHEN receiver_id = a.agency THEN coalesce(acknowledged_at, a.at) ELSE acknowledged_at END,
            accepted_at = CASE WHEN x.event = 'accept' THEN a.at ELSE accepted_at END,
            ended_at = CASE WHEN x.final THEN a.at ELSE ended_at END,
            service_point_id = coalesce(x.service_point_id, service_point_id),
            paper = s.paper,
            paper_due_at = coalesce(x.paper_due_at, paper_due_at),
            respond_by = s.respond_by,
            deadline_at = s.deadline_at,
            due_at = s.due_at,
            clock = CASE WHEN x.final OR v_due IS NOT NULL OR x.event = 'handover_paper' THEN 'ok' ELSE clock END,
            clock_step = CASE WHEN x.final OR v_due IS NOT NULL THEN 0 ELSE clock_step END,
            paused_at = s.paused_at,
            pause_used = s.pause_used,
            last_occurred_at = CASE WHEN v_to = s.state THEN last_occurred_at ELSE greatest(last_occurred_at, x.occurred_at) END,
            error_reported_at = s.error_reported_at,
            version_id = coalesce(x.version_id, version_id),
            sections = coalesce(x.sections, sections)
        WHERE id = x.id;
    END IF;

    IF x.version_id IS NOT NULL THEN
        IF x.sealed IS NOT NULL THEN
            PERFORM store_sealed_to(a, s.case_id, x.version_id, x.sealed, s.receiver_id);
        END IF;
        IF x.subject = 'transfer' THEN  -- whoever read the earlier manifest must not accept this one unseen
            PERFORM check_sealed_answered(a, x.case_id, x.version_id, x.sections, (SELECT manifest FROM transfer WHERE id = x.id));
            SELECT manifest_of(x.case_id, a.agency, x.version_id, x.sections, manifest, a.at) INTO v_manifest FROM transfer WHERE id = x.id;
            UPDATE transfer SET manifest = v_manifest::jsonb, manifest_digest = encode(sha256(convert_to(v_manifest, 'UTF8')), 'hex')
            WHERE id = x.id;
        END IF;
        IF x.guardian_suspected THEN
            PERFORM bar_guardian(s.case_id, true, a.at);
        END IF;
        PERFORM store_record(a, x.version_id, s.case_id, v_number, x.schema_version, x.record_sections, p_needs_hash, p_wrapped_key, p_parts, p_preview,
                             x.files);
        UPDATE disclosure SET closed_at = a.at WHERE subject_id = x.id AND version_id IS NOT NULL AND closed_at IS NULL;
        PERFORM store_disclosures(a, x.subject, x.id, s.case_id, x.version_id, NULL, s.receiver_id, x.receiver_code, x.receiver_kind, s.purpose,
                                  x.bases, p_reasons, CASE WHEN s.accepted_at IS NOT NULL THEN a.at END);
        PERFORM answer_reseal_requests(a, s.case_id, x.id, x.sections);
    ELSIF x.bases IS NOT NULL THEN  -- words that rest on a basis of their own are open at once
        PERFORM store_disclosures(a, x.subject, x.id, s.case_id, NULL, x.move_id, x.other_id, x.receiver_code, x.receiver_kind, s.purpose,
                                  x.bases, p_reasons, a.at);
    END IF;
    IF x.access = 'opens' THEN
        UPDATE disclosure SET opened_at = a.at WHERE subject_id = x.id AND opened_at IS NULL AND closed_at IS NULL;
    ELSIF x.access = 'closes' THEN
        UPDATE disclosure SET closed_at = a.at WHERE subject_id = x.id AND closed_at IS NULL;
    ELSIF x.access = 'locks' THEN
        UPDATE disclosure SET locked_at = a.at, lock_reason = 'entered_in_error'
        WHERE subject_id = x.id AND (locked_at IS NULL OR lock_reason = 'consent_doubted');
    END IF;

    INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, sender_id, receiver_id, agency_id, recorded_by_id,
                      actor, channel, occurred_at, recorded_at, section, detail)
    VALUES (x.move_id, s.case_id, x.subject, x.id, x.event, s.state, v_to, v_version, s.sender_id, s.receiver_id, a.agency, x.recorded_by_id,
            a.actor, x.channel, x.occurred_at, a.at, x.section, p_detail);
    IF x.event = 'note' THEN
        PERFORM store_note(x.subject, x.id, x.move_id, x.note_kind, x.in_reply_to, x.for_other, a.at);
    END IF;
    m := (false, x.subject, x.id, s.case_id, s.reference, v_to, v_version,
          log_by(a, x.subject || ':' || x.event, 'done', x.subject, x.id, s.case_id, CASE WHEN x.bases IS NULL THEN x.log ELSE x.log || sent_despite(s.case_id, x.bases, a.at) END),
          a.at, met_by(s));
    IF x.bases IS NOT NULL THEN
        PERFORM note_in_reviews(a, s.case_id, m.log_id);
    END IF;
    IF cardinality(x.tells) > 0 THEN
        PERFORM publish(x.subject, x.id, x.type, x.tells, a.at, x.not_kinds);
    END IF;
    IF x.event = 'accept' THEN
        PERFORM check_service_point(s.case_id, x.service_point_id, a.agency);
        IF s.offer_group IS NOT NULL THEN
            PERFORM recall_siblings(x.id, a.at);
        END IF;
    ELSIF x.death THEN
        PERFORM apply_death(s.case_id, a.at);
    ELSIF x.event = 'abort' THEN  -- the receiver answers for what it has read
        PERFORM ask_erasure(x.subject, x.id, 'transfer_aborted', a.at, x.answer_within);
    END IF;
    IF x.handover THEN
        PERFORM apply_handover(x.id, a.at);
    END IF;
    IF x.partners IS NOT NULL THEN
        PERFORM publish_to_partners(x.id, x.partners, a.at);
    END IF;
    IF (x.final OR v_due IS NOT NULL OR x.event = 'handover_paper') AND (s.clock = 'escalated' OR is_escalated(s.case_id, x.id)) THEN
        PERFORM close_escalations(x.id, a.at);
    END IF;
    IF x.subject = 'referral' AND x.final AND s.urgency = 'immediate' THEN
        PERFORM publish_unattended(x.id, a.at);
    END IF;
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Raises what stands in the way of a move: nothing here, not now, not by you, not on what you saw, not in this order.
CREATE FUNCTION check_move(
    a acting, p_subject text, p_id uuid, s standing, p_event text, p_from text[], p_to text, p_party text, p_seen integer, p_said_at timestamptz,
    p_digest text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_party text; v_last record;
BEGIN
    IF s.case_id IS NULL THEN  -- not a party; perhaps the lead, who may look
        IF p_subject = 'referral' THEN
            SELECT case_id, state, version INTO s.case_id, s.state, s.version FROM referral WHERE id = p_id;
        END IF;
        IF s.case_id IS NULL THEN
            RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
        END IF;
        v_party := 'lead';
    ELSE
        v_party := CASE a.agency WHEN s.sender_id THEN 'sender' ELSE 'receiver' END;
    END IF;
    IF NOT (s.state = ANY (p_from) AND (p_party = v_party OR (p_party = 'either' AND v_party <> 'lead')))
       OR (p_event = 'confirm_error' AND s.error_reported_at IS NULL)
       OR (p_event = 'handover_paper' AND s.paper IS DISTINCT FROM 'pending') THEN
        IF p_event = 'accept' AND s.offer_group IS NOT NULL AND is_taken(p_id) THEN
            RAISE EXCEPTION 'another receiver has accepted' USING ERRCODE = 'RJ028',
                DETAIL = jsonb_build_object('state', s.state, 'version', s.version)::text;
        END IF;
        SELECT event, occurred_at INTO v_last FROM move WHERE subject_id = p_id AND to_state = s.state AND from_state IS DISTINCT FROM to_state
        ORDER BY id DESC LIMIT 1;
        RAISE EXCEPTION 'not now' USING ERRCODE = 'RJ409', DETAIL = jsonb_build_object(
            'state', s.state, 'version', s.version, 'party', v_party, 'event', v_last.event, 'since', v_last.occurred_at,
            'met', to_jsonb(met_by(s)))::text;
    END IF;
    IF p_seen <> s.version THEN
        RAISE EXCEPTION 'stale' USING ERRCODE = 'RJ412', DETAIL = jsonb_build_object('state', s.state, 'version', s.version)::text;
    END IF;
    IF p_digest <> s.manifest_digest THEN
        RAISE EXCEPTION 'another manifest' USING ERRCODE = 'RJ027', DETAIL = jsonb_build_object('state', s.state, 'version', s.version)::text;
    END IF;
    -- a minute's grace: people write no seconds, and clocks differ
    IF p_to <> s.state AND p_said_at < s.last_occurred_at - interval '1 minute' THEN
        SELECT event, occurred_at INTO v_last FROM move WHERE subject_id = p_id AND occurred_at = s.last_occurred_at ORDER BY id DESC LIMIT 1;
        RAISE EXCEPTION 'something happened later already' USING ERRCODE = 'RJ030', DETAIL = jsonb_build_object(
            'state', s.state, 'version', s.version, 'event', v_last.event, 'occurred_at', s.last_occurred_at)::text;
    END IF;
END $$;

-- The party did not do what another agency recorded for it. The move stands; everybody who sees it sees that it is disputed.
CREATE FUNCTION apply_dispute(p_move uuid, p_at timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v move;
BEGIN
    UPDATE move SET disputed_at = p_at, disputed_ground = 'party'
    WHERE id = p_move AND agency_id = current_agency() AND recorded_by_id <> agency_id AND disputed_at IS NULL RETURNING * INTO v;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'only the party disputes, once, what another recorded for it' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT DISTINCT told, v.subject || '.disputed', v.subject, v.subject_id, v.case_id, v.to_state, p_at
    FROM (SELECT unnest(ARRAY[sender_id, receiver_id]) AS told FROM referral WHERE id = v.subject_id  -- as they are now
          UNION SELECT unnest(ARRAY[sender_id, receiver_id]) FROM transfer WHERE id = v.subject_id
          UNION SELECT v.recorded_by_id) AS parties WHERE told <> v.agency_id;
END $$;

CREATE FUNCTION dispute_move(a acting, p_key text, p_hash bytea, p_days integer, p_subject text, p_id uuid, p_move uuid, p jsonb, p_detail bytea)
RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; v move; s standing; x record;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(move_id uuid, occurred_at timestamptz, channel text);
    s := standing_of(p_subject, p_id);
    SELECT * INTO v FROM move WHERE id = p_move AND subject_id = p_id AND agency_id = a.agency;
    IF s.case_id IS NULL OR NOT FOUND THEN RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404'; END IF;
    IF a.recorder IS NOT NULL OR v.recorded_by_id = a.agency OR v.disputed_at IS NOT NULL THEN
        RAISE EXCEPTION 'nothing to dispute' USING ERRCODE = 'RJ033';
    END IF;
    PERFORM apply_dispute(p_move, a.at);
    INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, sender_id, receiver_id, agency_id, recorded_by_id,
                      actor, channel, occurred_at, recorded_at, detail)
    VALUES (x.move_id, s.case_id, p_subject, p_id, 'dispute', s.state, s.state, s.version, s.sender_id, s.receiver_id, a.agency, a.agency,
            a.actor, x.channel, x.occurred_at, a.at, p_detail);
    m := (false, p_subject, p_id, s.case_id, s.reference, s.state, s.version,
          log_by(a, p_subject || ':dispute', 'done', p_subject, p_id, s.case_id, jsonb_build_object('move', p_move)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;
