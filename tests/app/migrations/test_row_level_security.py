"""Whoever holds agencies' data is guarded by the database itself: which tables, which roles, which functions."""

from __future__ import annotations

import asyncpg
import pytest

from tests.makers.world import World

UNGUARDED = {
    "agency": "the directory: every agency may know every other",
    "agreement": "what agencies have agreed; part of the directory",
    "service_point": "the directory; a confidential place has no address in it",
    "client": "who may sign in; needed before anybody is known",
    "client_agency": "as client",
    "client_key": "public keys",
    "signing_key": "the exchange's own; the private half is sealed",
    "assertion_jti": "hashes of ids used once",
    "proof_jti": "hashes of ids used once",
    "proof_memory": "one time",
    "revoked_token": "ids of tokens",
    "epoch": "one number",
    "administrator": "who administers; the administrators' role alone reads it",
    "passkey": "as administrator; public keys",
    "invitation": "as administrator; hashes",
    "admin_session": "as administrator; hashes",
    "ceremony": "as administrator; hashes and challenges",
    "approval": "what administrators ask each other; the administrators' role alone reads it",
    "approval_yes": "as approval",
    "initial_access_token": "hashes; the administrators' role alone reads it",
    "client_jwks": "when a client's keys were fetched",
    "log_waiting": "ids of entries that have no position yet",
    "log_leaf": "hashes and positions of the log's entries",
    "log_subtree": "hashes",
    "log_checkpoint": "hashes and signatures, which anybody may have",
    "log_key": "the log's own; the private half is sealed",
    "rate_bucket": "counts of requests",
    "client_refusal": "counts of refusals",
    "keyring_mark": "a keyed hash of nothing",
    "encryption_key": "numbers and months of keys, never the keys",
    "keyring_holder": "which process holds which keys, by number",
    "rewrap_progress": "how far moving keys has come",
    "webhook_silence": "since when nobody could be reached; the worker's, and of no agency",
    "webhook_outage": "when nobody could be reached; the worker's, and of no agency",
    "parked_job": "ids, codes and times; the worker's and the administrators', whom agencies' systems never ask",
    "alembic_version": "one word",
}
"""Tables without policies, and why no agency's data stands in them."""

WITHOUT_POLICIES_OF_ITS_OWN = r"(log_entry|event|idempotency)_(default|\d{6})"
"""Partitions: read through their parent, whose policies count; directly by nobody."""

