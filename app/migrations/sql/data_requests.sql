-- What a person asks about their data, incidents, and legal holds: each with a clock, none changes the state of a referral or transfer.

CREATE TABLE subject_request (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    kind text NOT NULL CHECK (kind IN ('access', 'correct', 'restrict', 'erase', 'copy')),
    requester text NOT NULL,
    identity_check text NOT NULL,
    identity_checked_by text NOT NULL,
    author_id uuid NOT NULL REFERENCES agency (id),
    recorded_by_id uuid NOT NULL REFERENCES agency (id),
    actor text,
    sections text[] NOT NULL,  -- empty: all
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    look_at timestamptz,
    clock text NOT NULL DEFAULT 'ok' CHECK (clock IN ('ok', 'due', 'overdue')),
    clock_step integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'answered')),
    answer text CHECK (answer IN ('granted', 'granted_in_part', 'refused')),
    answered_sections text[],  -- to which sections the grant reaches
    refusal_ground text,
    correction_id uuid,
    delivery text,
    delivered_on date,
    answered_at timestamptz,
    answered_by_id uuid REFERENCES agency (id),
    erased_at timestamptz,
    lifted_at timestamptz,  -- of a granted restriction: it is over
    lifted_by_id uuid REFERENCES agency (id),
    lift_ground text CHECK (lift_ground IN ('person_asked', 'reason_ended', 'court_order')),
    detail bytea,
    answer_detail bytea,
    lift_detail bytea,
    CHECK (lifted_at IS NULL OR (kind = 'restrict' AND answer IN ('granted', 'granted_in_part') AND lift_ground IS NOT NULL AND lifted_by_id IS NOT NULL)),
    CHECK ((state = 'answered') = (answer IS NOT NULL)),
    CHECK ((answer IN ('refused', 'granted_in_part')) = (refusal_ground IS NOT NULL) OR answer IS NULL),
    PRIMARY KEY (case_id, id)
);
CREATE INDEX subject_request_id ON subject_request USING hash (id);
CREATE INDEX subject_request_author ON subject_request (author_id, id);
CREATE INDEX subject_request_waiting ON subject_request (due_at, id) WHERE state = 'open';
CREATE INDEX subject_request_look ON subject_request (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX subject_request_to_erase ON subject_request (answered_at) WHERE kind = 'erase' AND answer <> 'refused' AND erased_at IS NULL;

CREATE TABLE incident (
    id uuid PRIMARY KEY,
    reference text NOT NULL,
    kind text NOT NULL,
    author_id uuid NOT NULL REFERENCES agency (id),
    responsible_id uuid NOT NULL REFERENCES agency (id),  -- whose clock it is: the author, or of a wrong record the one who wrote it
    recorded_by_id uuid NOT NULL REFERENCES agency (id),
    actor text,
    subject text,
    subject_id uuid,
    happened_at timestamptz,
    noticed_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    data_classes text[] NOT NULL,
    persons integer,
    due_at timestamptz NOT NULL,
    look_at timestamptz,
    clock text NOT NULL DEFAULT 'ok' CHECK (clock IN ('ok', 'due', 'overdue')),
    clock_step integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    subject_told_at timestamptz,
    authority_told_at timestamptz,
    no_notice_reason text,
    closed_at timestamptz,
    closed_by_id uuid REFERENCES agency (id),
    detail bytea NOT NULL,
    close_detail bytea,
    CHECK ((state = 'closed') = (closed_at IS NOT NULL))
);
CREATE INDEX incident_author ON incident (author_id, id);
CREATE INDEX incident_responsible ON incident (responsible_id, id);
CREATE INDEX incident_waiting ON incident (responsible_id, due_at, id) WHERE state = 'open';
CREATE INDEX incident_look ON incident (look_at) WHERE look_at IS NOT NULL;

CREATE TABLE incident_case (
    incident_id uuid NOT NULL REFERENCES incident (id),
    case_id uuid NOT NULL REFERENCES case_file (id),
    PRIMARY KEY (case_id, incident_id)
);
CREATE INDEX incident_case_incident ON incident_case (incident_id);

CREATE TABLE incident_entry (
    id uuid NOT NULL,
    incident_id uuid NOT NULL REFERENCES incident (id),
    agency_id uuid NOT NULL REFERENCES agency (id),
    recorded_by_id uuid NOT NULL REFERENCES agency (id),
    actor text,
    recorded_at timestamptz NOT NULL,
    detail bytea NOT NULL,
    PRIMARY KEY (incident_id, id)
);

CREATE TABLE legal_hold (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    placed_by_id uuid NOT NULL REFERENCES agency (id),
    actor text,
    authority text NOT NULL,
    dated_on date NOT NULL,
    sections text[] NOT NULL CHECK (sections <> '{}'),
    until_on date,  -- null: until it is lifted
    review_at timestamptz NOT NULL,
    placed_at timestamptz NOT NULL,
    look_at timestamptz,
    clock text NOT NULL DEFAULT 'ok' CHECK (clock IN ('ok', 'overdue')),
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'lifted', 'ended')),
    ended_at timestamptz,
    detail bytea,  -- null once it is erased
    end_detail bytea,
    CHECK ((state = 'active') = (ended_at IS NULL)),
    PRIMARY KEY (case_id, id)
);
CREATE INDEX legal_hold_id ON legal_hold USING hash (id);
CREATE INDEX legal_hold_look ON legal_hold (look_at) WHERE look_at IS NOT NULL;

