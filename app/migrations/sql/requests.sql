-- What holders are asked about data: erasure, correction; withdrawal of consent; a wrong version taken back.
-- None of it changes the state of a referral or transfer: nobody loses a bed over data.

CREATE TABLE consent_withdrawal (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    consent_id uuid NOT NULL,
    event text NOT NULL CHECK (event IN ('withdrawn', 'narrowed')),
    agency_id uuid NOT NULL REFERENCES agency (id),
    recorded_by_id uuid NOT NULL REFERENCES agency (id),
    actor text,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    sections text[] NOT NULL,
    agencies text[] NOT NULL DEFAULT '{}',
    agency_kinds text[] NOT NULL DEFAULT '{}',
    purposes text[] NOT NULL DEFAULT '{}',
    until_at timestamptz,
    channel text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    detail bytea,
    PRIMARY KEY (id, case_id)
);
CREATE INDEX consent_withdrawal_consent ON consent_withdrawal (consent_id);

CREATE TABLE correction (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    version_id uuid NOT NULL,
    author_id uuid NOT NULL REFERENCES agency (id),
    recorded_by_id uuid NOT NULL REFERENCES agency (id),
    actor text,
    sections text[] NOT NULL,
    proposal_id uuid,
    channel text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    detail bytea,  -- null once it is erased
    PRIMARY KEY (case_id, id)
);
CREATE INDEX correction_id ON correction USING hash (id);