DEFINER_FUNCTIONS = {
    "append_log": "rujukan_definer",
    "is_lead": "rujukan_definer",
    "publish": "rujukan_definer",
    "publish_to_partners": "rujukan_definer",
    "apply_handover": "rujukan_definer",
    "lock_case_of": "rujukan_definer",
    "is_taken": "rujukan_definer",
    "revoke_token": "rujukan_definer",
    "recall_siblings": "rujukan_definer",
    "store_note": "rujukan_definer",
    "apply_dispute": "rujukan_definer",
    "is_barred": "rujukan_definer",
    "has_part": "rujukan_definer",
    "tell_of_barred_guardian": "rujukan_definer",
    "apply_withdrawal": "rujukan_definer",
    "apply_reconfirmation": "rujukan_definer",
    "consent_gaps": "rujukan_definer",
    "consent_until": "rujukan_definer",
    "doubt_consents": "rujukan_definer",
    "spoken_for": "rujukan_definer",
    "breach_log": "rujukan_definer",
    "breach_tokens": "rujukan_definer",
    "breach_reach": "rujukan_definer",
    "breach_moves": "rujukan_definer",
    "breach_moves_shown": "rujukan_definer",
    "dispute_moves_of": "rujukan_definer",
    "apply_confirmation": "rujukan_definer",
    "consents_undoubted": "rujukan_definer",
    "rests_on_barred": "rujukan_definer",
    "tell_of_consent": "rujukan_definer",
    "ask_erasure": "rujukan_definer",
    "apply_retraction": "rujukan_definer",
    "apply_correction": "rujukan_definer",
    "carry_corrections": "rujukan_definer",
    "apply_proposal": "rujukan_definer",
    "pass_on_proposals": "rujukan_definer",
    "lock_case_of_request": "rujukan_definer",
    "tell_of_answer": "rujukan_definer",
    "content_in_hand": "rujukan_definer",
    "is_asked": "rujukan_definer",
    "close_escalations": "rujukan_definer",
    "publish_unattended": "rujukan_definer",
    "escalation_subject": "rujukan_definer",
    "escalated_record": "rujukan_definer",
    "apply_take": "rujukan_definer",
    "apply_reroute": "rujukan_definer",
    "publish_case": "rujukan_definer",
    "change_case": "rujukan_definer",
    "apply_death": "rujukan_definer",
    "bar_guardian": "rujukan_definer",
    "duties_of": "rujukan_definer",
    "store_link": "rujukan_definer",
    "change_link": "rujukan_definer",
    "own_links": "rujukan_definer",
    "links_waiting": "rujukan_definer",
    "check_service_point": "rujukan_definer",
    "move_lead": "rujukan_definer",
    "store_reassignment": "rujukan_definer",
    "change_reassignment": "rujukan_definer",
    "carry_out_reassignment": "rujukan_definer",
    "tell_agencies_of": "rujukan_definer",
    "sealed_to_others": "rujukan_definer",
    "tell_of_sealing_key": "rujukan_definer",
    "apply_sealing_key": "rujukan_definer",
    "apply_sealing_key_end": "rujukan_definer",
    "apply_reseal_request": "rujukan_definer",
    "apply_own_key": "rujukan_definer",
    "apply_own_key_end": "rujukan_definer",
    "silent_without": "rujukan_definer",
    "stranded_by": "rujukan_definer",
    "escalate_stranded": "rujukan_definer",
    "passing_of": "rujukan_definer",
    "is_escalated": "rujukan_definer",
    "claim_jwks_fetch": "rujukan_definer",
    "store_client_jwks": "rujukan_definer",
    "initial_access_token_of": "rujukan_definer",
    "scopes_invited": "rujukan_definer",
    "register_client": "rujukan_definer",
    "replace_registration": "rujukan_definer",
    "retire_registration": "rujukan_definer",
    "count_refusals": "rujukan_definer",
    "open_review": "rujukan_definer",
    "note_disclosure": "rujukan_definer",
    "apply_review": "rujukan_definer",
    "review_reason": "rujukan_definer",
    "take_off_bases": "rujukan_definer",
    "carry_rebased": "rujukan_definer",
    "carry_missed_corrections": "rujukan_definer",
    "watch_review": "rujukan_definer",
    "due_review": "rujukan_definer",
    "due_emergency": "rujukan_definer",
    "apply_emergency": "rujukan_definer",
    "emergency_content": "rujukan_definer",
    "apply_emergency_end": "rujukan_definer",
    "end_emergency_over": "rujukan_definer",
    "tell_of_webhook": "rujukan_definer",
    "administered_webhooks": "rujukan_definer",
    "disable_webhook": "rujukan_definer",
    "stop_webhooks": "rujukan_definer",
    "breach_webhooks": "rujukan_definer",
    "log_to_seal": "rujukan_definer",
    "entry_for_receipt": "rujukan_definer",
    "entries_for_receipts": "rujukan_definer",
    "access_to_case": "rujukan_definer",
    "sees_incident": "rujukan_definer",
    "apply_subject_request": "rujukan_definer",
    "apply_subject_answer": "rujukan_definer",
    "pass_on_subject_requests": "rujukan_definer",
    "apply_restriction_lift": "rujukan_definer",
    "restricted_sections": "rujukan_definer",
    "mark_restricted": "rujukan_definer",
    "apply_incident": "rujukan_definer",
    "apply_incident_entry": "rujukan_definer",
    "apply_hold": "rujukan_definer",
    "apply_hold_change": "rujukan_definer",
    "due_erasures": "rujukan_definer",
    "staying_content": "rujukan_definer",
    "erase_sections": "rujukan_definer",
    "erase_words": "rujukan_definer",
    "remind_of_idle_cases": "rujukan_definer",
    "unknown_erasures": "rujukan_definer",
    "versions_elsewhere": "rujukan_definer",
    "kept_of_case": "rujukan_definer",
    "destroy_attachment": "rujukan_definer",
    "drop_attachment": "rujukan_definer",
    "unbound_bytes": "rujukan_definer",
    "is_retracted_file": "rujukan_definer",
    "holds_file": "rujukan_definer",
    "case_of_file": "rujukan_definer",
    "bind_files": "rujukan_definer",
    "bind_evidence": "rujukan_definer",
    "files_that_come": "rujukan_definer",
    "ensure_partitions": "rujukan_keeper",
    "drop_idempotency_before": "rujukan_keeper",
    "drop_events_before": "rujukan_keeper",
    "meet_keyring": "rujukan_definer",
    "count_wrapped": "rujukan_rewrapper",
    "keys_to_move": "rujukan_rewrapper",
    "move_keys": "rujukan_rewrapper",
}
"""The functions that may do more than who calls them, and in whose name."""

