-- What a client does about its own webhooks, and what administrators may see and stop of them. Each of the client's functions takes the agency
-- from the setting and touches that client's webhooks alone. Sending is app/delivery/sending.py's.

CREATE POLICY by_definer ON webhook TO rujukan_definer USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE (state, state_at) ON webhook TO rujukan_definer;

GRANT SELECT, INSERT, UPDATE (url, description, types, state, state_at, failing_since, changed_at), DELETE ON webhook TO rujukan_app;
-- who serves requests makes keys and cannot read them again: only the worker signs
GRANT SELECT (id, webhook_id, agency_id, public_key, created_at, ends_at), INSERT, UPDATE (ends_at) ON webhook_key TO rujukan_app;
GRANT SELECT, INSERT, UPDATE (state, due_at, attempts, first_at, ended_at, replayed_at) ON delivery TO rujukan_app;
GRANT SELECT ON delivery_attempt TO rujukan_app;

-- The only part of an address that anybody but its owner sees: a path or query may hold a secret of the receiver.
CREATE FUNCTION webhook_host(p_url text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN lower(substring(p_url FROM '^[^/]*//([^/?#]+)'));

-- Tells the agency what was done with one of its webhooks: whoever did it may be a thief.
CREATE FUNCTION tell_of_webhook(p_id uuid, p_type text, p_state text, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF p_type NOT LIKE 'webhook.%' THEN
        RAISE EXCEPTION 'not an event of a webhook' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT agency_id, p_type, 'webhook', id, NULL, p_state, p_at FROM webhook WHERE id = p_id AND agency_id = current_agency();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'only its agency tells of a webhook' USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

-- The client's own, locked for what follows.
CREATE FUNCTION own_webhook(a acting, p_id uuid) RETURNS webhook LANGUAGE plpgsql AS $$
DECLARE w webhook;
BEGIN
    SELECT * INTO w FROM webhook WHERE id = p_id AND client_id = a.client FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    RETURN w;
END $$;

CREATE FUNCTION add_webhook(
    a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_private bytea, p_at_most integer
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; x record; v_end bigint; v_dropped bigint;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(id uuid, url text, description text, types text[], after_position bigint, key_id uuid, public_key text);
    -- two at once must not both be the last one
    PERFORM pg_advisory_xact_lock(hashtextextended('webhooks ' || a.agency::text || a.client, 0));
    IF (SELECT count(*) FROM webhook WHERE client_id = a.client) >= p_at_most THEN
        RAISE EXCEPTION 'too many webhooks' USING ERRCODE = 'RJ150';
    END IF;
    SELECT f.position, f.dropped INTO v_end, v_dropped FROM feed_end f WHERE f.agency_id = a.agency;
    v_end := coalesce(v_end, 0);
    IF x.after_position < v_dropped THEN
        RAISE EXCEPTION 'not kept any more' USING ERRCODE = 'RJ154', DETAIL = v_dropped;
    END IF;
    IF x.after_position > v_end THEN
        RAISE EXCEPTION 'after the end of the feed' USING ERRCODE = 'RJ153';
    END IF;
    INSERT INTO webhook (id, agency_id, client_id, url, description, types, state_at, position, created_at, changed_at)
    VALUES (x.id, a.agency, a.client, x.url, x.description, x.types, a.at, coalesce(x.after_position, v_end), a.at, a.at);
    INSERT INTO webhook_key (id, webhook_id, agency_id, public_key, private_sealed, created_at)
    VALUES (x.key_id, x.id, a.agency, x.public_key, p_private, a.at);
    PERFORM tell_of_webhook(x.id, 'webhook.added', 'active', a.at);
    m := (false, 'webhook', x.id, NULL, '', 'active', 1,
          log_by(a, 'webhook:add', 'done', 'webhook', x.id, NULL, jsonb_build_object('host', webhook_host(x.url), 'types', x.types)), a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- What is not in `p` stays. Only what changes is told and logged.
CREATE FUNCTION change_webhook(a acting, p_id uuid, p jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE w webhook; n webhook; v_changed text[];
BEGIN
    PERFORM begin_acting(a);
    w := own_webhook(a, p_id);
    n := w;
    n.url := coalesce(p->>'url', w.url);
    n.description := coalesce(p->>'description', w.description);
    IF p ? 'types' THEN
        n.types := ARRAY(SELECT jsonb_array_elements_text(p->'types'));
    END IF;
    v_changed := array_remove(ARRAY[CASE WHEN n.url <> w.url THEN 'url' END, CASE WHEN n.description <> w.description THEN 'description' END,
                                    CASE WHEN n.types <> w.types THEN 'types' END], NULL);
    IF cardinality(v_changed) = 0 THEN
        RETURN;
    END IF;
    UPDATE webhook SET url = n.url, description = n.description, types = n.types,
        changed_at = CASE WHEN v_changed && ARRAY['url', 'types'] THEN a.at ELSE changed_at END WHERE id = p_id;
    IF v_changed && ARRAY['url', 'types'] THEN
        PERFORM tell_of_webhook(p_id, 'webhook.changed', w.state, a.at);
    END IF;
    PERFORM log_by(a, 'webhook:change', 'done', 'webhook', p_id, NULL,
                   jsonb_build_object('changed', v_changed, 'host', webhook_host(n.url), 'types', n.types));
END $$;

-- What is to be sent again: the same message, as if it had never been tried.
CREATE FUNCTION send_again(p_webhook uuid, p_messages uuid[], p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    UPDATE delivery SET state = 'waiting', due_at = p_at, attempts = 0, first_at = NULL, ended_at = NULL, replayed_at = p_at
    WHERE webhook_id = p_webhook AND message_id = ANY (p_messages)
$$;

-- Puts it into service, or takes it out. Into service again: what waited is due now with its whole time before it, and what was given up since it
-- began to fail is sent again. What came meanwhile follows from its own position.
CREATE FUNCTION switch_webhook(a acting, p_key text, p_hash bytea, p_days integer, p_id uuid, p_on boolean) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w webhook; v_state text := CASE WHEN p_on THEN 'active' ELSE 'disabled' END;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    w := own_webhook(a, p_id);
    IF w.state <> v_state THEN
        UPDATE webhook SET state = v_state, state_at = a.at, changed_at = a.at, failing_since = CASE WHEN p_on THEN NULL ELSE failing_since END
        WHERE id = p_id;
        IF p_on THEN
            UPDATE delivery SET due_at = a.at, attempts = 0, first_at = NULL WHERE webhook_id = p_id AND state = 'waiting';
            PERFORM send_again(p_id, ARRAY(SELECT message_id FROM delivery WHERE webhook_id = p_id AND state = 'failed'
                                           AND ended_at >= w.failing_since), a.at);
        END IF;
        PERFORM tell_of_webhook(p_id, CASE WHEN p_on THEN 'webhook.enabled' ELSE 'webhook.disabled' END, v_state, a.at);
    END IF;
    m := (false, 'webhook', p_id, NULL, '', v_state, 1,
          log_by(a, CASE WHEN p_on THEN 'webhook:enable' ELSE 'webhook:disable' END, 'done', 'webhook', p_id, NULL,
                 jsonb_build_object('was', w.state, 'host', webhook_host(w.url))), a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- With its keys, deliveries and attempts; the log keeps that it was there.
CREATE FUNCTION remove_webhook(a acting, p_id uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE w webhook;
BEGIN
    PERFORM begin_acting(a);
    w := own_webhook(a, p_id);
    PERFORM tell_of_webhook(p_id, 'webhook.removed', 'removed', a.at);
    DELETE FROM webhook WHERE id = p_id;
    PERFORM log_by(a, 'webhook:remove', 'done', 'webhook', p_id, NULL, jsonb_build_object('was', w.state, 'host', webhook_host(w.url)));
END $$;

-- The new key signs at once; the earlier one as long as `p_overlap` says. Never three.
CREATE FUNCTION rotate_webhook_key(
    a acting, p_key text, p_hash bytea, p_days integer, p_id uuid, p_new uuid, p_public text, p_private bytea, p_overlap interval
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w webhook;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    w := own_webhook(a, p_id);
    IF (SELECT count(*) FROM webhook_key WHERE webhook_id = p_id AND (ends_at IS NULL OR ends_at > a.at)) >= 2 THEN
        RAISE EXCEPTION 'two keys sign' USING ERRCODE = 'RJ151';
    END IF;
    UPDATE webhook_key SET ends_at = a.at + p_overlap WHERE webhook_id = p_id AND ends_at IS NULL;
    INSERT INTO webhook_key (id, webhook_id, agency_id, public_key, private_sealed, created_at) VALUES (p_new, p_id, a.agency, p_public, p_private, a.at);
    PERFORM tell_of_webhook(p_id, 'webhook.key_added', w.state, a.at);
    m := (false, 'webhook', p_id, NULL, '', w.state, 1,
          log_by(a, 'webhook:rotate_key', 'done', 'webhook', p_id, NULL,
                 jsonb_build_object('key', p_new, 'until', a.at + p_overlap, 'host', webhook_host(w.url))), a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- A message about the webhook itself, of no position: the same way as any other.
CREATE FUNCTION test_webhook(a acting, p_key text, p_hash bytea, p_days integer, p_id uuid, p_message uuid) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w webhook;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    w := own_webhook(a, p_id);
    IF w.state <> 'active' THEN
        RAISE EXCEPTION 'out of service' USING ERRCODE = 'RJ152';
    END IF;
    INSERT INTO delivery (webhook_id, message_id, agency_id, type, subject, subject_id, event_state, recorded_at, due_at)
    VALUES (p_id, p_message, a.agency, 'webhook.test', 'webhook', p_id, 'test', a.at, a.at);
    m := (false, 'delivery', p_message, NULL, '', 'waiting', 1,
          log_by(a, 'webhook:test', 'done', 'webhook', p_id, NULL, jsonb_build_object('message', p_message, 'host', webhook_host(w.url))), a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

CREATE FUNCTION replay_delivery(a acting, p_key text, p_hash bytea, p_days integer, p_id uuid, p_message uuid) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w webhook;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    w := own_webhook(a, p_id);
    IF NOT EXISTS (SELECT FROM delivery WHERE webhook_id = p_id AND message_id = p_message) THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    PERFORM send_again(p_id, ARRAY[p_message], a.at);
    m := (false, 'delivery', p_message, NULL, '', 'waiting', 1,
          log_by(a, 'webhook:replay', 'done', 'webhook', p_id, NULL, jsonb_build_object('message', p_message, 'host', webhook_host(w.url))), a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- Many at once, at most `p_at_most`, in the feed's order: what was given up (neither time nor position is named), or all the webhook wants that is
-- kept of the feed from then on, also from before it was there. Of the answer `version` is how many, `reference` the last position, and `state`
-- whether there is more. What lies behind the webhook's own position comes by itself. Where not all of it is kept any more, it refuses.
CREATE FUNCTION replay_webhook(
    a acting, p_key text, p_hash bytea, p_days integer, p_id uuid, p_since timestamptz, p_after bigint, p_at_most integer
) RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; w webhook; v_ids uuid[]; v_last bigint; v_dropped bigint;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    w := own_webhook(a, p_id);
    IF p_since IS NULL AND p_after IS NULL THEN
        SELECT array_agg(f.message_id ORDER BY f.position) INTO v_ids FROM (
            SELECT d.message_id, d.position FROM delivery d WHERE d.webhook_id = p_id AND d.state = 'failed'
            ORDER BY d.position LIMIT p_at_most + 1) AS f;
        IF cardinality(v_ids) > p_at_most THEN
            m.state := 'more';
        END IF;
        v_ids := v_ids[:p_at_most];
        PERFORM send_again(p_id, v_ids, a.at);
    ELSE
        WITH wanted AS MATERIALIZED (
            SELECT e.* FROM event e WHERE e.agency_id = a.agency AND e.position > coalesce(p_after, 0) AND e.position <= w.position
              AND (p_since IS NULL OR e.recorded_at >= p_since) AND type_wanted(w.types, e.type)
            ORDER BY e.position LIMIT p_at_most + 1
        ), taken AS (
            SELECT * FROM wanted ORDER BY position LIMIT p_at_most
        ), put AS (
            INSERT INTO delivery (webhook_id, message_id, agency_id, position, type, subject, subject_id, case_id, event_state, recorded_at, due_at, replayed_at)
            SELECT p_id, t.event_id, t.agency_id, t.position, t.type, t.subject, t.subject_id, t.case_id, t.state, t.recorded_at, a.at, a.at FROM taken t
            ON CONFLICT (webhook_id, message_id) DO UPDATE SET state = 'waiting', due_at = a.at, attempts = 0, first_at = NULL, ended_at = NULL, replayed_at = a.at
        )
        SELECT array_agg(t.event_id), max(t.position), CASE WHEN (SELECT count(*) FROM wanted) > p_at_most THEN 'more' END
        INTO v_ids, v_last, m.state FROM taken t;
        -- asked for after the events, some of which may have been dropped meanwhile
        SELECT f.dropped INTO v_dropped FROM feed_end f WHERE f.agency_id = a.agency AND (p_after < f.dropped OR p_since <= f.dropped_until);
        IF FOUND THEN
            RAISE EXCEPTION 'not kept any more' USING ERRCODE = 'RJ154', DETAIL = v_dropped;
        END IF;
    END IF;
    m := (false, 'webhook', p_id, NULL, coalesce(v_last::text, ''), coalesce(m.state, 'all'), coalesce(cardinality(v_ids), 0),
          log_by(a, 'webhook:replay', 'done', 'webhook', p_id, NULL,
                 jsonb_strip_nulls(jsonb_build_object('since', p_since, 'after', p_after, 'messages', coalesce(cardinality(v_ids), 0), 'host', webhook_host(w.url)))),
          a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

-- For administrators: whose they are, where they lead by host alone, and how they fare. Never what was sent, nor the whole address.
CREATE FUNCTION administered_webhooks(p_id uuid, p_client text, p_agency text, p_state text, p_after uuid, p_limit integer) RETURNS TABLE (
    id uuid, client_id text, agency text, host text, state text, state_at timestamptz, failing_since timestamptz, created_at timestamptz, changed_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT w.id, w.client_id, g.code, webhook_host(w.url), w.state, w.state_at, w.failing_since, w.created_at, w.changed_at
    FROM webhook w JOIN agency g ON g.id = w.agency_id
    WHERE (p_id IS NULL OR w.id = p_id) AND (p_client IS NULL OR w.client_id = p_client) AND (p_agency IS NULL OR g.code = p_agency) AND (p_state IS NULL OR w.state = p_state)
      AND (p_after IS NULL OR w.id > p_after)
    ORDER BY w.id LIMIT p_limit;
END $$;

-- Takes one out of service by an administrator's hand; its agency is told. Its client can put it into service again: a client that may not is stopped.
-- Whether it was there.
CREATE FUNCTION disable_webhook(p_id uuid, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE w webhook;
BEGIN
    SELECT * INTO w FROM webhook WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF w.state <> 'disabled' THEN
        UPDATE webhook SET state = 'disabled', state_at = p_at WHERE id = p_id;
        INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
        VALUES (w.agency_id, 'webhook.disabled', 'webhook', p_id, NULL, 'disabled', p_at);
    END IF;
    RETURN true;
END $$;

-- The kill switch: whatever the client made, led elsewhere or put into service since then goes out of service, before its client is let in again.
CREATE FUNCTION stop_webhooks(p_client text, p_since timestamptz, p_at timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_ids uuid[] := ARRAY(SELECT id FROM webhook WHERE client_id = p_client AND changed_at >= p_since AND state <> 'disabled' ORDER BY id);
BEGIN
    PERFORM disable_webhook(u.id, p_at) FROM unnest(v_ids) AS u(id);
    RETURN cardinality(v_ids);
END $$;

-- What a client did with webhooks in a time, by the log: also with those that are gone since.
CREATE FUNCTION breach_webhooks(p_client text, p_since timestamptz, p_until timestamptz) RETURNS TABLE (
    o_id uuid, o_agency text, o_hosts text[], o_acts text[], o_first_at timestamptz, o_last_at timestamptz, o_state text
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT e.subject_id, max(g.code), array_agg(DISTINCT e.detail->>'host'), array_agg(DISTINCT split_part(e.action, ':', 2)),
        min(e.recorded_at), max(e.recorded_at), coalesce(max(w.state), 'removed')
    FROM log_entry e JOIN agency g ON g.id = e.agency_id LEFT JOIN webhook w ON w.id = e.subject_id
    WHERE e.client_id = p_client AND e.recorded_at >= p_since AND e.recorded_at < p_until AND e.outcome = 'done' AND e.subject = 'webhook'
      AND e.action LIKE 'webhook:%'
    GROUP BY e.subject_id ORDER BY min(e.recorded_at), e.subject_id;
END $$;

GRANT CREATE ON SCHEMA public TO rujukan_definer;
DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['tell_of_webhook(uuid,text,text,timestamptz)', 'administered_webhooks(uuid,text,text,text,uuid,integer)',
                             'disable_webhook(uuid,timestamptz)', 'stop_webhooks(text,timestamptz,timestamptz)',
                             'breach_webhooks(text,timestamptz,timestamptz)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT EXECUTE ON FUNCTION webhook_host(text) TO rujukan_app, rujukan_definer;
GRANT EXECUTE ON FUNCTION tell_of_webhook(uuid, text, text, timestamptz), own_webhook(acting, uuid), send_again(uuid, uuid[], timestamptz),
    add_webhook(acting, text, bytea, integer, jsonb, bytea, integer), change_webhook(acting, uuid, jsonb),
    switch_webhook(acting, text, bytea, integer, uuid, boolean), remove_webhook(acting, uuid),
    rotate_webhook_key(acting, text, bytea, integer, uuid, uuid, text, bytea, interval), test_webhook(acting, text, bytea, integer, uuid, uuid),
    replay_delivery(acting, text, bytea, integer, uuid, uuid),
    replay_webhook(acting, text, bytea, integer, uuid, timestamptz, bigint, integer) TO rujukan_app;
GRANT EXECUTE ON FUNCTION administered_webhooks(uuid, text, text, text, uuid, integer), disable_webhook(uuid, timestamptz),
    stop_webhooks(text, timestamptz, timestamptz), breach_webhooks(text, timestamptz, timestamptz) TO rujukan_admin;
