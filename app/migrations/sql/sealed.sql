-- Sealed sections: agencies' public encryption keys, and to which of them a version's sealed sections are encrypted. The exchange reads none of them.

-- Private halves never come here. `kid` is the key's thumbprint (RFC 7638). Keys are ended, never deleted: what was sealed to one names it.
CREATE TABLE sealing_key (
    id uuid NOT NULL DEFAULT uuidv7() PRIMARY KEY,
    agency_id uuid NOT NULL REFERENCES agency (id),
    kid text NOT NULL,
    jwk jsonb NOT NULL CHECK (NOT jwk ?| ARRAY['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    end_reason text CHECK (end_reason IN ('replaced', 'lost', 'stolen')),
    added_at timestamptz NOT NULL,
    client_id text NOT NULL REFERENCES client (client_id),  -- who added it
    UNIQUE (agency_id, kid)
);
CREATE INDEX sealing_key_kid ON sealing_key (kid);
CREATE INDEX sealing_key_client ON sealing_key (client_id, added_at);

-- A row for each recipient of each sealed section of a version. Written before the version itself, so that a manifest can name it.
CREATE TABLE sealed_recipient (
    case_id uuid NOT NULL,
    version_id uuid NOT NULL,
    section text NOT NULL,
    key_id uuid NOT NULL REFERENCES sealing_key (id),
    agency_id uuid NOT NULL,  -- whose key
    author_id uuid NOT NULL,  -- who sealed it
    PRIMARY KEY (case_id, version_id, section, key_id)
);
CREATE INDEX sealed_recipient_key ON sealed_recipient (key_id);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['sealing_key', 'sealed_recipient'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY by_definer ON %I TO rujukan_definer USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
CREATE POLICY by_administrator ON sealing_key TO rujukan_admin USING (true) WITH CHECK (true);
GRANT SELECT ON sealing_key, sealed_recipient TO rujukan_app, rujukan_definer;
GRANT SELECT ON sealing_key TO rujukan_admin;
GRANT INSERT ON sealing_key TO rujukan_definer;
GRANT UPDATE (ends_at, end_reason) ON sealing_key TO rujukan_admin, rujukan_definer;  -- administrators end keys; one they added they could read by
GRANT INSERT ON sealed_recipient TO rujukan_app;

-- Which sections of the case are sealed as they stand now: of each section the newest version counts that the agency wrote or was given.
CREATE FUNCTION sealed_of_case(p_case uuid, p_agency uuid, p_not uuid) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT n.section FROM (
        SELECT DISTINCT ON (u.section) u.section, v.id AS version_id
        FROM record_version v, unnest(v.sections) AS u(section)
        WHERE v.case_id = p_case AND v.id <> p_not AND v.retracted_at IS NULL AND (v.author_id = p_agency OR EXISTS (
            SELECT FROM disclosure d WHERE d.case_id = p_case AND d.version_id = v.id AND d.receiver_id = p_agency AND d.opened_at IS NOT NULL
              AND u.section = ANY (d.sections)))
        ORDER BY u.section, v.number DESC) AS n
    WHERE EXISTS (SELECT FROM sealed_recipient s WHERE s.case_id = p_case AND s.version_id = n.version_id AND s.section = n.section)
$$;

-- What a manifest says of each sealed section, in the canonical form of RFC 8785. `p_given`: what the sender leaves behind and why, or an earlier
-- manifest; NULL where nobody could answer, since the lead is gone.
CREATE FUNCTION sealed_in_manifest(p_case uuid, p_agency uuid, p_version uuid, p_sections text[], p_given jsonb) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(format('{"answer":"%s","reason":%s,"section":"%s"}',
        CASE WHEN p_given IS NULL THEN 'unchanged' WHEN NOT section = ANY (p_sections) THEN 'left_behind' WHEN is_sealed THEN 'resealed' ELSE 'opened' END,
        coalesce('"' || CASE WHEN NOT section = ANY (p_sections) THEN (
            SELECT g->>'reason' FROM jsonb_array_elements(coalesce(p_given->'sealed', '[]')) AS g
            WHERE g->>'section' = section AND g->>'answer' = 'left_behind') END || '"', 'null'),
        section), ',' ORDER BY section COLLATE "C")
    FROM (SELECT section, bool_or(new) AS is_sealed FROM (
              SELECT sealed_of_case AS section, false AS new FROM sealed_of_case(p_case, p_agency, p_version)
              UNION ALL SELECT s.section, true FROM sealed_recipient s WHERE s.case_id = p_case AND s.version_id = p_version) AS both_of_them
          GROUP BY section) AS found
$$;
GRANT EXECUTE ON FUNCTION sealed_of_case(uuid, uuid, uuid), sealed_in_manifest(uuid, uuid, uuid, text[], jsonb) TO rujukan_app, rujukan_definer;
