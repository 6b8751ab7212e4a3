-- What the worker does with webhooks (app/delivery/claims.py). Nothing here acts for an agency: all runs as the worker itself.

-- Whether anything may be sent to a webhook now: as auth/directory.Snapshot says of a token its client would ask for. Its client and its agency are
-- let in, the client speaks for the agency (or for one that acts for it), and has the scopes to read events and to have webhooks. An emergency
-- takes the second of these away, whatever stands in the client's row. It costs more than an index: it is asked last.
CREATE FUNCTION webhook_in_service(p_client text, p_agency uuid, p_at timestamptz) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE COST 100000 AS $$
    SELECT EXISTS (
        SELECT FROM client c
        JOIN client_agency ca ON ca.client_id = c.client_id
        JOIN agency speaks ON speaks.id = ca.agency_id
        JOIN agency party ON party.id = p_agency
        WHERE c.client_id = p_client AND c.emergency_until IS NULL AND c.scopes @> ARRAY['events.read', 'webhooks.write']
          AND speaks.status = 'active' AND party.status = 'active'
          AND (c.status = 'active' OR (speaks.sandbox AND c.status IN ('sandbox', 'requested', 'approved')))
          AND (speaks.id = party.id OR EXISTS (
              SELECT FROM agreement a WHERE a.kind = 'acts_for' AND a.agency_id = party.id AND a.other_id = speaks.id
              AND a.from_at <= p_at AND (a.until_at IS NULL OR p_at < a.until_at))))
$$;

-- Records what came of an attempt, with all that follows from it, and returns `recovered` (it answers after a long time), `paused`, `gone`, or what
-- note_reach does, where that is so. The webhook's row comes before the delivery's, as everywhere. An attempt whose delivery was claimed again meanwhile, or replayed,
-- is recorded and decides nothing: but what was delivered is delivered, however late that is known.
CREATE FUNCTION record_attempt(
    p_webhook uuid, p_message uuid, p_url text, p_number integer, p_first_at timestamptz, p_at timestamptz, p_state text, p_due_at timestamptz,
    p_id uuid, p_status integer, p_fault text, p_milliseconds integer, p_answer bytea, p_long interval, p_pause_after interval, p_fewest integer
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE w webhook; v_since timestamptz; v_became text; v_reach text := note_reach(webhook_host(p_url), p_state = 'delivered', p_at, p_long);
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
GRANT EXECUTE ON FUNCTION webhook_host(text), webhook_in_service(text, uuid, timestamptz),
    record_attempt(uuid, uuid, text, integer, timestamptz, timestamptz, text, timestamptz, uuid, integer, text, integer, bytea, interval, interval, integer)
    TO rujukan_worker;
