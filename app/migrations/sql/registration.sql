-- Dynamic registration (RFC 7591, RFC 7592): who may ask for it, for which agency. What is registered waits for two people's yes.
-- The service, which the outside reaches, has no way to change clients but the functions below.
CREATE TABLE initial_access_token (
    id         uuid        CONSTRAINT initial_access_token_pkey PRIMARY KEY,
    token_hash bytea       NOT NULL CONSTRAINT initial_access_token_token_hash_key UNIQUE,
    agency_id  uuid        NOT NULL CONSTRAINT initial_access_token_agency_id_fkey REFERENCES agency (id),
    scopes     text[]      NOT NULL CONSTRAINT initial_access_token_scopes_some CHECK (cardinality(scopes) > 0),
    uses_left  integer     NOT NULL CONSTRAINT initial_access_token_uses_sign CHECK (uses_left >= 0),
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
);
ALTER TABLE client ADD CONSTRAINT client_registered_by_fkey FOREIGN KEY (registered_by) REFERENCES initial_access_token (id);
-- RFC 7591 §2: what software it is, as it says itself
ALTER TABLE client ADD COLUMN software_id text, ADD COLUMN software_version text;
-- when it last named another `jwks_uri` by itself
ALTER TABLE client ADD COLUMN jwks_uri_named_at timestamptz;

-- When a client's `jwks_uri` was last asked, by whichever process, and how that went.
CREATE TABLE client_jwks (
    client_id  text        CONSTRAINT client_jwks_pkey PRIMARY KEY CONSTRAINT client_jwks_client_id_fkey REFERENCES client (client_id),
    tried_at   timestamptz NOT NULL,
    fetched_at timestamptz,
    fault      text,
    -- the keys fetched last count no longer than this if nothing can be fetched any more; put off at most once an hour, since every
    -- process reads everything again when it moves
    good_until timestamptz,
    -- how long each new key of an address waits which a client in use has named by itself; those of one that people approved count at once
    new_keys_wait interval NOT NULL DEFAULT '0'
);
CREATE TRIGGER bump_epoch AFTER UPDATE OF good_until OR DELETE OR TRUNCATE ON client_jwks FOR EACH STATEMENT EXECUTE FUNCTION bump_epoch();
-- set when a key ended because its client stopped publishing it: it may come back; what an administrator has ended may not
ALTER TABLE client_key ADD COLUMN unpublished_at timestamptz;

-- Whether the caller is to ask a client's `jwks_uri` now: its keys are stale or one is not known, and nobody has asked a short while ago.
CREATE FUNCTION claim_jwks_fetch(p_client text, p_at timestamptz, p_unknown boolean, p_stale_after interval, p_again_after interval)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v client_jwks;
BEGIN
    SELECT * INTO v FROM client_jwks WHERE client_id = p_client;
    IF FOUND AND NOT p_unknown AND v.fetched_at > p_at - p_stale_after THEN
        RETURN false;
    END IF;
    IF FOUND AND v.tried_at > p_at - p_again_after AND v.tried_at < p_at + p_again_after THEN
        RETURN false;
    END IF;
    INSERT INTO client_jwks (client_id, tried_at)
    SELECT client_id, p_at FROM client WHERE client_id = p_client AND jwks_uri IS NOT NULL
    ON CONFLICT (client_id) DO UPDATE SET tried_at = excluded.tried_at
        WHERE client_jwks.tried_at <= p_at - p_again_after OR client_jwks.tried_at >= p_at + p_again_after;
    RETURN FOUND;
END $$;

-- What a client's `jwks_uri` answered: an array of {kid, jwk}, or NULL and why there is nothing. True if its keys, or how
-- long they count, have changed.
CREATE FUNCTION store_client_jwks(p_client text, p_uri text, p_at timestamptz, p_keys jsonb, p_fault text, p_lasts interval)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v client_jwks; c client; k record; o client_key; v_from timestamptz; v_until timestamptz; v_id uuid; v_fault text := p_fault;
    v_added text[] := '{}'; v_ended text[]; v_longer boolean;
