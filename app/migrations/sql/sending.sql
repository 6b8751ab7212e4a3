-- What the worker does with webhooks (app/delivery/claims.py). Nothing here acts for an agency: all runs as the worker itself.

-- Whether anything may be sent to a webhook now: as auth/directory.Snapshot says of a token its client would ask for. Its client and its agency are
-- let in, the client speaks for the agency itself, and has the scopes to read events and to have webhooks. Under an agreement alone it would not see
-- its webhook (app/delivery/subscriptions.itself), so nothing is sent then. An emergency takes the second of these away, whatever stands in the
-- client's row. It costs more than an index: it is asked last.
CREATE FUNCTION webhook_in_service(p_client text, p_agency uuid) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE COST 100000 AS $$
    SELECT EXISTS (
        SELECT FROM client c
        JOIN client_agency ca ON ca.client_id = c.client_id
        JOIN agency g ON g.id = ca.agency_id
        WHERE c.client_id = p_client AND g.id = p_agency AND c.emergency_until IS NULL AND c.scopes @> ARRAY['events.read', 'webhooks.write']
          AND g.status = 'active' AND (c.status = 'active' OR (g.sandbox AND c.status IN ('sandbox', 'requested', 'approved'))))
$$;

-- What of a webhook may be sent now, at most p_most: of each case the first in order, and of what belongs to no case all that is due. In a case the
-- first that is under way, to be tried soon, or has not failed for p_overtaken yet keeps all behind it waiting; one that has failed for longer does not.
-- That is asked of each case among the first that are due (p_front), and only where they are too few of each case there is: so it takes no longer
-- with 100,000 of one case before it. The index answers each question, whatever the statistics say while one webhook has most of the table.
CREATE FUNCTION due_deliveries(p_webhook uuid, p_now timestamptz, p_lease interval, p_overtaken interval, p_most integer, p_front integer, p_cases integer)
RETURNS TABLE (o_message_id uuid, o_due_at timestamptz, o_position bigint)
LANGUAGE plpgsql STABLE ROWS 8
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE d record; v_case uuid; v_seen uuid[] := '{}'; v_ids uuid[] := '{}'; v_looked integer := 0; v_found integer := 0; v_goes boolean;
BEGIN
    FOR d IN SELECT e.message_id, e.due_at, e.position, e.case_id FROM delivery e
             WHERE e.webhook_id = p_webhook AND e.state = 'waiting' AND e.due_at <= p_now ORDER BY e.due_at, e.position LIMIT p_front LOOP
        IF v_found >= p_most THEN
            RETURN;
        END IF;
        v_looked := v_looked + 1;
        IF d.case_id IS NULL THEN
            IF NOT is_parked('send_deliveries', d.message_id, p_now) THEN
                v_found := v_found + 1;
                v_ids := v_ids || d.message_id;
                o_message_id := d.message_id; o_due_at := d.due_at; o_position := d.position;
                RETURN NEXT;
            END IF;
        ELSIF d.case_id <> ALL (v_seen) THEN
            v_seen := v_seen || d.case_id;
            -- what keeps the case's later ones waiting is its first that is under way, to be tried soon, or has not failed for long
            SELECT e.message_id, e.due_at, e.position, e.due_at <= p_now AND NOT is_parked('send_deliveries', e.message_id, p_now)
            INTO o_message_id, o_due_at, o_position, v_goes FROM delivery e
            WHERE e.webhook_id = p_webhook AND e.case_id = d.case_id AND e.state = 'waiting'
              AND (e.first_at IS NULL OR e.first_at > p_now - p_overtaken
                   OR (e.due_at <= p_now + p_lease AND NOT is_parked('send_deliveries', e.message_id, p_now)))
            ORDER BY e.position LIMIT 1;
            IF v_goes THEN
                v_found := v_found + 1;
                RETURN NEXT;
            END IF;
        END IF;
    END LOOP;
    IF v_looked < p_front THEN
        RETURN;  -- there is no more that is due
    END IF;
    FOR d IN SELECT e.message_id, e.due_at, e.position FROM delivery e
             WHERE e.webhook_id = p_webhook AND e.case_id IS NULL AND e.state = 'waiting' AND e.due_at <= p_now AND e.message_id <> ALL (v_ids)
               AND NOT is_parked('send_deliveries', e.message_id, p_now) ORDER BY e.case_id, e.position LIMIT p_most - v_found LOOP
        v_found := v_found + 1;
        o_message_id := d.message_id; o_due_at := d.due_at; o_position := d.position;
        RETURN NEXT;
    END LOOP;
    v_case := '00000000-0000-0000-0000-000000000000';
    FOR i IN 1..p_cases LOOP
        EXIT WHEN v_found >= p_most;
        SELECT e.case_id, e.message_id, e.due_at, e.position, e.due_at <= p_now AND NOT is_parked('send_deliveries', e.message_id, p_now)
        INTO v_case, o_message_id, o_due_at, o_position, v_goes FROM delivery e
        WHERE e.webhook_id = p_webhook AND e.case_id > v_case AND e.state = 'waiting'
          AND (e.first_at IS NULL OR e.first_at > p_now - p_overtaken
               OR (e.due_at <= p_now + p_lease AND NOT is_parked('send_deliveries', e.message_id, p_now)))
        ORDER BY e.case_id, e.position LIMIT 1;
        EXIT WHEN v_case IS NULL;
        IF v_goes AND v_case <> ALL (v_seen) THEN
            v_found := v_found + 1;
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;

