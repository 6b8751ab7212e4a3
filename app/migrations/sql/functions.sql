-- What happens in one statement. Each function's first act sets the agency and uses up the request's proof of possession.
-- A refusal is raised with a code of class RJ (app/exchange/passing/refusals.py turns it into a problem) and undoes everything.
CREATE TYPE acting AS (
    agency uuid, client text, actor text, request_id text, at timestamptz, proof bytea, proof_until timestamptz,
    recorder uuid  -- the agency that records this for `agency`, under an agreement
);
CREATE TYPE moved AS (
    repeated boolean, subject text, id uuid, case_id uuid, reference text, state text, version integer, log_id uuid, recorded_at timestamptz
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
        RAISE EXCEPTION 'no agreement lets this agency record for that one' USING ERRCODE = 'insufficient_privilege';
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
    m := (true, v.subject, v.subject_id, v.case_id, v.reference, v.state, v.version, v.log_id, v.recorded_at);
    RETURN m;
END $$;

CREATE FUNCTION repeated_answer(a acting, p_key text, p_hash bytea, p_days integer) RETURNS moved LANGUAGE plpgsql AS $$
BEGIN
    PERFORM begin_acting(a);
    RETURN earlier_answer(a, p_key, p_hash, p_days);
END $$;

CREATE FUNCTION keep_answer(a acting, p_key text, p_hash bytea, m moved) RETURNS void LANGUAGE sql AS $$
    INSERT INTO idempotency (agency_id, client_id, key, recorded_at, request_hash, subject, subject_id, case_id, reference, state, version, log_id)
    VALUES (a.agency, a.client, p_key, a.at, p_hash, m.subject, m.id, m.case_id, m.reference, m.state, m.version, m.log_id)
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

-- The case's row, before the transfer's: whoever changes both takes them in this order, so that neither ever waits for the other.
CREATE FUNCTION lock_case_of(p_transfer uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM case_file c JOIN transfer t ON t.case_id = c.id
    WHERE t.id = p_transfer AND t.receiver_id = current_agency() FOR NO KEY UPDATE OF c;
END $$;

-- The lead moves, in the transaction that confirms the handover. Checks again who asks and in which state.
CREATE FUNCTION apply_handover(p_transfer uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v transfer; r referral; v_count integer;
BEGIN
    SELECT * INTO v FROM transfer WHERE id = p_transfer;
    IF NOT FOUND OR v.receiver_id IS DISTINCT FROM current_agency() OR v.state <> 'completed' THEN
        RAISE EXCEPTION 'only the receiver of a confirmed transfer takes over' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE case_file SET lead_id = v.receiver_id, version = version + 1, updated_at = p_at
    WHERE id = v.case_id AND lead_id = v.sender_id;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count <> 1 THEN
        RAISE EXCEPTION 'the sender no longer leads the case' USING ERRCODE = 'RJ020';
    END IF;
    UPDATE case_lead SET until_at = p_at WHERE case_id = v.case_id AND agency_id = v.sender_id AND until_at IS NULL;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count <> 1 THEN
        RAISE EXCEPTION 'the case has no one lead' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    INSERT INTO case_lead (case_id, agency_id, from_at, transfer_id) VALUES (v.case_id, v.receiver_id, p_at, v.id);

    FOR r IN UPDATE referral SET state = 'absorbed', version = version + 1, updated_at = p_at, ended_at = p_at, due_at = NULL, clock = 'ok'
             WHERE case_id = v.case_id AND receiver_id = v.receiver_id
               AND state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested')
             RETURNING old.* LOOP
        INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, sender_id, receiver_id, channel, occurred_at, recorded_at)
        VALUES (uuidv7(p_at - clock_timestamp()), r.case_id, 'referral', r.id, 'absorb', r.state, 'absorbed', r.version + 1, r.sender_id, r.receiver_id, 'system', p_at, p_at);
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        VALUES (r.sender_id, 'referral.absorbed', 'referral', r.id, r.case_id, 'absorbed', p_at);
        UPDATE disclosure SET opened_at = coalesce(opened_at, p_at) WHERE subject_id = r.id AND closed_at IS NULL;
        PERFORM append_log(p_at, NULL, NULL, NULL, NULL, 'referral:absorb', 'done', 'referral', r.id, r.case_id,
                           jsonb_build_object('transfer', v.id));
    END LOOP;

    UPDATE referral SET sender_id = v.receiver_id, updated_at = p_at
    WHERE case_id = v.case_id AND sender_id = v.sender_id
      AND state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested');
    UPDATE disclosure SET sender_id = v.receiver_id
    WHERE case_id = v.case_id AND sender_id = v.sender_id AND subject = 'referral' AND closed_at IS NULL
      AND subject_id IN (SELECT id FROM referral WHERE case_id = v.case_id AND sender_id = v.receiver_id);
END $$;

-- A record version with its content; the case's counter is already taken.
CREATE FUNCTION store_record(
    a acting, p_id uuid, p_case uuid, p_number integer, p_schema text, p_sections text[], p_needs_hash bytea,
    p_wrapped_key bytea, p_parts bytea[], p_preview bytea
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO record_version (id, case_id, number, author_id, schema_version, sections, needs_hash, preview, recorded_at)
    VALUES (p_id, p_case, p_number, a.agency, p_schema, p_sections, p_needs_hash, p_preview, a.at);
    INSERT INTO record_content (version_id, case_id, author_id, wrapped_key, parts)
    VALUES (p_id, p_case, a.agency, p_wrapped_key, p_parts);
END $$;

-- Refuses bases of which a consent does not cover what rests on it: over, withdrawn, for others, or given by a guardian since barred.
CREATE FUNCTION check_consents(a acting, p_case uuid, p_receiver_code text, p_receiver_kind text, p_purpose text, p_bases jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_uncovered text[];
BEGIN
    SELECT array_agg(DISTINCT s) INTO v_uncovered
    FROM jsonb_to_recordset(p_bases) AS b(basis text, consent_id uuid, sections text[]), unnest(b.sections) AS s
    WHERE b.basis = 'consent' AND NOT EXISTS (
        SELECT FROM consent c
        WHERE c.id = b.consent_id AND c.case_id = p_case AND c.withdrawn_at IS NULL AND c.given_at <= a.at
          AND (c.until_at IS NULL OR c.until_at > a.at) AND s = ANY (c.sections) AND NOT is_barred(p_case, c.giver)
          AND (p_receiver_code = ANY (c.agencies) OR p_receiver_kind = ANY (c.agency_kinds)) AND p_purpose = ANY (c.purposes));
    IF v_uncovered IS NOT NULL THEN
        RAISE EXCEPTION 'the consent does not cover this' USING ERRCODE = 'RJ021',
            DETAIL = jsonb_build_object('sections', to_jsonb(v_uncovered))::text;
    END IF;
END $$;

-- The bases, one row each.
CREATE FUNCTION store_disclosures(
    a acting, p_subject text, p_subject_id uuid, p_case uuid, p_version uuid, p_receiver uuid, p_receiver_code text, p_receiver_kind text,
    p_purpose text, p_bases jsonb, p_reasons bytea[], p_opened_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM check_consents(a, p_case, p_receiver_code, p_receiver_kind, p_purpose, p_bases);
    -- what rests on a consent ends with it, at the latest
    INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, sender_id, receiver_id, basis, consent_id, legal_basis, article,
                            reason, sections, until_at, onward, recorded_at, opened_at)
    SELECT b.id, p_case, p_subject, p_subject_id, p_version, a.agency, p_receiver, b.basis, b.consent_id, b.legal_basis, b.article,
           p_reasons[b.place], b.sections,
           least(b.until_at, (SELECT c.until_at FROM consent c WHERE c.id = b.consent_id AND c.case_id = p_case)), b.onward, a.at, p_opened_at
    FROM jsonb_to_recordset(p_bases) AS b(place integer, id uuid, basis text, consent_id uuid, legal_basis text, article text,
                                          sections text[], until_at timestamptz, onward boolean);
END $$;

CREATE FUNCTION store_consent(a acting, p_case uuid, p jsonb, p_detail bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF is_barred(p_case, p->>'giver') THEN
        RAISE EXCEPTION 'the guardian is barred' USING ERRCODE = 'RJ029', DETAIL = jsonb_build_object('case_id', p_case)::text;
    END IF;
    INSERT INTO consent (id, case_id, author_id, giver, method, language, given_at, until_at, sections, agencies, agency_kinds, purposes,
                         detail, recorded_at)
    SELECT c.id, p_case, a.agency, c.giver, c.method, c.language, c.given_at, c.until_at, c.sections, c.agencies, c.agency_kinds, c.purposes,
           p_detail, a.at
    FROM jsonb_to_record(p) AS c(id uuid, giver text, method text, language text, given_at timestamptz, until_at timestamptz,
                                 sections text[], agencies text[], agency_kinds text[], purposes text[]);
END $$;

CREATE FUNCTION store_case(a acting, p_id uuid, p_reference text, p_entry_channel text, p_records integer, p_occurred_at timestamptz,
                           p_channel text, p_detail bytea) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO case_file (id, reference, lead_id, state, records, entry_channel, opened_by_id, opened_at, updated_at)
    VALUES (p_id, p_reference, a.agency, 'open', p_records, p_entry_channel, a.agency, a.at, a.at);
    INSERT INTO case_lead (case_id, agency_id, from_at) VALUES (p_id, a.agency, a.at);
    INSERT INTO move (id, case_id, subject, subject_id, event, to_state, version, agency_id, recorded_by_id, actor, channel, occurred_at,
                      recorded_at, detail)
    VALUES (p_id, p_id, 'case', p_id, 'open_case', 'open', 1, a.agency, a.agency, a.actor, p_channel, p_occurred_at, a.at, p_detail);
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

CREATE FUNCTION give_consent(a acting, p_key text, p_hash bytea, p_days integer, p_case uuid, p jsonb, p_detail bytea)
RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; v_id uuid := (p->>'id')::uuid; v_reference text; v_state text;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT reference, state INTO v_reference, v_state FROM case_file WHERE id = p_case
       AND (lead_id = a.agency OR EXISTS (SELECT FROM referral r WHERE r.case_id = p_case AND r.receiver_id = a.agency
                                          AND r.state IN ('accepted', 'in_progress', 'on_hold', 'cancel_requested')));
    IF NOT FOUND THEN RAISE EXCEPTION 'no such case' USING ERRCODE = 'RJ404'; END IF;
    IF v_state = 'closed' THEN RAISE EXCEPTION 'the case is closed' USING ERRCODE = 'RJ022'; END IF;
    PERFORM store_consent(a, p_case, p, p_detail);
    m := (false, 'consent', v_id, p_case, v_reference, 'given', 1,
          log_by(a, 'consent:give', 'done', 'consent', v_id, p_case, jsonb_build_object('sections', p->'sections')), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- What comes with the case, under a fresh salt; its digest is what the receiver repeats.
CREATE FUNCTION manifest_of(p_open uuid[], p_version uuid, p_sections text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
    -- written by hand in the canonical form of RFC 8785: sorted members, no white space, ASCII only
    SELECT format('{"open_referrals":[%s],"record_version":"%s","salt":"%s","sections":[%s]}',
        (SELECT string_agg('"' || i || '"', ',' ORDER BY i) FROM unnest(p_open) i), p_version,
        replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''),
        (SELECT string_agg('"' || s || '"', ',' ORDER BY n) FROM unnest(p_sections) WITH ORDINALITY AS u(s, n)))
$$;

-- Sends a referral or offers a transfer: with its case and consent if they are new, its record, its bases, its log entries and its event.
CREATE FUNCTION send(
    a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_needs_hash bytea, p_wrapped_key bytea, p_parts bytea[], p_preview bytea,
    p_reasons bytea[], p_consent_detail bytea, p_detail bytea
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE
    m moved; x record; v_number integer; v_state text; v_lead uuid; v_other uuid; v_needs bytea := p_needs_hash; v_sections text[];
    v_text text; v_open uuid[];
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;

    SELECT * INTO x FROM jsonb_to_record(p) AS x(
        subject text, id uuid, reference text, case_id uuid, new_case jsonb, consent jsonb, receiver_id uuid, receiver_code text,
        receiver_kind text, recorded_by_id uuid, purpose text, urgency text, respond_by timestamptz, due_at timestamptz, sections text[],
        offer_group uuid, version_id uuid, schema_version text, reuse boolean, replaces_id uuid, bases jsonb, occurred_at timestamptz, channel text,
        record_sections text[]);

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
                WHERE d.case_id = x.case_id AND d.receiver_id = a.agency AND d.onward AND d.closed_at IS NULL AND d.locked_at IS NULL
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
        PERFORM FROM referral WHERE id = x.replaces_id AND case_id = x.case_id AND sender_id = a.agency
            AND state IN ('declined', 'recalled', 'cancelled', 'expired', 'not_completed', 'completed');
        IF NOT FOUND THEN
            PERFORM FROM transfer WHERE id = x.replaces_id AND case_id = x.case_id AND sender_id = a.agency
                AND state IN ('declined', 'recalled', 'expired', 'aborted');
            IF NOT FOUND THEN RAISE EXCEPTION 'nothing to replace' USING ERRCODE = 'RJ025'; END IF;
        END IF;
    END IF;
    IF x.reuse THEN
        -- its author may send all of it; whoever holds it, what was opened to them, and unless they lead the case only with a basis to pass it on
        SELECT lead_id INTO v_lead FROM case_file WHERE id = x.case_id;
        SELECT v.needs_hash, CASE WHEN v.author_id = a.agency THEN v.sections ELSE (
            SELECT coalesce(array_agg(s), '{}') FROM disclosure d, unnest(d.sections) AS s
            WHERE d.version_id = v.id AND d.receiver_id = a.agency AND d.opened_at IS NOT NULL AND d.closed_at IS NULL AND d.locked_at IS NULL
              AND (d.until_at IS NULL OR d.until_at > a.at) AND (d.onward OR v_lead = a.agency)) END
        INTO v_needs, v_sections FROM record_version v JOIN record_content c ON c.version_id = v.id
        WHERE v.id = x.version_id AND v.case_id = x.case_id AND v.preview IS NOT NULL;  -- a correction alone is no referral
        IF NOT FOUND OR NOT (x.sections <@ v_sections) THEN
            RAISE EXCEPTION 'no such record version with these sections' USING ERRCODE = 'RJ026';
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
        SELECT coalesce(array_agg(id ORDER BY id), '{}') INTO v_open FROM referral WHERE case_id = x.case_id AND sender_id = a.agency
            AND state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested');
        v_text := manifest_of(v_open, x.version_id, x.sections);
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

    IF x.consent IS NOT NULL THEN
        PERFORM store_consent(a, x.case_id, x.consent, p_consent_detail);
        PERFORM log_by(a, 'consent:give', 'done', 'consent', (x.consent->>'id')::uuid, x.case_id, jsonb_build_object('sections', x.consent->'sections'));
    END IF;
    IF NOT x.reuse THEN
        PERFORM store_record(a, x.version_id, x.case_id, v_number, x.schema_version, x.record_sections, v_needs, p_wrapped_key, p_parts, p_preview);
    END IF;
    PERFORM store_disclosures(a, x.subject, x.id, x.case_id, x.version_id, x.receiver_id, x.receiver_code, x.receiver_kind, x.purpose,
                              x.bases, p_reasons, NULL);
    IF x.reuse THEN
        PERFORM carry_corrections(x.id, a.at);
    END IF;
    INSERT INTO move (id, case_id, subject, subject_id, event, to_state, version, sender_id, receiver_id, agency_id, recorded_by_id, actor,
                      channel, occurred_at, recorded_at, detail)
    VALUES (x.id, x.case_id, x.subject, x.id, CASE x.subject WHEN 'referral' THEN 'send' ELSE 'offer' END, v_state, 1, a.agency,
            x.receiver_id, a.agency, x.recorded_by_id, a.actor, x.channel, x.occurred_at, a.at, p_detail);
    m := (false, x.subject, x.id, x.case_id, x.reference, v_state, 1,
          log_by(a, CASE x.subject WHEN 'referral' THEN 'referral:send' ELSE 'transfer:offer' END, 'done', x.subject, x.id, x.case_id,
                 jsonb_build_object('receiver', x.receiver_code, 'purpose', x.purpose, 'bases', (
                     SELECT jsonb_agg(jsonb_build_object('basis', b.basis, 'sections', b.sections))
                     FROM jsonb_to_recordset(x.bases) AS b(basis text, sections text[])))), a.at);
    PERFORM publish(x.subject, x.id, CASE x.subject WHEN 'referral' THEN 'referral.sent' ELSE 'transfer.offered' END, '{receiver}', a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Every move on a referral or transfer. The table of its lifecycle comes as parameters; a row is changed only where state, version and
-- party fit, and then everything that belongs to the move is written.
CREATE FUNCTION apply_move(
    a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_detail bytea, p_needs_hash bytea, p_wrapped_key bytea, p_parts bytea[],
    p_preview bytea, p_reasons bytea[]
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE
    m moved; x record; v_case uuid; v_reference text; v_from text; v_to text; v_version integer; v_sender uuid; v_receiver uuid;
    v_purpose text; v_accepted timestamptz; v_number integer; v_other uuid; v_manifest text;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;

    SELECT * INTO x FROM jsonb_to_record(p) AS x(
        subject text, id uuid, event text, from_states text[], to_state text, party text, seen integer, counts boolean, tells text[], not_kinds text[],
        partners text, access text, final boolean, due jsonb, move_id uuid, occurred_at timestamptz, channel text, recorded_by_id uuid,
        service_point_id uuid, manifest_digest text, paper text, paper_due_at timestamptz, final_due_at timestamptz, log jsonb,
        case_id uuid, version_id uuid, schema_version text, record_sections text[], sections text[], bases jsonb, receiver_code text,
        receiver_kind text);

    IF x.partners = 'after' THEN
        PERFORM lock_case_of(x.id);
    ELSIF x.version_id IS NOT NULL THEN
        -- the case's row first, as in a handover
        UPDATE case_file SET records = records + 1, updated_at = a.at WHERE id = x.case_id RETURNING records INTO v_number;
    END IF;
    IF x.subject = 'referral' THEN
        BEGIN
            UPDATE referral r SET
                state = coalesce(x.to_state, r.state),
                version = r.version + x.counts::integer,
                updated_at = a.at,
                acknowledged_at = CASE WHEN r.receiver_id = a.agency THEN coalesce(r.acknowledged_at, a.at) ELSE r.acknowledged_at END,
                accepted_at = CASE WHEN x.event = 'accept' THEN a.at ELSE r.accepted_at END,
                started_at = CASE WHEN x.event = 'start' THEN a.at ELSE r.started_at END,
                last_recorded_at = CASE WHEN x.event IN ('start', 'record_service') THEN a.at ELSE r.last_recorded_at END,
                ended_at = CASE WHEN x.final THEN a.at ELSE r.ended_at END,
                service_point_id = coalesce(x.service_point_id, r.service_point_id),
                due_at = CASE WHEN x.final THEN NULL WHEN x.due IS NULL THEN r.due_at ELSE (x.due->>r.urgency)::timestamptz END,
                clock = CASE WHEN x.final OR x.due IS NOT NULL THEN 'ok' ELSE r.clock END,
                clock_step = CASE WHEN x.final OR x.due IS NOT NULL THEN 0 ELSE r.clock_step END,
                version_id = coalesce(x.version_id, r.version_id),
                sections = coalesce(x.sections, r.sections),
                needs_hash = coalesce(p_needs_hash, r.needs_hash)
            WHERE r.id = x.id AND r.state = ANY (x.from_states) AND (x.seen IS NULL OR r.version = x.seen)
              AND CASE x.party WHEN 'sender' THEN r.sender_id = a.agency WHEN 'receiver' THEN r.receiver_id = a.agency ELSE true END
            RETURNING r.case_id, r.reference, old.state, new.state, new.version, r.sender_id, r.receiver_id, r.purpose, r.accepted_at
            INTO v_case, v_reference, v_from, v_to, v_version, v_sender, v_receiver, v_purpose, v_accepted;
        EXCEPTION WHEN unique_violation THEN
            SELECT t.id INTO v_other FROM referral t JOIN referral r ON r.id = x.id
            WHERE t.case_id = r.case_id AND t.receiver_id = r.receiver_id AND t.needs_hash = p_needs_hash AND t.id <> r.id AND t.ended_at IS NULL;
            RAISE EXCEPTION 'an open twin' USING ERRCODE = 'RJ023', DETAIL = jsonb_build_object('referral_id', v_other)::text;
        END;
    ELSE
        UPDATE transfer t SET
            state = coalesce(x.to_state, t.state),
            version = t.version + x.counts::integer,
            updated_at = a.at,
            acknowledged_at = CASE WHEN t.receiver_id = a.agency THEN coalesce(t.acknowledged_at, a.at) ELSE t.acknowledged_at END,
            accepted_at = CASE WHEN x.event = 'accept' THEN a.at ELSE t.accepted_at END,
            ended_at = CASE WHEN x.final THEN a.at ELSE t.ended_at END,
            service_point_id = coalesce(x.service_point_id, t.service_point_id),
            paper = coalesce(x.paper, t.paper),
            paper_due_at = coalesce(x.paper_due_at, t.paper_due_at),
            due_at = CASE WHEN x.final THEN x.final_due_at WHEN x.due IS NULL THEN t.due_at ELSE (x.due->>t.urgency)::timestamptz END,
            clock = CASE WHEN x.final OR x.due IS NOT NULL THEN 'ok' ELSE t.clock END,
            clock_step = CASE WHEN x.final OR x.due IS NOT NULL THEN 0 ELSE t.clock_step END,
            version_id = coalesce(x.version_id, t.version_id),
            sections = coalesce(x.sections, t.sections)
        WHERE t.id = x.id AND t.state = ANY (x.from_states) AND (x.seen IS NULL OR t.version = x.seen)
          AND CASE x.party WHEN 'sender' THEN t.sender_id = a.agency WHEN 'receiver' THEN t.receiver_id = a.agency ELSE true END
          AND (x.manifest_digest IS NULL OR t.manifest_digest = x.manifest_digest)
        RETURNING t.case_id, t.reference, old.state, new.state, new.version, t.sender_id, t.receiver_id, t.purpose, t.accepted_at
        INTO v_case, v_reference, v_from, v_to, v_version, v_sender, v_receiver, v_purpose, v_accepted;
    END IF;
    IF v_case IS NULL THEN
        PERFORM refuse_move(a, x.subject, x.id, x.from_states, x.party, x.seen, x.manifest_digest);
    END IF;

    IF x.version_id IS NOT NULL THEN
        IF x.subject = 'transfer' THEN  -- whoever read the earlier manifest must not accept this one unseen
            v_manifest := manifest_of(ARRAY(SELECT id FROM referral WHERE case_id = v_case AND sender_id = a.agency AND state IN (
                'sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested')), x.version_id, x.sections);
            UPDATE transfer SET manifest = v_manifest::jsonb, manifest_digest = encode(sha256(convert_to(v_manifest, 'UTF8')), 'hex')
            WHERE id = x.id;
        END IF;
        PERFORM store_record(a, x.version_id, v_case, v_number, x.schema_version, x.record_sections, p_needs_hash, p_wrapped_key, p_parts, p_preview);
        UPDATE disclosure SET closed_at = a.at WHERE subject_id = x.id AND closed_at IS NULL;
        PERFORM store_disclosures(a, x.subject, x.id, v_case, x.version_id, v_receiver, x.receiver_code, x.receiver_kind, v_purpose,
                                  x.bases, p_reasons, CASE WHEN v_accepted IS NOT NULL THEN a.at END);
    END IF;
    IF x.access = 'opens' THEN
        UPDATE disclosure SET opened_at = a.at WHERE subject_id = x.id AND opened_at IS NULL AND closed_at IS NULL;
    ELSIF x.access = 'closes' THEN
        UPDATE disclosure SET closed_at = a.at WHERE subject_id = x.id AND closed_at IS NULL;
    END IF;

    INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, sender_id, receiver_id, agency_id, recorded_by_id,
                      actor, channel, occurred_at, recorded_at, detail)
    VALUES (x.move_id, v_case, x.subject, x.id, x.event, v_from, v_to, v_version, v_sender, v_receiver, a.agency, x.recorded_by_id,
            a.actor, x.channel, x.occurred_at, a.at, p_detail);
    m := (false, x.subject, x.id, v_case, v_reference, v_to, v_version,
          log_by(a, x.subject || ':' || x.event, 'done', x.subject, x.id, v_case, x.log), a.at);
    IF x.partners = 'before' THEN
        PERFORM publish_to_partners(x.id, 'case.lead_changing', a.at);
    ELSIF x.partners = 'after' THEN
        PERFORM publish(x.subject, x.id, x.subject || '.' || v_to, x.tells, a.at, NULL);
        PERFORM apply_handover(x.id, a.at);
        PERFORM publish_to_partners(x.id, 'case.lead_changed', a.at);
        x.tells := '{}';
    END IF;
    IF cardinality(x.tells) > 0 THEN
        PERFORM publish(x.subject, x.id, x.subject || '.' || CASE WHEN x.to_state IS NULL OR v_from = v_to THEN x.event ELSE v_to END, x.tells, a.at,
                        x.not_kinds);
    END IF;
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Says which of the conditions did not hold: 404, 409, 412. One read.
CREATE FUNCTION refuse_move(a acting, p_subject text, p_id uuid, p_from text[], p_party text, p_seen integer, p_digest text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_state text; v_version integer; v_sender uuid; v_receiver uuid; v_digest text; v_party text;
BEGIN
    IF p_subject = 'referral' THEN
        SELECT state, version, sender_id, receiver_id INTO v_state, v_version, v_sender, v_receiver FROM referral WHERE id = p_id;
    ELSE
        SELECT state, version, sender_id, receiver_id, manifest_digest INTO v_state, v_version, v_sender, v_receiver, v_digest
        FROM transfer WHERE id = p_id;
    END IF;
    IF v_state IS NULL THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    v_party := CASE a.agency WHEN v_sender THEN 'sender' WHEN v_receiver THEN 'receiver' ELSE 'lead' END;
    IF v_state = ANY (p_from) AND (p_party = v_party OR (p_party = 'either' AND v_party <> 'lead')) THEN
        IF v_version IS DISTINCT FROM p_seen AND p_seen IS NOT NULL THEN
            RAISE EXCEPTION 'stale' USING ERRCODE = 'RJ412', DETAIL = jsonb_build_object('state', v_state, 'version', v_version)::text;
        END IF;
        IF v_digest IS DISTINCT FROM p_digest AND p_digest IS NOT NULL THEN
            RAISE EXCEPTION 'another manifest' USING ERRCODE = 'RJ027', DETAIL = jsonb_build_object('state', v_state, 'version', v_version)::text;
        END IF;  -- else it became possible only after it was tried
    END IF;
    RAISE EXCEPTION 'not now' USING ERRCODE = 'RJ409',
        DETAIL = jsonb_build_object('subject', p_subject, 'state', v_state, 'version', v_version, 'party', v_party)::text;
END $$;
