-- The roles processes log in as. None owns a table, none is a superuser, none bypasses row-level security.
-- rujukan_definer owns the SECURITY DEFINER functions and cannot log in.
DO $$
DECLARE r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['rujukan_app', 'rujukan_worker', 'rujukan_admin', 'rujukan_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', r);
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rujukan_definer') THEN
        CREATE ROLE rujukan_definer NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO rujukan_app, rujukan_worker, rujukan_admin, rujukan_auditor', current_database());
    EXECUTE format('GRANT rujukan_definer TO %I', current_user);
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO rujukan_app, rujukan_worker, rujukan_admin, rujukan_auditor, rujukan_definer;
-- functions are granted one by one, to whom they are for
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
