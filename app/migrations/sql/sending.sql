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

-- The first deliveries of a webhook that are due and may be sent, at most `p_most`. A walk along `delivery_due` that ends with the last of them: so
-- it costs what is sent, and never what waits. No estimate of how many may be sent is any good, and with a bad one all that waits would be looked
-- at and sorted, for each claim anew, while a webhook that comes back has thousands of them; so there is no other plan than the walk. What waits
-- behind an earlier one of its case is found first, since it is cheaper to find.
CREATE FUNCTION first_due(
    p_webhook uuid, p_at timestamptz, p_lease interval, p_overtaken_after interval, p_most integer
) RETURNS TABLE (message_id uuid, due_at timestamptz, "position" bigint) LANGUAGE plpgsql STABLE ROWS 8
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN QUERY SELECT d.message_id, d.due_at, d.position FROM delivery d
    WHERE d.webhook_id = p_webhook AND d.state = 'waiting' AND d.due_at <= p_at AND CASE
        WHEN (SELECT true FROM delivery e
              WHERE e.webhook_id = d.webhook_id AND e.case_id = d.case_id AND e.position < d.position AND e.state = 'waiting'
                AND (e.first_at IS NULL OR e.first_at > p_at - p_overtaken_after
                     OR (e.due_at <= p_at + p_lease AND NOT is_parked('send_deliveries', e.message_id, p_at)))
              ORDER BY e.position LIMIT 1) THEN false
        ELSE NOT is_parked('send_deliveries', d.message_id, p_at) END
    ORDER BY d.due_at, d.position LIMIT p_most;
END $$;

-- Records what came of an attempt, with all that follows from it, and returns `recovered` (it answers after a long time), `paused` or `gone` where
-- that is so. The webhook's row comes before the delivery's, as everywhere. An attempt whose delivery was claimed again meanwhile, or replayed,
-- is recorded and decides nothing: but what was delivered is delivered, however late that is known.
CREATE FUNCTION record_attempt(
    p_webhook uuid, p_message uuid, p_url text, p_number integer, p_first_at timestamptz, p_at timestamptz, p_state text, p_due_at timestamptz,
    p_id uuid, p_status integer, p_fault text, p_milliseconds integer, p_answer bytea, p_long interval, p_pause_after interval, p_fewest integer
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE w webhook; v_since timestamptz; v_became text;
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
        RETURN v_became;
    END IF;
    IF p_status = 410 THEN
        UPDATE webhook SET state = 'gone', state_at = p_at WHERE id = p_webhook AND state = 'active' AND url = p_url RETURNING * INTO w;
    ELSE
        -- a clock that jumped pauses nothing: it takes some attempts too
        UPDATE webhook SET state = 'paused', state_at = p_at
        WHERE id = p_webhook AND state = 'active' AND greatest(failing_since, state_at) <= p_at - p_pause_after AND url = p_url
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
    RETURN v_became;
END $$;

-- What a row is, and whose, is never the worker's to change.
GRANT SELECT, UPDATE (state, state_at, position, failing_since) ON webhook TO rujukan_worker;
GRANT SELECT ON webhook_key TO rujukan_worker;
GRANT SELECT, INSERT, DELETE, UPDATE (state, due_at, attempts, first_at, ended_at) ON delivery TO rujukan_worker;
GRANT INSERT, SELECT (webhook_id, message_id, at) ON delivery_attempt TO rujukan_worker;
GRANT EXECUTE ON FUNCTION webhook_in_service(text, uuid, timestamptz), first_due(uuid, timestamptz, interval, interval, integer),
    record_attempt(uuid, uuid, text, integer, timestamptz, timestamptz, text, timestamptz, uuid, integer, text, integer, bytea, interval, interval, integer)
    TO rujukan_worker;
