-- With which record, or which act of consent, a file goes; who may read it there; and how it ends with what it goes with.

-- A file that proves a consent, or its reconfirmation: a recording, a scan of what was signed. Read by who may read the consent.
CREATE TABLE consent_attachment (
    case_id uuid NOT NULL,
    consent_id uuid NOT NULL,
    act_id uuid NOT NULL,  -- the consent itself, or the reconfirmation that the file proves
    attachment_id uuid NOT NULL REFERENCES attachment,
    PRIMARY KEY (case_id, act_id),
    FOREIGN KEY (consent_id, case_id) REFERENCES consent (id, case_id)
);
CREATE INDEX consent_attachment_file ON consent_attachment (attachment_id);
ALTER TABLE consent_attachment ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent_attachment FORCE ROW LEVEL SECURITY;

-- Whether a file's uploader has taken back every version of its own that the file goes with: then it is another person's, and there for nobody: not
-- for its uploader, and not for those to whom a holder passed it on in a version of the holder's own.
CREATE FUNCTION is_retracted_file(p_attachment uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(bool_and(v.retracted_at IS NOT NULL), false) FROM record_attachment r
            JOIN attachment a ON a.id = r.attachment_id
            JOIN record_version v ON v.id = r.version_id AND v.case_id = r.case_id AND v.author_id = a.agency_id
            WHERE r.attachment_id = p_attachment);
END $$;

-- The case that a file of the caller's goes with something of, or NULL: then it is its uploader's alone, and is cleared away when nothing takes it in
-- time. The worker, who clears away, asks of any.
CREATE FUNCTION case_of_file(p_attachment uuid) RETURNS uuid LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT (pg_has_role(session_user, 'rujukan_worker', 'MEMBER')
            OR EXISTS (SELECT FROM attachment a WHERE a.id = p_attachment AND a.agency_id = current_agency())) THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT case_id FROM record_attachment WHERE attachment_id = p_attachment
            UNION ALL SELECT case_id FROM consent_attachment WHERE attachment_id = p_attachment LIMIT 1);
END $$;