-- Each review of a hold, with what was said.
CREATE TABLE legal_hold_review (
    id uuid NOT NULL,
    case_id uuid NOT NULL,
    hold_id uuid NOT NULL,
    actor text,
    recorded_at timestamptz NOT NULL,
    review_at timestamptz NOT NULL,
    detail bytea,
    PRIMARY KEY (case_id, id),
    FOREIGN KEY (case_id, hold_id) REFERENCES legal_hold (case_id, id)
);
CREATE INDEX legal_hold_review_hold ON legal_hold_review (hold_id);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['subject_request', 'incident', 'incident_case', 'incident_entry', 'legal_hold', 'legal_hold_review'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY by_definer ON %I TO rujukan_definer USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO rujukan_app', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO rujukan_definer', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['subject_request', 'incident', 'legal_hold'] LOOP
        EXECUTE format('CREATE POLICY by_worker ON %I TO rujukan_worker USING (true) WITH CHECK (true)', t);
    END LOOP;
    CREATE POLICY by_worker ON incident_case FOR SELECT TO rujukan_worker USING (true);
END $$;

-- Whether the caller reviews, and belongs to the same world as an agency: practice agencies have no protection officers among real ones.
CREATE FUNCTION reviews_for(p_agency uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT is_reviewer() AND one_world(current_agency(), p_agency)
$$;
CREATE FUNCTION reviewer_of(p_agency uuid) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT id FROM agency WHERE (reviewer OR (desk AND NOT EXISTS (SELECT FROM agency WHERE reviewer))) AND one_world(id, p_agency)
$$;

CREATE POLICY author_lead_and_reviewer ON subject_request FOR SELECT TO rujukan_app USING (
    author_id = (SELECT current_agency()) OR is_lead(case_id) OR reviews_for(author_id));
CREATE POLICY lead_and_reviewer ON legal_hold FOR SELECT TO rujukan_app USING (is_lead(case_id) OR reviews_for(placed_by_id));
CREATE POLICY reviewer ON legal_hold_review FOR SELECT TO rujukan_app USING (
    EXISTS (SELECT FROM legal_hold h WHERE h.id = legal_hold_review.hold_id AND reviews_for(h.placed_by_id)));

-- asks past the policies, or those of incident and incident_case would ask each other for ever
CREATE FUNCTION sees_incident(p_incident uuid) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM incident i WHERE i.id = p_incident AND (
        current_agency() IN (i.author_id, i.responsible_id) OR reviews_for(i.author_id)
        OR EXISTS (SELECT FROM incident_case k JOIN case_file c ON c.id = k.case_id WHERE k.incident_id = i.id AND c.lead_id = current_agency())));
END $$;
CREATE POLICY author_responsible_leads_and_reviewer ON incident FOR SELECT TO rujukan_app USING (
    author_id = (SELECT current_agency()) OR responsible_id = (SELECT current_agency()) OR sees_incident(id));
-- a lead learns of its own case, not which others are concerned
CREATE POLICY own_cases ON incident_case FOR SELECT TO rujukan_app USING (
    is_lead(case_id) OR EXISTS (SELECT FROM incident i WHERE i.id = incident_case.incident_id
        AND (i.author_id = (SELECT current_agency()) OR i.responsible_id = (SELECT current_agency()) OR reviews_for(i.author_id))));
CREATE POLICY seen_with_incident ON incident_entry FOR SELECT TO rujukan_app USING (sees_incident(incident_id));

CREATE FUNCTION all_sections() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY['identity', 'contact', 'location', 'family', 'identification', 'exploitation', 'safety', 'health', 'psychosocial', 'legal',
                 'migration', 'needs', 'narrative', 'attachments', 'extensions']
$$;

-- The sections of a case that an active hold keeps from erasure.
CREATE FUNCTION held_sections(p_case uuid, p_at timestamptz) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(DISTINCT s), '{}') FROM legal_hold h, unnest(h.sections) AS s
    WHERE h.case_id = p_case AND h.state = 'active' AND (h.until_on IS NULL OR h.until_on >= (p_at AT TIME ZONE 'UTC')::date)
