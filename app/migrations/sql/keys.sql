-- Keys at rest (app/at_rest): which key-encryption keys there are and how they stand, which processes hold them, and what each still wraps.
-- The keys themselves are in the keyring, never here.

-- The keyring this database was made with: a keyed hash of nothing, by its look-up key.
CREATE TABLE keyring_mark (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    fingerprint bytea NOT NULL,
    at timestamptz NOT NULL
);

-- added → primary (wraps what is new) → retired (opens what it wrapped) → emptied (nothing is wrapped by it any more) → destroyed.
CREATE TABLE encryption_key (
    id bigint PRIMARY KEY,         -- Tink's number of the key, which stands at the beginning of whatever it wrapped
    month date NOT NULL,
    made_at timestamptz NOT NULL,
    added_at timestamptz NOT NULL, -- a process with it was seen first
    at_once boolean NOT NULL DEFAULT false,
    proof bytea NOT NULL,          -- nothing, encrypted by it: another key of the same number does not open it
    primary_at timestamptz,
    retired_at timestamptz,
    emptied_at timestamptz,
    destroyed_at timestamptz,
    CHECK (retired_at IS NULL OR primary_at IS NOT NULL),
    CHECK (emptied_at IS NULL OR retired_at IS NOT NULL),
    CHECK (destroyed_at IS NULL OR emptied_at IS NOT NULL)
);
CREATE UNIQUE INDEX encryption_key_primary ON encryption_key (retired_at) NULLS NOT DISTINCT WHERE primary_at IS NOT NULL AND retired_at IS NULL;

-- Which process holds which keys, said every half minute: a key is used once all of them hold it.
CREATE TABLE keyring_holder (
    process uuid PRIMARY KEY,
    keys bigint[] NOT NULL,
    uses bigint NOT NULL,
    seen_at timestamptz NOT NULL
);

-- How far moving the keys of a column to the primary key has come.
CREATE TABLE rewrap_progress (
    place text PRIMARY KEY,
    key_id bigint NOT NULL,
    after_id uuid,
    moved bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    ended_at timestamptz
);

-- Every column that holds something wrapped by a key-encryption key, its row's id, and what the row belongs to (keyring.Place).
CREATE FUNCTION sealed_columns() RETURNS TABLE (place text, relation text, col text, id_col text, of_col text) LANGUAGE sql IMMUTABLE AS $$
    SELECT v.relation || '.' || v.col, v.relation, v.col, v.id_col, v.of_col FROM (VALUES
        ('attachment', 'detail', 'id', NULL),
        ('attachment', 'wrapped_key', 'id', NULL),
        ('case_link', 'detail', 'id', NULL),
        ('case_link', 'end_detail', 'id', NULL),
        ('consent', 'detail', 'id', 'case_id'),
        ('consent_reconfirmation', 'detail', 'id', 'case_id'),
        ('consent_withdrawal', 'detail', 'id', 'case_id'),
        ('correction', 'detail', 'id', 'case_id'),
        ('delivery_attempt', 'answer', 'id', 'webhook_id'),
        ('disclosure', 'reason', 'id', 'case_id'),
        ('emergency_access', 'detail', 'id', NULL),
        ('import_line', 'content', 'id', 'import_id'),
        ('incident', 'close_detail', 'id', NULL),
        ('incident', 'detail', 'id', NULL),
        ('incident_entry', 'detail', 'id', NULL),
        ('legal_hold', 'detail', 'id', NULL),
        ('legal_hold', 'end_detail', 'id', NULL),
        ('legal_hold_review', 'detail', 'id', NULL),
        ('log_key', 'private_sealed', 'id', NULL),
        ('move', 'detail', 'id', 'subject_id'),
        ('reassignment', 'detail', 'id', NULL),
        ('reassignment', 'end_detail', 'id', NULL),
        ('record_content', 'wrapped_key', 'version_id', 'case_id'),
        ('record_version', 'preview', 'id', 'case_id'),
        ('request', 'answer_detail', 'id', 'case_id'),
        ('request', 'detail', 'id', 'case_id'),
        ('review', 'ground', 'id', NULL),
        ('signing_key', 'private_sealed', 'id', NULL),
        ('subject_request', 'answer_detail', 'id', NULL),
        ('subject_request', 'detail', 'id', NULL),
        ('subject_request', 'lift_detail', 'id', NULL),
        ('victim_status', 'detail', 'id', 'case_id'),
        ('webhook_key', 'private_sealed', 'id', 'webhook_id')
    ) AS v(relation, col, id_col, of_col)
$$;

