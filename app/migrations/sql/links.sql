-- Cases that belong together. Each side learns that there is a link, its kind and who leads the other; nothing more.
-- The service has no way to the table itself, which holds both sides: only to the functions below, which show one.
CREATE TABLE case_link (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    other_case_id uuid NOT NULL REFERENCES case_file (id),
    lead_id uuid NOT NULL REFERENCES agency (id),  -- who leads each of them now: move_lead keeps both up
    other_lead_id uuid NOT NULL REFERENCES agency (id),
    kind text NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'confirmed', 'refused', 'ended')),
    version integer NOT NULL DEFAULT 1,
    proposed_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    detail bytea,
    ended_by_case_id uuid,
    end_detail bytea,
    CHECK (case_id <> other_case_id),
    PRIMARY KEY (case_id, id)
);
CREATE INDEX case_link_id ON case_link USING hash (id);
CREATE INDEX case_link_other ON case_link (other_case_id, id);
CREATE INDEX case_link_lead ON case_link (lead_id, id);
CREATE INDEX case_link_other_lead ON case_link (other_lead_id, id);
CREATE INDEX case_link_waiting ON case_link (other_lead_id, proposed_at, id) WHERE state = 'proposed';
CREATE UNIQUE INDEX case_link_once ON case_link (least(case_id, other_case_id), greatest(case_id, other_case_id), kind)
    WHERE state IN ('proposed', 'confirmed');
ALTER TABLE case_link ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_link FORCE ROW LEVEL SECURITY;
CREATE POLICY by_definer ON case_link TO rujukan_definer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON case_link TO rujukan_definer;

