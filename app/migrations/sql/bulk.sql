-- Imports: many referrals at once. Their lines lie here, each sealed, until the worker has handled them; then only what became of them stays,
-- for some days. Whoever handles a line does so as the agency, under its policies.
CREATE TABLE bulk_import (
    id uuid PRIMARY KEY,
    agency_id uuid NOT NULL REFERENCES agency,     -- the party
    recorder_id uuid NOT NULL REFERENCES agency,   -- the agency whose system sends it
    client_id text NOT NULL REFERENCES client,
    actor text NOT NULL,
    key text NOT NULL,                             -- the Idempotency-Key it came with
    -- stopped: by the exchange, since its client may not go on
    state text NOT NULL DEFAULT 'receiving' CHECK (state IN ('receiving', 'running', 'finished', 'cancelled', 'stopped')),
    reason text,                                   -- why it was stopped, or cancelled without being asked to
    lines integer NOT NULL DEFAULT 0 CHECK (lines BETWEEN 0 AND 100000),
    size bigint NOT NULL DEFAULT 0,                -- bytes of all lines
    digest bytea NOT NULL,                         -- a keyed hash of all lines, by which a repeated upload is known
    counts jsonb,                                  -- of one that has ended: lines by outcome
    created_at timestamptz NOT NULL,
    touched_at timestamptz NOT NULL,               -- the last lines of an upload that goes on
    started_at timestamptz,
    ended_at timestamptz
);
CREATE UNIQUE INDEX bulk_import_key ON bulk_import (agency_id, client_id, key);
CREATE INDEX bulk_import_listed ON bulk_import (agency_id, id);
CREATE INDEX bulk_import_running ON bulk_import (id) WHERE state = 'running';

CREATE TABLE import_line (
    id uuid PRIMARY KEY,
    import_id uuid NOT NULL REFERENCES bulk_import ON DELETE CASCADE,
    agency_id uuid NOT NULL REFERENCES agency,
    number integer NOT NULL CHECK (number > 0),
    content bytea,                                 -- sealed; gone once it was handled, and never there of a line that is too long
    key text,                                      -- the line's own Idempotency-Key, if it could be read
    tries integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,                   -- the lease of whoever has it in hand, or when it is tried again
    tried_at timestamptz[] NOT NULL DEFAULT '{}',  -- a referral that was recorded at one of these times is this line's own
    outcome text CHECK (outcome IN ('created', 'existed', 'refused', 'parked', 'cancelled')),
    referral_id uuid,
    case_id uuid,
    reference text,
    problem jsonb,                                 -- type, status and pointers, never a value; of a line that waits: why its last try failed
    warnings jsonb,
    handled_at timestamptz
);
CREATE UNIQUE INDEX import_line_number ON import_line (import_id, number);
CREATE INDEX import_line_fresh ON import_line (import_id, number) WHERE outcome IS NULL AND tries = 0;
CREATE INDEX import_line_tried ON import_line (import_id, due_at) WHERE outcome IS NULL AND tries > 0;
CREATE INDEX import_line_key ON import_line (import_id, key, number) WHERE key IS NOT NULL;

-- One export at a time for each client and agency: a lease, renewed with every page.
CREATE TABLE bulk_export (
    agency_id uuid NOT NULL REFERENCES agency,
    client_id text NOT NULL REFERENCES client,
    id uuid NOT NULL,
    lease_until timestamptz NOT NULL,
    PRIMARY KEY (agency_id, client_id)
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['bulk_import', 'import_line', 'bulk_export'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own ON %I TO rujukan_app USING (agency_id = (SELECT current_agency())) WITH CHECK (agency_id = (SELECT current_agency()))', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['bulk_import', 'import_line'] LOOP
        EXECUTE format('CREATE POLICY by_worker ON %I TO rujukan_worker USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT ON bulk_import, import_line TO rujukan_app;
GRANT UPDATE (state, reason, lines, size, digest, counts, touched_at, started_at, ended_at) ON bulk_import TO rujukan_app;
GRANT UPDATE (content, tries, due_at, tried_at, outcome, referral_id, case_id, reference, problem, warnings, handled_at) ON import_line TO rujukan_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON bulk_export TO rujukan_app;
-- the worker's own role finds what is to be done, ends it and forgets it; it cannot read a line
GRANT SELECT (id, agency_id, recorder_id, client_id, actor, state, lines, touched_at, started_at, ended_at), UPDATE (state, reason, counts, ended_at), DELETE
    ON bulk_import TO rujukan_worker;
GRANT SELECT (id, import_id, outcome), UPDATE (content, outcome, handled_at) ON import_line TO rujukan_worker;