BEGIN
    SELECT * INTO c FROM client WHERE client_id = p_client AND jwks_uri = p_uri AND status <> 'retired' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;  -- it has another address by now
    END IF;
    IF p_keys IS NULL THEN
        UPDATE client_jwks SET fault = p_fault WHERE client_id = p_client;
        RETURN false;
    END IF;
    IF jsonb_array_length(p_keys) > 10 THEN
        RAISE EXCEPTION 'too many keys' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO v FROM client_jwks WHERE client_id = p_client;
    v_from := p_at + coalesce(v.new_keys_wait, '0');
    FOR k IN SELECT x ->> 'kid' AS kid, x -> 'jwk' AS jwk FROM jsonb_array_elements(p_keys) x LOOP
        -- a key that an administrator has ended stays ended, under whatever name it is published
        IF EXISTS (SELECT FROM client_key e WHERE e.client_id = p_client AND e.ends_at <= p_at AND e.unpublished_at IS NULL
                   AND key_itself(e.jwk) = key_itself(k.jwk)) THEN
            v_fault := 'ended_key';
            CONTINUE;
        END IF;
        SELECT * INTO o FROM client_key WHERE client_id = p_client AND kid = k.kid;
        IF FOUND AND o.jwk = k.jwk AND (o.ends_at IS NULL OR o.ends_at > p_at) THEN
            IF o.unpublished_at IS NOT NULL THEN
                UPDATE client_key SET ends_at = NULL, unpublished_at = NULL, added_by = 'jwks_uri' WHERE client_id = p_client AND kid = k.kid;
            END IF;
            CONTINUE;
        END IF;
        INSERT INTO client_key (client_id, kid, jwk, starts_at, added_at, added_by) VALUES (p_client, k.kid, k.jwk, v_from, p_at, 'jwks_uri')
        ON CONFLICT (client_id, kid) DO UPDATE SET id = uuidv7(), jwk = excluded.jwk, starts_at = excluded.starts_at, ends_at = NULL,
            added_at = excluded.added_at, added_by = excluded.added_by, unpublished_at = NULL, reminded_at = NULL
        RETURNING id INTO v_id;
        v_added := v_added || k.kid;
        PERFORM tell_agencies_of(p_client, 'client.key_added', 'client_key', v_id, CASE WHEN v_from > p_at THEN 'waiting' ELSE 'active' END, p_at);
    END LOOP;
    -- what only goes, goes now; what is replaced, when its successor begins
    v_until := greatest(CASE WHEN v.fetched_at IS NULL THEN v_from ELSE p_at END,
        (SELECT max(starts_at) FROM client_key
         WHERE client_id = p_client AND ends_at IS NULL AND kid IN (SELECT x ->> 'kid' FROM jsonb_array_elements(p_keys) x)));
    WITH gone AS (
        UPDATE client_key SET ends_at = v_until, unpublished_at = p_at
        WHERE client_id = p_client AND added_by = 'jwks_uri' AND (ends_at IS NULL OR ends_at > v_until)
          AND kid NOT IN (SELECT x ->> 'kid' FROM jsonb_array_elements(p_keys) x)
        RETURNING kid)
    SELECT coalesce(array_agg(kid ORDER BY kid), '{}') INTO v_ended FROM gone;
    UPDATE client_jwks SET fetched_at = p_at, fault = v_fault WHERE client_id = p_client;
    UPDATE client_jwks SET good_until = p_at + p_lasts
    WHERE client_id = p_client AND (good_until IS NULL OR good_until < p_at + p_lasts - interval '1 hour');
    v_longer := FOUND;
    IF v_added <> '{}' OR v_ended <> '{}' THEN
        PERFORM append_log(p_at, NULL, p_client, NULL, NULL, 'client:follow_keys', 'done', 'client', c.id, NULL,
                           jsonb_build_object('added', v_added, 'ended', v_ended));
        RETURN true;
    END IF;
    RETURN v_longer;
END $$;

-- The initial access token of this hash, if it still counts (RFC 7591 §3).
CREATE FUNCTION initial_access_token_of(p_hash bytea, p_at timestamptz, OUT id uuid, OUT scopes text[])
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.id, t.scopes FROM initial_access_token t JOIN agency a ON a.id = t.agency_id
    WHERE t.token_hash = p_hash AND t.uses_left > 0 AND t.ended_at IS NULL AND t.expires_at > p_at AND a.status = 'active'
$$;

-- What a client that registered itself was invited to do.
CREATE FUNCTION scopes_invited(p_id uuid) RETURNS text[] LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT scopes FROM initial_access_token WHERE id = p_id
$$;

