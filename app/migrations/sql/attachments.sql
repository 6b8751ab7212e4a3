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
    stored boolean NOT NULL DEFAULT true,  -- its store may hold something of it
    due_at timestamptz,                -- when the worker looks at it next, and its lease: an upload that stands still, a scan, the expiry, content to remove
    CHECK (state NOT IN ('scanning', 'ready') OR wrapped_key IS NOT NULL)
);
CREATE INDEX attachment_agency ON attachment (agency_id, id);
CREATE INDEX attachment_expiry ON attachment (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX attachment_due ON attachment (due_at) WHERE due_at IS NOT NULL;

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
-- what is ready is no longer the worker's to read: it scans before that
CREATE POLICY scanned_by_worker ON attachment_chunk FOR SELECT TO rujukan_worker
    USING (EXISTS (SELECT FROM attachment a WHERE a.id = attachment_id AND a.state = 'scanning'));
CREATE POLICY seen_by_worker ON record_attachment FOR SELECT TO rujukan_worker USING (true);
CREATE POLICY by_definer ON attachment TO rujukan_definer USING (true) WITH CHECK (true);
CREATE POLICY by_definer ON attachment_chunk TO rujukan_definer USING (true);
CREATE POLICY seen_by_definer ON record_attachment FOR SELECT TO rujukan_definer USING (true);

-- A file's content is destroyed: its key and its detail at once, and its chunks if they are here; what another store holds of it is of no use
-- without the key, and the worker removes it. Whoever calls it has decided that it may. False if it was destroyed before.
CREATE FUNCTION destroy_attachment(p_id uuid, p_state text, p_reason text, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v attachment;
BEGIN
    SELECT * INTO v FROM attachment WHERE id = p_id FOR UPDATE;
    IF NOT FOUND OR v.state IN ('rejected', 'erased') AND v.wrapped_key IS NULL AND v.state = p_state THEN
        RETURN false;
    END IF;
    DELETE FROM attachment_chunk WHERE attachment_id = p_id;
    UPDATE attachment SET state = p_state, reason = p_reason, wrapped_key = NULL, detail = NULL, stored = stored AND store <> 'database',
        due_at = CASE WHEN p_state = 'rejected' AND store = 'database' THEN expires_at ELSE p_at END WHERE id = p_id;
    RETURN true;
END $$;

-- The uploader takes back what goes with no record. `none`: it has no such file. `bound`: a record holds it.
CREATE FUNCTION drop_attachment(p_id uuid, p_at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- who binds it holds this row first: nothing can be bound between this look and the commit
    PERFORM FROM attachment WHERE id = p_id AND agency_id = current_agency() AND state <> 'erased' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'none';
    END IF;
    IF case_of_file(p_id) IS NOT NULL THEN
        RETURN 'bound';
    END IF;
    PERFORM destroy_attachment(p_id, 'erased', 'dropped', p_at);
    RETURN 'dropped';
END $$;

-- The bytes of an agency's files that go with no record: what it may still upload is measured by them. An upload that goes on counts as what it may become.
CREATE FUNCTION unbound_bytes() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('attachments ' || current_agency()::text, 0));
    RETURN (SELECT coalesce(sum(size), 0) FROM attachment a WHERE agency_id = current_agency() AND state IN ('uploading', 'scanning', 'ready')
            AND case_of_file(a.id) IS NULL);
END $$;

-- An upload has come to its end: what was said of it, its log entry and the answer to its key, in one statement.
CREATE FUNCTION finish_attachment(a acting, p_key text, p_hash bytea, p_days integer, p_id uuid, p_file jsonb, p_detail bytea, p_at timestamptz, p_expires timestamptz)
RETURNS moved LANGUAGE plpgsql AS $$
DECLARE m moved; v attachment;
BEGIN
    PERFORM begin_acting(a);
    m := earlier_answer(a, p_key, p_hash, p_days);
    IF m.repeated THEN
        RETURN m;  -- the same upload, which was faster
    END IF;
    UPDATE attachment SET state = p_file->>'state', media_type = p_file->>'media_type', size = (p_file->>'size')::bigint, chunks = (p_file->>'chunks')::integer,
        detail = p_detail, touched_at = p_at, completed_at = p_at, expires_at = p_expires,
        due_at = CASE p_file->>'state' WHEN 'scanning' THEN p_at ELSE p_expires END
    WHERE id = p_id AND agency_id = a.agency AND state = 'uploading' RETURNING * INTO v;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the upload was given up' USING ERRCODE = 'RJ404';
    END IF;
    m := (false, 'attachment', p_id, NULL, '', v.state, 1,
          log_by(a, 'attachment:upload', 'done', 'attachment', p_id, NULL,
                 jsonb_build_object('sections', jsonb_build_array(v.section), 'media_type', v.media_type, 'size', v.size)), a.at, NULL);
    PERFORM keep_answer(a, p_key, p_hash, m);
    RETURN m;
END $$;

GRANT CREATE ON SCHEMA public TO rujukan_definer;
ALTER FUNCTION destroy_attachment(uuid, text, text, timestamptz) OWNER TO rujukan_definer;
ALTER FUNCTION drop_attachment(uuid, timestamptz) OWNER TO rujukan_definer;
ALTER FUNCTION unbound_bytes() OWNER TO rujukan_definer;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT SELECT, UPDATE ON attachment TO rujukan_definer;
GRANT SELECT (attachment_id), DELETE ON attachment_chunk TO rujukan_definer;
GRANT SELECT ON record_attachment TO rujukan_definer;
GRANT EXECUTE ON FUNCTION destroy_attachment(uuid, text, text, timestamptz) TO rujukan_worker;
GRANT EXECUTE ON FUNCTION drop_attachment(uuid, timestamptz), unbound_bytes(),
    finish_attachment(acting, text, bytea, integer, uuid, jsonb, bytea, timestamptz, timestamptz) TO rujukan_app;
GRANT SELECT, INSERT ON attachment, attachment_chunk, record_attachment TO rujukan_app;
GRANT UPDATE (state, media_type, size, chunks, detail, touched_at, completed_at, expires_at, due_at) ON attachment TO rujukan_app;
GRANT SELECT, DELETE, UPDATE (state, reason, stored, due_at) ON attachment TO rujukan_worker;
GRANT SELECT ON attachment_chunk, record_attachment TO rujukan_worker;
