-- Who may call what. The SECURITY DEFINER functions belong to rujukan_definer, which cannot log in.
DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY[
        'append_log(timestamptz,uuid,text,text,text,text,text,text,uuid,uuid,jsonb)', 'is_lead(uuid)',
        'publish(text,uuid,text,text[],timestamptz,text[])', 'publish_to_partners(uuid,text,timestamptz)', 'apply_handover(uuid,timestamptz)', 'lock_case_of(uuid)',
        'is_taken(uuid)', 'revoke_token(text,timestamptz,timestamptz)', 'recall_siblings(uuid,timestamptz)', 'apply_dispute(uuid,timestamptz)'] LOOP
        EXECUTE format('GRANT CREATE ON SCHEMA public TO rujukan_definer');
        EXECUTE format('ALTER FUNCTION %s OWNER TO rujukan_definer', f);
        EXECUTE format('REVOKE CREATE ON SCHEMA public FROM rujukan_definer');
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
    FOREACH f IN ARRAY ARRAY[
        'begin_acting(acting)', 'log_by(acting,text,text,text,uuid,uuid,jsonb)', 'log_refusal(acting,text,text,text,uuid,jsonb)',
        'earlier_answer(acting,text,bytea,integer)', 'repeated_answer(acting,text,bytea,integer)', 'keep_answer(acting,text,bytea,moved)',
        'store_record(acting,uuid,uuid,integer,text,text[],bytea,bytea,bytea[],bytea,jsonb)',
        'store_disclosures(acting,text,uuid,uuid,uuid,uuid,uuid,text,text,text,jsonb,bytea[],timestamptz)',
        'check_consents(acting,uuid,text,text,text,jsonb)', 'store_consent(acting,uuid,jsonb,bytea)', 'store_case(acting,uuid,text,text,integer,timestamptz,text,bytea)',
        'open_case(acting,text,bytea,integer,jsonb,bytea)',
        'send(acting,text,bytea,integer,jsonb,bytea,bytea,bytea[],bytea,bytea[],bytea,bytea)',
        'apply_move(acting,text,bytea,integer,jsonb,bytea,bytea,bytea,bytea[],bytea,bytea[])',
        'standing_of(text,uuid)', 'met_by(standing)', 'check_move(acting,text,uuid,standing,text,text[],text,text,integer,timestamptz,text)',
        'dispute_move(acting,text,bytea,integer,text,uuid,uuid,jsonb,bytea)', 'manifest_of(uuid,uuid,uuid,text[],jsonb,timestamptz)',
        'list_referrals(acting,text,text[],boolean,text[],uuid,timestamptz,timestamptz,uuid,integer)',
        'list_transfers(acting,text,text[],boolean,text[],uuid,timestamptz,timestamptz,uuid,integer)',
        'events_after(acting,bigint,text[],integer,integer)'] LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rujukan_app', f);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION current_agency() TO rujukan_app, rujukan_worker, rujukan_definer;
GRANT EXECUTE ON FUNCTION append_log(timestamptz,uuid,text,text,text,text,text,text,uuid,uuid,jsonb) TO rujukan_worker, rujukan_admin;

-- Partitions are made and dropped by the role that owns their tables, never by whoever asks for it.
GRANT CREATE ON SCHEMA public TO rujukan_keeper;
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['log_entry', 'log_entry_default', 'event', 'event_default', 'idempotency', 'idempotency_default'] LOOP
        EXECUTE format('ALTER TABLE %I OWNER TO rujukan_keeper', t);
    END LOOP;
    ALTER FUNCTION ensure_partitions(timestamptz) OWNER TO rujukan_keeper;
    ALTER FUNCTION drop_idempotency_before(timestamptz) OWNER TO rujukan_keeper;
END $$;
GRANT EXECUTE ON FUNCTION refuse_change() TO rujukan_keeper;  -- a new partition gets the trigger too
GRANT EXECUTE ON FUNCTION ensure_partitions(timestamptz), drop_idempotency_before(timestamptz) TO rujukan_worker;
GRANT SELECT (id, kind) ON agency TO rujukan_definer;
GRANT SELECT ON alembic_version TO rujukan_app, rujukan_worker, rujukan_admin;