-- Tells the lead of one side, about its own case, unless it is the one who acts.
CREATE FUNCTION publish_link(p_id uuid, p_case uuid, p_type text, p_state text, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT lead_id, p_type, 'link', p_id, p_case, p_state, p_at FROM case_file WHERE id = p_case AND lead_id <> current_agency()
$$;

-- Proposes a link between a case the caller leads and the one of this reference. Null: the caller does not lead it.
CREATE FUNCTION store_link(p_id uuid, p_case uuid, p_reference text, p_kind text, p_at timestamptz, p_detail bytea) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE mine case_file; other case_file; v_state text; v_link uuid;
BEGIN
    -- both rows, always in one order, so that neither lead changes meanwhile
    PERFORM FROM case_file WHERE id = p_case OR reference = p_reference ORDER BY id FOR NO KEY UPDATE;
    SELECT * INTO mine FROM case_file WHERE id = p_case AND lead_id = current_agency();
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF mine.state = 'closed' THEN
        RAISE EXCEPTION 'the case is closed' USING ERRCODE = 'RJ022';
    END IF;
    SELECT * INTO other FROM case_file WHERE reference = p_reference;
    IF NOT FOUND OR NOT one_world(mine.lead_id, other.lead_id) THEN
        RAISE EXCEPTION 'no case of this reference' USING ERRCODE = 'RJ072';
    END IF;
    IF other.id = mine.id THEN
        RAISE EXCEPTION 'the case itself' USING ERRCODE = 'RJ073';
    END IF;
    v_state := CASE other.lead_id WHEN mine.lead_id THEN 'confirmed' ELSE 'proposed' END;
    INSERT INTO case_link (id, case_id, other_case_id, lead_id, other_lead_id, kind, state, proposed_at, updated_at, detail)
    VALUES (p_id, mine.id, other.id, mine.lead_id, other.lead_id, p_kind, v_state, p_at, p_at, p_detail)
    ON CONFLICT (least(case_id, other_case_id), greatest(case_id, other_case_id), kind) WHERE state IN ('proposed', 'confirmed') DO NOTHING;
    IF NOT FOUND THEN
        SELECT id INTO v_link FROM case_link WHERE kind = p_kind AND state IN ('proposed', 'confirmed')
            AND least(case_id, other_case_id) = least(mine.id, other.id) AND greatest(case_id, other_case_id) = greatest(mine.id, other.id);
        RAISE EXCEPTION 'linked already' USING ERRCODE = 'RJ074', DETAIL = jsonb_build_object('link_id', v_link)::text;
    END IF;
    PERFORM publish_link(p_id, other.id, 'case.link_proposed', v_state, p_at);
    RETURN v_state;
END $$;

-- Answers or ends a link: by the present lead of the side that may. Returns the caller's own side; null: none of the two is theirs.
CREATE FUNCTION change_link(
    p_id uuid, p_from text[], p_to text, p_party text, p_seen integer, p_at timestamptz, p_detail bytea,
    OUT own_case uuid, OUT new_version integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE l case_link; v_sender boolean; v_receiver boolean; v_may boolean;
BEGIN
    SELECT * INTO l FROM case_link WHERE id = p_id;
    PERFORM FROM case_file WHERE id IN (l.case_id, l.other_case_id) ORDER BY id FOR NO KEY UPDATE;
    v_sender := is_lead(l.case_id);
    v_receiver := is_lead(l.other_case_id);
    IF NOT (v_sender OR v_receiver) THEN
        RETURN;
    END IF;
    SELECT * INTO l FROM case_link WHERE id = p_id FOR UPDATE;
    v_may := CASE p_party WHEN 'sender' THEN v_sender WHEN 'receiver' THEN v_receiver ELSE true END;
    IF l.state <> ALL (p_from) OR NOT v_may THEN
        RAISE EXCEPTION 'not now' USING ERRCODE = 'RJ409', DETAIL = jsonb_build_object('subject', 'link', 'state', l.state,
            'version', l.version, 'party', CASE WHEN v_sender THEN 'sender' ELSE 'receiver' END)::text;
    END IF;
    IF l.version <> p_seen THEN
        RAISE EXCEPTION 'stale' USING ERRCODE = 'RJ412', DETAIL = jsonb_build_object('state', l.state, 'version', l.version)::text;
    END IF;
    own_case := CASE WHEN p_party = 'receiver' OR NOT v_sender THEN l.other_case_id ELSE l.case_id END;
    UPDATE case_link SET state = p_to, version = version + 1, updated_at = p_at, end_detail = p_detail,
        ended_by_case_id = CASE WHEN p_to IN ('refused', 'ended') THEN own_case END
    WHERE id = p_id RETURNING version INTO new_version;
    PERFORM publish_link(p_id, CASE own_case WHEN l.case_id THEN l.other_case_id ELSE l.case_id END, 'case.link_' || p_to, p_to, p_at);
END $$;

-- The links of cases the caller leads now, each from its own side; where it leads both, from the proposing one. The other side's lead
-- shows to who was asked, and after confirmation to both; its case never.
CREATE FUNCTION own_links(p_id uuid, p_case uuid, p_states text[], p_before uuid, p_limit integer) RETURNS TABLE (
    id uuid, case_id uuid, case_reference text, kind text, state text, version integer, proposed_here boolean, leads_both boolean,
    other_lead_id uuid, proposed_at timestamptz, updated_at timestamptz, detail bytea, end_detail bytea
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE me uuid := current_agency(); v_ids uuid[];
BEGIN
    IF p_id IS NOT NULL THEN
        v_ids := ARRAY[p_id];
    ELSIF p_case IS NOT NULL THEN
        v_ids := ARRAY(SELECT l.id FROM case_link l WHERE l.case_id = p_case UNION SELECT l.id FROM case_link l WHERE l.other_case_id = p_case);
    ELSE  -- a page along the index of each side
        v_ids := ARRAY(
            (SELECT l.id FROM case_link l WHERE l.lead_id = me AND (p_states IS NULL OR l.state = ANY (p_states))
             AND l.id < coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff') ORDER BY l.id DESC LIMIT p_limit)
            UNION
            (SELECT l.id FROM case_link l WHERE l.other_lead_id = me AND (p_states IS NULL OR l.state = ANY (p_states))
             AND l.id < coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff') ORDER BY l.id DESC LIMIT p_limit)
            ORDER BY 1 DESC LIMIT p_limit);
    END IF;
    RETURN QUERY
    SELECT DISTINCT ON (l.id) l.id, mine.id, mine.reference, l.kind, l.state, l.version, l.case_id = mine.id, l.lead_id = l.other_lead_id,
        CASE WHEN l.case_id <> mine.id AND l.state IN ('proposed', 'confirmed') THEN l.lead_id
             WHEN l.case_id = mine.id AND l.state = 'confirmed' THEN l.other_lead_id END,
        l.proposed_at, l.updated_at, CASE l.case_id WHEN mine.id THEN l.detail END, CASE l.ended_by_case_id WHEN mine.id THEN l.end_detail END
    FROM unnest(v_ids) AS page(id)
    JOIN case_link l ON l.id = page.id
    JOIN case_file mine ON (mine.id = l.case_id AND l.lead_id = me) OR (mine.id = l.other_case_id AND l.other_lead_id = me)
    WHERE p_case IS NULL OR mine.id = p_case
    ORDER BY l.id DESC, l.case_id = mine.id DESC;
END $$;

-- A person and who is suspected of harming them are never under one roof. Called at an acceptance, after the row accepted was locked.
-- The links' rows are locked, so that of two acceptances of linked cases the second sees the first.
CREATE FUNCTION check_service_point(p_case uuid, p_service_point uuid, p_receiver uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE l case_link; v_other uuid;
BEGIN
    IF p_receiver IS DISTINCT FROM current_agency() OR current_agency() NOT IN (SELECT parties_of_case(p_case)) THEN
        RAISE EXCEPTION 'only who accepts asks' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR l IN SELECT * FROM case_link WHERE kind = 'suspected_harm' AND state IN ('proposed', 'confirmed')
             AND p_case IN (case_id, other_case_id) ORDER BY id FOR UPDATE LOOP
        v_other := CASE l.case_id WHEN p_case THEN l.other_case_id ELSE l.case_id END;
        IF EXISTS (
            SELECT FROM referral r WHERE r.case_id = v_other AND r.receiver_id = p_receiver
              AND r.state IN ('accepted', 'in_progress', 'on_hold', 'cancel_requested')
              AND (r.service_point_id = p_service_point OR r.service_point_id IS NULL OR p_service_point IS NULL))
        OR EXISTS (
            SELECT FROM transfer t JOIN case_file c ON c.id = t.case_id
            WHERE t.case_id = v_other AND t.receiver_id = p_receiver
              AND (t.state = 'accepted' OR (t.state = 'completed' AND c.lead_id = p_receiver))
              AND (t.service_point_id = p_service_point OR t.service_point_id IS NULL OR p_service_point IS NULL)) THEN
            RAISE EXCEPTION 'barred' USING ERRCODE = 'RJ031';
        END IF;
    END LOOP;
END $$;

-- The links that wait for the caller's word, for its work list.
CREATE FUNCTION links_waiting(p_after timestamptz, p_after_id uuid, p_limit integer) RETURNS TABLE (
    id uuid, case_id uuid, version integer, proposed_at timestamptz, lead_id uuid
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT l.id, l.other_case_id, l.version, l.proposed_at, l.lead_id FROM case_link l
    WHERE l.other_lead_id = current_agency() AND l.state = 'proposed' AND (l.proposed_at, l.id) > (p_after, p_after_id)
    ORDER BY l.proposed_at, l.id LIMIT p_limit;
END $$;

CREATE FUNCTION propose_link(a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_detail bytea) RETURNS moved
LANGUAGE plpgsql AS $$
DECLARE m moved; x record; c case_file; v_state text;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(
        id uuid, case_id uuid, other text, kind text, move_id uuid, occurred_at timestamptz, channel text, recorded_by_id uuid);
    v_state := store_link(x.id, x.case_id, x.other, x.kind, a.at, p_detail);
    IF v_state IS NULL THEN
        PERFORM refuse_unless_lead(x.case_id);
    END IF;
    SELECT * INTO c FROM case_file WHERE id = x.case_id;
    INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, agency_id, recorded_by_id, actor, channel,
                      occurred_at, recorded_at)
    VALUES (x.move_id, c.id, 'case', c.id, 'link', c.state, c.state, c.version, a.agency, x.recorded_by_id, a.actor, x.channel, x.occurred_at, a.at);
    m := (false, 'link', x.id, c.id, c.reference, v_state, 1, log_by(a, 'case:link', 'done', 'link', x.id, c.id, jsonb_build_object('kind', x.kind)), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

CREATE FUNCTION apply_link_move(a acting, p_key text, p_hash bytea, p_days integer, p jsonb, p_detail bytea) RETURNS moved
LANGUAGE plpgsql AS $$
DECLARE m moved; x record; l record; c case_file;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.id IS NOT NULL THEN RETURN m; END IF;
    SELECT * INTO x FROM jsonb_to_record(p) AS x(
        id uuid, event text, from_states text[], to_state text, party text, seen integer, move_id uuid, occurred_at timestamptz, channel text,
        recorded_by_id uuid);
    SELECT * INTO l FROM change_link(x.id, x.from_states, x.to_state, x.party, x.seen, a.at, p_detail);
    IF l.own_case IS NULL THEN
        RAISE EXCEPTION 'nothing here' USING ERRCODE = 'RJ404';
    END IF;
    SELECT * INTO c FROM case_file WHERE id = l.own_case;
    INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, agency_id, recorded_by_id, actor, channel,
                      occurred_at, recorded_at)
    VALUES (x.move_id, c.id, 'case', c.id, x.event || '_link', c.state, c.state, c.version, a.agency, x.recorded_by_id, a.actor, x.channel,
            x.occurred_at, a.at);
    m := (false, 'link', x.id, c.id, c.reference, x.to_state, l.new_version, log_by(a, 'link:' || x.event, 'done', 'link', x.id, c.id, NULL), a.at);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

GRANT CREATE ON SCHEMA public TO rujukan_definer;
ALTER FUNCTION store_link(uuid, uuid, text, text, timestamptz, bytea) OWNER TO rujukan_definer;
ALTER FUNCTION change_link(uuid, text[], text, text, integer, timestamptz, bytea) OWNER TO rujukan_definer;
ALTER FUNCTION links_waiting(timestamptz, uuid, integer) OWNER TO rujukan_definer;
ALTER FUNCTION own_links(uuid, uuid, text[], uuid, integer) OWNER TO rujukan_definer;
ALTER FUNCTION check_service_point(uuid, uuid, uuid) OWNER TO rujukan_definer;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT EXECUTE ON FUNCTION publish_link(uuid, uuid, text, text, timestamptz) TO rujukan_definer;
GRANT EXECUTE ON FUNCTION
    store_link(uuid, uuid, text, text, timestamptz, bytea), change_link(uuid, text[], text, text, integer, timestamptz, bytea),
    links_waiting(timestamptz, uuid, integer), own_links(uuid, uuid, text[], uuid, integer), check_service_point(uuid, uuid, uuid),
    propose_link(acting, text, bytea, integer, jsonb, bytea), apply_link_move(acting, text, bytea, integer, jsonb, bytea) TO rujukan_app;
