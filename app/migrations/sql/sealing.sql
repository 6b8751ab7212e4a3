-- The log sealed: every entry gets its place in a Merkle tree (RFC 9162), and the tree's root is signed.
-- Whoever writes an entry leaves its id here in the same transaction and waits for nobody; the sealer takes what is committed and gives
-- it the next positions. seq is the order of writing, not of committing: an entry that is committed late gets a late position, never none.
CREATE TABLE log_waiting (
    seq         bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT log_waiting_pkey PRIMARY KEY,
    entry_id    uuid        NOT NULL,
    recorded_at timestamptz NOT NULL
);

-- An entry's place in the tree: positions are dense and begin with 0.
CREATE TABLE log_leaf (
    position    bigint      CONSTRAINT log_leaf_pkey PRIMARY KEY CONSTRAINT log_leaf_position_check CHECK (position >= 0),
    entry_id    uuid        NOT NULL CONSTRAINT log_leaf_entry_id_key UNIQUE,
    recorded_at timestamptz NOT NULL,
    hash        bytea       NOT NULL CONSTRAINT log_leaf_hash_check CHECK (octet_length(hash) = 32)
);

-- The roots of the complete subtrees of 256, 256², … leaves: with them a proof reads some hundred rows of a tree of any size.
CREATE TABLE log_subtree (
    level    smallint CONSTRAINT log_subtree_level_check CHECK (level BETWEEN 1 AND 7),
    position bigint   CONSTRAINT log_subtree_position_check CHECK (position >= 0),
    hash     bytea    NOT NULL CONSTRAINT log_subtree_hash_check CHECK (octet_length(hash) = 32),
    CONSTRAINT log_subtree_pkey PRIMARY KEY (level, position)
);

-- One signed checkpoint for each batch: never two for one size.
CREATE TABLE log_checkpoint (
    size      bigint      CONSTRAINT log_checkpoint_pkey PRIMARY KEY CONSTRAINT log_checkpoint_size_check CHECK (size > 0),
    note      text        NOT NULL,
    sealed_at timestamptz NOT NULL
);

-- The keys that sign checkpoints and receipts. A public half stays for as long as there is a log; the private one as long as it signs.
CREATE TABLE log_key (
    id             uuid        CONSTRAINT log_key_pkey PRIMARY KEY,
    name           text        NOT NULL,
    public         bytea       NOT NULL CONSTRAINT log_key_public_key UNIQUE CONSTRAINT log_key_public_check CHECK (octet_length(public) = 32),
    state          text        NOT NULL CONSTRAINT log_key_state_check CHECK (state IN ('next', 'active', 'retired')),
    private_sealed bytea,
    created_at     timestamptz NOT NULL,
    activated_at   timestamptz,
    retired_at     timestamptz,
    CONSTRAINT log_key_private_while_needed CHECK ((private_sealed IS NOT NULL) = (state <> 'retired'))
);
CREATE UNIQUE INDEX log_key_one_next_one_active ON log_key (state) WHERE state <> 'retired';

-- What was sealed stays as it is, for whoever tries; the partitions of the log have triggers of their own.
CREATE TRIGGER log_entry_never_emptied BEFORE TRUNCATE ON log_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_entry_never_emptied BEFORE TRUNCATE ON log_entry_default FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['log_leaf', 'log_subtree', 'log_checkpoint'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t || '_append_only', t);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t || '_never_emptied', t);
    END LOOP;
END $$;

-- The entries that wait, in order, for the sealer: the one way by which the worker reads the log.
CREATE FUNCTION log_to_seal(p_limit integer) RETURNS TABLE (
    seq bigint, id uuid, recorded_at timestamptz, agency_id uuid, client_id text, actor text, request_id text, action text, outcome text,
    subject text, subject_id uuid, case_id uuid, detail jsonb
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT w.seq, w.entry_id, w.recorded_at, e.agency_id, e.client_id, e.actor, e.request_id, e.action, e.outcome, e.subject, e.subject_id,
           e.case_id, e.detail
    FROM (SELECT * FROM log_waiting ORDER BY log_waiting.seq LIMIT p_limit) AS w
    LEFT JOIN log_entry e ON e.id = w.entry_id AND e.recorded_at = w.recorded_at
    ORDER BY w.seq;
END $$;

-- The entry of an act, for who may hold a receipt for it: whose act it is, who recorded it, and the parties of the referral or transfer
-- it was about. Of others only what was done, never what was looked at.
CREATE FUNCTION entry_for_receipt(p_id uuid) RETURNS SETOF log_entry
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT e.* FROM log_entry e WHERE e.id = p_id AND e.outcome = 'done' AND is_receipt_for(e, current_agency());
END $$;

-- Services recorded are the receiver's own affair: some senders do not even learn when one was given.
CREATE FUNCTION is_receipt_for(e log_entry, p_agency uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT e.agency_id = p_agency OR e.detail->>'recorded_by' = p_agency::text
        OR (e.agency_id IS NOT NULL AND e.action NOT LIKE '%:read' AND e.action NOT LIKE '%:record_service' AND CASE e.subject
            WHEN 'referral' THEN EXISTS (SELECT FROM referral r WHERE r.id = e.subject_id AND p_agency IN (r.sender_id, r.receiver_id))
            WHEN 'transfer' THEN EXISTS (SELECT FROM transfer t WHERE t.id = e.subject_id AND p_agency IN (t.sender_id, t.receiver_id))
            ELSE false END)
$$;

-- The acts on one referral or transfer for which the caller may hold a receipt, oldest first.
CREATE FUNCTION entries_for_receipts(p_subject uuid, p_case uuid) RETURNS TABLE (id uuid, recorded_at timestamptz, action text, agency_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT e.id, e.recorded_at, e.action, e.agency_id FROM log_entry e
    WHERE e.case_id = p_case AND e.subject_id = p_subject AND e.outcome = 'done' AND e.action NOT LIKE '%:read' AND e.action NOT LIKE '%:list'
      AND is_receipt_for(e, current_agency())
    ORDER BY e.recorded_at, e.id LIMIT 1000;
END $$;

CREATE POLICY read_by_definer ON log_entry FOR SELECT TO rujukan_definer USING (true);
GRANT SELECT ON log_entry TO rujukan_definer;
GRANT SELECT ON log_waiting TO rujukan_worker, rujukan_definer, rujukan_auditor;
GRANT INSERT ON log_waiting TO rujukan_definer;
GRANT DELETE ON log_waiting TO rujukan_worker;
GRANT SELECT ON log_leaf, log_subtree, log_checkpoint TO rujukan_app, rujukan_worker, rujukan_auditor;
GRANT INSERT ON log_leaf, log_subtree, log_checkpoint TO rujukan_worker;
GRANT SELECT ON log_key TO rujukan_app, rujukan_worker, rujukan_admin;
GRANT SELECT (id, name, public, state, created_at, activated_at, retired_at) ON log_key TO rujukan_auditor;
GRANT INSERT, UPDATE ON log_key TO rujukan_worker, rujukan_admin;

GRANT CREATE ON SCHEMA public TO rujukan_definer;
DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['log_to_seal(integer)', 'entry_for_receipt(uuid)', 'entries_for_receipts(uuid, uuid)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT EXECUTE ON FUNCTION log_to_seal(integer) TO rujukan_worker;
GRANT EXECUTE ON FUNCTION is_receipt_for(log_entry, uuid) TO rujukan_definer;
GRANT EXECUTE ON FUNCTION entry_for_receipt(uuid), entries_for_receipts(uuid, uuid) TO rujukan_app;
