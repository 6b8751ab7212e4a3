-- The log: append-only, partitioned by month. Who may write it goes through append_log; who may read it is the auditor.
CREATE TABLE log_entry (
    id uuid NOT NULL DEFAULT uuidv7(),
    recorded_at timestamptz NOT NULL,
    agency_id uuid,
    client_id text,
    actor text,
    request_id text,
    action text NOT NULL,
    outcome text NOT NULL,
    subject text,
    subject_id uuid,
    case_id uuid,
    detail jsonb NOT NULL,
    PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX log_entry_case ON log_entry (case_id, recorded_at) WHERE case_id IS NOT NULL;
CREATE INDEX log_entry_administrative ON log_entry (id) WHERE agency_id IS NULL AND case_id IS NULL AND actor IS NOT NULL;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER log_entry_append_only BEFORE UPDATE OR DELETE ON log_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();

ALTER TABLE log_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE log_entry FORCE ROW LEVEL SECURITY;
CREATE POLICY written_by_definer ON log_entry FOR INSERT TO rujukan_definer WITH CHECK (true);
CREATE POLICY read_by_auditor ON log_entry FOR SELECT TO rujukan_auditor USING (true);
-- What administrators did: no agency's, of no case, and somebody did it. Without the columns that would be empty, so that whoever asks
-- for everything is refused instead of shown a part.
CREATE POLICY administrative_acts ON log_entry FOR SELECT TO rujukan_admin USING (agency_id IS NULL AND case_id IS NULL AND actor IS NOT NULL);
GRANT INSERT ON log_entry TO rujukan_definer;
GRANT SELECT (id, recorded_at, client_id, actor, request_id, action, outcome, subject, subject_id, detail) ON log_entry TO rujukan_admin;
GRANT SELECT ON log_entry TO rujukan_auditor;

-- One entry. Called in the transaction of what it describes, or, for a refusal, in a short one of its own.
CREATE FUNCTION append_log(
    p_at timestamptz, p_agency uuid, p_client text, p_actor text, p_request_id text, p_action text, p_outcome text,
    p_subject text, p_subject_id uuid, p_case_id uuid, p_detail jsonb
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_id uuid := uuidv7();
BEGIN
    -- inside a request the entry is the agency's own, or nobody's
    IF p_agency <> current_agency() THEN
        RAISE EXCEPTION 'an agency writes no entry for another' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO log_entry (id, recorded_at, agency_id, client_id, actor, request_id, action, outcome, subject, subject_id, case_id, detail)
    VALUES (v_id, p_at, p_agency, p_client, p_actor, p_request_id, p_action, p_outcome, p_subject, p_subject_id, p_case_id,
            coalesce(p_detail, '{}'));
    INSERT INTO log_waiting (entry_id, recorded_at) VALUES (v_id, p_at);
    RETURN v_id;
END $$;

-- Monthly partitions of every table that is partitioned by time, from the month before p_at to two months after it.
CREATE FUNCTION ensure_partitions(p_at timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_table text; v_month date; v_made integer := 0; v_name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('rujukan.partitions'));
    FOREACH v_table IN ARRAY ARRAY['log_entry', 'event', 'idempotency'] LOOP
        FOR i IN -1..2 LOOP
            v_month := (date_trunc('month', p_at AT TIME ZONE 'UTC') + make_interval(months => i))::date;
            v_name := v_table || to_char(v_month, '_YYYYMM');
            CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
            BEGIN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', v_name, v_table,
                               v_month::text || ' 00:00:00+00', (v_month + interval '1 month')::date::text || ' 00:00:00+00');
                EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', v_name);
                IF v_table = 'log_entry' THEN  -- rows' triggers come with the partition, this one does not
                    EXECUTE format('CREATE TRIGGER log_entry_never_emptied BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_name);
                END IF;
                v_made := v_made + 1;
            EXCEPTION WHEN check_violation THEN
                NULL;  -- rows of that month came before it: they stay in the default partition, where nothing is lost
            END;
        END LOOP;
    END LOOP;
    RETURN v_made;
END $$;

-- Drops whole months of answers to idempotency keys that ended before p_before.
CREATE FUNCTION drop_idempotency_before(p_before timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_name text; v_dropped integer := 0;
BEGIN
    FOR v_name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                  WHERE i.inhparent = 'idempotency'::regclass AND c.relname ~ '_\d{6}$' LOOP
        IF to_date(right(v_name, 6), 'YYYYMM') + interval '1 month' <= p_before THEN
            EXECUTE format('DROP TABLE %I', v_name);
            v_dropped := v_dropped + 1;
        END IF;
    END LOOP;
    RETURN v_dropped;
END $$;
