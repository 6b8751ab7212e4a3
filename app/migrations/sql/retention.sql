-- What is erased, when, and the proof of it. The periods come from app/exchange/retention/table.py; here stand the acts.

-- One row an erasure, also one that a restore replayed: the list outside the database is compared with it. No foreign key: it outlives all.
CREATE TABLE erasure (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('record', 'access', 'words', 'proof')),
    row_id uuid NOT NULL,  -- of kind record: the version; else the case
    sections text[],  -- of words: null, if all
    cause text NOT NULL CHECK (cause IN ('retention', 'subject_request', 'retraction')),
    cause_id uuid,
    before_at timestamptz NOT NULL,  -- of words, proof and access: what was recorded until then
    recorded_at timestamptz NOT NULL,
    replayed boolean NOT NULL DEFAULT false
);
CREATE INDEX erasure_case ON erasure (case_id, kind);
ALTER TABLE erasure ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasure FORCE ROW LEVEL SECURITY;
CREATE POLICY by_definer ON erasure TO rujukan_definer USING (true) WITH CHECK (true);
CREATE POLICY seen_by_lead ON erasure FOR SELECT TO rujukan_app USING (is_lead(case_id));
GRANT SELECT ON erasure TO rujukan_app;
GRANT SELECT, INSERT ON erasure TO rujukan_definer;

-- Whether every holder asked has answered, or long enough ago was asked in vain.
CREATE FUNCTION holders_settled(p_cause text, p_subject_id uuid, p_case uuid, p_since timestamptz, p_at timestamptz, p_patience interval)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT p_since + p_patience <= p_at OR NOT EXISTS (
        SELECT FROM request r WHERE r.case_id = p_case AND r.kind = 'erasure' AND r.cause = p_cause AND r.subject_id = p_subject_id AND r.state = 'open')
$$;

-- Whether a kind has been erased by retention since the case was closed and the last hold on it ended.
CREATE FUNCTION erased_since_closing(p_case uuid, p_kind text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM erasure e JOIN case_file c ON c.id = e.case_id
        WHERE e.case_id = p_case AND e.kind = p_kind AND e.cause = 'retention' AND e.recorded_at >= greatest(
            c.closed_at, (SELECT max(h.ended_at) FROM legal_hold h WHERE h.case_id = c.id)))
$$;