-- Records what came of an attempt, with all that follows from it, and returns `recovered` (it answers after a long time), `paused`, `gone`, or what
-- note_reach does, where that is so. The webhook's row comes before the delivery's, as everywhere. An attempt whose delivery was claimed again meanwhile, or replayed,
-- is recorded and decides nothing: but what was delivered is delivered, however late that is known.
CREATE FUNCTION record_attempt(
    p_webhook uuid, p_message uuid, p_url text, p_number integer, p_first_at timestamptz, p_at timestamptz, p_state text, p_due_at timestamptz,
    p_id uuid, p_status integer, p_fault text, p_milliseconds integer, p_answer bytea, p_long interval, p_pause_after interval, p_fewest integer
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    w webhook; v_since timestamptz; v_became text;
    v_reach text := note_reach(p_webhook, webhook_host(p_url), p_state = 'delivered', p_at, p_long);
BEGIN
    IF p_state = 'failed' AND p_url <> (SELECT url FROM webhook WHERE id = p_webhook FOR NO KEY UPDATE) THEN
        -- another address was given meanwhile, which has not been asked yet
        p_state := 'waiting';
        p_due_at := p_at;
    END IF;
    IF p_state = 'delivered' THEN
        -- out of service it keeps its time: what was given up since then is sent again once it is in service
        UPDATE webhook SET failing_since = NULL WHERE id = p_webhook AND failing_since IS NOT NULL AND state = 'active'
        RETURNING old.failing_since INTO v_since;
        IF v_since <= p_at - p_long THEN
            v_became := 'recovered';
        END IF;
    ELSE
        -- attempts that end together are recorded in any order
        UPDATE webhook SET failing_since = p_at WHERE id = p_webhook AND (failing_since IS NULL OR failing_since > p_at);
    END IF;
    INSERT INTO delivery_attempt (id, webhook_id, message_id, agency_id, at, number, status, fault, milliseconds, answer)
    SELECT p_id, webhook_id, message_id, agency_id, p_at, p_number, p_status, p_fault, p_milliseconds, p_answer
    FROM delivery WHERE webhook_id = p_webhook AND message_id = p_message FOR NO KEY UPDATE;
    UPDATE delivery SET state = p_state, due_at = p_due_at, ended_at = CASE WHEN p_state <> 'waiting' THEN p_at END
    WHERE webhook_id = p_webhook AND message_id = p_message AND state = 'waiting' AND first_at = p_first_at
      AND (p_state = 'delivered' OR attempts = p_number);
    IF p_state = 'delivered' THEN
        RETURN coalesce(v_reach, v_became);
    END IF;
    IF p_status = 410 THEN
        UPDATE webhook SET state = 'gone', state_at = p_at WHERE id = p_webhook AND state = 'active' AND url = p_url RETURNING * INTO w;
    ELSE
        -- a clock that jumped pauses nothing: it takes some attempts too; nor does a time in which nobody was reached
        UPDATE webhook SET state = 'paused', state_at = p_at
        WHERE id = p_webhook AND state = 'active' AND url = p_url AND greatest(failing_since, state_at) <= p_at - p_pause_after
          AND greatest(failing_since, state_at) <= p_at - p_pause_after - reached_nobody(greatest(failing_since, state_at), p_at)
          AND (SELECT count(*) FROM (SELECT FROM delivery_attempt a WHERE a.webhook_id = p_webhook AND a.at >= webhook.failing_since LIMIT p_fewest) n)
              = p_fewest
        RETURNING * INTO w;
    END IF;
    IF w.id IS NOT NULL THEN
        v_became := w.state;
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        VALUES (w.agency_id, 'webhook.' || v_became, 'webhook', w.id, NULL, w.state, p_at);
        PERFORM append_log(p_at, w.agency_id, w.client_id, 'system', NULL, CASE v_became WHEN 'gone' THEN 'webhook:gone' ELSE 'webhook:pause' END,
                           'done', 'webhook', w.id, NULL, jsonb_build_object('failing_since', w.failing_since));
    END IF;
    RETURN coalesce(v_became, v_reach);
END $$;

-- What a row is, and whose, is never the worker's to change.
GRANT SELECT, UPDATE (state, state_at, position, failing_since) ON webhook TO rujukan_worker;
GRANT SELECT ON webhook_key TO rujukan_worker;
GRANT SELECT, INSERT, DELETE, UPDATE (state, due_at, attempts, first_at, ended_at) ON delivery TO rujukan_worker;
GRANT INSERT, SELECT (webhook_id, message_id, at) ON delivery_attempt TO rujukan_worker;
GRANT EXECUTE ON FUNCTION webhook_host(text), webhook_in_service(text, uuid),
    due_deliveries(uuid, timestamptz, interval, interval, integer, integer, integer),
    record_attempt(uuid, uuid, text, integer, timestamptz, timestamptz, text, timestamptz, uuid, integer, text, integer, bytea, interval, interval, integer)
    TO rujukan_worker;
