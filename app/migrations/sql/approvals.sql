-- What opens access is done when two different people have said yes: `auth/admin/acts.py` says what, and whose yes counts.
CREATE TABLE approval (
    id         uuid        CONSTRAINT approval_pkey PRIMARY KEY,
    act        text        NOT NULL,
    subject    text        NOT NULL,   -- a client_id, a code, a staff reference, an id
    detail     jsonb       NOT NULL,   -- what will be done, in full; nothing secret
    asked_by   text        NOT NULL,
    -- the client that spoke for whoever asked, if one did: what it asked for is withdrawn once it is known to be stolen
    asked_through text,
    asked_at   timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state      text        NOT NULL DEFAULT 'waiting' CONSTRAINT approval_state_known CHECK (state IN ('waiting', 'approved', 'refused', 'withdrawn')),
    decided_at timestamptz,
    reason     text,
    CONSTRAINT approval_decided CHECK ((decided_at IS NOT NULL) = (state <> 'waiting'))
);
CREATE UNIQUE INDEX approval_one_waiting ON approval (act, subject) WHERE state = 'waiting';

CREATE TABLE approval_yes (
    approval_id uuid        NOT NULL CONSTRAINT approval_yes_approval_id_fkey REFERENCES approval (id),
    actor       text        NOT NULL,
    -- null where nobody has proved who they are (development, where one person is enough)
    admin_id    uuid        CONSTRAINT approval_yes_admin_id_fkey REFERENCES administrator (id),
    said_at     timestamptz NOT NULL,
    CONSTRAINT approval_yes_pkey PRIMARY KEY (approval_id, actor)
);
CREATE UNIQUE INDEX approval_yes_once ON approval_yes (approval_id, admin_id);

GRANT SELECT, INSERT, UPDATE ON approval TO rujukan_admin;
GRANT SELECT, INSERT ON approval_yes TO rujukan_admin;
