"""What must be true in the end: everybody knows the same, nothing is missing, nothing is there twice."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from tests.makers.processes import run
from tests.soak.agencies import Play
from tests.soak.readers import Reader
from tests.soak.stage import Stage


def differences(name: str, one: Iterable[Any], other: Iterable[Any]) -> Iterator[str]:
    """Say what only one of two has, or has more often."""
    left, right = Counter(one), Counter(other)
    for only, where in ((left - right, "first"), (right - left, "second")):
        if only:
            yield f"{name}: {only.total()} only in the {where}, such as {list(only)[:5]}"


async def of_acts(stage: Stage, play: Play) -> list[str]:
    """Each yes is in the database once, and what agencies did there had a yes."""
    rows = await stage.query(
        "SELECT subject_id, event, version, to_state FROM move WHERE agency_id IS NOT NULL AND subject IN ('referral', 'transfer')"
    )
    stored = [(str(row["subject_id"]), row["event"], row["version"], row["to_state"]) for row in rows]
    known = {event for _, event, _, _ in play.ledger.done}
    found = list(
        differences("acts (ledger, exchange)", play.ledger.done, (each for each in stored if each[1] in known))
    )
    for kind in ("referral", "transfer"):
        ids = [str(row["id"]) for row in await stage.query(f"SELECT id FROM {kind}")]
        sent = [item.id for item in play.ledger.sent.values() if item.kind == kind]
        found += differences(f"{kind}s (ledger, exchange)", sent, ids)
    return found


async def of_states(stage: Stage, play: Play) -> list[str]:
    """What each party gets is what the exchange has, and no older than what it was told itself."""
    confirmed: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for id, _, version, state in play.ledger.done:
        confirmed[id][version].add(state)  # more than one: acknowledging changes no version
    by_itself = {
        (str(row["subject_id"]), row["version"])
        for row in await stage.query("SELECT subject_id, version FROM move WHERE agency_id IS NULL")
    }
    found = []
    for kind in ("referral", "transfer"):
        rows = {
            str(row["id"]): row
            for row in await stage.query(f"SELECT id, state, version, sender_id, receiver_id FROM {kind}")
        }
        listed: dict[str, set[tuple[str, int]]] = defaultdict(set)
        for code, system in play.systems.items():
            path: str | None = f"/v1/{kind}s?limit=100"
            while path is not None:
                page = (await system.get(path)).json()
                for each in page["items"]:
                    listed[each["id"]].add((each["state"], each["version"]))
                    if stage.ids[code] in (rows[each["id"]]["sender_id"], rows[each["id"]]["receiver_id"]):
                        listed[each["id"]].add((code, -1))
                path = page["next"]
        for id, row in rows.items():
            said = {each for each in listed[id] if each[1] >= 0}
            if said != {(row["state"], row["version"])}:
                found.append(f"{kind} {id}: its parties get {said}, the exchange has {row['state']} {row['version']}")
            version = max(confirmed[id])
            states = confirmed[id][version]
            if row["version"] < version:
                found.append(f"{kind} {id}: at {row['version']}, although {version} was confirmed")
            elif row["version"] == version and row["state"] not in states and (id, version) not in by_itself:
                found.append(f"{kind} {id}: {row['state']}, although {states} was confirmed last")
    return found


def _runs(states: Iterable[str]) -> list[str]:
    return [state for state, _ in groupby(states)]


def _is_within(part: Sequence[str], whole: Sequence[str]) -> bool:
    rest = iter(whole)
    return all(state in rest for state in part)


async def of_feeds(stage: Stage, readers: Mapping[str, Reader]) -> list[str]:
    """What each has read is its feed: every event, once, in its place; and the feed tells of each subject in the order of its states."""
    found = []
    went: dict[str, list[str]] = defaultdict(list)
    for row in await stage.query("SELECT subject_id, to_state FROM move ORDER BY subject_id, version, recorded_at, id"):
        went[str(row["subject_id"])].append(row["to_state"])
    names = {id: code for code, id in stage.ids.items()}
    feeds: dict[str, list[tuple[Any, ...]]] = {code: [] for code in names.values()}
    for row in await stage.query(
        "SELECT agency_id, position, event_id::text, type, subject_id::text, case_id::text, state FROM event ORDER BY agency_id, position"
    ):
        feeds[names[row["agency_id"]]].append(tuple(row)[1:])
    for code, feed in feeds.items():
        read = [
            (each["position"], each["id"], each["type"], each["subject_id"], each["case_id"], each["state"])
            for each in readers[code].events
        ]
        if read != feed:
            found.append(f"feed of {code}: read {len(read)}, there are {len(feed)}")
            found += differences(f"feed of {code} (read, exchange)", read, feed)
        if [each[0] for each in feed] != list(range(1, len(feed) + 1)):
            found.append(f"feed of {code}: its positions have gaps")
        if len({each[1] for each in feed}) != len(feed):
            found.append(f"feed of {code}: an event is in it twice")
        told: dict[str, list[str]] = defaultdict(list)
        for _, _, type, subject_id, _, state in feed:
            if type.split(".")[0] in ("referral", "transfer") and type.split(".")[1] not in ("reminder", "overdue"):
                told[subject_id].append(state)
        for subject_id, states in told.items():
            if not _is_within(_runs(states), _runs(went[subject_id])):
                found.append(f"feed of {code}: {subject_id} is told as {states}, and went {went[subject_id]}")
    return found


async def of_leftovers(stage: Stage) -> list[str]:
    """Nothing waits, nothing is parked, and each case has one lead."""
    found = []
    for table in ("outbox", "log_waiting", "parked_job WHERE attempts >= 3"):
        rows = await stage.query(f"SELECT * FROM {table} LIMIT 3")
        if rows:
            found.append(f"{table}: {[dict(row) for row in rows]}")
    twice = await stage.query(
        "SELECT case_id FROM case_lead WHERE until_at IS NULL GROUP BY case_id HAVING count(*) <> 1"
    )
    if twice:
        found.append(f"leads: {len(twice)} cases have none, or two")
    return found


def of_log(stage: Stage) -> list[str]:
    """The log is whole, as `rujukan verify log` sees it with the log's public key alone."""
    env, out = dict(stage.workers[0].env), stage.folder / "verify.log"
    exported = stage.folder / "log.ndjson"
    run(["log", "export", "--output", str(exported)], env, out, within=600)
    keys = json.loads(run(["log", "keys", "--json"], env, out))
    try:
        said = run(["verify", "log", str(exported), *(f"--key={each['vkey']}" for each in keys)], env, out, within=600)
    except AssertionError as error:
        return [str(error)]
    return [] if " 0 wait for theirs" in said else [said]