$$;

-- Locks the given sections of everything disclosed of a case, for every holder; a disclosure of more goes on with the rest. What is locked
-- already for a reason that others can lift (a doubt that ends, another basis) is locked for this one instead. Returns those that were open once.
-- Called by the functions below and by nobody else.
CREATE FUNCTION lock_sections(p_case uuid, p_sections text[], p_reason text, p_at timestamptz) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE d disclosure; v_open uuid[] := '{}'; v_new uuid;
BEGIN
    PERFORM FROM referral WHERE case_id = p_case ORDER BY id FOR NO KEY UPDATE;
    PERFORM FROM transfer WHERE case_id = p_case ORDER BY id FOR NO KEY UPDATE;
    FOR d IN SELECT * FROM disclosure e WHERE e.case_id = p_case AND e.sections && p_sections
             AND (e.locked_at IS NULL OR e.lock_reason IN ('consent_doubted', 'consent_withdrawn', 'consent_narrowed', 'review_lapsed', 'not_justified')
                  OR (e.lock_reason = 'restricted' AND p_reason = 'erasure_asked'))
             ORDER BY e.id FOR NO KEY UPDATE LOOP
        IF d.sections <@ p_sections THEN
            v_new := d.id;
            UPDATE disclosure SET locked_at = coalesce(locked_at, p_at), lock_reason = p_reason WHERE id = d.id AND case_id = p_case;
        ELSE
            v_new := uuidv7(p_at - clock_timestamp());
            UPDATE disclosure SET sections = ARRAY(SELECT s FROM unnest(d.sections) AS s WHERE s <> ALL (p_sections)) WHERE id = d.id AND case_id = p_case;
            INSERT INTO disclosure (id, case_id, subject, subject_id, version_id, move_id, sender_id, receiver_id, basis, consent_id, legal_basis, article,
                                    sections, until_at, onward, recorded_at, opened_at, closed_at, locked_at, lock_reason, origin_id)
            VALUES (v_new, d.case_id, d.subject, d.subject_id, d.version_id, d.move_id, d.sender_id, d.receiver_id, d.basis, d.consent_id, d.legal_basis,
                    d.article, ARRAY(SELECT s FROM unnest(d.sections) AS s WHERE s = ANY (p_sections)), d.until_at, d.onward, d.recorded_at,
                    d.opened_at, d.closed_at, coalesce(d.locked_at, p_at), p_reason, d.origin_id);
        END IF;
        IF d.opened_at IS NOT NULL THEN
            v_open := v_open || v_new;
        END IF;
    END LOOP;
    RETURN v_open;
