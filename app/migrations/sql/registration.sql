-- Dynamic registration (RFC 7591): who may ask for it, for which agency. What is registered waits for two people's yes.
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

-- When a client's `jwks_uri` was last asked, by whichever process, and how that went.
CREATE TABLE client_jwks (
    client_id  text        CONSTRAINT client_jwks_pkey PRIMARY KEY CONSTRAINT client_jwks_client_id_fkey REFERENCES client (client_id),
    tried_at   timestamptz NOT NULL,
    fetched_at timestamptz,
    fault      text
);

GRANT SELECT, INSERT, UPDATE ON initial_access_token TO rujukan_admin;
GRANT SELECT ON client_jwks TO rujukan_app, rujukan_admin;
