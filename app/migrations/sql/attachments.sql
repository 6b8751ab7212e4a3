-- Files. Each is encrypted in chunks under a key of its own (`wrapped_key`), in this database or in an S3-compatible store. Until it goes
-- with a record it is its uploader's alone; then it follows the disclosure of its section in that version.
CREATE TABLE attachment (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    agency_id uuid NOT NULL REFERENCES agency,
    client_id text NOT NULL REFERENCES client,
    section text NOT NULL,
    -- uploading → scanning → ready, or rejected (its type, its size, or what the scan found); erased: its key is destroyed
    state text NOT NULL DEFAULT 'uploading' CHECK (state IN ('uploading', 'scanning', 'ready', 'rejected', 'erased')),
    reason text,                       -- of a rejection, a code
    media_type text,                   -- by content
    size bigint NOT NULL DEFAULT 0,    -- bytes of the file itself
    chunks integer NOT NULL DEFAULT 0,
    store text NOT NULL CHECK (store IN ('database', 's3')),
    wrapped_key bytea,
    detail bytea,                      -- sealed: SHA-256 of the file, and its name if it was given one
    created_at timestamptz NOT NULL,
    touched_at timestamptz NOT NULL,   -- the last chunk of an upload that goes on: what stands still is cleaned up
    completed_at timestamptz,
    expires_at timestamptz,            -- removed then, unless something holds it
    CHECK (state NOT IN ('scanning', 'ready') OR wrapped_key IS NOT NULL)
);
CREATE INDEX attachment_agency ON attachment (agency_id, id);
CREATE INDEX attachment_expiry ON attachment (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE attachment_chunk (
    attachment_id uuid NOT NULL REFERENCES attachment ON DELETE CASCADE,
    number integer NOT NULL CHECK (number >= 0),
    data bytea NOT NULL,
    PRIMARY KEY (attachment_id, number)
);
ALTER TABLE attachment_chunk ALTER COLUMN data SET STORAGE EXTERNAL;

-- A file of a record's version: who may read the version's section may read it.
CREATE TABLE record_attachment (
    version_id uuid NOT NULL,
    case_id uuid NOT NULL,
    attachment_id uuid NOT NULL REFERENCES attachment,
    section text NOT NULL,
    PRIMARY KEY (version_id, case_id, attachment_id),
    FOREIGN KEY (version_id, case_id) REFERENCES record_version (id, case_id)
);
CREATE INDEX record_attachment_file ON record_attachment (attachment_id);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['attachment', 'attachment_chunk', 'record_attachment'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    END LOOP;
END $$;
-- which rows of record_attachment are open, and what binds them: attachment_binding.sql
CREATE POLICY own ON attachment TO rujukan_app
    USING (agency_id = (SELECT current_agency())) WITH CHECK (agency_id = (SELECT current_agency()));
CREATE POLICY of_open_versions ON attachment FOR SELECT TO rujukan_app
    USING (EXISTS (SELECT FROM record_attachment r WHERE r.attachment_id = attachment.id));
CREATE POLICY as_the_file ON attachment_chunk FOR SELECT TO rujukan_app
    USING (EXISTS (SELECT FROM attachment a WHERE a.id = attachment_id));
CREATE POLICY own_written ON attachment_chunk FOR INSERT TO rujukan_app
    WITH CHECK (EXISTS (SELECT FROM attachment a WHERE a.id = attachment_id AND a.agency_id = (SELECT current_agency())));
CREATE POLICY by_worker ON attachment TO rujukan_worker USING (true) WITH CHECK (true);
CREATE POLICY by_worker ON attachment_chunk FOR DELETE TO rujukan_worker USING (true);
CREATE POLICY seen_by_worker ON record_attachment FOR SELECT TO rujukan_worker USING (true);
