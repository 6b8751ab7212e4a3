-- Notes: each is a move (its text sealed with it), and here what kind of note it is, what it answers, and its place among the notes of its referral
-- or transfer. The place is given while the row of what it is about is locked: whoever has seen one place has seen all before it.
CREATE TABLE note (
    move_id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    subject text NOT NULL CHECK (subject IN ('referral', 'transfer')),
    subject_id uuid NOT NULL,
    number integer NOT NULL,
    author_id uuid NOT NULL REFERENCES agency (id),
    kind text NOT NULL CHECK (kind IN ('question', 'answer', 'information')),
    in_reply_to uuid CHECK (in_reply_to IS NULL OR kind = 'answer'),
    for_other boolean NOT NULL,  -- whether it was for the other side to read when it was written; else it waits for nobody
    PRIMARY KEY (move_id, case_id),
    UNIQUE (subject_id, number, case_id)
);

-- How far an agency has read the notes of a referral or transfer, and how many of the other side's it has not.
CREATE TABLE note_seen (
    agency_id uuid NOT NULL REFERENCES agency (id),
    subject text NOT NULL CHECK (subject IN ('referral', 'transfer')),
    subject_id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    through integer NOT NULL DEFAULT 0,
    read_at timestamptz,
    unread integer NOT NULL DEFAULT 0,
    unread_since timestamptz,  -- when the first of them came
    CHECK ((unread > 0) = (unread_since IS NOT NULL)),
    PRIMARY KEY (agency_id, subject_id, case_id)
);
CREATE INDEX note_seen_subject ON note_seen (subject_id);
CREATE INDEX note_seen_unread ON note_seen (agency_id, unread_since, subject_id) WHERE unread > 0;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['note', 'note_seen'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY by_definer ON %I TO rujukan_definer USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
-- whoever sees that something was written sees of which kind; not what
CREATE POLICY as_its_move ON note FOR SELECT TO rujukan_app USING (
    EXISTS (SELECT FROM move m WHERE m.id = note.move_id AND m.case_id = note.case_id));
CREATE POLICY own ON note_seen TO rujukan_app USING (agency_id = (SELECT current_agency())) WITH CHECK (agency_id = (SELECT current_agency()));
-- the two sides see of each other how far they have read; the lead who is no party does not
CREATE POLICY by_parties ON note_seen FOR SELECT TO rujukan_app USING (
    EXISTS (SELECT FROM referral r WHERE r.id = note_seen.subject_id AND (SELECT current_agency()) IN (r.sender_id, r.receiver_id))
    OR EXISTS (SELECT FROM transfer t WHERE t.id = note_seen.subject_id AND (SELECT current_agency()) IN (t.sender_id, t.receiver_id)));

-- Called by apply_move, which holds the row of what the note is about. An answer names a question that the other side put to the writer's.
CREATE FUNCTION store_note(p_subject text, p_id uuid, p_move uuid, p_kind text, p_in_reply_to uuid, p_for_other boolean, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_me uuid := current_agency(); v_case uuid; v_other uuid; v_number integer;
BEGIN
    SELECT case_id, CASE v_me WHEN sender_id THEN receiver_id ELSE sender_id END INTO v_case, v_other FROM (
        SELECT case_id, sender_id, receiver_id FROM referral WHERE p_subject = 'referral' AND id = p_id
        UNION ALL SELECT case_id, sender_id, receiver_id FROM transfer WHERE p_subject = 'transfer' AND id = p_id) AS s
    WHERE v_me IN (sender_id, receiver_id);
    IF v_case IS NULL OR NOT EXISTS (SELECT FROM move WHERE id = p_move AND case_id = v_case AND subject_id = p_id AND agency_id = v_me AND event = 'note') THEN
        RAISE EXCEPTION 'only a party writes notes' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF p_in_reply_to IS NOT NULL AND NOT EXISTS (
        SELECT FROM note WHERE move_id = p_in_reply_to AND case_id = v_case AND subject_id = p_id AND kind = 'question' AND author_id <> v_me) THEN
        RAISE EXCEPTION 'no question of the other side' USING ERRCODE = 'RJ131';
    END IF;
    SELECT coalesce(max(number), 0) + 1 INTO v_number FROM note WHERE subject_id = p_id AND case_id = v_case;
    INSERT INTO note (move_id, case_id, subject, subject_id, number, author_id, kind, in_reply_to, for_other)
    VALUES (p_move, v_case, p_subject, p_id, v_number, v_me, p_kind, p_in_reply_to, p_for_other);
    IF NOT p_for_other THEN
        RETURN;
    END IF;
    INSERT INTO note_seen (agency_id, subject, subject_id, case_id, unread, unread_since) VALUES (v_other, p_subject, p_id, v_case, 1, p_at)
    ON CONFLICT (agency_id, subject_id, case_id) DO UPDATE SET unread = note_seen.unread + 1, unread_since = coalesce(note_seen.unread_since, excluded.unread_since);
END $$;

-- With the place of a sender go its notes: none waits for the earlier lead any more, and to the new one all that the receiver wrote is new, for
-- whomever it was when it was written; what the earlier lead wrote is not the new one's to read. One that has the place again goes on where it was.
-- Called by move_lead.
CREATE FUNCTION pass_on_notes(p_case uuid, p_from uuid, p_to uuid) RETURNS void LANGUAGE sql AS $$
    UPDATE note_seen n SET unread = 0, unread_since = NULL FROM referral r
    WHERE n.case_id = p_case AND n.agency_id = p_from AND n.unread > 0 AND r.case_id = p_case AND r.id = n.subject_id
      AND p_from NOT IN (r.sender_id, r.receiver_id);
    UPDATE note n SET for_other = true FROM referral r
    WHERE r.case_id = p_case AND r.sender_id = p_to AND r.ended_at IS NULL AND n.subject_id = r.id AND n.case_id = p_case
      AND n.author_id = r.receiver_id AND NOT n.for_other
      AND NOT EXISTS (SELECT FROM move m WHERE m.subject_id = r.id AND m.case_id = p_case AND m.event = 'send' AND m.agency_id = p_to);
    INSERT INTO note_seen (agency_id, subject, subject_id, case_id, unread, unread_since)
    SELECT p_to, 'referral', r.id, p_case, count(*), min(m.recorded_at)
    FROM referral r JOIN note n ON n.subject_id = r.id AND n.case_id = p_case JOIN move m ON m.id = n.move_id AND m.case_id = p_case
         LEFT JOIN note_seen s ON s.agency_id = p_to AND s.subject_id = r.id AND s.case_id = p_case
    WHERE r.case_id = p_case AND r.sender_id = p_to AND r.ended_at IS NULL AND n.author_id = r.receiver_id AND n.for_other
      AND n.number > coalesce(s.through, 0)
    GROUP BY r.id
    ON CONFLICT (agency_id, subject_id, case_id) DO UPDATE SET unread = excluded.unread, unread_since = excluded.unread_since
$$;

-- Says how far an agency has read; never back. Nothing else changes by it. Null: there is no such note for this agency.
CREATE FUNCTION mark_notes_read(a acting, p_subject text, p_id uuid, p_note uuid) RETURNS note_seen LANGUAGE plpgsql AS $$
DECLARE s standing; v_number integer; v_left integer; v_since timestamptz; v note_seen;
BEGIN
    PERFORM begin_acting(a);
    s := standing_of(p_subject, p_id);  -- nobody writes meanwhile
    SELECT number INTO v_number FROM note WHERE move_id = p_note AND case_id = s.case_id AND subject_id = p_id;
    IF s.case_id IS NULL OR v_number IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT * INTO v FROM note_seen WHERE agency_id = a.agency AND subject_id = p_id AND case_id = s.case_id;
    IF v.through >= v_number THEN
        RETURN v;
    END IF;
    SELECT count(*), min(m.recorded_at) INTO v_left, v_since FROM note n JOIN move m ON m.id = n.move_id AND m.case_id = n.case_id
    WHERE n.subject_id = p_id AND n.case_id = s.case_id AND n.number > v_number AND n.for_other
      -- to the receiver also what an earlier lead wrote; to a sender what the receiver wrote alone
      AND CASE a.agency WHEN s.sender_id THEN n.author_id = s.receiver_id ELSE n.author_id <> a.agency END;
    INSERT INTO note_seen (agency_id, subject, subject_id, case_id, through, read_at, unread, unread_since)
    VALUES (a.agency, p_subject, p_id, s.case_id, v_number, a.at, v_left, v_since)
    ON CONFLICT (agency_id, subject_id, case_id) DO UPDATE
    SET through = excluded.through, read_at = excluded.read_at, unread = excluded.unread, unread_since = excluded.unread_since
    RETURNING * INTO v;
    PERFORM log_by(a, p_subject || ':mark_notes', 'done', p_subject, p_id, s.case_id, jsonb_build_object('through', p_note));
    RETURN v;
END $$;

GRANT SELECT ON note TO rujukan_app;
GRANT SELECT, INSERT, UPDATE ON note_seen TO rujukan_app;
GRANT SELECT, INSERT, UPDATE (for_other) ON note TO rujukan_definer;
GRANT SELECT, INSERT, UPDATE ON note_seen TO rujukan_definer;
GRANT CREATE ON SCHEMA public TO rujukan_definer;
ALTER FUNCTION store_note(text, uuid, uuid, text, uuid, boolean, timestamptz) OWNER TO rujukan_definer;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT EXECUTE ON FUNCTION store_note(text, uuid, uuid, text, uuid, boolean, timestamptz), mark_notes_read(acting, text, uuid, uuid) TO rujukan_app;
GRANT EXECUTE ON FUNCTION pass_on_notes(uuid, uuid, uuid) TO rujukan_definer;
