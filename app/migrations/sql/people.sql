-- The people who administer: who they are, how they sign in, their sessions. Only rujukan_admin reads or writes any of it.

-- Nobody has all three roles: who may open access may not also be who checks that it was right to.
CREATE TABLE administrator (
    id           uuid        CONSTRAINT administrator_pkey PRIMARY KEY,
    -- how the log names them (`actor`): an opaque staff reference
    reference    text        NOT NULL CONSTRAINT administrator_reference_key UNIQUE
                             CONSTRAINT administrator_reference_form CHECK (reference ~ '^[\x21-\x7e]{1,64}$'),
    name         text        NOT NULL,
    roles        text[]      NOT NULL CONSTRAINT administrator_roles_not_all CHECK (cardinality(roles) BETWEEN 1 AND 2
                             AND roles <@ ARRAY['operator', 'protection_officer', 'auditor']),
    status       text        NOT NULL DEFAULT 'active' CONSTRAINT administrator_status_known CHECK (status IN ('active', 'suspended')),
    -- who they are at the OpenID provider, once linked
    oidc_issuer  text,
    oidc_subject text,
    created_at   timestamptz NOT NULL,
    CONSTRAINT administrator_oidc_key UNIQUE (oidc_issuer, oidc_subject),
    CONSTRAINT administrator_oidc_whole CHECK ((oidc_issuer IS NULL) = (oidc_subject IS NULL))
);

CREATE TABLE passkey (
    id            uuid        CONSTRAINT passkey_pkey PRIMARY KEY,
    admin_id      uuid        NOT NULL CONSTRAINT passkey_admin_id_fkey REFERENCES administrator (id),
    credential_id bytea       NOT NULL CONSTRAINT passkey_credential_id_key UNIQUE,
    public_key    bytea       NOT NULL,
    sign_count    bigint      NOT NULL,
    name          text        NOT NULL,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz,
    ended_at      timestamptz
);
CREATE INDEX passkey_admin_id_idx ON passkey (admin_id);

-- A one-time link, by which an administrator adds a passkey or links their account at the OpenID provider. Where two people opened it,
-- it takes a code as well, which was shown to whoever said the last yes: who asked has the link, and neither alone can become that person.
CREATE TABLE invitation (
    token_hash bytea       CONSTRAINT invitation_pkey PRIMARY KEY,
    admin_id   uuid        NOT NULL CONSTRAINT invitation_admin_id_fkey REFERENCES administrator (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    code_hash  bytea
);

CREATE TABLE admin_session (
    id           uuid        CONSTRAINT admin_session_pkey PRIMARY KEY,
    token_hash   bytea       NOT NULL CONSTRAINT admin_session_token_hash_key UNIQUE,
    admin_id     uuid        NOT NULL CONSTRAINT admin_session_admin_id_fkey REFERENCES administrator (id),
    method       text        NOT NULL CONSTRAINT admin_session_method_known CHECK (method IN ('passkey', 'oidc', 'command_line')),
    address      inet,
    user_agent   text,
    created_at   timestamptz NOT NULL,
    confirmed_at timestamptz NOT NULL,  -- when they last proved who they are
    seen_at      timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz
);
CREATE INDEX admin_session_admin_id_idx ON admin_session (admin_id);

-- What a sign-in has begun with and ends with, once: a WebAuthn challenge, an OpenID `state`, the command line's code.
CREATE TABLE ceremony (
    token_hash bytea       CONSTRAINT ceremony_pkey PRIMARY KEY,
    kind       text        NOT NULL,
    admin_id   uuid        CONSTRAINT ceremony_admin_id_fkey REFERENCES administrator (id),
    data       jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ceremony_expires_at_idx ON ceremony (expires_at);

GRANT SELECT, INSERT, UPDATE ON administrator, passkey, invitation, admin_session TO rujukan_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON ceremony TO rujukan_admin;