-- What is due for erasure, without what a hold keeps. The periods are counted from the case's closing; reopening it stops them.
CREATE FUNCTION due_erasures(
    p_at timestamptz, p_specific_sections text[], p_specific interval, p_general interval, p_access interval, p_words interval, p_proof interval,
    p_patience interval, p_limit integer
) RETURNS TABLE (kind text, case_id uuid, row_id uuid, sections text[], cause text, cause_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH wanted AS (
        SELECT v.case_id, v.id, 'retraction' AS cause, v.id AS cause_id, v.sections AS sections
        FROM record_version v
        WHERE v.retracted_at IS NOT NULL AND v.erased_sections <> v.sections
          AND holders_settled('version_retracted', v.id, v.case_id, v.retracted_at, p_at, p_patience)
        UNION ALL
        SELECT v.case_id, v.id, 'subject_request', q.id, q.answered_sections
        FROM subject_request q JOIN record_version v ON v.case_id = q.case_id AND v.recorded_at <= q.answered_at
        WHERE q.kind = 'erase' AND q.answer <> 'refused' AND q.erased_at IS NULL
          AND holders_settled('erasure_asked', q.id, q.case_id, q.answered_at, p_at, p_patience)
        UNION ALL
        SELECT v.case_id, v.id, 'retention', NULL, ARRAY(
            SELECT s FROM unnest(v.sections) AS s
            WHERE c.closed_at + CASE WHEN s = ANY (p_specific_sections) THEN p_specific ELSE p_general END <= p_at)
        FROM case_file c JOIN record_version v ON v.case_id = c.id
        WHERE c.state = 'closed' AND c.closed_at <= p_at - least(p_specific, p_general) AND v.erased_sections <> v.sections
    ), gone AS (
        SELECT w.case_id, w.id, w.cause, w.cause_id, ARRAY(
            SELECT s FROM unnest(w.sections) AS s
            WHERE s = ANY (v.sections) AND s <> ALL (v.erased_sections) AND s <> ALL (held_of_version(w.case_id, w.id, p_at))) AS sections
        FROM wanted w JOIN record_version v ON v.id = w.id AND v.case_id = w.case_id
    )
    SELECT 'record', g.case_id, g.id, g.sections, g.cause, g.cause_id FROM gone g WHERE g.sections <> '{}' LIMIT p_limit;

    RETURN QUERY
    SELECT 'words', q.case_id, q.case_id, q.answered_sections, 'subject_request', q.id FROM subject_request q
    WHERE q.kind = 'erase' AND q.answer <> 'refused' AND q.erased_at IS NULL
      AND holders_settled('erasure_asked', q.id, q.case_id, q.answered_at, p_at, p_patience)
      AND NOT EXISTS (SELECT FROM record_version v, unnest(v.sections) AS s
                      WHERE v.case_id = q.case_id AND v.recorded_at <= q.answered_at AND s = ANY (q.answered_sections) AND s <> ALL (v.erased_sections))
    LIMIT p_limit;

    RETURN QUERY
    SELECT k.kind, c.id, c.id, NULL::text[], 'retention', NULL::uuid
    FROM case_file c, (VALUES ('access', p_access), ('words', p_words), ('proof', p_proof)) AS k (kind, period)
    WHERE c.state = 'closed' AND c.closed_at <= p_at - k.period
      AND NOT (k.kind = 'proof' AND held_sections(c.id, p_at) <> '{}')
      AND NOT erased_since_closing(c.id, k.kind)
    LIMIT p_limit;
END $$;

-- Who may erase what is not due: the database's owner, after a restore. The worker only ever what is.
CREATE FUNCTION may_replay() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT pg_has_role(session_user, 'rujukan_definer', 'MEMBER') $$;

CREATE FUNCTION is_erasing(p_case uuid, p_version uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM case_file WHERE id = p_case AND state = 'closed')
        OR EXISTS (SELECT FROM record_version WHERE id = p_version AND case_id = p_case AND retracted_at IS NOT NULL)
        OR EXISTS (SELECT FROM subject_request WHERE case_id = p_case AND kind = 'erase' AND answer <> 'refused' AND erased_at IS NULL)
$$;

-- What of a version stays when p_gone goes, to be sealed anew under a fresh key; only of what is being erased.
CREATE FUNCTION staying_content(p_case uuid, p_version uuid, p_gone text[])
RETURNS TABLE (sections text[], staying text[], wrapped_key bytea, parts bytea[], preview bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT (may_replay() OR is_erasing(p_case, p_version)) THEN
        RAISE EXCEPTION 'nothing of it is being erased' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN QUERY
    SELECT v.sections, ARRAY(SELECT s FROM unnest(v.sections) WITH ORDINALITY AS u(s, n) WHERE s <> ALL (p_gone) AND s <> ALL (v.erased_sections) ORDER BY n),
           k.wrapped_key,
           ARRAY(SELECT u.part FROM unnest(v.sections, k.parts) WITH ORDINALITY AS u(s, part, n)
                 WHERE u.s <> ALL (p_gone) AND u.s <> ALL (v.erased_sections) ORDER BY n),
           v.preview
    FROM record_version v JOIN record_content k ON k.version_id = v.id AND k.case_id = v.case_id
    WHERE v.id = p_version AND v.case_id = p_case;
END $$;

-- The proof, in the transaction of the act. False: it is proved already.
CREATE FUNCTION prove_erasure(
    p_id uuid, p_case uuid, p_kind text, p_row uuid, p_sections text[], p_cause text, p_cause_id uuid, p_before timestamptz, p_at timestamptz, p_actor text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO erasure (id, case_id, kind, row_id, sections, cause, cause_id, before_at, recorded_at, replayed)
    VALUES (p_id, p_case, p_kind, p_row, p_sections, p_cause, p_cause_id, p_before, p_at, p_actor IS NOT NULL) ON CONFLICT (id) DO NOTHING;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM append_log(p_at, NULL, NULL, p_actor, NULL, CASE WHEN p_actor IS NULL THEN 'erasure:apply' ELSE 'erasure:replay' END, 'done',
        CASE p_kind WHEN 'record' THEN 'record_version' ELSE 'case' END, p_row, p_case,
        jsonb_strip_nulls(jsonb_build_object('erasure', p_id, 'kind', p_kind, 'sections', to_jsonb(p_sections), 'cause', p_cause, 'cause_id', p_cause_id)));
    RETURN true;
END $$;

-- Erases sections of a version: its key goes, and what stays comes back under p_key, in p_parts in the order of the version's sections (empty
-- where nothing is), and last an empty salt: by the salt and what stays one could guess what went. Without p_key all of it goes. False: it is
-- not due any more, is held, or has changed since it was read.
CREATE FUNCTION erase_sections(
    p_id uuid, p_case uuid, p_version uuid, p_gone text[], p_seen_key bytea, p_key bytea, p_parts bytea[], p_preview bytea, p_cause text, p_cause_id uuid,
    p_at timestamptz, p_actor text
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v record_version; v_key bytea; v_erased text[];
BEGIN
    IF p_actor IS NOT NULL AND NOT may_replay() THEN
        RAISE EXCEPTION 'only the owner replays' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- the case's row first, as a hold does: whichever comes second sees the other
    PERFORM FROM case_file WHERE id = p_case FOR NO KEY UPDATE;
    SELECT * INTO v FROM record_version WHERE id = p_version AND case_id = p_case FOR NO KEY UPDATE;
    IF p_actor IS NULL AND (held_of_version(p_case, p_version, p_at) && p_gone OR NOT is_erasing(p_case, p_version) OR p_gone <@ v.erased_sections) THEN
        RETURN false;
    END IF;
    SELECT k.wrapped_key INTO v_key FROM record_content k WHERE k.version_id = p_version AND k.case_id = p_case FOR UPDATE;
    IF v_key IS DISTINCT FROM p_seen_key THEN
        RETURN false;
    END IF;
    v_erased := ARRAY(SELECT s FROM unnest(v.sections) AS s WHERE s = ANY (v.erased_sections) OR s = ANY (p_gone));
    IF p_key IS NULL AND v_erased IS DISTINCT FROM v.sections AND v_key IS NOT NULL THEN
        RAISE EXCEPTION 'what stays must be sealed anew' USING ERRCODE = 'check_violation';
    END IF;
    IF p_key IS NULL THEN
        UPDATE record_content SET wrapped_key = '', parts = '{}' WHERE version_id = p_version AND case_id = p_case;
        DELETE FROM record_content WHERE version_id = p_version AND case_id = p_case;
    ELSE
        IF cardinality(p_parts) <> cardinality(v.sections) + 1 OR p_parts[cardinality(p_parts)] <> '' THEN
            RAISE EXCEPTION 'one part for each section, and no salt any more' USING ERRCODE = 'check_violation';
        END IF;
        UPDATE record_content SET wrapped_key = p_key, parts = p_parts WHERE version_id = p_version AND case_id = p_case;
    END IF;
    UPDATE record_version SET erased_sections = v_erased, preview = p_preview WHERE id = p_version AND case_id = p_case;
    PERFORM erase_files(p_case, p_version, p_gone, p_at);
    PERFORM prove_erasure(p_id, p_case, 'record', p_version, p_gone, p_cause, p_cause_id, p_at, p_at, p_actor);
    RETURN true;
END $$;

-- Erases what was said, of one case: `words` (moves and notes, decisions, texts of links and reassignments; with p_sections only notes of these),
-- `proof` (consents, withdrawals, corrections, reasons, requests), and ends `access` of everybody but the lead. p_before: what was recorded until then.
CREATE FUNCTION erase_words(
    p_id uuid, p_case uuid, p_kind text, p_sections text[], p_before timestamptz, p_cause text, p_cause_id uuid, p_at timestamptz, p_actor text
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE c case_file; v_held text[];
BEGIN
    IF p_actor IS NOT NULL AND NOT may_replay() THEN
        RAISE EXCEPTION 'only the owner replays' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO c FROM case_file WHERE id = p_case FOR NO KEY UPDATE;
    v_held := CASE WHEN p_actor IS NULL THEN held_sections(p_case, p_at) ELSE '{}' END;
    IF p_actor IS NULL AND (
        (p_cause = 'retention' AND (c.state IS DISTINCT FROM 'closed' OR erased_since_closing(p_case, p_kind))) OR (p_kind = 'proof' AND v_held <> '{}')
        OR (p_cause = 'subject_request' AND (v_held && p_sections OR NOT EXISTS (
            SELECT FROM subject_request q WHERE q.id = p_cause_id AND q.case_id = p_case AND q.kind = 'erase' AND q.answer <> 'refused' AND q.erased_at IS NULL)))) THEN
        RETURN false;
    END IF;
    IF p_kind = 'access' THEN
        UPDATE disclosure d SET closed_at = p_at WHERE d.case_id = p_case AND d.closed_at IS NULL AND d.receiver_id <> c.lead_id AND d.recorded_at <= p_before;
    ELSIF p_kind = 'words' THEN
        UPDATE move m SET detail = NULL WHERE m.case_id = p_case AND m.detail IS NOT NULL AND m.recorded_at <= p_before
            AND (p_sections IS NULL OR m.section = ANY (p_sections)) AND (m.section IS NULL OR m.section <> ALL (v_held));
        IF p_sections IS NULL THEN
            UPDATE victim_status SET detail = NULL WHERE case_id = p_case AND recorded_at <= p_before;
            UPDATE case_link SET detail = NULL WHERE case_id = p_case AND proposed_at <= p_before;
            UPDATE case_link SET end_detail = NULL WHERE ended_by_case_id = p_case AND updated_at <= p_before;
            UPDATE reassignment SET detail = NULL, end_detail = NULL WHERE case_id = p_case AND updated_at <= p_before;
        END IF;
    ELSE
        UPDATE consent SET detail = NULL WHERE case_id = p_case AND recorded_at <= p_before;
        PERFORM erase_evidence(p_case, p_before, p_at);
        UPDATE consent_withdrawal SET detail = NULL WHERE case_id = p_case AND recorded_at <= p_before;
        UPDATE consent_reconfirmation SET detail = NULL WHERE case_id = p_case AND recorded_at <= p_before;
        UPDATE review SET ground = NULL WHERE case_id = p_case AND opened_at <= p_before;
        UPDATE emergency_access SET detail = NULL WHERE case_id = p_case AND started_at <= p_before;
        UPDATE correction SET detail = NULL WHERE case_id = p_case AND recorded_at <= p_before;
        UPDATE disclosure SET reason = NULL WHERE case_id = p_case AND recorded_at <= p_before;
        UPDATE request SET detail = NULL, answer_detail = NULL WHERE case_id = p_case AND recorded_at <= p_before;
        UPDATE subject_request SET detail = NULL, answer_detail = NULL, lift_detail = NULL WHERE case_id = p_case AND recorded_at <= p_before;
        UPDATE legal_hold SET detail = NULL, end_detail = NULL WHERE case_id = p_case AND placed_at <= p_before;
        UPDATE legal_hold_review SET detail = NULL WHERE case_id = p_case AND recorded_at <= p_before;
    END IF;
    IF p_cause = 'subject_request' THEN
        UPDATE subject_request SET erased_at = p_at WHERE id = p_cause_id AND case_id = p_case;
    END IF;
    PERFORM prove_erasure(p_id, p_case, p_kind, p_case, p_sections, p_cause, p_cause_id, p_before, p_at, p_actor);
    RETURN true;
END $$;

CREATE FUNCTION unknown_erasures(p_ids uuid[]) RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT u FROM unnest(p_ids) AS u WHERE NOT EXISTS (SELECT FROM erasure e WHERE e.id = u);
END $$;

-- What others wrote of a case, for its lead who gives the person a copy: that it exists and whose it is, so that the person can ask there.
CREATE FUNCTION versions_elsewhere(p_case uuid) RETURNS TABLE (author_id uuid, recorded_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF is_lead(p_case) THEN
        RETURN QUERY SELECT v.author_id, v.recorded_at FROM record_version v
                     WHERE v.case_id = p_case AND v.author_id <> current_agency() AND v.retracted_at IS NULL ORDER BY v.number;
    END IF;
END $$;

-- The parts of a version a lead may read, for the preview of retention: names only.
CREATE FUNCTION kept_of_case(p_case uuid) RETURNS TABLE (version_id uuid, number integer, sections text[], erased_sections text[], file_sections text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF is_lead(p_case) THEN
        RETURN QUERY SELECT v.id, v.number, v.sections, v.erased_sections,
                            ARRAY(SELECT DISTINCT r.section FROM record_attachment r WHERE r.version_id = v.id AND r.case_id = v.case_id)
                     FROM record_version v WHERE v.case_id = p_case ORDER BY v.number;
    END IF;
END $$;

-- Tells the leads of cases that are open, and in which nothing has happened since p_before: what is kept is counted from the closing, so one
-- that nobody closes would be kept for ever. Told again after as long. Returns how many.
CREATE FUNCTION remind_of_idle_cases(p_at timestamptz, p_idle interval, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_before timestamptz := p_at - p_idle; v_count integer;
BEGIN
    WITH idle AS (
        SELECT c.id FROM case_file c
        WHERE c.state <> 'closed' AND c.updated_at < v_before AND (c.idle_told_at IS NULL OR c.idle_told_at < v_before)
          AND NOT EXISTS (SELECT FROM referral r WHERE r.case_id = c.id AND r.updated_at >= v_before)
          AND NOT EXISTS (SELECT FROM transfer t WHERE t.case_id = c.id AND t.updated_at >= v_before)
        ORDER BY c.updated_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
    ), told AS (
        UPDATE case_file c SET idle_told_at = p_at FROM idle WHERE c.id = idle.id RETURNING c.id, c.lead_id, c.state
    )
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT lead_id, 'case.idle', 'case', id, id, state, p_at FROM told;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;

GRANT UPDATE (wrapped_key, parts), DELETE ON record_content TO rujukan_definer;
GRANT UPDATE (erased_sections, preview) ON record_version TO rujukan_definer;
GRANT SELECT, UPDATE (detail) ON consent, consent_withdrawal, consent_reconfirmation, correction, victim_status TO rujukan_definer;
GRANT UPDATE (detail, end_detail) ON reassignment TO rujukan_definer;
CREATE POLICY by_definer ON victim_status TO rujukan_definer USING (true) WITH CHECK (true);

DO $$
DECLARE f text;
BEGIN
    GRANT CREATE ON SCHEMA public TO rujukan_definer;
    FOREACH f IN ARRAY ARRAY[
        'due_erasures(timestamptz,text[],interval,interval,interval,interval,interval,interval,integer)', 'staying_content(uuid,uuid,text[])',
        'erase_sections(uuid,uuid,uuid,text[],bytea,bytea,bytea[],bytea,text,uuid,timestamptz,text)',
        'erase_words(uuid,uuid,text,text[],timestamptz,text,uuid,timestamptz,text)', 'unknown_erasures(uuid[])',
        'remind_of_idle_cases(timestamptz,interval,integer)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_worker, %I', f, current_user);
    END LOOP;
    FOREACH f IN ARRAY ARRAY['versions_elsewhere(uuid)', 'kept_of_case(uuid)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
END $$;
GRANT EXECUTE ON FUNCTION unknown_erasures(uuid[]) TO rujukan_app;
GRANT EXECUTE ON FUNCTION holders_settled(text,uuid,uuid,timestamptz,timestamptz,interval), may_replay(), is_erasing(uuid,uuid), erased_since_closing(uuid,text),
    prove_erasure(uuid,uuid,text,uuid,text[],text,uuid,timestamptz,timestamptz,text) TO rujukan_definer;