-- Whether a file is the caller's, or open to it with something of the case that was sent to it: both its sections, in one version. p_at: also that what
-- they rest on has not run out.
CREATE FUNCTION holds_file(p_attachment uuid, p_case uuid, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_me uuid := current_agency();
BEGIN
    RETURN EXISTS (SELECT FROM attachment a WHERE a.id = p_attachment AND a.agency_id = v_me) OR EXISTS (
        SELECT FROM record_attachment r JOIN record_version v ON v.id = r.version_id AND v.case_id = r.case_id
        WHERE r.attachment_id = p_attachment AND r.case_id = p_case AND v.retracted_at IS NULL
          AND ARRAY[r.section, 'attachments'] <@ (
              SELECT coalesce(array_agg(s), '{}') FROM disclosure d, unnest(d.sections) AS s
              WHERE d.version_id = v.id AND d.receiver_id = v_me AND d.closed_at IS NULL AND d.locked_at IS NULL
                AND (p_at IS NULL OR d.until_at IS NULL OR d.until_at > p_at)
                AND CASE WHEN d.origin_id IS NULL THEN d.opened_at IS NOT NULL ELSE EXISTS (
                    SELECT FROM disclosure o WHERE o.subject_id = d.origin_id AND o.receiver_id = d.receiver_id
                    AND o.opened_at IS NOT NULL AND o.closed_at IS NULL AND o.locked_at IS NULL AND s = ANY (o.sections)) END));
END $$;

-- A file is read as a part of the record would be that lies in two sections at once: its own, and the list of papers that names it. The content's
-- own policy says whether the version is open at all; each of the two sections must rest on something that is open, too. Who passes on
-- another's file in a version of its own has the file as long as it holds it, and not for having named it.
CREATE POLICY of_open_sections ON record_attachment FOR SELECT TO rujukan_app USING (EXISTS (
    SELECT FROM record_content c WHERE c.version_id = record_attachment.version_id AND c.case_id = record_attachment.case_id
    AND CASE WHEN c.author_id = (SELECT current_agency()) THEN holds_file(record_attachment.attachment_id, c.case_id, NULL) ELSE NOT EXISTS (
        SELECT FROM unnest(ARRAY[record_attachment.section, 'attachments']) AS s WHERE NOT EXISTS (
            SELECT FROM disclosure d WHERE d.version_id = c.version_id AND d.receiver_id = (SELECT current_agency())
            AND d.closed_at IS NULL AND d.locked_at IS NULL AND s = ANY (d.sections)
            AND CASE WHEN d.origin_id IS NULL THEN d.opened_at IS NOT NULL ELSE EXISTS (
                SELECT FROM disclosure o WHERE o.subject_id = d.origin_id AND o.receiver_id = d.receiver_id
                AND o.opened_at IS NOT NULL AND o.closed_at IS NULL AND o.locked_at IS NULL AND s = ANY (o.sections)) END)) END));
CREATE POLICY as_the_consent ON consent_attachment FOR SELECT TO rujukan_app USING (
    EXISTS (SELECT FROM consent c WHERE c.id = consent_attachment.consent_id AND c.case_id = consent_attachment.case_id));
CREATE POLICY of_read_consents ON attachment FOR SELECT TO rujukan_app
    USING (EXISTS (SELECT FROM consent_attachment e WHERE e.attachment_id = attachment.id));
CREATE POLICY not_retracted ON attachment AS RESTRICTIVE FOR SELECT TO rujukan_app USING (NOT is_retracted_file(id));
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['record_attachment', 'consent_attachment'] LOOP
        EXECUTE format('CREATE POLICY by_definer ON %I TO rujukan_definer USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;

-- Why a file cannot go with something of a case, or NULL. Whether it is unknown, another agency's or erased is not told apart to who may not have it.
CREATE FUNCTION file_fault(t attachment, p_case uuid, p_held boolean, p_at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN t.id IS NULL OR (t.agency_id IS DISTINCT FROM current_agency() AND NOT p_held) THEN 'unknown_attachment'
        WHEN EXISTS (SELECT FROM record_attachment r WHERE r.attachment_id = t.id AND r.case_id <> p_case)
          OR EXISTS (SELECT FROM consent_attachment e WHERE e.attachment_id = t.id AND e.case_id <> p_case) THEN 'attachment_of_another_case'
        WHEN t.state IN ('uploading', 'scanning') THEN 'attachment_not_ready'
        WHEN t.state = 'rejected' THEN 'attachment_rejected'
        WHEN t.state <> 'ready' OR t.expires_at <= p_at OR is_retracted_file(t.id) THEN 'attachment_gone'
    END
$$;

-- Whether the caller holds a file of another agency with something of this case, and may pass it on: as it may send that version again. Having passed
-- it on once, in a version of its own, is no right to do it again.
CREATE FUNCTION may_pass_on_file(p_attachment uuid, p_case uuid, p_at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM record_attachment r JOIN record_version v ON v.id = r.version_id AND v.case_id = r.case_id
        WHERE r.attachment_id = p_attachment AND r.case_id = p_case AND v.retracted_at IS NULL
          AND ARRAY[r.section, 'attachments'] <@ (
              SELECT coalesce(array_agg(s), '{}') FROM disclosure d, unnest(d.sections) AS s
              WHERE d.version_id = v.id AND d.receiver_id = current_agency() AND d.origin_id IS NULL AND d.opened_at IS NOT NULL
                AND d.closed_at IS NULL AND d.locked_at IS NULL AND (d.until_at IS NULL OR d.until_at > p_at) AND (d.onward OR is_lead(p_case))))
$$;

-- Binds the files that a version's papers name. p_files: `plain`, the sections that are in the record and not sealed, and `papers`, each with the
-- file's `id` and its `place` in the list. Refuses all with pointers if one cannot go; a file that goes stays for as long as the record does.
CREATE FUNCTION bind_files(p_version uuid, p_case uuid, p_files jsonb, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v record_version; f record; t attachment; v_why text; v_faults jsonb := '[]';
BEGIN
    SELECT * INTO v FROM record_version WHERE id = p_version AND case_id = p_case;
    IF current_agency() IS NULL OR v.author_id IS DISTINCT FROM current_agency() THEN
        RAISE EXCEPTION 'only its author says which files go with a record' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR f IN SELECT * FROM jsonb_to_recordset(p_files->'papers') AS x(id uuid, place integer) ORDER BY x.id LOOP
        SELECT * INTO t FROM attachment WHERE id = f.id FOR NO KEY UPDATE;  -- whoever binds it at this moment, or clears it away, is waited for
        v_why := file_fault(t, p_case, may_pass_on_file(t.id, p_case, p_at), p_at);
        IF v_why IS NULL THEN
            v_why := CASE
                WHEN EXISTS (SELECT FROM consent_attachment e WHERE e.attachment_id = t.id) THEN 'attachment_is_evidence'
                WHEN t.section <> ALL (v.sections) THEN 'section_not_included'
                WHEN NOT p_files->'plain' ? t.section THEN 'section_sealed'
            END;
        END IF;
        IF v_why IS NULL THEN
            INSERT INTO record_attachment (version_id, case_id, attachment_id, section) VALUES (p_version, p_case, t.id, t.section);
            UPDATE attachment SET expires_at = NULL, due_at = NULL WHERE id = t.id AND expires_at IS NOT NULL;
        ELSE
            v_faults := v_faults || jsonb_build_object('pointer', format('/record/attachments/papers/%s/file', f.place), 'code', v_why, 'place', f.place);
        END IF;
    END LOOP;
    IF v_faults <> '[]' THEN
        RAISE EXCEPTION 'files that cannot go' USING ERRCODE = 'RJ130', DETAIL = jsonb_build_object('errors', (
            SELECT jsonb_agg(e - 'place' ORDER BY (e->>'place')::integer) FROM jsonb_array_elements(v_faults) AS e))::text;
    END IF;
END $$;

-- Binds the file that proves an act of consent. p_file: its `id`, and under what pointer the consent stands in the request.
CREATE FUNCTION bind_evidence(p_case uuid, p_consent uuid, p_act uuid, p_file jsonb, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE t attachment; v_why text;
BEGIN
    IF p_file IS NULL OR p_file = 'null' THEN
        RETURN;
    END IF;
    IF current_agency() IS NULL OR NOT EXISTS (
        SELECT FROM consent c WHERE c.id = p_consent AND c.case_id = p_case AND c.id = p_act AND c.author_id = current_agency()
        UNION ALL SELECT FROM consent_reconfirmation k
        WHERE k.id = p_act AND k.consent_id = p_consent AND k.case_id = p_case AND k.agency_id = current_agency()) THEN
        RAISE EXCEPTION 'only who recorded it proves a consent' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO t FROM attachment WHERE id = (p_file->>'id')::uuid FOR NO KEY UPDATE;
    v_why := file_fault(t, p_case, false, p_at);
    IF v_why IS NULL AND EXISTS (SELECT FROM record_attachment r WHERE r.attachment_id = t.id) THEN
        v_why := 'attachment_of_a_record';
    END IF;
    IF v_why IS NOT NULL THEN
        RAISE EXCEPTION 'a file that proves nothing' USING ERRCODE = 'RJ130', DETAIL = jsonb_build_object('errors', jsonb_build_array(
            jsonb_build_object('pointer', coalesce(p_file->>'under', '') || '/evidence/attachment', 'code', v_why)))::text;
    END IF;
    INSERT INTO consent_attachment (case_id, consent_id, act_id, attachment_id) VALUES (p_case, p_consent, p_act, t.id);
    UPDATE attachment SET expires_at = NULL, due_at = NULL WHERE id = t.id AND expires_at IS NOT NULL;
END $$;

-- Which files come with a referral or transfer, by section and without a word of them, for its two parties: whether they can be read is for the
-- caller to find out. Of what kind and size they are learns its receiver, and of who stands as the sender who has them: not a new lead that took
-- the place of the one who sent them.
CREATE FUNCTION files_that_come(p_subject text, p_id uuid) RETURNS TABLE (attachment_id uuid, section text, media_type text, size bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT a.id, r.section, CASE WHEN s.is_receiver OR h.it THEN a.media_type END, CASE WHEN s.is_receiver OR h.it THEN a.size END
    FROM (SELECT x.version_id, x.case_id, x.receiver_id = current_agency() AS is_receiver FROM referral x WHERE p_subject = 'referral' AND x.id = p_id AND current_agency() IN (x.sender_id, x.receiver_id)
          UNION ALL
          SELECT x.version_id, x.case_id, x.receiver_id = current_agency() FROM transfer x WHERE p_subject = 'transfer' AND x.id = p_id AND current_agency() IN (x.sender_id, x.receiver_id)) AS s
         JOIN record_version v ON v.id = s.version_id AND v.case_id = s.case_id AND v.retracted_at IS NULL
         JOIN record_attachment r ON r.version_id = s.version_id AND r.case_id = s.case_id JOIN attachment a ON a.id = r.attachment_id
         CROSS JOIN LATERAL (SELECT holds_file(a.id, s.case_id, NULL) AS it) AS h
    WHERE a.state = 'ready' AND NOT is_retracted_file(a.id) ORDER BY a.id;
END $$;

-- The sections of a version that holds keep from erasure. A file lies in two: a hold on either keeps both, where the file is.
CREATE FUNCTION held_of_version(p_case uuid, p_version uuid, p_at timestamptz) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN h.held = '{}' THEN h.held ELSE ARRAY(
        SELECT unnest(h.held)
        UNION SELECT 'attachments' FROM record_attachment r WHERE r.version_id = p_version AND r.case_id = p_case AND r.section = ANY (h.held)
        UNION SELECT r.section FROM record_attachment r WHERE r.version_id = p_version AND r.case_id = p_case AND 'attachments' = ANY (h.held)) END
    FROM (SELECT held_sections(p_case, p_at) AS held) AS h
$$;

-- Erases the files of sections of a version; one that another version of the case still has stays with that, unless its uploader has taken back
-- what it sent it with: then no version keeps it. Called by erase_sections, which holds the case's row, and by nobody else.
CREATE FUNCTION erase_files(p_case uuid, p_version uuid, p_gone text[], p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v uuid; v_taken_back uuid[];
BEGIN
    v_taken_back := ARRAY(SELECT r.attachment_id FROM record_attachment r
                          WHERE r.version_id = p_version AND r.case_id = p_case AND is_retracted_file(r.attachment_id));
    FOR v IN DELETE FROM record_attachment r WHERE r.version_id = p_version AND r.case_id = p_case AND ARRAY[r.section, 'attachments'] && p_gone
             RETURNING r.attachment_id LOOP
        IF v = ANY (v_taken_back) OR NOT EXISTS (SELECT FROM record_attachment r WHERE r.attachment_id = v) THEN
            PERFORM destroy_attachment(v, 'erased', 'erased', p_at);
        END IF;
    END LOOP;
END $$;

-- Erases what proves the consents of a case, with the rest of what was said of them. Called by erase_words and by nobody else.
CREATE FUNCTION erase_evidence(p_case uuid, p_before timestamptz, p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v uuid;
BEGIN
    FOR v IN DELETE FROM consent_attachment e USING consent c
             WHERE e.case_id = p_case AND c.id = e.consent_id AND c.case_id = e.case_id AND c.recorded_at <= p_before
             RETURNING e.attachment_id LOOP
        IF NOT EXISTS (SELECT FROM consent_attachment e WHERE e.attachment_id = v) THEN
            PERFORM destroy_attachment(v, 'erased', 'erased', p_at);
        END IF;
    END LOOP;
END $$;

REVOKE INSERT ON record_attachment FROM rujukan_app;
GRANT SELECT ON record_attachment, consent_attachment TO rujukan_app;
GRANT SELECT, INSERT, DELETE ON record_attachment, consent_attachment TO rujukan_definer;
DO $$
DECLARE f text;
BEGIN
    GRANT CREATE ON SCHEMA public TO rujukan_definer;
    FOREACH f IN ARRAY ARRAY['is_retracted_file(uuid)', 'holds_file(uuid,uuid,timestamptz)', 'case_of_file(uuid)', 'bind_files(uuid,uuid,jsonb,timestamptz)', 'bind_evidence(uuid,uuid,uuid,jsonb,timestamptz)',
                             'files_that_come(text,uuid)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
END $$;
GRANT EXECUTE ON FUNCTION case_of_file(uuid) TO rujukan_worker;
GRANT EXECUTE ON FUNCTION file_fault(attachment,uuid,boolean,timestamptz), may_pass_on_file(uuid,uuid,timestamptz), held_of_version(uuid,uuid,timestamptz),
    erase_files(uuid,uuid,text[],timestamptz), erase_evidence(uuid,timestamptz,timestamptz) TO rujukan_definer;
