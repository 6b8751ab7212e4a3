-- What a job could not do, one row a subject: it is tried again at retry_at, later and later, and taken out when it is done. Ids, codes and times;
-- never a value, nor the text of an error. The worker's; administrators see it and may have it tried at once.
CREATE TABLE parked_job (
    job text NOT NULL,
    subject text NOT NULL,
    subject_id uuid NOT NULL,            -- of a job as a whole: zeros
    case_id uuid,
    error text NOT NULL CHECK (length(error) <= 100),  -- SQLSTATE, or the type of an exception
    attempts integer NOT NULL CHECK (attempts > 0),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    retry_at timestamptz NOT NULL,
    PRIMARY KEY (job, subject_id)
);
CREATE INDEX parked_job_listed ON parked_job (first_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON parked_job TO rujukan_worker;
GRANT SELECT, UPDATE (retry_at) ON parked_job TO rujukan_admin;
GRANT SELECT (job, subject_id, retry_at) ON parked_job TO rujukan_definer;

-- Whether a job has failed at something and is to leave it alone yet.
CREATE FUNCTION is_parked(p_job text, p_subject uuid, p_at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM parked_job WHERE job = p_job AND subject_id = p_subject AND retry_at > p_at)
$$;
GRANT EXECUTE ON FUNCTION is_parked(text, uuid, timestamptz) TO rujukan_worker, rujukan_definer;

-- The next review whose time has come and that does not wait for another try; the worker sees of it no more than this.
CREATE FUNCTION due_review(p_at timestamptz, p_passed_over uuid[]) RETURNS TABLE (id uuid, case_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT r.id, r.case_id FROM review r WHERE r.look_at <= p_at AND r.id <> ALL (p_passed_over)
        AND NOT is_parked('watch_reviews', r.id, p_at)
        ORDER BY r.look_at LIMIT 1;
END $$;

-- The same of emergency access whose time is over.
CREATE FUNCTION due_emergency(p_at timestamptz, p_passed_over uuid[]) RETURNS TABLE (id uuid, case_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT e.id, e.case_id FROM emergency_access e WHERE e.ended_at IS NULL AND e.until_at <= p_at AND e.id <> ALL (p_passed_over)
        AND NOT is_parked('end_emergencies', e.id, p_at)
        ORDER BY e.until_at LIMIT 1;
END $$;
DO $$
BEGIN
    GRANT CREATE ON SCHEMA public TO rujukan_definer;
    ALTER FUNCTION due_review(timestamptz, uuid[]) OWNER TO rujukan_definer;
    ALTER FUNCTION due_emergency(timestamptz, uuid[]) OWNER TO rujukan_definer;
    REVOKE CREATE ON SCHEMA public FROM rujukan_definer;
END $$;
GRANT EXECUTE ON FUNCTION due_review(timestamptz, uuid[]), due_emergency(timestamptz, uuid[]) TO rujukan_worker;