LOGINS = ("rujukan_app", "rujukan_worker", "rujukan_admin", "rujukan_auditor")
NO_LOGINS = ("rujukan_definer", "rujukan_keeper", "rujukan_rewrapper")


async def ways_past_policies(owner: asyncpg.Connection) -> set[str]:
    """Whatever in the schema shows rows without asking a policy: by the catalogue, so that nobody has to remember to list a table here."""
    rows = await owner.fetch(
        """SELECT c.relname, relkind::text AS kind, relispartition, relrowsecurity AND relforcerowsecurity AS guarded,
                  (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) AS policies,
                  coalesce(reloptions, '{}') && '{security_invoker=true,security_invoker=on,security_invoker=1}' AS invoker,
                  EXISTS (SELECT FROM aclexplode(relacl) AS a WHERE a.grantee <> c.relowner) AS granted
           FROM pg_class c WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND relnamespace = 'public'::regnamespace"""
    )
    assert len(rows) > 25
    found = set()
    for row in rows:
        if row["kind"] in "rp":
            # a partition is read through its parent, whose policies count; read by itself it is refused, or shows nothing
            fine = row["guarded"] and (row["policies"] or (row["relispartition"] and not row["granted"]))
        elif row["kind"] == "v":
            fine = row["invoker"]
        else:  # materialised and foreign: there is no policy for them
            fine = False
        if not fine:
            found.add(row["relname"])
    return found


class TestTables:
    async def test_are_guarded_or_listed_with_a_reason(self, world: World) -> None:
        assert await ways_past_policies(world.owner) == set(UNGUARDED)

    @pytest.mark.parametrize(
        ("name", "made"),
        [
            ("leak", "CREATE TABLE leak (case_id uuid)"),
            (
                "leak",
                "CREATE TABLE leak (case_id uuid); ALTER TABLE leak ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
            ),
            ("leak", "CREATE TABLE leak (case_id uuid); CREATE POLICY own ON leak USING (true)"),
            (
                "leak",
                "CREATE TABLE leak (case_id uuid); ALTER TABLE leak ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON leak USING (true)",
            ),
            ("leak", "CREATE TABLE leak PARTITION OF event FOR VALUES FROM ('2050-01-01') TO ('2050-02-01')"),
            (
                "leak",
                "CREATE TABLE leak PARTITION OF event FOR VALUES FROM ('2050-01-01') TO ('2050-02-01');"
                "ALTER TABLE leak ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; GRANT SELECT ON leak TO rujukan_app",
            ),
            ("leak", "CREATE VIEW leak AS SELECT * FROM referral"),
            ("leak", "CREATE VIEW leak WITH (security_invoker = off) AS SELECT * FROM referral"),
            ("leak", "CREATE MATERIALIZED VIEW leak AS SELECT * FROM referral"),
            ("referral", "ALTER TABLE referral NO FORCE ROW LEVEL SECURITY"),
        ],
    )
    async def test_without_a_guard_are_found(self, world: World, name: str, made: str) -> None:
        change = world.owner.transaction()
        await change.start()
        try:
            await world.owner.execute(made)
            assert await ways_past_policies(world.owner) - set(UNGUARDED) == {name}
        finally:
            await change.rollback()

    async def test_may_be_looked_at_through_a_view_that_asks_the_policies_of_who_looks(self, world: World) -> None:
        change = world.owner.transaction()
        await change.start()
        try:
            await world.owner.execute("CREATE VIEW fine WITH (security_invoker = true) AS SELECT * FROM referral")
            assert "fine" not in await ways_past_policies(world.owner)
        finally:
            await change.rollback()

    async def test_made_as_time_goes_on_are_guarded_too(self, world: World) -> None:
        made = await world.owner.fetchval("SELECT ensure_partitions('2031-05-05Z')")
        assert made == 12
        rows = await world.owner.fetch(
            """SELECT relname, relrowsecurity AND relforcerowsecurity AS guarded, pg_get_userbyid(relowner) AS owner,
                      (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid) AS triggers
               FROM pg_class c WHERE relname ~ '_2031\\d\\d$'"""
        )
        assert len(rows) == 12
        for row in rows:
            assert (row["guarded"], row["owner"]) == (True, "rujukan_keeper")
            assert row["triggers"] == (2 if row["relname"].startswith("log_entry") else 0)

    async def test_belong_to_no_role_that_a_process_logs_in_as(self, world: World) -> None:
        owned = await world.owner.fetch(
            "SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = ANY ($1)", list(LOGINS)
        )
        assert [row["relname"] for row in owned] == []


