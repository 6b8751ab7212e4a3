-- The life of a client: what its agencies are told, and whom a stop leaves stranded.

-- Tells every agency a client acts for. Who may call it does not read or write the outbox otherwise.
CREATE FUNCTION tell_agencies_of(p_client text, p_type text, p_subject text, p_subject_id uuid, p_state text, p_at timestamptz)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_told integer;
BEGIN
    IF p_type NOT LIKE 'client.%' THEN
        RAISE EXCEPTION 'not an event of a client' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT agency_id, p_type, p_subject, p_subject_id, NULL, p_state, p_at FROM client_agency WHERE client_id = p_client;
    GET DIAGNOSTICS v_told = ROW_COUNT;
    RETURN v_told;
END $$;

GRANT CREATE ON SCHEMA public TO rujukan_definer;
ALTER FUNCTION tell_agencies_of(text, text, text, uuid, text, timestamptz) OWNER TO rujukan_definer;
REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
GRANT EXECUTE ON FUNCTION tell_agencies_of(text, text, text, uuid, text, timestamptz) TO rujukan_admin, rujukan_worker;