-- What people are asked to say yes to: all that was registered.
CREATE FUNCTION registration_detail(p_client text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'name', c.name, 'scopes', c.scopes, 'auth_method', c.auth_method, 'certificate_bound', c.certificate_bound,
        'name_in_certificate', c.tls_name_kind || ' ' || c.tls_name, 'jwks_uri', c.jwks_uri,
        'software_id', c.software_id, 'software_version', c.software_version,
        'agencies', ARRAY(SELECT a.code FROM client_agency ca JOIN agency a ON a.id = ca.agency_id WHERE ca.client_id = c.client_id ORDER BY a.code),
        'kids', ARRAY(SELECT k.kid FROM client_key k WHERE k.client_id = c.client_id AND k.ends_at IS NULL ORDER BY k.kid)))
    FROM client c WHERE c.client_id = p_client
$$;

-- Asks for people's yes in the name of nobody who could give one (`auth.admin.approvals.ask`); what waited before is taken back.
CREATE FUNCTION ask_for_client(p_client text, p_by text, p_at timestamptz, p_waits interval, p_request_id text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE v_id uuid := uuidv7();
BEGIN
    UPDATE approval SET state = 'withdrawn', decided_at = p_at, reason = 'what was registered has changed'
    WHERE act = 'client:approve' AND subject = p_client AND state = 'waiting';
    INSERT INTO approval (id, act, subject, detail, asked_by, asked_at, expires_at)
    VALUES (v_id, 'client:approve', p_client, registration_detail(p_client), p_by, p_at, p_at + p_waits);
    PERFORM append_log(p_at, NULL, p_client, p_by, p_request_id, 'approval:ask', 'done', 'approval', v_id, NULL,
                       jsonb_build_object('act', 'client:approve', 'subject', p_client, 'proven', false));
END $$;

-- RFC 7591 §3.2.1: a client of the agency that invited it, which waits. False if the token counts no more.
CREATE FUNCTION register_client(p_token bytea, p_hash bytea, p_at timestamptz, p_waits interval, p_request_id text, p jsonb)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE t initial_access_token; r record; v_id uuid;
BEGIN
    UPDATE initial_access_token SET uses_left = uses_left - 1
    WHERE token_hash = p_token AND uses_left > 0 AND ended_at IS NULL AND expires_at > p_at
      AND EXISTS (SELECT FROM agency a WHERE a.id = agency_id AND a.status = 'active')
    RETURNING * INTO t;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT * INTO r FROM jsonb_to_record(p) AS r(client_id text, name text, scopes text[], auth_method text, certificate_bound boolean,
        tls_name_kind text, tls_name text, jwks_uri text, software_id text, software_version text, keys jsonb);
    IF NOT r.scopes <@ t.scopes THEN
        RAISE EXCEPTION 'more than it was invited to' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO client (client_id, name, status, scopes, auth_method, certificate_bound, tls_name_kind, tls_name, jwks_uri,
                        software_id, software_version, registration_hash, registered_by, created_at)
    VALUES (r.client_id, r.name, 'requested', r.scopes, r.auth_method, r.certificate_bound, r.tls_name_kind, r.tls_name, r.jwks_uri,
            r.software_id, r.software_version, p_hash, t.id, p_at)
    RETURNING id INTO v_id;
    INSERT INTO client_agency (client_id, agency_id) VALUES (r.client_id, t.agency_id);
    INSERT INTO client_key (client_id, kid, jwk, starts_at, added_at, added_by)
    SELECT r.client_id, x ->> 'kid', x -> 'jwk', p_at, p_at, 'client' FROM jsonb_array_elements(r.keys) x;
    PERFORM append_log(p_at, NULL, r.client_id, NULL, p_request_id, 'client:register', 'done', 'client', v_id, NULL,
                       registration_detail(r.client_id) || jsonb_build_object('initial_access_token', t.id));
    PERFORM ask_for_client(r.client_id, 'registration:' || t.id, p_at, p_waits, p_request_id);
    RETURN true;
END $$;

-- Here and below `p_token` is the token itself: the service can read its hash, which must open nothing.
-- RFC 7592 §2.2. Before its approval a client replaces all it registered, and people are asked afresh; after it, its name and its keys,
-- and those begin later. Returns 'stored', 'gone' (the token counts no more), 'kid_taken', 'changed' (approved a moment ago).
CREATE FUNCTION replace_registration(
    p_client text, p_token bytea, p_hash bytea, p_at timestamptz, p_delay interval, p_waits interval, p_request_id text, p_status text, p jsonb
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c client; r record; v_new text[]; v_from timestamptz; v_ended text[] := '{}'; v_id uuid; v_moved boolean;
BEGIN
    -- the order in which whoever approves locks, too
    PERFORM FROM approval WHERE act = 'client:approve' AND subject = p_client AND state = 'waiting' FOR UPDATE;
    SELECT * INTO c FROM client WHERE client_id = p_client AND registration_hash = sha256(p_token)
        AND status IN ('sandbox', 'requested', 'approved', 'active') AND emergency_until IS NULL
        AND EXISTS (SELECT FROM client_agency ca JOIN agency a ON a.id = ca.agency_id
                    WHERE ca.client_id = p_client AND a.status = 'active') FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'gone';
    END IF;
    IF c.status <> p_status THEN
        RETURN 'changed';
    END IF;
    IF p_delay < interval '1 hour' THEN
        RAISE EXCEPTION 'a key that a client adds waits' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO r FROM jsonb_to_record(p) AS r(name text, scopes text[], auth_method text, certificate_bound boolean,
        tls_name_kind text, tls_name text, jwks_uri text, software_id text, software_version text, keys jsonb);
    IF c.status IN ('sandbox', 'requested') THEN
        IF NOT r.scopes <@ scopes_invited(c.registered_by) THEN
            RAISE EXCEPTION 'more than it was invited to' USING ERRCODE = 'insufficient_privilege';
        END IF;
        UPDATE client SET name = r.name, scopes = r.scopes, auth_method = r.auth_method, certificate_bound = r.certificate_bound,
            tls_name_kind = r.tls_name_kind, tls_name = r.tls_name, jwks_uri = r.jwks_uri, software_id = r.software_id,
            software_version = r.software_version, registration_hash = p_hash,
            jwks_uri_named_at = CASE WHEN r.jwks_uri IS DISTINCT FROM c.jwks_uri THEN p_at ELSE jwks_uri_named_at END WHERE client_id = p_client;
        DELETE FROM client_jwks WHERE client_id = p_client;
        DELETE FROM client_key WHERE client_id = p_client;
        INSERT INTO client_key (client_id, kid, jwk, starts_at, added_at, added_by)
        SELECT p_client, x ->> 'kid', x -> 'jwk', p_at, p_at, 'client' FROM jsonb_array_elements(r.keys) x;
        PERFORM append_log(p_at, NULL, p_client, NULL, p_request_id, 'client:replace', 'done', 'client', c.id, NULL, registration_detail(p_client));
        IF c.status = 'requested' THEN
            PERFORM ask_for_client(p_client, 'registration:' || c.registered_by, p_at, p_waits, p_request_id);
        END IF;
        RETURN 'stored';
    END IF;

    v_moved := r.jwks_uri IS DISTINCT FROM c.jwks_uri;
    -- a kid names one key, for ever: no key comes back from its end, none is exchanged under its name
    IF EXISTS (SELECT FROM jsonb_array_elements(r.keys) x JOIN client_key k ON k.client_id = p_client AND k.kid = x ->> 'kid'
               WHERE k.jwk <> x -> 'jwk' OR k.ends_at IS NOT NULL) THEN
        RETURN 'kid_taken';
    END IF;
    IF EXISTS (SELECT FROM jsonb_array_elements(r.keys) x JOIN client_key k ON k.client_id = p_client AND k.ends_at IS NOT NULL
               WHERE key_itself(k.jwk) = key_itself(x -> 'jwk')) THEN
        RETURN 'kid_taken';
    END IF;
    v_new := ARRAY(SELECT x ->> 'kid' FROM jsonb_array_elements(r.keys) x
                   WHERE NOT EXISTS (SELECT FROM client_key k WHERE k.client_id = p_client AND k.kid = x ->> 'kid'));
    -- what only ends, ends now; what is replaced ends when its successor begins
    v_from := CASE WHEN v_new <> '{}' OR (v_moved AND r.jwks_uri IS NOT NULL) THEN p_at + p_delay ELSE p_at END;
    INSERT INTO client_key (client_id, kid, jwk, starts_at, added_at, added_by)
    SELECT p_client, x ->> 'kid', x -> 'jwk', v_from, p_at, 'client' FROM jsonb_array_elements(r.keys) x WHERE x ->> 'kid' = ANY (v_new);
    IF r.jwks_uri IS NULL OR v_moved AND c.jwks_uri IS NULL THEN
        WITH gone AS (
            UPDATE client_key SET ends_at = v_from, unpublished_at = CASE WHEN r.jwks_uri IS NOT NULL THEN p_at END
            WHERE client_id = p_client AND (ends_at IS NULL OR ends_at > v_from)
              AND kid NOT IN (SELECT x ->> 'kid' FROM jsonb_array_elements(r.keys) x)
            RETURNING kid)
        SELECT coalesce(array_agg(kid ORDER BY kid), '{}') INTO v_ended FROM gone;
    END IF;
    UPDATE client_key SET added_by = 'client' WHERE client_id = p_client AND r.jwks_uri IS NULL AND added_by = 'jwks_uri' AND ends_at IS NULL;
    IF v_moved THEN
        DELETE FROM client_jwks WHERE client_id = p_client;
        IF r.jwks_uri IS NOT NULL THEN
            INSERT INTO client_jwks (client_id, tried_at, good_until, new_keys_wait) VALUES (p_client, '-infinity', p_at + interval '1 day', p_delay);
        END IF;
    END IF;
    UPDATE client SET name = r.name, jwks_uri = r.jwks_uri, software_id = r.software_id, software_version = r.software_version,
        registration_hash = p_hash, jwks_uri_named_at = CASE WHEN v_moved THEN p_at ELSE jwks_uri_named_at END WHERE client_id = p_client;
    FOR v_id IN SELECT id FROM client_key WHERE client_id = p_client AND kid = ANY (v_new) ORDER BY kid LOOP
        PERFORM tell_agencies_of(p_client, 'client.key_added', 'client_key', v_id, 'waiting', p_at);
    END LOOP;
    PERFORM append_log(p_at, NULL, p_client, NULL, p_request_id, 'client:replace', 'done', 'client', c.id, NULL,
                       registration_detail(p_client) || jsonb_build_object('added', v_new, 'ended', v_ended, 'counts_from', v_from));
    RETURN 'stored';
END $$;

-- RFC 7592 §2.3: over for good, at once. False if the token counts no more.
CREATE FUNCTION retire_registration(p_client text, p_token bytea, p_at timestamptz, p_request_id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE c client;
BEGIN
    PERFORM FROM approval WHERE subject = p_client AND act LIKE 'client:%' AND state = 'waiting' FOR UPDATE;
    SELECT * INTO c FROM client WHERE client_id = p_client AND registration_hash = sha256(p_token)
        AND status IN ('sandbox', 'requested', 'approved', 'active') AND emergency_until IS NULL
        AND EXISTS (SELECT FROM client_agency ca JOIN agency a ON a.id = ca.agency_id
                    WHERE ca.client_id = p_client AND a.status = 'active') FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE client SET status = 'retired', status_before = NULL, registration_hash = NULL WHERE client_id = p_client;
    UPDATE approval SET state = 'withdrawn', decided_at = p_at, reason = 'the client has retired itself'
    WHERE subject = p_client AND act LIKE 'client:%' AND state = 'waiting';
    PERFORM append_log(p_at, NULL, p_client, NULL, p_request_id, 'client:retire', 'done', 'client', c.id, NULL,
                       jsonb_build_object('client_id', p_client, 'status', 'retired'));
    PERFORM tell_agencies_of(p_client, 'client.retired', 'client', c.id, 'retired', p_at);
    RETURN true;
END $$;

DO $$
DECLARE f text;
BEGIN
    GRANT CREATE ON SCHEMA public TO rujukan_definer;
    FOREACH f IN ARRAY ARRAY[
        'claim_jwks_fetch(text,timestamptz,boolean,interval,interval)', 'store_client_jwks(text,text,timestamptz,jsonb,text,interval)',
        'initial_access_token_of(bytea,timestamptz)', 'scopes_invited(uuid)',
        'register_client(bytea,bytea,timestamptz,interval,text,jsonb)',
        'replace_registration(text,bytea,bytea,timestamptz,interval,interval,text,text,jsonb)',
        'retire_registration(text,bytea,timestamptz,text)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
END $$;
GRANT EXECUTE ON FUNCTION registration_detail(text) TO rujukan_admin;
GRANT EXECUTE ON FUNCTION registration_detail(text), ask_for_client(text, text, timestamptz, interval, text) TO rujukan_definer;

GRANT SELECT, INSERT, UPDATE ON initial_access_token TO rujukan_admin;
GRANT SELECT, UPDATE ON initial_access_token TO rujukan_definer;
GRANT SELECT ON client_jwks TO rujukan_app, rujukan_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON client_jwks TO rujukan_definer;
GRANT INSERT, UPDATE ON client TO rujukan_definer;
GRANT INSERT ON client_agency TO rujukan_definer;
GRANT INSERT, UPDATE, DELETE ON client_key TO rujukan_definer;
GRANT SELECT, INSERT, UPDATE ON approval TO rujukan_definer;