class TestRoles:
    async def test_pass_no_policy_by_privilege(self, world: World) -> None:
        rows = await world.owner.fetch("SELECT * FROM pg_roles WHERE rolname LIKE 'rujukan_%'")
        assert {row["rolname"]: row["rolcanlogin"] for row in rows} == {
            **dict.fromkeys(LOGINS, True),
            **dict.fromkeys(NO_LOGINS, False),
        }
        for row in rows:
            powers = [row[f"rol{power}"] for power in ("super", "bypassrls", "createdb", "createrole", "replication")]
            assert not any(powers), row["rolname"]

    async def test_are_not_members_of_one_another(self, world: World) -> None:
        """A member could `SET ROLE` to what it is a member of, and become what it must not be."""
        rows = await world.owner.fetch(
            """SELECT pg_get_userbyid(member) AS member, pg_get_userbyid(roleid) AS role FROM pg_auth_members
               WHERE pg_get_userbyid(member) LIKE 'rujukan_%'"""
        )
        assert rows == []

    async def test_cannot_make_anything_in_the_schema(self, world: World) -> None:
        for role in (*LOGINS, "rujukan_definer"):
            assert not await world.owner.fetchval("SELECT has_schema_privilege($1, 'public', 'CREATE')", role), role


class TestFunctions:
    async def test_that_do_more_than_their_caller_are_exactly_those_listed(self, world: World) -> None:
        rows = await world.owner.fetch(
            """SELECT proname, pg_get_userbyid(proowner) AS owner, proconfig FROM pg_proc
               WHERE prosecdef AND pronamespace = 'public'::regnamespace"""
        )
        assert {row["proname"]: row["owner"] for row in rows} == DEFINER_FUNCTIONS
        assert set(DEFINER_FUNCTIONS.values()) == set(NO_LOGINS)
        for row in rows:
            assert row["proconfig"] == ["search_path=public, pg_temp"], row["proname"]

    async def test_are_executable_by_nobody_who_was_not_named(self, world: World) -> None:
        rows = await world.owner.fetch(
            """SELECT p.oid::regprocedure::text AS name FROM pg_proc p
               WHERE pronamespace = 'public'::regnamespace
                 AND EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0)"""
        )
        assert [row["name"] for row in rows] == []

    @pytest.mark.parametrize("role", ["rujukan_worker", "rujukan_admin", "rujukan_auditor"])
    async def test_of_agencies_are_executable_by_the_service_alone(self, world: World, role: str) -> None:
        rows = await world.owner.fetch(
            """SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = ANY ($2)
               AND has_function_privilege($1, oid, 'EXECUTE')""",
            role,
            [
                "send",
                "apply_move",
                "apply_handover",
                "publish",
                "publish_to_partners",
                "begin_acting",
                "store_consent",
                "consent_gaps",
                "apply_reconfirmation",
                "apply_take",
                "apply_reroute",
                "escalated_record",
                "escalation_subject",
                "publish_unattended",
            ],
        )
        assert [row["proname"] for row in rows] == []


class TestTheWorker:
    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT * FROM record_content",
            "SELECT * FROM record_version",
            "SELECT * FROM consent",
            "SELECT * FROM case_lead",
            "SELECT reason FROM disclosure",
            "SELECT sections FROM disclosure",
            "SELECT detail FROM move",
            "SELECT * FROM move",
            "SELECT purpose FROM referral",
            "SELECT manifest FROM transfer",
            "SELECT * FROM log_entry",
            "SELECT * FROM idempotency",
            "UPDATE referral SET receiver_id = sender_id",
            "UPDATE case_file SET lead_id = lead_id",
            "DELETE FROM event",
            "DELETE FROM move",
            "SELECT * FROM duty_contact",
            "UPDATE escalation SET reason = state FROM referral",
            "UPDATE escalation SET closed_at = NULL",
            "DELETE FROM escalation_asked",
        ],
    )
    async def test_has_no_way_to_content_consents_or_reasons(self, world: World, statement: str) -> None:
        await world.accepted()
        conn = await asyncpg.connect(world.exchange.addresses.worker)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(statement)
        finally:
            await conn.close()


CHANGES = ("UPDATE log_entry SET outcome = 'done'", "DELETE FROM log_entry")
AROUND = (
    "UPDATE log_entry_default SET outcome = 'done'",
    "INSERT INTO log_entry (recorded_at, action, outcome, detail) VALUES (now(), 'x:y', 'done', '{}')",
)


