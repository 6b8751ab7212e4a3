-- Webhooks. What has a position in an agency's feed becomes a delivery of each of its webhooks that wants the type; the worker claims
-- deliveries, commits, sends, and then records what came of it. A claim is a lease: `due_at` moves on, so a dead worker's come due again.
CREATE TABLE webhook (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    agency_id uuid NOT NULL REFERENCES agency,
    client_id text NOT NULL REFERENCES client,
    url text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 200),
    types text[] NOT NULL DEFAULT '{}',  -- whole names or `referral.*`; none is every type
    -- disabled: by its client, or by who shut the client out; paused: by the exchange, after days of failure; gone: its address answered 410
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled', 'paused', 'gone')),
    state_at timestamptz NOT NULL,
    position bigint NOT NULL,            -- events of the feed up to here have become deliveries
    failing_since timestamptz,           -- the first failure since the last success
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL      -- when its client last changed url, types or state: a kill switch asks
);
CREATE INDEX webhook_agency ON webhook (agency_id);

-- Keys it is signed with: two at once while one takes over from the other.
CREATE TABLE webhook_key (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    webhook_id uuid NOT NULL REFERENCES webhook ON DELETE CASCADE,
    agency_id uuid NOT NULL REFERENCES agency,
    public_key text NOT NULL,
    private_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    ends_at timestamptz                  -- signs until then; null: the newest
);
CREATE INDEX webhook_key_webhook ON webhook_key (webhook_id);

-- One event for one webhook. `message_id` is what receivers know it by: the event's id, so the same however often it is sent.
CREATE TABLE delivery (
    webhook_id uuid NOT NULL REFERENCES webhook ON DELETE CASCADE,
    message_id uuid NOT NULL,
    agency_id uuid NOT NULL REFERENCES agency,
    position bigint,                     -- in the feed; null for a test event
    type text NOT NULL,
    subject text NOT NULL,
    subject_id uuid NOT NULL,
    case_id uuid,
    event_state text NOT NULL,
    recorded_at timestamptz NOT NULL,    -- of the event
    -- dropped: its webhook was out of service for longer than events are kept
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed', 'dropped')),
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0, -- since it was made or last replayed
    first_at timestamptz,                -- the first attempt since it was made or last replayed
    ended_at timestamptz,
    replayed_at timestamptz,
    PRIMARY KEY (webhook_id, message_id)
);
CREATE INDEX delivery_due ON delivery (webhook_id, due_at, position) WHERE state = 'waiting';
CREATE INDEX delivery_ended ON delivery (ended_at) WHERE state <> 'waiting';
CREATE INDEX delivery_of_case ON delivery (webhook_id, case_id, position) WHERE state = 'waiting';
CREATE INDEX delivery_listed ON delivery (webhook_id, position);
CREATE INDEX delivery_by_state ON delivery (webhook_id, state, ended_at);

-- What came of each try. The first bytes of an answer are sealed: whatever a receiver writes there is its own.
CREATE TABLE delivery_attempt (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    webhook_id uuid NOT NULL,
    message_id uuid NOT NULL,
    agency_id uuid NOT NULL REFERENCES agency,
    at timestamptz NOT NULL,
    number integer NOT NULL,
    status integer,                      -- of HTTP; null: there was no answer
    fault text,                          -- app/foundation/outbound.FAULTS; null: there was an answer
    milliseconds integer NOT NULL,
    answer bytea,
    FOREIGN KEY (webhook_id, message_id) REFERENCES delivery ON DELETE CASCADE
);
CREATE INDEX delivery_attempt_listed ON delivery_attempt (webhook_id, message_id, at);
CREATE INDEX delivery_attempt_at ON delivery_attempt (webhook_id, at);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['webhook', 'webhook_key', 'delivery', 'delivery_attempt'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own ON %I TO rujukan_app USING (agency_id = (SELECT current_agency())) WITH CHECK (agency_id = (SELECT current_agency()))', t);
        EXECUTE format('CREATE POLICY by_worker ON %I TO rujukan_worker USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
