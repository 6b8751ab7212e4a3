-- The roles processes log in as. None owns a table, none is a superuser, none bypasses row-level security.
-- Three more cannot log in: rujukan_rewrapper owns the functions that move keys at rest (keys.sql), rujukan_definer the SECURITY DEFINER functions that act for an agency, rujukan_keeper the tables that are
-- partitioned by time and the functions that make and drop their partitions.
DO $$
DECLARE r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['rujukan_app', 'rujukan_worker', 'rujukan_admin', 'rujukan_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', r);
        END IF;
    END LOOP;
    FOREACH r IN ARRAY ARRAY['rujukan_definer', 'rujukan_keeper', 'rujukan_rewrapper'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', r);
        END IF;
        EXECUTE format('GRANT %I TO %I', r, current_user);
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO rujukan_app, rujukan_worker, rujukan_admin, rujukan_auditor', current_database());
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO rujukan_app, rujukan_worker, rujukan_admin, rujukan_auditor, rujukan_definer, rujukan_keeper, rujukan_rewrapper;
-- Functions are granted one by one, to whom they are for. Without IN SCHEMA: what PUBLIC has by default cannot be taken from it for one schema.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