-- The wrapped key at the beginning of what is sealed: all of it (Tink's prefix, a one), or what an envelope begins with (its length, then the key).
CREATE FUNCTION wrapped_key_of(p_sealed bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE get_byte(p_sealed, 0) WHEN 1 THEN p_sealed
           ELSE substr(p_sealed, 1, 4 + (get_byte(p_sealed, 2) << 8) + get_byte(p_sealed, 3)) END;

-- The number of the key that wrapped it.
CREATE FUNCTION key_of(p_sealed bytea) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE get_byte(p_sealed, 0) WHEN 1
        THEN (get_byte(p_sealed, 1)::bigint << 24) + (get_byte(p_sealed, 2) << 16) + (get_byte(p_sealed, 3) << 8) + get_byte(p_sealed, 4)
        ELSE (get_byte(p_sealed, 5)::bigint << 24) + (get_byte(p_sealed, 6) << 16) + (get_byte(p_sealed, 7) << 8) + get_byte(p_sealed, 8) END;

-- A process says which keyring it holds, and learns which keys are used. Refuses another keyring than the database was made with. Chooses
-- the next primary key: the newest one whose month has begun, that was added a day before (or is wanted at once), and that every process
-- heard of in the last three minutes holds, so that none meets a key it does not know.
CREATE FUNCTION meet_keyring(p_process uuid, p_fingerprint bytea, p_keys jsonb, p_uses bigint, p_at timestamptz) RETURNS SETOF encryption_key
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_now encryption_key; v_next encryption_key; v_held bigint[] := ARRAY(SELECT (k->>'id')::bigint FROM jsonb_array_elements(p_keys) AS k ORDER BY 1);
BEGIN
    IF NOT EXISTS (SELECT FROM keyring_mark) THEN
        INSERT INTO keyring_mark (fingerprint, at) VALUES (p_fingerprint, p_at) ON CONFLICT DO NOTHING;
    END IF;
    IF NOT EXISTS (SELECT FROM keyring_mark WHERE fingerprint = p_fingerprint) THEN
        RAISE EXCEPTION 'not the keyring of this database' USING ERRCODE = 'RJ123';
    END IF;
    INSERT INTO encryption_key (id, month, made_at, added_at, at_once, proof)
    SELECT k.id, k.month, k.made_at, p_at, false, decode(k.proof, 'hex')
    FROM jsonb_to_recordset(p_keys) AS k(id bigint, month date, made_at timestamptz, proof text)
    WHERE NOT EXISTS (SELECT FROM encryption_key e WHERE e.id = k.id) ON CONFLICT DO NOTHING;
    IF p_process IS NOT NULL THEN
        INSERT INTO keyring_holder (process, keys, uses, seen_at) VALUES (p_process, v_held, p_uses, p_at)
        ON CONFLICT (process) DO UPDATE SET keys = excluded.keys, uses = excluded.uses, seen_at = excluded.seen_at;
        DELETE FROM keyring_holder WHERE seen_at < p_at - interval '1 day';
    END IF;
    SELECT * INTO v_now FROM encryption_key e WHERE e.primary_at IS NOT NULL AND e.retired_at IS NULL;
    SELECT * INTO v_next FROM encryption_key e
    WHERE e.primary_at IS NULL AND e.destroyed_at IS NULL AND e.id = ANY (v_held)
      AND (v_now.id IS NULL OR ((e.month, e.made_at) > (v_now.month, v_now.made_at) AND (e.at_once OR (
          e.month <= (p_at AT TIME ZONE 'UTC')::date AND e.added_at <= p_at - interval '1 day'))))
      AND NOT EXISTS (SELECT FROM keyring_holder h WHERE h.seen_at > p_at - interval '3 minutes' AND NOT e.id = ANY (h.keys))
    ORDER BY e.month <= (p_at AT TIME ZONE 'UTC')::date DESC, e.at_once DESC, e.month DESC, e.made_at DESC LIMIT 1;
    IF v_next.id IS NOT NULL AND pg_try_advisory_xact_lock(hashtext('rujukan.encryption_key')) THEN
        -- look again under the lock: another process may have been first
        UPDATE encryption_key SET retired_at = p_at WHERE primary_at IS NOT NULL AND retired_at IS NULL AND id IS NOT DISTINCT FROM v_now.id;
        IF FOUND OR NOT EXISTS (SELECT FROM encryption_key WHERE primary_at IS NOT NULL AND retired_at IS NULL) THEN
            UPDATE encryption_key SET primary_at = p_at WHERE id = v_next.id;
            PERFORM append_log(p_at, NULL, NULL, 'system', NULL, 'encryption_key:use', 'done', 'encryption_key', NULL, NULL,
                               jsonb_build_object('key', v_next.id, 'month', to_char(v_next.month, 'YYYY-MM'), 'instead_of', v_now.id));
        END IF;
    END IF;
    RETURN QUERY SELECT * FROM encryption_key ORDER BY month, made_at, id;
END $$;

-- Counts what is sealed in each column by the key that wrapped it. Reads every row: for people who ask, and before a key is destroyed.
CREATE FUNCTION count_wrapped() RETURNS TABLE (place text, key_id bigint, n bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s record;
BEGIN
    FOR s IN SELECT * FROM sealed_columns() LOOP
        RETURN QUERY EXECUTE format('SELECT %L::text, key_of(%I), count(*) FROM %I WHERE %I IS NOT NULL GROUP BY 2', s.place, s.col, s.relation, s.col);
    END LOOP;
END $$;

-- The next keys of a column that another key than p_key wrapped, in the order of their rows' ids. Never more than the wrapped key: not what it opens.
CREATE FUNCTION keys_to_move(p_place text, p_key bigint, p_after uuid, p_limit integer) RETURNS TABLE (id uuid, of uuid, wrapped bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s record;
BEGIN
    SELECT * INTO STRICT s FROM sealed_columns() c WHERE c.place = p_place;
    RETURN QUERY EXECUTE format(
        'SELECT %I, %s, wrapped_key_of(%I) FROM %I WHERE ($1 IS NULL OR %I > $1) AND %I IS NOT NULL AND key_of(%I) <> $2 ORDER BY 1 LIMIT $3',
        s.id_col, coalesce(quote_ident(s.of_col), 'NULL::uuid'), s.col, s.relation, s.id_col, s.col, s.col) USING p_after, p_key, p_limit;
END $$;

-- Puts newly wrapped keys in the place of those they were made from; what has changed or gone since stays as it is. Returns how many it put.
CREATE FUNCTION move_keys(p_place text, p_ids uuid[], p_old bytea[], p_new bytea[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s record; v_moved integer;
BEGIN
    SELECT * INTO STRICT s FROM sealed_columns() c WHERE c.place = p_place;
    EXECUTE format(
        'UPDATE %I AS t SET %I = u.new || substr(t.%I, length(u.old) + 1) FROM unnest($1, $2, $3) AS u(id, old, new)'
        ' WHERE t.%I = u.id AND t.%I IS NOT NULL AND wrapped_key_of(t.%I) = u.old',
        s.relation, s.col, s.col, s.id_col, s.col, s.col) USING p_ids, p_old, p_new;
    GET DIAGNOSTICS v_moved = ROW_COUNT;
    RETURN v_moved;
END $$;

-- What they may touch: of the sealed columns' tables the ids and those columns, of no other table anything.
DO $$
DECLARE s record;
BEGIN
    FOR s IN SELECT * FROM sealed_columns() LOOP
        EXECUTE format('GRANT SELECT (%I, %I), UPDATE (%I) ON %I TO rujukan_rewrapper', s.id_col, s.col, s.col, s.relation);
        IF s.of_col IS NOT NULL THEN
            EXECUTE format('GRANT SELECT (%I) ON %I TO rujukan_rewrapper', s.of_col, s.relation);
        END IF;
    END LOOP;
    FOR s IN SELECT DISTINCT c.relation FROM sealed_columns() c JOIN pg_class p ON p.oid = c.relation::regclass WHERE p.relrowsecurity LOOP
        EXECUTE format('CREATE POLICY rewrapped ON %I TO rujukan_rewrapper USING (true) WITH CHECK (true)', s.relation);
    END LOOP;
    GRANT CREATE ON SCHEMA public TO rujukan_rewrapper, rujukan_definer;
    ALTER FUNCTION count_wrapped() OWNER TO rujukan_rewrapper;
    ALTER FUNCTION keys_to_move(text,bigint,uuid,integer) OWNER TO rujukan_rewrapper;
    ALTER FUNCTION move_keys(text,uuid[],bytea[],bytea[]) OWNER TO rujukan_rewrapper;
    ALTER FUNCTION meet_keyring(uuid,bytea,jsonb,bigint,timestamptz) OWNER TO rujukan_definer;
    REVOKE CREATE ON SCHEMA public FROM rujukan_rewrapper, rujukan_definer;
END $$;
GRANT SELECT (value), UPDATE (value) ON epoch TO rujukan_rewrapper;  -- a signing key changed: its trigger says so
GRANT SELECT, INSERT ON keyring_mark TO rujukan_definer;
GRANT SELECT, INSERT, UPDATE ON encryption_key TO rujukan_definer;
GRANT SELECT, INSERT, UPDATE, DELETE ON keyring_holder TO rujukan_definer;
GRANT SELECT ON keyring_mark, encryption_key, keyring_holder, rewrap_progress TO rujukan_worker, rujukan_admin;
GRANT UPDATE (emptied_at, destroyed_at, at_once) ON encryption_key TO rujukan_worker, rujukan_admin;
GRANT INSERT, UPDATE ON rewrap_progress TO rujukan_worker, rujukan_admin;
GRANT EXECUTE ON FUNCTION sealed_columns(), wrapped_key_of(bytea), key_of(bytea) TO rujukan_rewrapper, rujukan_worker, rujukan_admin;
GRANT EXECUTE ON FUNCTION count_wrapped(), keys_to_move(text,bigint,uuid,integer), move_keys(text,uuid[],bytea[],bytea[]) TO rujukan_worker, rujukan_admin;
GRANT EXECUTE ON FUNCTION meet_keyring(uuid,bytea,jsonb,bigint,timestamptz) TO rujukan_app, rujukan_worker, rujukan_admin;
