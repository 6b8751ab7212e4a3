-- What a case is made of. Every table of a case carries case_id in its key; every table of an agency carries agency_id:
-- either kind can be distributed. Child tables carry sender_id and receiver_id, so that their policies ask no parent.

CREATE TABLE case_file (
    id uuid PRIMARY KEY,
    reference text NOT NULL UNIQUE,
    lead_id uuid NOT NULL REFERENCES agency (id),
    state text NOT NULL CHECK (state IN ('open', 'follow_up', 'closed')),
    version integer NOT NULL DEFAULT 1,
    records integer NOT NULL DEFAULT 0,
    entry_channel text NOT NULL,
    opened_by_id uuid NOT NULL REFERENCES agency (id),
    opened_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    closed_at timestamptz,
    deceased_at timestamptz,
    idle_told_at timestamptz,       -- when its lead was last reminded that nothing happens in it
    guardian_barred_at timestamptz  -- the guardian is suspect: neither asked, nor told, nor heard
);
CREATE INDEX case_file_lead ON case_file (lead_id, id);
CREATE INDEX case_file_closed ON case_file (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE case_lead (
    case_id uuid NOT NULL REFERENCES case_file (id),
    agency_id uuid NOT NULL REFERENCES agency (id),
    from_at timestamptz NOT NULL,
    until_at timestamptz,
    transfer_id uuid,
    PRIMARY KEY (case_id, agency_id, from_at)
);
CREATE UNIQUE INDEX case_lead_one ON case_lead (case_id) WHERE until_at IS NULL;
CREATE INDEX case_lead_agency ON case_lead (agency_id, case_id);

CREATE TABLE consent (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    author_id uuid NOT NULL REFERENCES agency (id),
    client_id text NOT NULL,  -- the system that recorded it, or its last reconfirmation
    giver text NOT NULL,
    method text NOT NULL,
    language text,
    interpreter text,
    interpreter_independent boolean,
    witnessed boolean NOT NULL,
    for_child boolean NOT NULL,
    assent text,
    decided boolean NOT NULL,  -- a court's or an authority's decision is named
    given_at timestamptz NOT NULL,
    until_at timestamptz,
    sections text[] NOT NULL,
    agencies text[] NOT NULL,
    agency_kinds text[] NOT NULL,
    except_agencies text[] NOT NULL DEFAULT '{}',  -- of these kinds, but taken back
    purposes text[] NOT NULL,
    detail bytea,  -- null once it is erased
    widens_id uuid,
    withdrawn_at timestamptz,
    doubted_at timestamptz,
    confirmed_at timestamptz,
    recorded_at timestamptz NOT NULL,
    -- can it be proved? app/policy/consents.py says the same of one that is not stored yet
    provable boolean NOT NULL GENERATED ALWAYS AS (method <> 'spoken' AND (interpreter IS NULL OR interpreter_independent OR witnessed
        OR method IN ('audio_recording', 'video_recording', 'sign_language_recording'))) STORED,
    -- the person's own, as a foreign mission needs it
    own boolean NOT NULL GENERATED ALWAYS AS ((interpreter IS NULL OR interpreter_independent) AND CASE WHEN for_child
        THEN decided AND giver IN ('court_guardian', 'state_authority') AND assent = 'given'
        ELSE giver IN ('person', 'person_with_support') END) STORED,
    CHECK ((interpreter IS NULL) = (interpreter_independent IS NULL)),
    CHECK (for_child = (assent IS NOT NULL)),
    PRIMARY KEY (id, case_id)
);
CREATE INDEX consent_case ON consent (case_id);
CREATE INDEX consent_author ON consent (author_id, id);
CREATE INDEX consent_client ON consent (client_id, recorded_at);

CREATE TABLE record_version (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    number integer NOT NULL,
    author_id uuid NOT NULL REFERENCES agency (id),
    schema_version text NOT NULL,
    sections text[] NOT NULL,
    needs_hash bytea NOT NULL,
    preview bytea,
    recorded_at timestamptz NOT NULL,
    retracted_at timestamptz,
    erased_sections text[] NOT NULL DEFAULT '{}',  -- their place in parts is empty
    PRIMARY KEY (id, case_id),
    UNIQUE (case_id, number)
);
CREATE INDEX record_version_retracted ON record_version (retracted_at) WHERE retracted_at IS NOT NULL;
CREATE TABLE record_content (
    version_id uuid NOT NULL,
    case_id uuid NOT NULL,
    author_id uuid NOT NULL,
    wrapped_key bytea NOT NULL,
    parts bytea[] NOT NULL,
    retracted_at timestamptz,
    PRIMARY KEY (version_id, case_id)
);
ALTER TABLE record_content ALTER COLUMN parts SET STORAGE EXTERNAL;

CREATE TABLE referral (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    reference text NOT NULL,
    sender_id uuid NOT NULL REFERENCES agency (id),
    sent_by_id uuid NOT NULL REFERENCES agency (id),
    receiver_id uuid NOT NULL REFERENCES agency (id),
    recorded_by_id uuid NOT NULL REFERENCES agency (id),
    state text NOT NULL CHECK (state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested',
        'completed', 'not_completed', 'declined', 'recalled', 'cancelled', 'expired', 'absorbed', 'entered_in_error')),
    state_before text,
    version integer NOT NULL DEFAULT 1,
    purpose text NOT NULL,
    urgency text NOT NULL,
    respond_by timestamptz NOT NULL,
    sections text[] NOT NULL,
    needs_hash bytea NOT NULL,
    version_id uuid NOT NULL,
    replaces_id uuid,
    offer_group uuid,
    sent_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    first_read_at timestamptz,
    acknowledged_at timestamptz,
    accepted_at timestamptz,
    started_at timestamptz,
    last_recorded_at timestamptz,
    ended_at timestamptz,
    service_point_id uuid REFERENCES service_point (id),
    review_at timestamptz,
    deadline_at timestamptz,
    paused_at timestamptz,
    pause_used interval NOT NULL DEFAULT '0',
    last_occurred_at timestamptz NOT NULL,
    error_reported_at timestamptz,
    due_at timestamptz,
    clock text NOT NULL DEFAULT 'ok' CHECK (clock IN ('ok', 'due', 'overdue', 'escalated')),
    clock_step integer NOT NULL DEFAULT 0,
    turn_id uuid GENERATED ALWAYS AS (CASE
        WHEN state IN ('sent', 'received', 'accepted', 'cancel_requested') OR (state IN ('in_progress', 'on_hold') AND clock <> 'ok') THEN receiver_id
        WHEN state = 'info_requested' THEN sender_id END) STORED,
    PRIMARY KEY (case_id, id)
);
-- by hash: an ordered index on id alone would tempt the planner to walk everybody's rows for one agency's list
CREATE INDEX referral_id ON referral USING hash (id);
CREATE UNIQUE INDEX referral_open_twin ON referral (case_id, receiver_id, needs_hash)
    WHERE state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested');