CREATE TABLE request (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    kind text NOT NULL CHECK (kind IN ('erasure', 'correction', 'reseal')),
    cause text NOT NULL,
    from_id uuid NOT NULL REFERENCES agency (id),
    to_id uuid NOT NULL REFERENCES agency (id),
    subject text NOT NULL,
    subject_id uuid NOT NULL,
    version_id uuid,
    sections text[] NOT NULL,
    requested_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    look_at timestamptz,
    clock text NOT NULL DEFAULT 'ok' CHECK (clock IN ('ok', 'due', 'overdue')),
    clock_step integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'answered')),
    answer text,
    answered_at timestamptz,
    answered_by_id uuid REFERENCES agency (id),
    legal_basis text,
    article text,
    correction_id uuid,
    detail bytea,
    answer_detail bytea,
    CHECK ((state = 'answered') = (answer IS NOT NULL)),
    PRIMARY KEY (case_id, id)
);
-- by hash: an ordered index on id alone would tempt the planner to walk everybody's rows for one agency's list
CREATE INDEX request_id ON request USING hash (id);
CREATE INDEX request_to ON request (to_id, id);
CREATE INDEX request_from ON request (from_id, id);
CREATE INDEX request_turn ON request (to_id, due_at, id) WHERE state = 'open';
CREATE INDEX request_look ON request (look_at) WHERE look_at IS NOT NULL;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['consent_withdrawal', 'correction', 'request'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY by_definer ON %I TO rujukan_definer USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;

CREATE POLICY parties ON consent_withdrawal FOR SELECT TO rujukan_app USING (
    agency_id = (SELECT current_agency()) OR is_lead(case_id)
    OR EXISTS (SELECT FROM consent c WHERE c.id = consent_withdrawal.consent_id AND c.author_id = (SELECT current_agency())));

CREATE POLICY parties ON request FOR SELECT TO rujukan_app USING (
    to_id = (SELECT current_agency()) OR from_id = (SELECT current_agency()) OR is_lead(case_id));
CREATE POLICY answered_by_whom_it_asks ON request FOR UPDATE TO rujukan_app
    USING (to_id = (SELECT current_agency())) WITH CHECK (to_id = (SELECT current_agency()));

CREATE POLICY author_lead_and_holders ON correction FOR SELECT TO rujukan_app USING (
    author_id = (SELECT current_agency()) OR is_lead(case_id)
    OR EXISTS (SELECT FROM disclosure d WHERE d.subject_id = correction.id AND d.receiver_id = (SELECT current_agency())));
CREATE POLICY by_lead ON correction FOR INSERT TO rujukan_app WITH CHECK (author_id = (SELECT current_agency()) AND is_lead(case_id));

-- What a parent or guardian says no longer counts once they are barred; what a court or an authority set in their place says, does.
CREATE FUNCTION is_barred(p_case uuid, p_giver text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN p_giver IN ('parent', 'guardian') AND EXISTS (SELECT FROM case_file WHERE id = p_case AND guardian_barred_at IS NOT NULL);
END $$;

-- Whether somebody consented to it whose word no longer counts: what was sent stays, nothing new goes.
CREATE FUNCTION rests_on_barred(p_case uuid, p_consent uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN p_consent IS NOT NULL AND EXISTS (
        SELECT FROM consent c WHERE c.id = p_consent AND c.case_id = p_case AND is_barred(p_case, c.giver));
END $$;

-- The lead learns that somebody came with a barred guardian's word; in a transaction of its own, since the act itself was refused.
CREATE FUNCTION tell_of_barred_guardian(p_case uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE c case_file; v_me uuid := current_agency();
BEGIN
    SELECT * INTO c FROM case_file WHERE id = p_case;
    IF c.guardian_barred_at IS NULL OR NOT has_part(p_case) THEN
        RAISE EXCEPTION 'only a party tells of a case' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT c.lead_id, 'case.guardian_barred', 'case', c.id, c.id, c.state, p_at WHERE c.lead_id <> v_me;
END $$;

-- Whether the caller leads or led the case, or is party of anything disclosed of it.
CREATE FUNCTION has_part(p_case uuid) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM case_lead WHERE case_id = p_case AND agency_id = current_agency())
        OR EXISTS (SELECT FROM disclosure WHERE case_id = p_case AND current_agency() IN (sender_id, receiver_id));
END $$;

-- One erasure request to each receiver of the given disclosures, with its event. Called by the functions below and by nobody else.
CREATE FUNCTION ask_holders(
    p_disclosures uuid[], p_case uuid, p_cause text, p_from uuid, p_subject text, p_subject_id uuid, p_version uuid, p_requested_at timestamptz,
    p_at timestamptz, p_within interval
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE r record; v_id uuid; v_due timestamptz := greatest(p_requested_at + p_within, p_at); v_asked integer := 0;
BEGIN
    FOR r IN SELECT d.receiver_id, array_agg(DISTINCT s ORDER BY s) AS sections FROM disclosure d, unnest(d.sections) AS s
             WHERE d.id = ANY (p_disclosures) AND d.case_id = p_case GROUP BY d.receiver_id ORDER BY d.receiver_id LOOP
        v_id := uuidv7(p_at - clock_timestamp());
        INSERT INTO request (id, case_id, kind, cause, from_id, to_id, subject, subject_id, version_id, sections, requested_at, recorded_at, due_at, look_at)
        VALUES (v_id, p_case, 'erasure', p_cause, p_from, r.receiver_id, p_subject, p_subject_id, p_version, r.sections, p_requested_at, p_at, v_due,
                p_at + (v_due - p_at) / 2);
        UPDATE disclosure SET request_id = v_id WHERE id = ANY (p_disclosures) AND case_id = p_case AND receiver_id = r.receiver_id;
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        VALUES (r.receiver_id, 'request.opened', 'request', v_id, p_case, 'open', p_at);
        v_asked := v_asked + 1;
    END LOOP;
    RETURN v_asked;
END $$;

-- Asks the receiver of an ended referral or transfer for everything of it that was open to it; what was open locks.
CREATE FUNCTION ask_erasure(p_subject text, p_subject_id uuid, p_cause text, p_at timestamptz, p_within interval DEFAULT '72 hours') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_case uuid; v_sender uuid; v_receiver uuid; v_ended timestamptz; v_version uuid; v_open uuid[];
BEGIN
    IF p_subject = 'referral' THEN
        SELECT case_id, sender_id, receiver_id, ended_at, version_id INTO v_case, v_sender, v_receiver, v_ended, v_version FROM referral WHERE id = p_subject_id;
    ELSE
        SELECT case_id, sender_id, receiver_id, ended_at, version_id INTO v_case, v_sender, v_receiver, v_ended, v_version FROM transfer WHERE id = p_subject_id;
    END IF;
    IF current_agency() IS NULL OR v_ended IS NULL OR current_agency() NOT IN (v_sender, v_receiver) THEN
        RAISE EXCEPTION 'only a party asks for erasure, once it has ended' USING ERRCODE = 'insufficient_privilege';
    END IF;
    WITH locked AS (
        UPDATE disclosure SET locked_at = p_at, lock_reason = p_cause
        WHERE (subject_id = p_subject_id OR origin_id = p_subject_id) AND receiver_id = v_receiver AND opened_at IS NOT NULL
          AND (locked_at IS NULL OR lock_reason = 'consent_doubted')
        RETURNING id)
    SELECT array_agg(id) INTO v_open FROM locked;
    PERFORM ask_holders(v_open, v_case, p_cause, v_sender, p_subject, p_subject_id, v_version, p_at, p_at, p_within);
END $$;

-- The wrong person's record: there for nobody from now on, in whatever state what it came with is.
CREATE FUNCTION apply_retraction(
    p_case uuid, p_version uuid, p_incident uuid, p_incident_reference text, p_detail bytea, p_officer boolean, p_at timestamptz, p_within interval,
    OUT o_reference text, OUT o_number integer, OUT o_asked integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_me uuid := current_agency(); c case_file; v record_version; v_readers uuid[];
BEGIN
    IF v_me IS NULL OR NOT EXISTS (
        SELECT FROM record_version WHERE id = p_version AND case_id = p_case AND (
            author_id = v_me OR (p_officer AND one_world(v_me, author_id) AND EXISTS (SELECT FROM agency g WHERE g.id = v_me AND g.desk)))) THEN
        RAISE EXCEPTION 'no such version' USING ERRCODE = 'RJ404';
    END IF;
    SELECT * INTO c FROM case_file WHERE id = p_case FOR NO KEY UPDATE;
    UPDATE record_version SET retracted_at = p_at WHERE id = p_version AND case_id = p_case AND retracted_at IS NULL RETURNING * INTO v;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'retracted already' USING ERRCODE = 'RJ065';
    END IF;
    UPDATE record_content SET retracted_at = p_at WHERE version_id = p_version AND case_id = p_case;
    PERFORM FROM referral WHERE case_id = p_case AND id IN (SELECT e.subject_id FROM disclosure e WHERE e.version_id = p_version)
        ORDER BY id FOR NO KEY UPDATE;
    PERFORM FROM transfer WHERE case_id = p_case AND id IN (SELECT e.subject_id FROM disclosure e WHERE e.version_id = p_version)
        ORDER BY id FOR NO KEY UPDATE;
    WITH locked AS (
        UPDATE disclosure SET locked_at = coalesce(locked_at, p_at), lock_reason = 'retracted' WHERE version_id = p_version AND case_id = p_case
        RETURNING id, subject_id, opened_at)
    SELECT array_agg(l.id) INTO v_readers FROM locked l
    WHERE l.opened_at IS NOT NULL OR EXISTS (SELECT FROM referral r WHERE r.id = l.subject_id AND r.first_read_at IS NOT NULL)
       OR EXISTS (SELECT FROM transfer t WHERE t.id = l.subject_id AND t.first_read_at IS NOT NULL);
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, 'record.retracted', 'record_version', p_version, p_case, 'retracted', p_at
    FROM (SELECT c.lead_id AS told UNION SELECT receiver_id FROM disclosure WHERE id = ANY (v_readers)) AS parties WHERE told <> v_me ORDER BY told;
    o_asked := ask_holders(v_readers, p_case, 'version_retracted', v_me, 'record_version', p_version, p_version, p_at, p_at, p_within);
    -- an incident, which its author explains and closes
    INSERT INTO incident (id, reference, kind, author_id, responsible_id, recorded_by_id, subject, subject_id, happened_at, noticed_at, recorded_at,
                          data_classes, persons, due_at, look_at, detail)
    VALUES (p_incident, p_incident_reference, 'wrong_person', v_me, v.author_id, v_me, 'record_version', p_version, v.recorded_at, p_at, p_at, '{}', 1,
            p_at + p_within, p_at + p_within / 2, p_detail);
    INSERT INTO incident_case (incident_id, case_id) VALUES (p_incident, p_case);
    PERFORM tell_of_incident(p_incident, 'incident.opened', p_at);
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT v_me, 'incident.opened', 'incident', p_incident, NULL, 'open', p_at WHERE v.author_id = v_me;  -- it has to be seen to by whoever wrote it
    o_reference := c.reference;
    o_number := v.number;
END $$;

CREATE FUNCTION retract_version(
    a acting, p_key text, p_hash bytea, p_days integer, p_case uuid, p_version uuid, p_incident uuid, p_incident_reference text,
    p_detail bytea, p_officer boolean, p_within interval
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w record;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO w FROM apply_retraction(p_case, p_version, p_incident, p_incident_reference, p_detail, p_officer, a.at, p_within);
    m := (false, 'record_version', p_version, p_case, w.o_reference, 'retracted', w.o_number,
          log_by(a, 'record:retract', 'done', 'record_version', p_version, p_case, jsonb_build_object('requests', w.o_asked, 'incident', p_incident)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- What of a correction goes to whom: for each basis on which a corrected section is held, one of the same kind. Whether it is open follows the
-- holder's own referral or transfer, so that who accepts later finds it too. Called by the functions below and by nobody else.
-- Nothing new goes out on the word of a guardian since barred: the lead finds another basis first. `p_consent`: only what rests on this one.
CREATE FUNCTION disclose_correction(k correction, p_subject_id uuid, p_consent uuid, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, sender_id, receiver_id, basis, consent_id, legal_basis, article, sections,
                            until_at, onward, recorded_at, opened_at, origin_id)
    SELECT uuidv7(p_at - clock_timestamp()), d.case_id, 'correction', k.id, k.version_id, k.author_id, d.receiver_id, d.basis, d.consent_id, d.legal_basis,
           d.article, ARRAY(SELECT s FROM unnest(d.sections) AS s WHERE s = ANY (k.sections)), d.until_at, d.onward, p_at, d.opened_at, d.subject_id
    FROM disclosure d
    WHERE d.case_id = k.case_id AND d.subject IN ('referral', 'transfer') AND d.version_id IS NOT NULL AND d.receiver_id <> k.author_id
      AND d.closed_at IS NULL AND d.locked_at IS NULL AND (d.until_at IS NULL OR d.until_at > p_at) AND d.sections && k.sections
      AND (p_subject_id IS NULL OR d.subject_id = p_subject_id) AND (p_consent IS NULL OR d.consent_id = p_consent)
      AND NOT rests_on_barred(d.case_id, d.consent_id)
$$;

-- A correction reaches every holder of what it corrects. The events go to those who have read what was wrong.
CREATE FUNCTION apply_correction(p_correction uuid, p_at timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE k correction; v_told integer;
BEGIN
    SELECT * INTO k FROM correction WHERE id = p_correction;
    IF NOT FOUND OR k.author_id IS DISTINCT FROM current_agency() OR NOT is_lead(k.case_id) THEN
        RAISE EXCEPTION 'only the lead corrects' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM disclose_correction(k, NULL, NULL, p_at);
    WITH told AS (
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        SELECT DISTINCT d.receiver_id, 'case.corrected', 'correction', k.id, k.case_id, 'corrected', p_at
        FROM disclosure d WHERE d.subject_id = k.id AND d.opened_at IS NOT NULL ORDER BY d.receiver_id
        RETURNING 1)
    SELECT count(*) INTO v_told FROM told;
    RETURN v_told;
END $$;

-- A version that is sent again brings the corrections made since: what was put right is not spread once more as it was.
CREATE FUNCTION carry_corrections(p_subject_id uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE k correction;
BEGIN
    IF NOT EXISTS (SELECT FROM disclosure WHERE subject_id = p_subject_id AND sender_id = current_agency()) THEN
        RAISE EXCEPTION 'only its sender carries corrections along' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR k IN SELECT c.* FROM correction c JOIN record_version w ON w.id = c.version_id AND w.case_id = c.case_id
             WHERE w.retracted_at IS NULL AND EXISTS (
                 SELECT FROM disclosure d JOIN record_version v ON v.id = d.version_id AND v.case_id = d.case_id
                 WHERE d.subject_id = p_subject_id AND v.case_id = c.case_id AND v.number < w.number)
             ORDER BY w.number LOOP
        PERFORM disclose_correction(k, p_subject_id, NULL, p_at);
    END LOOP;
END $$;

CREATE FUNCTION correct_record(
    a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_wrapped_key bytea, p_parts bytea[], p_detail bytea
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; x record; v_number integer; v_reference text; v_told integer;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(id uuid, case_id uuid, version_id uuid, schema_version text, sections text[], proposal_id uuid,
                                                 guardian_suspected boolean, channel text, occurred_at timestamptz, recorded_by_id uuid, commitment text,
                                                 sealed jsonb, files jsonb);
    UPDATE case_file SET records = records + 1, updated_at = a.at WHERE id = x.case_id AND lead_id = a.agency
    RETURNING records, reference INTO v_number, v_reference;
    IF NOT FOUND THEN
        PERFORM FROM case_file WHERE id = x.case_id;
        IF NOT FOUND THEN RAISE EXCEPTION 'no such case' USING ERRCODE = 'RJ404'; END IF;
        RAISE EXCEPTION 'not the lead' USING ERRCODE = 'RJ020';
    END IF;
    IF x.guardian_suspected THEN
        PERFORM bar_guardian(x.case_id, true, a.at);
    END IF;
    PERFORM store_record(a, x.version_id, x.case_id, v_number, x.schema_version, x.sections, '', p_wrapped_key, p_parts, NULL, x.files);
    INSERT INTO correction (id, case_id, version_id, author_id, recorded_by_id, actor, sections, proposal_id, channel, occurred_at, recorded_at, detail)
    VALUES (x.id, x.case_id, x.version_id, a.agency, x.recorded_by_id, a.actor, x.sections, x.proposal_id, x.channel, x.occurred_at, a.at, p_detail);
    IF x.proposal_id IS NOT NULL THEN
        PERFORM close_request(a, x.proposal_id, 'corrected', x.case_id, 'correction', jsonb_build_object('correction_id', x.id), NULL);
    END IF;
    v_told := apply_correction(x.id, a.at);
    IF x.sealed IS NOT NULL THEN
        PERFORM store_sealed(a, x.case_id, x.version_id, x.sealed, (
            SELECT jsonb_agg(jsonb_build_object('section', s, 'agency_id', d.receiver_id)) FROM disclosure d, unnest(d.sections) AS s
            WHERE d.subject_id = x.id));
    END IF;
    m := (false, 'correction', x.id, x.case_id, v_reference, 'corrected', v_number,
          log_by(a, 'case:correct', 'done', 'correction', x.id, x.case_id, jsonb_build_object(
              'sections', x.sections, 'told', v_told, 'record_version', x.version_id, 'commitment', x.commitment)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Whoever has a part in the case may say what is wrong in the record; the lead answers.
CREATE FUNCTION apply_proposal(
    p_case uuid, p_id uuid, p_sections text[], p_detail bytea, p_at timestamptz, p_within interval, OUT o_reference text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE c case_file; v_me uuid := current_agency();
BEGIN
    SELECT * INTO c FROM case_file WHERE id = p_case FOR NO KEY UPDATE;
    IF v_me IS NULL OR c.id IS NULL OR NOT has_part(p_case) THEN
        RAISE EXCEPTION 'no such case' USING ERRCODE = 'RJ404';
    END IF;
    IF c.lead_id = v_me THEN
        RAISE EXCEPTION 'the lead corrects itself' USING ERRCODE = 'RJ064';
    END IF;
    INSERT INTO request (id, case_id, kind, cause, from_id, to_id, subject, subject_id, sections, requested_at, recorded_at, due_at, look_at, detail)
    VALUES (p_id, p_case, 'correction', 'proposed', v_me, c.lead_id, 'case', p_case, p_sections, p_at, p_at, p_at + p_within, p_at + p_within / 2, p_detail);
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    VALUES (c.lead_id, 'request.opened', 'request', p_id, p_case, 'open', p_at);
    o_reference := c.reference;
END $$;

CREATE FUNCTION propose_correction(
    a acting, p_key text, p_hash bytea, p_days integer, p_case uuid, p_id uuid, p_sections text[], p_detail bytea, p_within interval
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; v_reference text;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    v_reference := apply_proposal(p_case, p_id, p_sections, p_detail, a.at, p_within);
    m := (false, 'request', p_id, p_case, v_reference, 'open', 1,
          log_by(a, 'case:propose_correction', 'done', 'request', p_id, p_case, jsonb_build_object('sections', p_sections)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- A new lead answers what the earlier one was asked to correct: only a lead can.
CREATE FUNCTION pass_on_proposals() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    WITH passed AS (
        UPDATE request SET to_id = NEW.lead_id WHERE case_id = NEW.id AND kind = 'correction' AND state = 'open' RETURNING id)
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT NEW.lead_id, 'request.opened', 'request', id, NEW.id, 'open', NEW.updated_at FROM passed;
    RETURN NULL;
END $$;
CREATE TRIGGER case_file_lead_moved AFTER UPDATE OF lead_id ON case_file FOR EACH ROW WHEN (old.lead_id <> new.lead_id)
    EXECUTE FUNCTION pass_on_proposals();

-- The case's row and the request's, before anything is opened again under a new basis: a consent may be taken back at this moment.
CREATE FUNCTION lock_case_of_request(p_request uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM case_file c JOIN request r ON r.case_id = c.id
    WHERE r.id = p_request AND r.to_id = current_agency() FOR NO KEY UPDATE OF c;
END $$;

CREATE FUNCTION tell_of_answer(p_request uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE r request; v_lead uuid;
BEGIN
    SELECT * INTO r FROM request WHERE id = p_request;
    IF NOT FOUND OR r.to_id IS DISTINCT FROM current_agency() OR r.state <> 'answered' THEN
        RAISE EXCEPTION 'only who was asked tells of its answer' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT lead_id INTO v_lead FROM case_file WHERE id = r.case_id;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, 'request.answered', 'request', r.id, r.case_id, 'answered', p_at
    FROM (SELECT r.from_id AS told UNION SELECT v_lead) AS parties WHERE told <> r.to_id ORDER BY told;
END $$;

-- What its holder opened again at p_at by an answer: the corrections that were made while it was locked did not reach it.
CREATE FUNCTION carry_missed_corrections(p_request uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE r request; v_subject uuid; k correction;
BEGIN
    SELECT * INTO r FROM request WHERE id = p_request;
    IF NOT FOUND OR r.to_id IS DISTINCT FROM current_agency() OR r.answered_at IS DISTINCT FROM p_at THEN
        RAISE EXCEPTION 'only who answers it brings corrections along' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR v_subject IN SELECT DISTINCT d.subject_id FROM disclosure d WHERE d.case_id = r.case_id AND d.receiver_id = r.to_id AND d.recorded_at = p_at
                     AND d.origin_id IS NULL ORDER BY d.subject_id LOOP
        FOR k IN SELECT c.* FROM correction c JOIN record_version w ON w.id = c.version_id AND w.case_id = c.case_id
                 WHERE c.case_id = r.case_id AND w.retracted_at IS NULL AND c.recorded_at >= r.recorded_at
                   AND NOT EXISTS (SELECT FROM disclosure e WHERE e.case_id = r.case_id AND e.subject_id = c.id AND e.origin_id = v_subject
                                   AND e.receiver_id = r.to_id AND e.closed_at IS NULL AND e.locked_at IS NULL)
                 ORDER BY w.number LOOP
            PERFORM disclose_correction(k, v_subject, NULL, p_at);
        END LOOP;
    END LOOP;
END $$;

-- Answers a request once: 404 for whom it does not ask, 409 the second time.
CREATE FUNCTION close_request(a acting, p_request uuid, p_answer text, p_case uuid, p_kind text, p jsonb, p_detail bytea) RETURNS request
LANGUAGE plpgsql AS $$
DECLARE r request;
BEGIN
    UPDATE request SET state = 'answered', answer = p_answer, answered_at = a.at, answered_by_id = a.agency, look_at = NULL, clock = 'ok',
        answer_detail = p_detail, legal_basis = p->>'legal_basis', article = p->>'article', correction_id = (p->>'correction_id')::uuid
    WHERE id = p_request AND to_id = a.agency AND state = 'open' AND kind = p_kind AND (p_case IS NULL OR case_id = p_case) RETURNING * INTO r;
    IF NOT FOUND THEN
        PERFORM FROM request WHERE id = p_request AND to_id = a.agency AND state = 'answered';
        IF FOUND THEN RAISE EXCEPTION 'answered already' USING ERRCODE = 'RJ062'; END IF;
        RAISE EXCEPTION 'no such request' USING ERRCODE = 'RJ404';
    END IF;
    PERFORM tell_of_answer(r.id, a.at);
    RETURN r;
END $$;

-- p: kind, answer, legal_basis, article, correction_id, receiver_code, receiver_kind, and of a new basis what it opens again (`bases`: one
-- entry for each locked disclosure and basis) with the purpose of each.
CREATE FUNCTION answer_request(
    a acting, p_key text, p_hash bytea, p_days integer, p_request uuid, p jsonb, p_detail bytea, p_reasons bytea[]
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; r request; v_reference text; v_purpose text; v_count integer;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    IF p->'bases' IS NOT NULL THEN
        PERFORM lock_case_of_request(p_request);
    END IF;
    r := close_request(a, p_request, p->>'answer', NULL, p->>'kind', p, p_detail);
    IF r.correction_id IS NOT NULL THEN
        PERFORM FROM correction WHERE id = r.correction_id AND case_id = r.case_id AND author_id = a.agency;
        IF NOT FOUND THEN RAISE EXCEPTION 'no such correction' USING ERRCODE = 'RJ066'; END IF;
    END IF;
    IF p->'bases' IS NOT NULL THEN
        FOR v_purpose IN SELECT DISTINCT b->>'purpose' FROM jsonb_array_elements(p->'bases') AS b LOOP
            PERFORM check_consents(a, r.case_id, p->>'receiver_code', p->>'receiver_kind', v_purpose, (
                SELECT jsonb_agg(b) FROM jsonb_array_elements(p->'bases') AS b WHERE b->>'purpose' = v_purpose));
        END LOOP;
        INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, move_id, sender_id, receiver_id, basis, consent_id, legal_basis, article,
                                reason, sections, until_at, onward, recorded_at, opened_at, origin_id, review_by)
        SELECT b.id, d.case_id, d.subject, d.subject_id, d.version_id, d.move_id, d.sender_id, d.receiver_id, b.basis, b.consent_id, b.legal_basis, b.article,
               p_reasons[b.place], b.sections,
               least(b.until_at, consent_until(r.case_id, b.consent_id)), b.onward, a.at, a.at, d.origin_id,
               b.review_by
        FROM jsonb_to_recordset(p->'bases') AS b(place integer, id uuid, locked_id uuid, basis text, consent_id uuid, legal_basis text, article text,
                                                 sections text[], until_at timestamptz, onward boolean, review_by timestamptz)
        JOIN disclosure d ON d.id = b.locked_id AND d.case_id = r.case_id AND d.request_id = r.id AND d.receiver_id = a.agency
            AND d.lock_reason IN ('consent_withdrawn', 'consent_narrowed', 'review_lapsed') AND d.closed_at IS NULL AND b.sections <@ d.sections;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        IF v_count <> jsonb_array_length(p->'bases') THEN
            RAISE EXCEPTION 'nothing to open again' USING ERRCODE = 'RJ063';
        END IF;
        PERFORM carry_missed_corrections(r.id, a.at);
    END IF;
    SELECT coalesce((SELECT reference FROM case_file WHERE id = r.case_id), '') INTO v_reference;
    m := (false, 'request', r.id, r.case_id, v_reference, 'answered', 2,
          log_by(a, 'request:answer', 'done', 'request', r.id, r.case_id, jsonb_strip_nulls(jsonb_build_object(
              'kind', r.kind, 'answer', r.answer, 'legal_basis', r.legal_basis, 'review', CASE WHEN r.answer IN ('kept', 're_based') THEN true END,
              'bases', (SELECT jsonb_agg(jsonb_build_object('basis', b->'basis', 'sections', b->'sections')) FROM jsonb_array_elements(p->'bases') AS b)))
              || sent_despite(r.case_id, p->'bases', a.at)), a.at);
    IF p->'bases' IS NOT NULL THEN
        PERFORM note_in_reviews(a, r.case_id, m.log_id);
    END IF;
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- What stays readable, for the time of an answer, to whoever has the person with them: the parts `safety` and `health` of a version whose basis
-- was withdrawn, narrowed or doubted. The service shows of `health` the medicines only.
CREATE FUNCTION content_in_hand(p_case uuid, p_subject_id uuid, p_version uuid, p_after timestamptz)
RETURNS TABLE (wrapped_key bytea, section text, part bytea) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM referral r WHERE r.case_id = p_case AND r.receiver_id = current_agency() AND r.started_at IS NOT NULL
                 AND r.state IN ('in_progress', 'on_hold', 'cancel_requested'))
       OR (is_lead(p_case) AND EXISTS (SELECT FROM transfer t WHERE t.case_id = p_case AND t.receiver_id = current_agency() AND t.state = 'completed')) THEN
        RETURN QUERY
            SELECT c.wrapped_key, s.section, s.part
            FROM record_content c JOIN record_version v ON v.id = c.version_id AND v.case_id = c.case_id,
                 unnest(v.sections, c.parts) AS s(section, part)
            WHERE c.version_id = p_version AND c.case_id = p_case AND c.retracted_at IS NULL AND s.section IN ('safety', 'health')
              AND s.section <> ALL (v.erased_sections) AND EXISTS (
                SELECT FROM disclosure d WHERE d.subject_id = p_subject_id AND d.version_id = p_version AND d.receiver_id = current_agency()
                  AND (d.lock_reason IN ('consent_withdrawn', 'consent_narrowed', 'not_justified', 'review_lapsed', 'erasure_asked', 'restricted')
                       AND d.request_id IS NOT NULL OR d.lock_reason = 'consent_doubted' AND d.opened_at IS NOT NULL)
                  AND d.locked_at > p_after AND d.closed_at IS NULL
                  AND s.section = ANY (d.sections));
    END IF;
END $$;

GRANT SELECT ON consent_withdrawal, correction, request TO rujukan_app;
GRANT INSERT ON correction TO rujukan_app;
GRANT UPDATE (state, answer, answered_at, answered_by_id, look_at, clock, answer_detail, legal_basis, article, correction_id) ON request TO rujukan_app;

GRANT SELECT, INSERT, UPDATE ON request TO rujukan_definer;
GRANT INSERT ON consent_withdrawal, disclosure TO rujukan_definer;
GRANT SELECT ON correction, consent, record_version, record_content TO rujukan_definer;
GRANT UPDATE (retracted_at) ON record_version, record_content TO rujukan_definer;
CREATE POLICY by_definer ON record_content TO rujukan_definer USING (true) WITH CHECK (true);

-- the worker watches the deadlines; it learns of no section and no answer
CREATE POLICY by_worker ON request TO rujukan_worker USING (true) WITH CHECK (true);
GRANT SELECT (id, case_id, from_id, to_id, state, due_at, look_at, clock_step), UPDATE (look_at, clock, clock_step) ON request TO rujukan_worker;

DO $$
DECLARE f text;
BEGIN
    GRANT CREATE ON SCHEMA public TO rujukan_definer;
    FOREACH f IN ARRAY ARRAY[
        'is_barred(uuid,text)', 'rests_on_barred(uuid,uuid)', 'has_part(uuid)', 'tell_of_barred_guardian(uuid,timestamptz)',
        'ask_erasure(text,uuid,text,timestamptz,interval)',
        'apply_retraction(uuid,uuid,uuid,text,bytea,boolean,timestamptz,interval)', 'apply_correction(uuid,timestamptz)', 'carry_corrections(uuid,timestamptz)',
        'apply_proposal(uuid,uuid,text[],bytea,timestamptz,interval)', 'lock_case_of_request(uuid)', 'tell_of_answer(uuid,timestamptz)',
        'carry_missed_corrections(uuid,timestamptz)',
        'content_in_hand(uuid,uuid,uuid,timestamptz)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    ALTER FUNCTION pass_on_proposals() OWNER TO rujukan_definer;
    REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
    FOREACH f IN ARRAY ARRAY[
        'retract_version(acting,text,bytea,integer,uuid,uuid,uuid,text,bytea,boolean,interval)',
        'correct_record(acting,text,bytea,integer,jsonb,bytea,bytea[],bytea)',
        'propose_correction(acting,text,bytea,integer,uuid,uuid,text[],bytea,interval)',
        'close_request(acting,uuid,text,uuid,text,jsonb,bytea)', 'answer_request(acting,text,bytea,integer,uuid,jsonb,bytea,bytea[])'] LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION ask_holders(uuid[],uuid,text,uuid,text,uuid,uuid,timestamptz,timestamptz,interval) TO rujukan_definer;
GRANT EXECUTE ON FUNCTION disclose_correction(correction,uuid,uuid,timestamptz) TO rujukan_definer;
