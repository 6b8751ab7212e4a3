-- E-mail to agencies that have no system, or want it besides: that something waits, and its reference. One row an event and agency; several go out
-- in one mail. The worker claims mails, commits, sends, and then records what came of it; the lease is `due_at`.
CREATE TABLE notice_address (
    agency_id uuid PRIMARY KEY REFERENCES agency (id),
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254 AND email ~ '^[!-~]+@[!-~]+$'),
    language text NOT NULL CHECK (language IN ('id', 'en')),
    position bigint NOT NULL,   -- events of the feed up to here have become notices
    set_at timestamptz NOT NULL,
    refused_at timestamptz      -- when a server last said for good that there is no such address; null after the next success
);

CREATE TABLE notice_mail (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    agency_id uuid NOT NULL REFERENCES agency (id),
    -- needless: when its turn came nothing waited any more; parked: given up, for administrators to look at
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'needless', 'parked')),
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    first_at timestamptz,       -- the first attempt since it was made or last retried
    ended_at timestamptz,
    fault text,                 -- app/delivery/notices/sending.py, of the last attempt
    status integer              -- of SMTP, of the last attempt; null: there was no answer
);
CREATE INDEX notice_mail_due ON notice_mail (due_at) WHERE state = 'waiting';
CREATE INDEX notice_mail_agency ON notice_mail (agency_id, id);
CREATE INDEX notice_mail_parked ON notice_mail (id) WHERE state = 'parked';

CREATE TABLE notice (
    agency_id uuid NOT NULL REFERENCES agency (id),
    event_id uuid NOT NULL,
    mail_id uuid NOT NULL REFERENCES notice_mail (id) ON DELETE CASCADE,
    type text NOT NULL,
    subject text NOT NULL,
    subject_id uuid NOT NULL,
    case_id uuid,
    PRIMARY KEY (agency_id, event_id)
);
CREATE INDEX notice_of_mail ON notice (mail_id);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['notice_address', 'notice_mail', 'notice'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY by_worker ON %I TO rujukan_worker USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY by_administrator ON %I TO rujukan_admin USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
GRANT SELECT, UPDATE (position, refused_at) ON notice_address TO rujukan_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON notice_mail TO rujukan_worker;
GRANT SELECT, INSERT ON notice TO rujukan_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON notice_address TO rujukan_admin;
GRANT SELECT, UPDATE (state, due_at, attempts, first_at, ended_at) ON notice_mail TO rujukan_admin;
GRANT SELECT (mail_id) ON notice TO rujukan_admin;  -- how many, and not of which case
-- what a notice names
GRANT SELECT (reference) ON case_file TO rujukan_worker;
GRANT SELECT (ended_at) ON referral, transfer TO rujukan_worker;
CREATE POLICY by_worker ON note_seen FOR SELECT TO rujukan_worker USING (true);
GRANT SELECT (agency_id, subject_id, unread) ON note_seen TO rujukan_worker;
-- from where on an agency is told
CREATE POLICY by_administrator ON feed_end FOR SELECT TO rujukan_admin USING (true);
GRANT SELECT ON feed_end TO rujukan_admin;
