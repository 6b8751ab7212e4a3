-- Who there is: agencies, their clients, the clients' keys; the exchange's own signing keys; what was used once.
-- Times are parameters, never now(). Everything but the jti tables is read into memory by each process, and read again
-- when `epoch` has moved.

CREATE TABLE agency (
    id          uuid        CONSTRAINT agency_pkey PRIMARY KEY,
    code        text        NOT NULL CONSTRAINT agency_code_key UNIQUE
                            CONSTRAINT agency_code_form CHECK (code ~ '^[a-z0-9][a-z0-9-]{1,62}[a-z0-9]$'),
    name        text        NOT NULL,
    kind        text        NOT NULL,
    region      text,
    country     text        NOT NULL DEFAULT 'ID' CONSTRAINT agency_country_form CHECK (country ~ '^[A-Z]{2}$'),
    parent_id   uuid        CONSTRAINT agency_parent_id_fkey REFERENCES agency (id),
    residential text,
    accepts     jsonb,
    capacity    integer     CONSTRAINT agency_capacity_sign CHECK (capacity >= 0),
    status      text        NOT NULL DEFAULT 'active' CONSTRAINT agency_status_known CHECK (status IN ('active', 'suspended', 'closed')),
    -- no access token issued before counts for it any more: it was shut out since
    tokens_not_before timestamptz,
    note        text,
    -- the ministry's desk: told when nobody answers, and may then act
    desk        boolean     NOT NULL DEFAULT false,
    -- the agency that reviews what was disclosed without consent, and whose protection officers watch over data; without one the desk is it
    reviewer    boolean     NOT NULL DEFAULT false,
    -- a practice agency: invented people only; it and real agencies do not know each other
    sandbox     boolean     NOT NULL DEFAULT false CONSTRAINT agency_desk_is_real CHECK (NOT ((desk OR reviewer) AND sandbox)),
    created_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX agency_one_desk ON agency (desk) WHERE desk;
CREATE UNIQUE INDEX agency_one_reviewer ON agency (reviewer) WHERE reviewer;

CREATE TABLE service_point (
    id           uuid        CONSTRAINT service_point_pkey PRIMARY KEY,
    agency_id    uuid        NOT NULL CONSTRAINT service_point_agency_id_fkey REFERENCES agency (id),
    name         text        NOT NULL,
    confidential boolean     NOT NULL,
    region       text,
    address      text,
    services     text[]      NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL,
    -- what is not stored cannot be shown by mistake
    CONSTRAINT service_point_confidential_has_no_address CHECK (NOT confidential OR address IS NULL)
);
CREATE INDEX service_point_agency_id_idx ON service_point (agency_id);

-- Its states are in auth/admin/client_lifecycle.py.
CREATE TABLE client (
    client_id    text        CONSTRAINT client_pkey PRIMARY KEY CONSTRAINT client_id_form CHECK (client_id ~ '^[a-z0-9][a-z0-9._-]{2,63}$'),
    -- what events name it by
    id           uuid        NOT NULL DEFAULT uuidv7() CONSTRAINT client_id_key UNIQUE,
    name         text        NOT NULL,
    status       text        NOT NULL DEFAULT 'active' CONSTRAINT client_status_known
                             CHECK (status IN ('sandbox', 'requested', 'approved', 'active', 'suspended', 'retired')),
    -- what a suspended client goes back to
    status_before text       CONSTRAINT client_status_before_suspension CHECK ((status_before IS NOT NULL) = (status = 'suspended')),
    scopes       text[]      NOT NULL CONSTRAINT client_scopes_some CHECK (cardinality(scopes) > 0),
    auth_method  text        NOT NULL DEFAULT 'private_key_jwt' CONSTRAINT client_auth_method_known
                             CHECK (auth_method IN ('private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth')),
    -- RFC 8705 §3.4: its access tokens are bound to its certificate, else to a DPoP key
    certificate_bound boolean NOT NULL DEFAULT false,
    -- RFC 8705 §2.1.2: the one name by which its certificate is known, as registered
    tls_name_kind text       CONSTRAINT client_tls_name_kind_known CHECK (tls_name_kind IN ('subject_dn', 'san_dns', 'san_uri', 'san_ip', 'san_email')),
    tls_name     text,
    -- where it publishes its keys, if it does (RFC 7591 §2); what was fetched stands in client_key
    jwks_uri     text        CONSTRAINT client_jwks_uri_https CHECK (jwks_uri LIKE 'https://%'),
    -- the only networks it may call from; none named: any
    networks     cidr[]      NOT NULL DEFAULT '{}',
    -- after an emergency rotation: narrow scopes, and shut out from then on unless a second administrator has agreed
    emergency_until timestamptz,
    -- no access token issued before counts any more: it was shut out since, and what it held then does not come back with it
    tokens_not_before timestamptz,
    -- RFC 7592 §3: of its registration access token, if it registered itself; and by which initial access token
    registration_hash bytea  CONSTRAINT client_registration_hash_key UNIQUE,
    registered_by uuid,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    last_used_from inet,
    CONSTRAINT client_tls_name_where_needed CHECK ((auth_method = 'tls_client_auth') = (tls_name IS NOT NULL)
        AND (tls_name IS NULL) = (tls_name_kind IS NULL))
);

CREATE TABLE client_agency (
    client_id text NOT NULL CONSTRAINT client_agency_client_id_fkey REFERENCES client (client_id),
    agency_id uuid NOT NULL CONSTRAINT client_agency_agency_id_fkey REFERENCES agency (id),
    CONSTRAINT client_agency_pkey PRIMARY KEY (client_id, agency_id)
);

CREATE TABLE client_key (
    client_id text        NOT NULL CONSTRAINT client_key_client_id_fkey REFERENCES client (client_id),
    kid       text        NOT NULL,
    jwk       jsonb       NOT NULL CONSTRAINT client_key_jwk_public CHECK (NOT jwk ?| ARRAY['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']),
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz,
    -- what events name it by
    id        uuid        NOT NULL DEFAULT uuidv7() CONSTRAINT client_key_id_key UNIQUE,
    added_at  timestamptz NOT NULL,
    -- 'admin', 'client' (by itself), 'jwks_uri' (published by it)
    added_by  text        NOT NULL CONSTRAINT client_key_added_by_known CHECK (added_by IN ('admin', 'client', 'jwks_uri')),
    reminded_at timestamptz,
    CONSTRAINT client_key_pkey PRIMARY KEY (client_id, kid)
);

-- What of a registered JWK is the key, whatever it is called and whoever has certified it.
CREATE FUNCTION key_itself(p_jwk jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT p_jwk - ARRAY['kid', 'use', 'alg', 'x5c']
$$;

-- What agencies have agreed. `acts_for`: `other` records what `agency`, which has no system, does. `times`: the agency has deadlines of its own.
-- `data_sharing`: `agency` may send `other` these sections for these purposes; `both_ways`: `other` may send it the same.
CREATE TABLE agreement (
    id        uuid        CONSTRAINT agreement_pkey PRIMARY KEY,
    kind      text        NOT NULL CONSTRAINT agreement_kind_known CHECK (kind IN ('acts_for', 'times', 'data_sharing')),
    agency_id uuid        NOT NULL CONSTRAINT agreement_agency_id_fkey REFERENCES agency (id),
    other_id  uuid        CONSTRAINT agreement_other_id_fkey REFERENCES agency (id),
    times     jsonb       NOT NULL DEFAULT '{}',
    purposes  text[]      NOT NULL DEFAULT '{}',
    sections  text[]      NOT NULL DEFAULT '{}',
    basis     text,
    both_ways boolean     NOT NULL DEFAULT false CONSTRAINT agreement_both_ways_of_data CHECK (NOT both_ways OR kind = 'data_sharing'),
    reference text        NOT NULL,
    from_at   timestamptz NOT NULL,
    until_at  timestamptz,
    CONSTRAINT agreement_with_another CHECK ((kind <> 'times') = (other_id IS NOT NULL) AND other_id IS DISTINCT FROM agency_id),
    CONSTRAINT agreement_data_sharing_says_what CHECK ((kind = 'data_sharing') = (cardinality(purposes) > 0)
        AND (kind = 'data_sharing') = (cardinality(sections) > 0) AND (kind = 'data_sharing') = (basis IS NOT NULL))
);
CREATE INDEX agreement_agency_id_idx ON agreement (agency_id);

-- The exchange's own keys. Only `next` and `active` still have their private half: what is not stored cannot sign.
CREATE TABLE signing_key (
    id             uuid        CONSTRAINT signing_key_pkey PRIMARY KEY,
    kid            text        NOT NULL CONSTRAINT signing_key_kid_key UNIQUE,
    state          text        NOT NULL CONSTRAINT signing_key_state_known CHECK (state IN ('next', 'active', 'retiring', 'retired')),
    jwk            jsonb       NOT NULL CONSTRAINT signing_key_jwk_public CHECK (NOT jwk ?| ARRAY['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']),
    private_sealed bytea,
    created_at     timestamptz NOT NULL,
    activated_at   timestamptz,
    published_until timestamptz,
    CONSTRAINT signing_key_private_while_needed CHECK ((private_sealed IS NOT NULL) = (state IN ('next', 'active')))
);
CREATE UNIQUE INDEX signing_key_one_next_one_active ON signing_key (state) WHERE state IN ('next', 'active');

-- RFC 7523 §3, `jti`: an assertion is used once, also after a crash, hence logged.
CREATE TABLE assertion_jti (
    hash       bytea       CONSTRAINT assertion_jti_pkey PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX assertion_jti_expires_at_idx ON assertion_jti (expires_at);

-- RFC 9449 §11.1: a proof is used once. One a request, so not written to the WAL; a crash or a failover empties it.
CREATE UNLOGGED TABLE proof_jti (
    hash       bytea       CONSTRAINT proof_jti_pkey PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX proof_jti_expires_at_idx ON proof_jti (expires_at);

-- Emptied together with proof_jti. While its row is missing no proof is taken; whoever notices puts one in that
-- refuses all proofs which may have been used before: the table remembers every used proof that expires later.
-- (The server's start time would not do: a crashed backend or a promoted standby empties the table without a new start.)
CREATE UNLOGGED TABLE proof_memory (
    id            boolean     CONSTRAINT proof_memory_pkey PRIMARY KEY DEFAULT true CONSTRAINT proof_memory_single CHECK (id),
    complete_from timestamptz NOT NULL
);
INSERT INTO proof_memory (complete_from) VALUES ('-infinity');

CREATE TABLE revoked_token (
    jti        text        CONSTRAINT revoked_token_pkey PRIMARY KEY,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz NOT NULL
);

-- Moves with every change that the processes' memories must follow. Tokens are revoked more often than anything else changes, and by
-- clients themselves: those have a number of their own, so that not everything is read again for each.
CREATE TABLE epoch (
    id          boolean CONSTRAINT epoch_pkey PRIMARY KEY DEFAULT true CONSTRAINT epoch_single CHECK (id),
    value       bigint  NOT NULL,
    revocations bigint  NOT NULL DEFAULT 0
);
INSERT INTO epoch (value) VALUES (1);

CREATE FUNCTION bump_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE epoch SET value = value + 1;
    RETURN NULL;
END $$;

CREATE FUNCTION bump_revocations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE epoch SET revocations = revocations + 1;
    RETURN NULL;
END $$;

CREATE TRIGGER bump_epoch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON agency        FOR EACH STATEMENT EXECUTE FUNCTION bump_epoch();
CREATE TRIGGER bump_epoch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON agreement     FOR EACH STATEMENT EXECUTE FUNCTION bump_epoch();
CREATE TRIGGER bump_epoch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON service_point FOR EACH STATEMENT EXECUTE FUNCTION bump_epoch();
CREATE TRIGGER bump_epoch AFTER INSERT OR UPDATE OF name, status, scopes, auth_method, certificate_bound, tls_name_kind, tls_name, jwks_uri, networks, emergency_until, tokens_not_before OR DELETE OR TRUNCATE ON client
                                                                                        FOR EACH STATEMENT EXECUTE FUNCTION bump_epoch();
CREATE TRIGGER bump_epoch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON client_agency FOR EACH STATEMENT EXECUTE FUNCTION bump_epoch();
CREATE TRIGGER bump_epoch AFTER INSERT OR UPDATE OF jwk, starts_at, ends_at OR DELETE OR TRUNCATE ON client_key FOR EACH STATEMENT EXECUTE FUNCTION bump_epoch();
CREATE TRIGGER bump_epoch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON signing_key   FOR EACH STATEMENT EXECUTE FUNCTION bump_epoch();
-- rows of revoked_token only go once their token has expired: nothing to follow
CREATE TRIGGER bump_revocations AFTER INSERT ON revoked_token FOR EACH STATEMENT EXECUTE FUNCTION bump_revocations();

-- True if this proof was never used before, and can be known not to have been.
CREATE FUNCTION use_proof(p_hash bytea, p_until timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO proof_jti (hash, expires_at)
    SELECT p_hash, p_until FROM proof_memory WHERE p_until > complete_from
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;

-- RFC 7523 §3: true if this assertion was never used before, at whichever endpoint.
CREATE FUNCTION use_assertion(p_hash bytea, p_until timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO assertion_jti (hash, expires_at) VALUES (p_hash, p_until) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;

-- Who may revoke may not move the epoch otherwise: this is the definer's. A token that is revoked already moves nothing.
CREATE FUNCTION revoke_token(p_jti text, p_expires timestamptz, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM revoked_token WHERE jti = p_jti) THEN
        RETURN false;
    END IF;
    INSERT INTO revoked_token (jti, expires_at, revoked_at) VALUES (p_jti, p_expires, p_at) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;

-- RFC 7009: everything a revocation leaves behind, in one statement. NULL for what there is none of. False if the assertion was used before.
-- p_holder: whose token it is, if an administrator's client ends another's; then the log names an actor, as of every administrative act.
CREATE FUNCTION store_revocation(
    p_at timestamptz, p_client text, p_request_id text, p_assertion bytea, p_assertion_until timestamptz, p_jti text, p_expires timestamptz,
    p_holder text DEFAULT NULL
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF p_assertion IS NOT NULL AND NOT use_assertion(p_assertion, p_assertion_until) THEN
        RETURN false;
    END IF;
    IF p_jti IS NOT NULL AND revoke_token(p_jti, p_expires, p_at) THEN
        PERFORM append_log(p_at, NULL, p_client, CASE WHEN p_holder IS NOT NULL THEN left('client:' || p_client, 64) END, p_request_id,
                           'token:revoke', 'done', 'client', NULL, NULL,
                           jsonb_strip_nulls(jsonb_build_object('jti', p_jti, 'client_id', p_holder)));
    END IF;
    RETURN true;
END $$;

-- What an issued token leaves behind. Assertion and proof: their hashes, NULL where there is none: mutual TLS needs neither, the
-- handshake is its proof (RFC 8705 §2, §3). `address`: where it was asked for.
CREATE TYPE token_to_store AS (
    at timestamptz, client text, agency uuid, request_id text, assertion bytea, assertion_until timestamptz,
    proof bytea, proof_until timestamptz, detail jsonb, address inet
);

-- Stores an array of them, in one statement. Says of each, in its place, 'stored', or which of the two was used before; then nothing is
-- logged. No assertion and no proof may be there twice. Rows are written in the order of their keys, so that no two processes wait for
-- each other.
CREATE FUNCTION store_tokens(p_tokens json) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    v_tokens token_to_store[] := ARRAY(SELECT token FROM json_populate_recordset(NULL::token_to_store, p_tokens) AS token);
    v_assertions bytea[]; v_proofs bytea[]; v_outcomes text[]; v_client record;
BEGIN
    WITH first AS (
        INSERT INTO assertion_jti (hash, expires_at)
        SELECT assertion, assertion_until FROM unnest(v_tokens) WHERE assertion IS NOT NULL ORDER BY assertion
        ON CONFLICT DO NOTHING RETURNING hash
    ) SELECT coalesce(array_agg(hash), '{}') INTO v_assertions FROM first;
    WITH first AS (
        INSERT INTO proof_jti (hash, expires_at)
        SELECT proof, proof_until FROM unnest(v_tokens), proof_memory
        WHERE proof IS NOT NULL AND proof_until > complete_from AND (assertion IS NULL OR assertion = ANY (v_assertions)) ORDER BY proof
        ON CONFLICT DO NOTHING RETURNING hash
    ) SELECT coalesce(array_agg(hash), '{}') INTO v_proofs FROM first;
    v_outcomes := ARRAY(
        SELECT CASE WHEN assertion IS NOT NULL AND assertion <> ALL (v_assertions) THEN 'assertion_used'
               WHEN proof IS NOT NULL AND proof <> ALL (v_proofs) THEN 'proof_used'
               ELSE 'stored' END
        FROM unnest(v_tokens) WITH ORDINALITY ORDER BY ordinality);
    PERFORM append_log((token).at, (token).agency, (token).client, NULL, (token).request_id, 'token:issue', 'done', 'client', NULL, NULL,
                       (token).detail)
    FROM (SELECT v_tokens[place] AS token FROM unnest(v_outcomes) WITH ORDINALITY AS said(outcome, place) WHERE outcome = 'stored'
          ORDER BY place) AS stored;
    -- to find clients nobody uses any more, an hour's precision is enough; that one is used from elsewhere shows at once
    FOR v_client IN
        SELECT DISTINCT ON ((token).client) (token).client AS id, (token).at, (token).address
        FROM (SELECT v_tokens[place] AS token, place FROM unnest(v_outcomes) WITH ORDINALITY AS said(outcome, place)
              WHERE outcome = 'stored') AS stored
        ORDER BY (token).client, place DESC
    LOOP
        UPDATE client SET last_used_at = v_client.at, last_used_from = coalesce(v_client.address, last_used_from)
        WHERE client_id = v_client.id AND (last_used_at IS NULL OR last_used_at < v_client.at - interval '1 hour'
            OR (v_client.address IS NOT NULL AND last_used_from IS DISTINCT FROM v_client.address));
    END LOOP;
    RETURN v_outcomes;
END $$;

REVOKE ALL ON FUNCTION use_proof(bytea, timestamptz), use_assertion(bytea, timestamptz), revoke_token(text, timestamptz, timestamptz),
    store_revocation(timestamptz, text, text, bytea, timestamptz, text, timestamptz, text),
    store_tokens(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION use_proof(bytea, timestamptz), use_assertion(bytea, timestamptz),
    store_revocation(timestamptz, text, text, bytea, timestamptz, text, timestamptz, text) TO rujukan_app;
GRANT EXECUTE ON FUNCTION store_tokens(json) TO rujukan_app;

GRANT EXECUTE ON FUNCTION key_itself(jsonb) TO rujukan_admin, rujukan_definer;
GRANT SELECT ON agency, agreement, client, client_agency, client_key, signing_key, revoked_token, epoch, proof_memory
    TO rujukan_app, rujukan_worker, rujukan_admin, rujukan_definer;
GRANT SELECT ON service_point TO rujukan_app, rujukan_admin, rujukan_definer;
GRANT SELECT, INSERT ON assertion_jti, proof_jti TO rujukan_app;
GRANT INSERT ON proof_memory TO rujukan_app, rujukan_worker;
GRANT UPDATE (last_used_at, last_used_from) ON client TO rujukan_app;

GRANT SELECT, DELETE ON assertion_jti, proof_jti, revoked_token TO rujukan_worker;
GRANT INSERT, UPDATE ON signing_key TO rujukan_worker, rujukan_admin;
GRANT UPDATE ON epoch TO rujukan_worker, rujukan_admin, rujukan_definer;

GRANT INSERT, UPDATE ON agency, agreement, service_point, client, client_agency, client_key TO rujukan_admin;
GRANT DELETE ON service_point, client_agency TO rujukan_admin;
GRANT INSERT ON revoked_token TO rujukan_admin, rujukan_definer;
