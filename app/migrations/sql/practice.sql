-- Practice agencies and real ones do not know each other: whatever has two agencies has two of one world. Which of the two an agency is
-- is said once, when it is added.
CREATE FUNCTION one_world(VARIADIC p_agencies uuid[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT count(DISTINCT sandbox) <= 1 FROM agency WHERE id = ANY (p_agencies)
$$;

-- Refuses what would go from one world to the other. (Who records for a party, and who sends in its name, has been checked as an agreement
-- and as who is asked about what nobody answered.)
CREATE FUNCTION refuse_parties_of_two_worlds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT one_world(NEW.sender_id, NEW.receiver_id) THEN
        RAISE EXCEPTION 'no such agency' USING ERRCODE = 'RJ080';
    END IF;
    RETURN NEW;
END $$;

-- Refuses a row whose agencies, in the columns that the trigger names, are not all of one world.
CREATE FUNCTION refuse_two_worlds() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE v jsonb := to_jsonb(NEW); v_named uuid[];
BEGIN
    SELECT array_agg((v->>name)::uuid) INTO v_named FROM unnest(TG_ARGV) AS name;
    IF NOT one_world(VARIADIC v_named) THEN
        RAISE EXCEPTION 'no such agency' USING ERRCODE = 'RJ080';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION refuse_other_world() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'which world an agency is of is said once' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER one_world BEFORE INSERT OR UPDATE OF sender_id, receiver_id ON referral
    FOR EACH ROW EXECUTE FUNCTION refuse_parties_of_two_worlds();
CREATE TRIGGER one_world BEFORE INSERT OR UPDATE OF sender_id, receiver_id ON transfer
    FOR EACH ROW EXECUTE FUNCTION refuse_parties_of_two_worlds();
CREATE TRIGGER one_world BEFORE INSERT OR UPDATE OF sender_id, receiver_id ON disclosure
    FOR EACH ROW EXECUTE FUNCTION refuse_parties_of_two_worlds();
CREATE TRIGGER one_world BEFORE UPDATE OF lead_id ON case_file
    FOR EACH ROW EXECUTE FUNCTION refuse_two_worlds('lead_id', 'opened_by_id');
CREATE TRIGGER one_world BEFORE INSERT ON case_link
    FOR EACH ROW EXECUTE FUNCTION refuse_two_worlds('lead_id', 'other_lead_id');
CREATE TRIGGER one_world BEFORE INSERT ON reassignment
    FOR EACH ROW EXECUTE FUNCTION refuse_two_worlds('from_id', 'to_id');
CREATE TRIGGER one_world BEFORE INSERT ON request
    FOR EACH ROW EXECUTE FUNCTION refuse_two_worlds('from_id', 'to_id');
CREATE TRIGGER one_world BEFORE INSERT OR UPDATE OF agency_id, other_id ON agreement
    FOR EACH ROW EXECUTE FUNCTION refuse_two_worlds('agency_id', 'other_id');
CREATE TRIGGER one_world AFTER INSERT OR UPDATE OF parent_id ON agency
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION refuse_two_worlds('id', 'parent_id');
CREATE TRIGGER one_world_for_good BEFORE UPDATE OF sandbox ON agency
    FOR EACH ROW WHEN (OLD.sandbox <> NEW.sandbox) EXECUTE FUNCTION refuse_other_world();

-- Who is asked about what nobody answered is of the world of its case.
CREATE FUNCTION refuse_asking_other_world() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT one_world(NEW.agency_id, (SELECT lead_id FROM case_file WHERE id = NEW.case_id)) THEN
        RAISE EXCEPTION 'no such agency' USING ERRCODE = 'RJ080';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER one_world BEFORE INSERT ON escalation_asked FOR EACH ROW EXECUTE FUNCTION refuse_asking_other_world();

GRANT EXECUTE ON FUNCTION one_world(uuid[]) TO rujukan_app, rujukan_worker, rujukan_admin, rujukan_definer;