END $$;

-- Any party writes down what the person asks; the lead answers. p: id, kind, requester, identity_check, identity_checked_by, sections,
-- received_at, recorded_by_id.
CREATE FUNCTION apply_subject_request(p_case uuid, p jsonb, p_actor text, p_detail bytea, p_at timestamptz, p_within interval, OUT o_reference text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE c case_file; v_me uuid := current_agency(); x record; v_due timestamptz;
BEGIN
    SELECT * INTO c FROM case_file WHERE id = p_case FOR NO KEY UPDATE;
    IF v_me IS NULL OR c.id IS NULL OR NOT has_part(p_case) THEN
        RAISE EXCEPTION 'no such case' USING ERRCODE = 'RJ404';
    END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(id uuid, kind text, requester text, identity_check text, identity_checked_by text, sections text[],
                                                 received_at timestamptz, recorded_by_id uuid);
    IF is_barred(p_case, x.requester) THEN
        RAISE EXCEPTION 'the guardian is barred' USING ERRCODE = 'RJ029', DETAIL = jsonb_build_object('case_id', p_case)::text;
    END IF;
    v_due := greatest(x.received_at + p_within, p_at);
    INSERT INTO subject_request (id, case_id, kind, requester, identity_check, identity_checked_by, author_id, recorded_by_id, actor, sections, received_at,
                                 recorded_at, due_at, look_at, detail)
    VALUES (x.id, p_case, x.kind, x.requester, x.identity_check, x.identity_checked_by, v_me, x.recorded_by_id, p_actor, x.sections, x.received_at, p_at,
            v_due, p_at + (v_due - p_at) / 2, p_detail);
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT c.lead_id, 'subject_request.opened', 'subject_request', x.id, p_case, 'open', p_at WHERE c.lead_id <> v_me;
    o_reference := c.reference;
END $$;

CREATE FUNCTION open_subject_request(
    a acting, p_key text, p_hash bytea, p_days integer, p_case uuid, p jsonb, p_detail bytea, p_within interval
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; v_reference text; v_id uuid := (p->>'id')::uuid;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    v_reference := apply_subject_request(p_case, p, a.actor, p_detail, a.at, p_within);
    m := (false, 'subject_request', v_id, p_case, v_reference, 'open', 1,
          log_by(a, 'subject_request:open', 'done', 'subject_request', v_id, p_case,
                 jsonb_build_object('kind', p->'kind', 'requester', p->'requester', 'sections', p->'sections')), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- The lead's answer, with what follows: sections lock for every holder, who is asked to erase or to restrict. p: answer, sections,
-- refusal_ground, correction_id, delivery, delivered_on.
CREATE FUNCTION apply_subject_answer(
    p_id uuid, p jsonb, p_detail bytea, p_at timestamptz, p_within interval, OUT o_request subject_request, OUT o_reference text, OUT o_asked integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE r subject_request; c case_file; v_me uuid := current_agency(); x record; v_open uuid[]; v_held text[];
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
    IF r.state = 'answered' THEN
        RAISE EXCEPTION 'answered already' USING ERRCODE = 'RJ062';
    END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(answer text, sections text[], refusal_ground text, correction_id uuid, delivery text, delivered_on date);
    o_asked := 0;
    IF x.answer <> 'refused' THEN
        IF is_barred(r.case_id, r.requester) THEN  -- since it was written down
            RAISE EXCEPTION 'the guardian is barred' USING ERRCODE = 'RJ029', DETAIL = jsonb_build_object('case_id', r.case_id)::text;
        END IF;
        x.sections := coalesce(x.sections, CASE WHEN r.sections = '{}' THEN CASE WHEN r.kind IN ('erase', 'restrict') THEN all_sections() END ELSE r.sections END);
        IF r.kind = 'correct' AND NOT EXISTS (SELECT FROM correction k WHERE k.id = x.correction_id AND k.case_id = r.case_id) THEN
            RAISE EXCEPTION 'no such correction' USING ERRCODE = 'RJ066';
        END IF;
        IF r.kind = 'erase' THEN
            SELECT array_agg(s) INTO v_held FROM unnest(held_sections(r.case_id, p_at)) AS s WHERE s = ANY (x.sections);
            IF v_held IS NOT NULL THEN
                RAISE EXCEPTION 'under a legal hold' USING ERRCODE = 'RJ067', DETAIL = jsonb_build_object('sections', to_jsonb(v_held))::text;
            END IF;
        END IF;
        IF r.kind IN ('erase', 'restrict') THEN
            v_open := lock_sections(r.case_id, x.sections, CASE r.kind WHEN 'erase' THEN 'erasure_asked' ELSE 'restricted' END, p_at);
            o_asked := ask_holders(v_open, r.case_id, CASE r.kind WHEN 'erase' THEN 'erasure_asked' ELSE 'restriction_asked' END, v_me,
                                   'subject_request', r.id, NULL, p_at, p_at, p_within);
        END IF;
    ELSE
        x.sections := NULL;
    END IF;
    UPDATE subject_request SET state = 'answered', answer = x.answer, answered_sections = x.sections, refusal_ground = x.refusal_ground,
        correction_id = x.correction_id, delivery = x.delivery, delivered_on = x.delivered_on, answered_at = p_at, answered_by_id = v_me,
        answer_detail = p_detail, look_at = NULL, clock = 'ok'
    WHERE id = r.id AND case_id = r.case_id RETURNING * INTO o_request;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT r.author_id, 'subject_request.answered', 'subject_request', r.id, r.case_id, 'answered', p_at WHERE r.author_id <> v_me;
    o_reference := c.reference;
END $$;

CREATE FUNCTION answer_subject_request(
    a acting, p_key text, p_hash bytea, p_days integer, p_id uuid, p jsonb, p_detail bytea, p_within interval
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w record; r subject_request;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO w FROM apply_subject_answer(p_id, p, p_detail, a.at, p_within);
    r := w.o_request;
    m := (false, 'subject_request', r.id, r.case_id, w.o_reference, 'answered', 2,
          log_by(a, 'subject_request:answer', 'done', 'subject_request', r.id, r.case_id, jsonb_strip_nulls(jsonb_build_object(
              'kind', r.kind, 'answer', r.answer, 'ground', r.refusal_ground, 'sections', to_jsonb(r.answered_sections), 'requests', w.o_asked,
              'correction', r.correction_id))), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- A new lead answers what the person asked of the earlier one.
CREATE FUNCTION pass_on_subject_requests() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT NEW.lead_id, 'subject_request.opened', 'subject_request', id, NEW.id, 'open', NEW.updated_at
    FROM subject_request WHERE case_id = NEW.id AND state = 'open';
    RETURN NULL;
END $$;
CREATE TRIGGER case_file_lead_moved_requests AFTER UPDATE OF lead_id ON case_file FOR EACH ROW WHEN (old.lead_id <> new.lead_id)
    EXECUTE FUNCTION pass_on_subject_requests();

-- Whoever may see an incident, told of it: never the one who acts.
CREATE FUNCTION tell_of_incident(p_incident uuid, p_type text, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT told, p_type, 'incident', i.id, NULL, i.state, p_at
    FROM incident i, LATERAL (SELECT i.author_id AS told UNION SELECT i.responsible_id UNION SELECT reviewer_of(i.author_id)
        UNION SELECT c.lead_id FROM incident_case k JOIN case_file c ON c.id = k.case_id WHERE k.incident_id = i.id) AS parties
    WHERE i.id = p_incident AND told IS NOT NULL AND told IS DISTINCT FROM current_agency() ORDER BY told
$$;

-- An agency writes down an incident of its own. Cases it names are cases it has a part in.
CREATE FUNCTION apply_incident(p jsonb, p_actor text, p_detail bytea, p_at timestamptz, p_within interval) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE x record; v_me uuid := current_agency(); v_due timestamptz; v_case uuid;
BEGIN
    SELECT * INTO x FROM jsonb_to_record(p) AS x(id uuid, reference text, kind text, happened_at timestamptz, noticed_at timestamptz, data_classes text[],
                                                 persons integer, cases uuid[], recorded_by_id uuid);
    FOREACH v_case IN ARRAY x.cases LOOP
        IF v_me IS NULL OR NOT has_part(v_case) THEN
            RAISE EXCEPTION 'no such case' USING ERRCODE = 'RJ404';
        END IF;
    END LOOP;
    v_due := greatest(x.noticed_at + p_within, p_at);
    INSERT INTO incident (id, reference, kind, author_id, responsible_id, recorded_by_id, actor, happened_at, noticed_at, recorded_at, data_classes, persons,
                          due_at, look_at, detail)
    VALUES (x.id, x.reference, x.kind, v_me, v_me, x.recorded_by_id, p_actor, x.happened_at, x.noticed_at, p_at, x.data_classes, x.persons, v_due,
            p_at + (v_due - p_at) / 2, p_detail);
    INSERT INTO incident_case (incident_id, case_id) SELECT DISTINCT x.id, unnest(x.cases);
    PERFORM tell_of_incident(x.id, 'incident.opened', p_at);
END $$;

CREATE FUNCTION open_incident(a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_detail bytea, p_within interval) RETURNS moved
LANGUAGE plpgsql AS $$
DECLARE m moved; v_id uuid := (p->>'id')::uuid;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    PERFORM apply_incident(p, a.actor, p_detail, a.at, p_within);
    m := (false, 'incident', v_id, NULL, p->>'reference', 'open', 1,
          log_by(a, 'incident:open', 'done', 'incident', v_id, NULL, jsonb_build_object('kind', p->'kind', 'cases', p->'cases')), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Adds to an incident, or closes it: by its author, the one responsible, or the reviewer; a lead of a case it names may add.
-- p: entry_id, close, subject_told_at, authority_told_at, no_notice_reason, persons, happened_at, data_classes, recorded_by_id.
CREATE FUNCTION apply_incident_entry(p_id uuid, p jsonb, p_actor text, p_detail bytea, p_at timestamptz, OUT o_reference text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE i incident; x record; v_me uuid := current_agency();
BEGIN
    IF v_me IS NULL OR NOT sees_incident(p_id) THEN
        RAISE EXCEPTION 'no such incident' USING ERRCODE = 'RJ404';
    END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(entry_id uuid, close boolean, subject_told_at timestamptz, authority_told_at timestamptz,
                                                 no_notice_reason text, persons integer, happened_at timestamptz, data_classes text[],
                                                 recorded_by_id uuid);
    SELECT * INTO i FROM incident WHERE id = p_id FOR NO KEY UPDATE;
    IF i.state = 'closed' THEN
        RAISE EXCEPTION 'closed already' USING ERRCODE = 'RJ068';
    END IF;
    IF x.close THEN
        IF v_me NOT IN (i.author_id, i.responsible_id) AND NOT reviews_for(i.author_id) THEN
            RAISE EXCEPTION 'no such incident' USING ERRCODE = 'RJ404';
        END IF;
        UPDATE incident SET state = 'closed', closed_at = p_at, closed_by_id = v_me, subject_told_at = x.subject_told_at,
            authority_told_at = x.authority_told_at, no_notice_reason = x.no_notice_reason, persons = coalesce(x.persons, persons),
            happened_at = coalesce(x.happened_at, happened_at), data_classes = coalesce(x.data_classes, data_classes), close_detail = p_detail, look_at = NULL, clock = 'ok'
        WHERE id = p_id;
        PERFORM tell_of_incident(p_id, 'incident.closed', p_at);
    ELSE
        INSERT INTO incident_entry (id, incident_id, agency_id, recorded_by_id, actor, recorded_at, detail)
        VALUES (x.entry_id, p_id, v_me, x.recorded_by_id, p_actor, p_at, p_detail);
        PERFORM tell_of_incident(p_id, 'incident.updated', p_at);
    END IF;
    o_reference := i.reference;
END $$;

CREATE FUNCTION add_to_incident(a acting, p_key text, p_hash bytea, p_days integer, p_id uuid, p jsonb, p_detail bytea) RETURNS moved
LANGUAGE plpgsql AS $$
DECLARE m moved; v_reference text; v_closes boolean := (p->>'close')::boolean;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    v_reference := apply_incident_entry(p_id, p, a.actor, p_detail, a.at);
    m := (false, 'incident', p_id, NULL, v_reference, CASE WHEN v_closes THEN 'closed' ELSE 'open' END, 1,
          log_by(a, CASE WHEN v_closes THEN 'incident:close' ELSE 'incident:add' END, 'done', 'incident', p_id, NULL,
                 jsonb_strip_nulls(jsonb_build_object('no_notice', p->'no_notice_reason'))), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- A protection officer's hold. It opens nothing: the officer learns the case's reference, which they brought, and no more.
-- p: id, case_reference, authority, dated_on, sections, until_on, review_at.
CREATE FUNCTION apply_hold(p jsonb, p_actor text, p_detail bytea, p_at timestamptz, OUT o_hold legal_hold, OUT o_reference text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE x record; c case_file; v_me uuid := current_agency();
BEGIN
    SELECT * INTO x FROM jsonb_to_record(p) AS x(id uuid, case_reference text, authority text, dated_on date, sections text[], until_on date, review_at timestamptz);
    SELECT * INTO c FROM case_file WHERE reference = x.case_reference FOR NO KEY UPDATE;
    IF v_me IS NULL OR NOT is_reviewer() OR c.id IS NULL OR NOT one_world(v_me, c.lead_id) THEN
        RAISE EXCEPTION 'no case of this reference' USING ERRCODE = 'RJ072';
    END IF;
    INSERT INTO legal_hold (id, case_id, placed_by_id, actor, authority, dated_on, sections, until_on, review_at, placed_at, look_at, detail)
    VALUES (x.id, c.id, v_me, p_actor, x.authority, x.dated_on, x.sections, x.until_on, x.review_at, p_at,
            least(x.review_at, (x.until_on + 1)::timestamp AT TIME ZONE 'UTC'), p_detail)
    RETURNING * INTO o_hold;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT c.lead_id, 'hold.placed', 'hold', x.id, c.id, 'active', p_at WHERE c.lead_id <> v_me;
    o_reference := c.reference;
END $$;

CREATE FUNCTION place_hold(a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_detail bytea) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w record; h legal_hold;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO w FROM apply_hold(p, a.actor, p_detail, a.at);
    h := w.o_hold;
    m := (false, 'hold', h.id, h.case_id, w.o_reference, 'active', 1,
          log_by(a, 'hold:place', 'done', 'hold', h.id, h.case_id, jsonb_build_object('sections', h.sections, 'authority', h.authority, 'until', h.until_on)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Reviews a hold (it stays, until a later review) or lifts it. p: review_id, review_at; without review_at it is lifted.
CREATE FUNCTION apply_hold_change(p_id uuid, p jsonb, p_actor text, p_detail bytea, p_at timestamptz, OUT o_hold legal_hold, OUT o_reference text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE h legal_hold; c case_file; v_review timestamptz := (p->>'review_at')::timestamptz;
BEGIN
    SELECT * INTO h FROM legal_hold WHERE id = p_id;
    IF NOT FOUND OR NOT reviews_for(h.placed_by_id) THEN
        RAISE EXCEPTION 'no such hold' USING ERRCODE = 'RJ404';
    END IF;
    SELECT * INTO c FROM case_file WHERE id = h.case_id FOR NO KEY UPDATE;
    SELECT * INTO h FROM legal_hold WHERE id = p_id FOR NO KEY UPDATE;
    IF h.state <> 'active' THEN
        RAISE EXCEPTION 'ended already' USING ERRCODE = 'RJ069';
    END IF;
    IF v_review IS NULL THEN
        UPDATE legal_hold SET state = 'lifted', ended_at = p_at, end_detail = p_detail, look_at = NULL, clock = 'ok'
        WHERE id = p_id AND case_id = h.case_id RETURNING * INTO o_hold;
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        SELECT c.lead_id, 'hold.lifted', 'hold', h.id, c.id, 'lifted', p_at WHERE c.lead_id <> current_agency();
    ELSE
        INSERT INTO legal_hold_review (id, case_id, hold_id, actor, recorded_at, review_at, detail)
        VALUES ((p->>'review_id')::uuid, h.case_id, h.id, p_actor, p_at, v_review, p_detail);
        UPDATE legal_hold SET review_at = v_review, look_at = least(v_review, (until_on + 1)::timestamp AT TIME ZONE 'UTC'), clock = 'ok'
        WHERE id = p_id AND case_id = h.case_id RETURNING * INTO o_hold;
    END IF;
    o_reference := c.reference;
END $$;

CREATE FUNCTION change_hold(a acting, p_key text, p_hash bytea, p_days integer, p_id uuid, p jsonb, p_detail bytea) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w record; h legal_hold;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO w FROM apply_hold_change(p_id, p, a.actor, p_detail, a.at);
    h := w.o_hold;
    m := (false, 'hold', h.id, h.case_id, w.o_reference, h.state, 1,
          log_by(a, CASE h.state WHEN 'lifted' THEN 'hold:lift' ELSE 'hold:review' END, 'done', 'hold', h.id, h.case_id,
                 jsonb_build_object('sections', h.sections)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- the worker watches the deadlines; it learns of no section, no answer and no word
GRANT SELECT (id, case_id, author_id, state, due_at, look_at, clock_step), UPDATE (look_at, clock, clock_step) ON subject_request TO rujukan_worker;
GRANT SELECT (id, author_id, responsible_id, state, due_at, look_at, clock_step), UPDATE (look_at, clock, clock_step) ON incident TO rujukan_worker;
GRANT SELECT (incident_id, case_id) ON incident_case TO rujukan_worker;
GRANT SELECT (id, case_id, placed_by_id, state, until_on, review_at, look_at), UPDATE (look_at, clock, state, ended_at) ON legal_hold TO rujukan_worker;

DO $$
DECLARE f text;
BEGIN
    GRANT CREATE ON SCHEMA public TO rujukan_definer;
    FOREACH f IN ARRAY ARRAY[
        'sees_incident(uuid)', 'apply_subject_request(uuid,jsonb,text,bytea,timestamptz,interval)',
        'apply_subject_answer(uuid,jsonb,bytea,timestamptz,interval)', 'apply_incident(jsonb,text,bytea,timestamptz,interval)',
        'apply_incident_entry(uuid,jsonb,text,bytea,timestamptz)', 'apply_hold(jsonb,text,bytea,timestamptz)',
        'apply_hold_change(uuid,jsonb,text,bytea,timestamptz)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    ALTER FUNCTION pass_on_subject_requests() OWNER TO rujukan_definer;
    REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
    FOREACH f IN ARRAY ARRAY[
        'open_subject_request(acting,text,bytea,integer,uuid,jsonb,bytea,interval)', 'answer_subject_request(acting,text,bytea,integer,uuid,jsonb,bytea,interval)',
        'open_incident(acting,text,bytea,integer,jsonb,bytea,interval)', 'add_to_incident(acting,text,bytea,integer,uuid,jsonb,bytea)',
        'place_hold(acting,text,bytea,integer,jsonb,bytea)', 'change_hold(acting,text,bytea,integer,uuid,jsonb,bytea)'] LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION reviews_for(uuid), held_sections(uuid,timestamptz) TO rujukan_app, rujukan_definer;
GRANT EXECUTE ON FUNCTION reviewer_of(uuid) TO rujukan_worker, rujukan_definer;
GRANT EXECUTE ON FUNCTION all_sections(), lock_sections(uuid,text[],text,timestamptz), tell_of_incident(uuid,text,timestamptz) TO rujukan_definer;
GRANT SELECT (reviewer, sandbox, desk) ON agency TO rujukan_definer;
