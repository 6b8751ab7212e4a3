-- Row-level security: an agency sees what it is party to. The agency is the transaction's setting rujukan.agency.
CREATE FUNCTION current_agency() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('rujukan.agency', true), '')::uuid;

-- asks past the policies, or the policies of case_file and case_lead would ask each other for ever
CREATE FUNCTION is_lead(p_case uuid) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM case_file WHERE id = p_case AND lead_id = current_agency());
END $$;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['case_file', 'case_lead', 'consent', 'record_version', 'record_content', 'referral', 'transfer',
                             'disclosure', 'move', 'outbox', 'event', 'event_default', 'feed_end', 'idempotency', 'idempotency_default',
                             'log_entry_default'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    END LOOP;
    -- the listed SECURITY DEFINER functions check party and state themselves
    FOREACH t IN ARRAY ARRAY['case_file', 'case_lead', 'consent', 'record_version', 'referral', 'transfer', 'disclosure', 'move', 'outbox'] LOOP
        EXECUTE format('CREATE POLICY by_definer ON %I TO rujukan_definer USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;

CREATE POLICY parties ON referral TO rujukan_app
    USING (sender_id = (SELECT current_agency()) OR receiver_id = (SELECT current_agency()))
    WITH CHECK (sender_id = (SELECT current_agency()) OR receiver_id = (SELECT current_agency()));
-- the lead answers for the case: it sees who has been asked and how that stands, also by others; the content stays with its parties
CREATE POLICY seen_by_lead ON referral FOR SELECT TO rujukan_app USING (is_lead(case_id));
CREATE POLICY parties ON transfer TO rujukan_app
    USING (sender_id = (SELECT current_agency()) OR receiver_id = (SELECT current_agency()))
    WITH CHECK (sender_id = (SELECT current_agency()) OR receiver_id = (SELECT current_agency()));
CREATE POLICY parties ON disclosure TO rujukan_app
    USING (sender_id = (SELECT current_agency()) OR receiver_id = (SELECT current_agency()))
    WITH CHECK (sender_id = (SELECT current_agency()) OR receiver_id = (SELECT current_agency()));

-- the lead, who has led it, and who has something of it open; once that has ended, who leads is no longer theirs to know
CREATE POLICY seen_by_parties ON case_file FOR SELECT TO rujukan_app USING (
    lead_id = (SELECT current_agency())
    OR EXISTS (SELECT FROM case_lead l WHERE l.case_id = case_file.id AND l.agency_id = (SELECT current_agency()))
    OR EXISTS (SELECT FROM referral r WHERE r.case_id = case_file.id AND r.ended_at IS NULL)
    OR EXISTS (SELECT FROM transfer t WHERE t.case_id = case_file.id AND t.ended_at IS NULL));
CREATE POLICY opened_by_lead ON case_file FOR INSERT TO rujukan_app WITH CHECK (lead_id = (SELECT current_agency()));
CREATE POLICY changed_by_parties ON case_file FOR UPDATE TO rujukan_app USING (
    lead_id = (SELECT current_agency())
    OR EXISTS (SELECT FROM referral r WHERE r.case_id = case_file.id AND r.ended_at IS NULL));

-- an agency's own time as lead; the lead now sees all of them
CREATE POLICY own_time ON case_lead FOR SELECT TO rujukan_app USING (agency_id = (SELECT current_agency()));
CREATE POLICY whole_for_lead ON case_lead FOR SELECT TO rujukan_app USING (is_lead(case_id));
CREATE POLICY opened ON case_lead FOR INSERT TO rujukan_app WITH CHECK (agency_id = (SELECT current_agency()));

CREATE POLICY author_and_lead ON consent TO rujukan_app
    USING (author_id = (SELECT current_agency()) OR is_lead(case_id))
    WITH CHECK (author_id = (SELECT current_agency()));

-- a version that was retracted is there for nobody, its author included
CREATE POLICY author_and_holders ON record_version FOR SELECT TO rujukan_app USING (retracted_at IS NULL AND (
    author_id = (SELECT current_agency())
    -- also the new lead, who has become the sender of what another wrote: the preview, not the content
    OR EXISTS (SELECT FROM disclosure d WHERE d.version_id = record_version.id
               AND (SELECT current_agency()) IN (d.receiver_id, d.sender_id) AND d.closed_at IS NULL)));
CREATE POLICY by_author ON record_version FOR INSERT TO rujukan_app WITH CHECK (author_id = (SELECT current_agency()));
-- content opens at acceptance and not before; a correction is open to its holder as far as what it corrects is
CREATE POLICY author_and_opened ON record_content FOR SELECT TO rujukan_app USING (retracted_at IS NULL AND (
    author_id = (SELECT current_agency())
    OR EXISTS (SELECT FROM disclosure d WHERE d.version_id = record_content.version_id
               AND d.receiver_id = (SELECT current_agency()) AND d.closed_at IS NULL AND d.locked_at IS NULL
               AND CASE WHEN d.origin_id IS NULL THEN d.opened_at IS NOT NULL ELSE EXISTS (
                   SELECT FROM disclosure o WHERE o.subject_id = d.origin_id AND o.receiver_id = d.receiver_id
                   AND o.opened_at IS NOT NULL AND o.closed_at IS NULL AND o.locked_at IS NULL AND o.sections && d.sections) END)));
CREATE POLICY by_author ON record_content FOR INSERT TO rujukan_app WITH CHECK (author_id = (SELECT current_agency()));

CREATE POLICY parties ON move FOR SELECT TO rujukan_app USING (
    sender_id = (SELECT current_agency()) OR receiver_id = (SELECT current_agency())
    OR (subject = 'referral' AND EXISTS (SELECT FROM referral r WHERE r.id = move.subject_id))
    OR (subject = 'case' AND is_lead(case_id)));
CREATE POLICY by_parties ON move FOR INSERT TO rujukan_app WITH CHECK (agency_id = (SELECT current_agency()));

CREATE POLICY own ON event FOR SELECT TO rujukan_app USING (agency_id = (SELECT current_agency()));
CREATE POLICY own ON feed_end FOR SELECT TO rujukan_app USING (agency_id = (SELECT current_agency()));
CREATE POLICY own ON idempotency TO rujukan_app
    USING (agency_id = (SELECT current_agency())) WITH CHECK (agency_id = (SELECT current_agency()));

GRANT SELECT, INSERT ON case_file, case_lead, consent, record_version, record_content, move TO rujukan_app;
GRANT UPDATE (records, updated_at) ON case_file TO rujukan_app;
GRANT SELECT, INSERT ON referral, transfer, disclosure TO rujukan_app;
-- what a move or a reading changes; who is party, what is asked for and what a basis covers is changed by definer functions alone
GRANT UPDATE (state, version, updated_at, first_read_at, acknowledged_at, accepted_at, ended_at, service_point_id, respond_by, deadline_at, due_at,
              clock, clock_step, paused_at, pause_used, last_occurred_at, error_reported_at, version_id, sections) ON referral, transfer TO rujukan_app;
GRANT UPDATE (state_before, started_at, last_recorded_at, review_at, needs_hash) ON referral TO rujukan_app;
GRANT UPDATE (paper, paper_due_at, manifest, manifest_digest) ON transfer TO rujukan_app;
GRANT UPDATE (opened_at, closed_at, locked_at, lock_reason) ON disclosure TO rujukan_app;
GRANT SELECT, INSERT ON idempotency TO rujukan_app;
GRANT SELECT ON event, feed_end TO rujukan_app;

GRANT SELECT, UPDATE ON case_file, referral, transfer, disclosure TO rujukan_definer;
GRANT SELECT, INSERT, UPDATE ON case_lead TO rujukan_definer;
GRANT SELECT, INSERT, UPDATE ON move TO rujukan_definer;
GRANT INSERT ON outbox TO rujukan_definer;

-- the worker moves events and watches deadlines; it has no way to content, consent or reasons
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['referral', 'transfer', 'move', 'outbox', 'event', 'feed_end', 'disclosure', 'case_file'] LOOP
        EXECUTE format('CREATE POLICY by_worker ON %I TO rujukan_worker USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
GRANT SELECT (id, case_id, reference, sender_id, receiver_id, turn_id, state, version, urgency, respond_by, deadline_at, due_at, clock, clock_step),
      UPDATE (state, version, updated_at, ended_at, deadline_at, due_at, clock, clock_step, respond_by) ON referral, transfer TO rujukan_worker;
GRANT SELECT (started_at) ON referral TO rujukan_worker;
GRANT SELECT (id, lead_id) ON case_file TO rujukan_worker;
GRANT SELECT (id, subject_id, closed_at), UPDATE (closed_at) ON disclosure TO rujukan_worker;
GRANT INSERT ON move TO rujukan_worker;
GRANT SELECT, INSERT, DELETE ON outbox TO rujukan_worker;
GRANT SELECT, INSERT ON event TO rujukan_worker;
GRANT SELECT, INSERT, UPDATE (position) ON feed_end TO rujukan_worker;