CREATE INDEX referral_receiver ON referral (receiver_id, id);
CREATE INDEX referral_receiver_updated ON referral (receiver_id, updated_at, id);
CREATE INDEX referral_receiver_open ON referral (receiver_id, id)
    WHERE state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested');
CREATE INDEX referral_sender ON referral (sender_id, id);
CREATE INDEX referral_sender_updated ON referral (sender_id, updated_at, id);
CREATE INDEX referral_sender_open ON referral (sender_id, id)
    WHERE state IN ('sent', 'received', 'info_requested', 'accepted', 'in_progress', 'on_hold', 'cancel_requested');
CREATE INDEX referral_turn ON referral (turn_id, state, deadline_at, id) WHERE turn_id IS NOT NULL;
CREATE INDEX referral_group ON referral (offer_group) WHERE offer_group IS NOT NULL;
CREATE INDEX referral_reference ON referral USING hash (reference);
CREATE INDEX referral_due ON referral (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE transfer (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    reference text NOT NULL,
    sender_id uuid NOT NULL REFERENCES agency (id),
    receiver_id uuid NOT NULL REFERENCES agency (id),
    recorded_by_id uuid NOT NULL REFERENCES agency (id),
    state text NOT NULL CHECK (state IN ('offered', 'received', 'info_requested', 'accepted', 'completed', 'declined', 'recalled',
        'aborted', 'expired', 'entered_in_error')),
    version integer NOT NULL DEFAULT 1,
    purpose text NOT NULL,
    urgency text NOT NULL,
    respond_by timestamptz NOT NULL,
    sections text[] NOT NULL,
    version_id uuid NOT NULL,
    replaces_id uuid,
    manifest jsonb NOT NULL,
    manifest_digest text NOT NULL,
    sent_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    first_read_at timestamptz,
    acknowledged_at timestamptz,
    accepted_at timestamptz,
    ended_at timestamptz,
    service_point_id uuid REFERENCES service_point (id),
    paper text CHECK (paper IN ('issued', 'pending', 'not_used')),
    paper_due_at timestamptz,
    deadline_at timestamptz,
    paused_at timestamptz,
    pause_used interval NOT NULL DEFAULT '0',
    last_occurred_at timestamptz NOT NULL,
    error_reported_at timestamptz,
    due_at timestamptz,
    clock text NOT NULL DEFAULT 'ok' CHECK (clock IN ('ok', 'due', 'overdue', 'escalated')),
    clock_step integer NOT NULL DEFAULT 0,
    turn_id uuid GENERATED ALWAYS AS (CASE
        WHEN state IN ('offered', 'received', 'accepted') OR (state = 'completed' AND paper = 'pending') THEN receiver_id
        WHEN state = 'info_requested' THEN sender_id END) STORED,
    PRIMARY KEY (case_id, id)
);
-- by hash: an ordered index on id alone would tempt the planner to walk everybody's rows for one agency's list
CREATE INDEX transfer_id ON transfer USING hash (id);
CREATE UNIQUE INDEX transfer_one_open ON transfer (case_id) WHERE state IN ('offered', 'received', 'info_requested', 'accepted');
CREATE INDEX transfer_receiver ON transfer (receiver_id, id);
CREATE INDEX transfer_receiver_updated ON transfer (receiver_id, updated_at, id);
CREATE INDEX transfer_receiver_open ON transfer (receiver_id, id) WHERE state IN ('offered', 'received', 'info_requested', 'accepted');
CREATE INDEX transfer_sender ON transfer (sender_id, id);
CREATE INDEX transfer_sender_updated ON transfer (sender_id, updated_at, id);
CREATE INDEX transfer_sender_open ON transfer (sender_id, id) WHERE state IN ('offered', 'received', 'info_requested', 'accepted');
CREATE INDEX transfer_turn ON transfer (turn_id, state, deadline_at, id) WHERE turn_id IS NOT NULL;
CREATE INDEX transfer_reference ON transfer USING hash (reference);
CREATE INDEX transfer_due ON transfer (due_at) WHERE due_at IS NOT NULL;

-- Which sections go to whom, on what basis. One row a basis; every included section is covered by exactly one.
CREATE TABLE disclosure (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    subject text NOT NULL CHECK (subject IN ('referral', 'transfer', 'correction')),
    subject_id uuid NOT NULL,
    version_id uuid,
    move_id uuid,
    sender_id uuid NOT NULL,
    receiver_id uuid NOT NULL,
    basis text NOT NULL,
    consent_id uuid,
    legal_basis text,
    article text,
    reason bytea,
    sections text[] NOT NULL,
    until_at timestamptz,
    onward boolean NOT NULL,
    recorded_at timestamptz NOT NULL,
    opened_at timestamptz,
    closed_at timestamptz,
    locked_at timestamptz,
    lock_reason text,
    request_id uuid,  -- the erasure request that came of the lock
    origin_id uuid,   -- of a correction: the holder's own referral or transfer, by which it is open or not
    review_by timestamptz,  -- without consent: when it must have been reviewed
    CHECK ((version_id IS NULL) = (move_id IS NOT NULL)),
    PRIMARY KEY (id, case_id)
);
CREATE INDEX disclosure_subject ON disclosure (subject_id);
CREATE INDEX disclosure_version ON disclosure (version_id, receiver_id);
CREATE INDEX disclosure_consent ON disclosure (consent_id) WHERE consent_id IS NOT NULL;
CREATE INDEX disclosure_holder ON disclosure (case_id, receiver_id) WHERE onward;
CREATE INDEX disclosure_request ON disclosure (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX disclosure_origin ON disclosure (origin_id) WHERE origin_id IS NOT NULL;

-- Everything that happened to a case, a referral or a transfer, with what was said about it under a key of its own.
CREATE TABLE move (
    id uuid NOT NULL,
    case_id uuid NOT NULL REFERENCES case_file (id),
    subject text NOT NULL CHECK (subject IN ('case', 'referral', 'transfer')),
    subject_id uuid NOT NULL,
    event text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    version integer NOT NULL,
    sender_id uuid,
    receiver_id uuid,
    agency_id uuid,
    recorded_by_id uuid,
    actor text,
    channel text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    detail bytea,
    section text,
    disputed_at timestamptz,
    PRIMARY KEY (id, case_id)
);
CREATE INDEX move_subject ON move (subject_id, id);

-- Events wait here without a position until the sequencer gives them one; seq is the order of writing.
CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency_id uuid NOT NULL,
    event_id uuid NOT NULL DEFAULT uuidv7(),
    type text NOT NULL,
    subject text NOT NULL,
    subject_id uuid NOT NULL,
    case_id uuid,  -- null: it is about no case
    state text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE TABLE event (
    agency_id uuid NOT NULL,
    position bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    subject_id uuid NOT NULL,
    case_id uuid,  -- null: it is about no case
    state text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (agency_id, position, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE TABLE event_default PARTITION OF event DEFAULT;
CREATE TABLE feed_end (
    agency_id uuid PRIMARY KEY,
    position bigint NOT NULL,
    dropped bigint NOT NULL DEFAULT 0, -- the last position that is not kept any more
    dropped_until timestamptz          -- when the last event that is not kept any more was recorded
);

-- The answer to a POST, by the client's Idempotency-Key: never content.
CREATE TABLE idempotency (
    agency_id uuid NOT NULL,
    client_id text NOT NULL,
    key text NOT NULL,
    recorded_at timestamptz NOT NULL,
    request_hash bytea NOT NULL,
    subject text NOT NULL,
    subject_id uuid NOT NULL,
    case_id uuid,  -- null: it is about no case
    reference text NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    log_id uuid NOT NULL,
    met text[],
    PRIMARY KEY (agency_id, client_id, key, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE TABLE idempotency_default PARTITION OF idempotency DEFAULT;
CREATE TABLE log_entry_default PARTITION OF log_entry DEFAULT;