class TestTheAdministrator:
    async def test_keeps_the_directory_and_sees_no_case(self, world: World) -> None:
        await world.accepted()
        conn = await asyncpg.connect(world.exchange.addresses.admin)
        try:
            assert await conn.fetchval("SELECT count(*) FROM agency") >= len(world.agencies)
            await conn.fetch(
                "SELECT * FROM duty_contact"
            )  # of the directory, though guarded: each agency keeps its own
            await conn.fetch("SELECT * FROM sealing_key")
            for table in (
                "notice_address",
                "notice_mail",
                "feed_end",
            ):  # where agencies are told, and how many events they had
                await conn.fetch(f"SELECT * FROM {table}")
            tables = await world.owner.fetch(
                """SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND relrowsecurity
                   AND relname NOT IN ('duty_contact', 'sealing_key', 'notice_address', 'notice_mail', 'feed_end')"""
            )
            for row in tables:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await conn.fetch(f"SELECT * FROM {row['relname']}")
        finally:
            await conn.close()


class TestTheLog:
    @pytest.mark.parametrize(
        ("role", "statement"),
        [(role, change) for role in ("app", "worker", "admin") for change in CHANGES + AROUND]
        # not even the owner, a superuser here, rewrites what stands there
        + [("owner", change) for change in CHANGES],
    )
    async def test_can_only_be_added_to_and_only_by_its_function(self, world: World, role: str, statement: str) -> None:
        await world.send()
        conn = await asyncpg.connect(getattr(world.exchange.addresses, role))
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(statement)
        finally:
            await conn.close()

    @pytest.mark.parametrize("role", ["app", "worker", "admin"])
    async def test_is_read_by_the_auditor_alone(self, world: World, role: str) -> None:
        await world.send()
        conn = await asyncpg.connect(getattr(world.exchange.addresses, role))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch("SELECT * FROM log_entry")
        await conn.close()
        auditor = await asyncpg.connect(world.exchange.addresses.app.replace("rujukan_app", "rujukan_auditor"))
        assert await auditor.fetchval("SELECT count(*) FROM log_entry") > 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await auditor.fetch("SELECT * FROM referral")
        await auditor.close()

    async def test_and_what_is_sealed_of_it_is_changed_emptied_or_dropped_by_no_role(self, world: World) -> None:
        """Also not partition by partition, by switching triggers off, or by taking a partition away."""
        await world.send()
        await world.exchange.worker.seal_log()
        tables = await world.owner.fetch(
            """SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
               AND relname ~ '^log_(entry.*|leaf|subtree|checkpoint)$'"""
        )
        assert len(tables) >= 7
        refused = (asyncpg.InsufficientPrivilegeError, asyncpg.FeatureNotSupportedError)
        for role in (*LOGINS, "owner"):
            conn = await asyncpg.connect(getattr(world.exchange.addresses, role.removeprefix("rujukan_")))
            for (name,) in tables:
                column = {"log_subtree": "level", "log_checkpoint": "note"}.get(name, "recorded_at")
                tries = [f"TRUNCATE {name}", f"DELETE FROM {name}", f"UPDATE {name} SET {column} = {column}"]
                if role != "owner":
                    tries += [
                        f"DROP TABLE {name}",
                        f"ALTER TABLE {name} DISABLE TRIGGER ALL",
                        f"ALTER TABLE {name} OWNER TO {role}",
                        f"DROP TRIGGER {name}_append_only ON {name}",
                    ]
                    if name.startswith("log_entry_"):
                        tries.append(f"ALTER TABLE log_entry DETACH PARTITION {name}")
                for statement in tries:
                    if role == "owner" and not await conn.fetchval(f"SELECT EXISTS (SELECT FROM {name})"):
                        continue  # of no row, no row's trigger
                    with pytest.raises((*refused, asyncpg.UndefinedObjectError)):
                        await conn.execute(statement)
            if role != "owner":
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await conn.execute("SET session_replication_role = replica")
            await conn.close()
        assert await world.owner.fetchval("SELECT count(*) FROM log_leaf") > 0

    async def test_is_read_by_the_sealer_through_what_waits_alone(self, world: World) -> None:
        await world.send()
        conn = await asyncpg.connect(world.exchange.addresses.worker)
        assert await conn.fetch("SELECT * FROM log_to_seal(10)")
        await world.exchange.worker.seal_log()
        assert await conn.fetch("SELECT * FROM log_to_seal(10)") == []
        await conn.close()
