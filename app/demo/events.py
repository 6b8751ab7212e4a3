"""What happens between sending and ending: a table of the moves that need no more than words, and a method for each other event."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.demo import bodies
from app.demo.doing import Act, Doer
from app.demo.plan import Step
from app.demo.runs import Passed, Run, Told
from app.demo.samples import Document, corrected
from app.demo.systems import DemoError
from app.demo.words import codes, law, named


@dataclass(frozen=True, slots=True)
class _Move:
    """A move on a referral or transfer: where it is posted, what it brings, and how it is told."""

    path: str
    says: str
    """With the fields `by`, `other` and `why`."""
    body: Callable[[Act, datetime], Document] = lambda act, now: {}
    versioned: bool = True
    style: str = "yellow"


def _reason(act: Act, _: datetime) -> Document:
    return {"reason": act["why"]}


MOVES: Final[dict[str, _Move]] = {
    "note": _Move(
        "notes",
        "{by} writes to {other}: {why}",
        lambda act, _: {"text": act["why"]} | ({"section": act["section"]} if "section" in act else {}),
        versioned=False,
        style="",
    ),
    "request_info": _Move("request-info", "{by} asks {other}: {why}", lambda act, _: {"question": act["why"]}),
    "provide_info": _Move(
        "provide-info",
        "{by} answers {other}: {why}",
        lambda act, _: {"text": act["why"], "section": act["section"], "basis": bodies.basis(act["basis"], {})},
    ),
    "hold": _Move(
        "hold",
        "{by} pauses it: {why}",
        lambda act, now: _reason(act, now) | {"review_at": (now + timedelta(days=act["review_days"])).isoformat()},
    ),
    "resume": _Move("resume", "{by} goes on"),
    "request_cancel": _Move("request-cancel", "{by} asks {other} to end it: {why}", _reason),
    "confirm_cancel": _Move("confirm-cancel", "{by} agrees: it is cancelled"),
    "refuse_cancel": _Move("refuse-cancel", "{by} goes on with it: {why}", _reason),
    "abort": _Move("abort", "{by} calls the handover off: {why}; the lead stays", _reason, style="red"),
    "handover_paper": _Move(
        "handover-paper",
        "{by} supplies the BAST that was still to come",
        lambda act, now: {"number": act["number"], "date": now.date().isoformat()},
        style="green",
    ),
    "report_error": _Move("report-error", "{by} reports that it was sent in error: {why}", _reason, style="red"),
    "confirm_error": _Move("confirm-error", "{by} confirms that it was sent in error; it is locked", style="red"),
}


class Events(Doer):
    """Does the events of the samples."""

    async def _moved(self, run: Run, act: Act, step: Step) -> Told:
        move, about, by = MOVES[step.event], self._about(run, act), act["from"]
        about.stale = True
        await self._move(about, by, move.path, move.body(act, self._clock.now()), versioned=move.versioned)
        other = about.receiver if by == about.sender else about.sender
        text = move.says.format(by=self._name(by), other=self._name(other), why=act.get("why", ""))
        return self._say(run, by, move.style, text, about)

    def _about(self, run: Run, act: Act) -> Passed:
        return run.passed[run.sample.place_of(act["about"])]

    # the case: links, status, guardian, follow-up, its end

    async def _link(self, run: Run, act: Act, _: Step) -> Told:
        system = self._systems[act["from"]]
        states = set()
        others = [each for sample in act["with"] for each in self._runs[sample]]
        for other in others:
            body = {"kind": act["link"], "other": other.reference, "text": act["why"]}
            states.add((await system.post(f"/v1/cases/{run.case_id}/links", body, made=True))["state"])
        (state,) = states
        many = f"{len(others)} other cases" if len(others) > 1 else "another case"
        waits = "" if state == "confirmed" else "; whoever leads it learns no more than that, and is asked"
        text = f"{system.name} links the case with {many} ({codes('case_link', [act['link']])}): {act['why']}{waits}"
        leads = frozenset(other.lead for other in others)
        return dataclasses.replace(self._say(run, act["from"], "magenta", text), concerns=leads)

    async def _confirm_link(self, run: Run, act: Act, _: Step) -> Told:
        system = self._systems[act["from"]]
        found = await system.get(f"/v1/cases/{run.case_id}")
        waiting = [link for link in found["links"] if link["state"] == "proposed" and "confirm" in link["moves"]]
        if not waiting:
            raise DemoError(f"{run.reference}: no link waits for {act['from']}")
        for link in waiting:
            await system.post(f"/v1/case-links/{link['id']}/confirm", {}, version=link["version"])
        asked = {link["other_lead"]["code"] for link in waiting}
        text = f"{system.name} confirms that its case belongs together with one of {', '.join(map(self._name, sorted(asked)))}"
        return dataclasses.replace(self._say(run, act["from"], "magenta", text), concerns=frozenset(asked))

    async def _victim_status(self, run: Run, act: Act, _: Step) -> Told:
        system = self._systems[act["from"]]
        on = self._clock.now().astimezone(system.zone).date()
        body = {"status": act["status"], "ground": act["why"], "decided_on": on.isoformat()}
        path = f"/v1/cases/{run.case_id}"
        await system.post(f"{path}/victim-status", body)
        history = [each["status"] for each in (await system.get(path))["victim_status"]]
        text = f"{system.name} records the status: {' → '.join(codes('identification_status', [s]) for s in history)}: {act['why']}"
        return self._say(run, act["from"], "blue", text)

    async def _guardian(self, run: Run, act: Act, _: Step) -> Told:
        system = self._systems[act["from"]]
        await system.post(f"/v1/cases/{run.case_id}/guardian", {"suspect": True, "reason": act["why"]})
        text = f"{system.name} marks the guardian as suspect: {act['why']}; no word of theirs counts any more"
        return self._say(run, act["from"], "magenta", text)

    async def _consent_refused(self, run: Run, act: Act, _: Step) -> Told:
        system = self._systems[act["from"]]
        path = f"/v1/cases/{run.case_id}/consents"
        await self._refused(system, path, bodies.consent(act, self._clock.now()), 403, "guardian-barred")
        text = f"{system.name} would record a consent by the barred guardian: refused (403)"
        return self._say(run, act["from"], "bold red", text)

    async def _follow_up(self, run: Run, act: Act, _: Step) -> Told:
        until = (self._clock.now() + timedelta(days=act["until_days"])).date()
        text = f"follows the person up until {until:%d %b}: {act['why']}"
        return await self._of_the_case(run, act, "follow-up", {"plan": act["why"], "until": until.isoformat()}, text)

    async def _close(self, run: Run, act: Act, _: Step) -> Told:
        text = f"closes the case: {codes('case_closure_reason', [act['reason']])}"
        return await self._of_the_case(run, act, "close", {"reason": act["reason"]}, text)

    async def _of_the_case(self, run: Run, act: Act, move: str, body: Document, text: str) -> Told:
        system, path = self._systems[act["from"]], f"/v1/cases/{run.case_id}"
        version = (await system.get(path))["version"]
        run.state = (await system.post(f"{path}/{move}", body, version=version))["state"]
        return self._say(run, act["from"], "bold green", f"{system.name} {text}")

    # under one roof

    async def _accept_refused(self, run: Run, act: Act, _: Step) -> Told:
        about, system = self._about(run, act), self._systems[act["from"]]
        found = await system.get(about.path)
        point = system.point_for({**about.act, "elsewhere": False})
        body = bodies.acceptance(self._clock.now(), point) | {"manifest_digest": found["manifest_digest"]}
        await self._refused(system, f"{about.path}/accept", body, 409, "service-point-barred", version=found["version"])
        text = f"{system.name} would take the person where somebody of a linked case is: refused (409)"
        return self._say(run, act["from"], "bold red", text, about)

    # what nobody answered

    async def _take(self, run: Run, act: Act, _: Step) -> Told:
        about, system = self._about(run, act), self._systems[act["from"]]
        escalation = await self._escalation(about, act["from"])
        whom = ", ".join(f"{each['role']} {each['phone']}" for each in escalation["contacts"])
        await system.post(f"/v1/escalations/{escalation['id']}/take", {})
        text = f"{system.name} takes it, and calls {self._name(about.receiver)}: {whom}"
        return self._say(run, act["from"], "bold magenta", text, about)

    async def _reroute(self, run: Run, act: Act, step: Step) -> Told:
        about, system = self._about(run, act), self._systems[act["from"]]
        escalation = await self._escalation(about, act["from"])
        if escalation["preview"] is None:
            raise DemoError(f"{act['from']}: the desk is shown no preview of {about.reference}")
        body = {"receiver": act["to"], "reason": act["why"]}
        made = await system.post(f"/v1/escalations/{escalation['id']}/reroute", body, made=True)
        run.passed[step.act] = again = Passed(
            "referral", act, made["id"], made["reference"], made["version"], made["state"], about.sender, act["to"]
        )
        text = f"{system.name}, the desk, sees the preview and asks {self._name(act['to'])} as well: {act['why']}"
        return self._say(run, act["from"], "bold magenta", text, again)

    async def _escalation(self, about: Passed, code: str) -> Document:
        """Return the open escalation about `about`, as an agency that was asked reads it."""
        system = self._systems[code]
        for each in (await system.get("/v1/escalations?limit=200"))["items"]:
            if each["subject_id"] == about.id and each["state"] != "closed":
                return await system.get(f"/v1/escalations/{each['id']}")
        raise DemoError(f"{code}: nobody asked it to see to {about.reference}")

    async def _dispute(self, run: Run, act: Act, _: Step) -> Told:
        about, system = self._about(run, act), self._systems[act["from"]]
        history = (await system.get(about.path))["history"]
        disputed = next(each for each in history if each["event"] == act["move"] and each["recorded_by"])
        await system.post(f"{about.path}/moves/{disputed['id']}/dispute", {"reason": act["why"]})
        text = (
            f"{system.name} disputes what {self._name(disputed['recorded_by']['code'])} recorded for it: {act['why']}"
        )
        return self._say(run, act["from"], "red", text, about)

    # consent, correction, error

    async def _withdraw_consent(self, run: Run, act: Act, _: Step) -> Told:
        system = self._systems[act["from"]]
        said = {"requested_by": "person", "channel": "in_person", "sections": act["sections"]}
        said["requested_at"] = (self._clock.now() - timedelta(hours=1)).isoformat()
        await system.post(f"/v1/cases/{run.case_id}/consents/{run.consents[act['consent']]}/withdraw", said)
        text = f"{system.name} records that the person takes back the consent to {named(act['sections'])}: locked for every holder"
        return self._everybody(run, act, "bold red", text)

    async def _answer_request(self, run: Run, act: Act, _: Step) -> Told:
        system = self._systems[act["from"]]
        asked = await system.get(f"/v1/requests?state=open&kind={act['request']}")
        request = next((each for each in asked["items"] if each["case_id"] == run.case_id), None)
        if request is None:
            raise DemoError(f"{act['from']}: nothing asks it for {act['request']} in {run.reference}")
        body: Document = {"answer": act["answer"]} | ({"text": act["why"]} if "why" in act else {})
        by = ""
        if "legal_basis" in act:
            cited = act["legal_basis"]
            body |= {"legal_basis": cited["code"], "article": cited["article"]}
            by = f" ({law(cited['code'], cited['article'])})"
        await system.post(f"/v1/requests/{request['id']}/answer", body)
        text = f"{system.name} answers about {named(request['sections'])}: {act['answer']}{by}"
        text += f": {act['why']}" if "why" in act else ""
        told = self._say(run, act["from"], "yellow", text)
        return dataclasses.replace(told, concerns=frozenset({request["asked_by"]["code"]}))

    async def _explain_incident(self, run: Run, act: Act, _: Step) -> Told:
        system = self._systems[act["from"]]
        found = (await system.get(f"/v1/incidents?state=open&case_id={run.case_id}"))["items"]
        if not found:
            raise DemoError(f"{act['from']}: it knows of no incident in {run.reference}")
        await system.post(f"/v1/incidents/{found[0]['id']}/entries", {"text": act["why"]})
        text = f"{system.name} explains incident {found[0]['reference']}: {act['why']}"
        return self._say(run, act["from"], "yellow", text)

    async def _propose_correction(self, run: Run, act: Act, _: Step) -> Told:
        system = self._systems[act["from"]]
        body = {"pointers": act["pointers"], "text": act["why"]}
        made = await system.post(f"/v1/cases/{run.case_id}/correction-proposals", body, made=True)
        run.proposal = made["id"]
        text = f"{system.name} proposes a correction of {', '.join(act['pointers'])} to {self._name(run.lead)}: {act['why']}"
        return self._say(run, act["from"], "yellow", text)

    async def _correct_record(self, run: Run, act: Act, _: Step) -> Told:
        system = self._systems[act["from"]]
        record = corrected(run.person.record, act["corrections"])
        run.person = dataclasses.replace(run.person, record=record)
        sections = sorted({each["pointer"].split("/")[1] for each in act["corrections"]})
        body: Document = {
            "record": {name: record[name] for name in ("schema_version", *sections)},
            "reason": act["why"],
        }
        if run.proposal:
            body["proposal"], run.proposal = run.proposal, None
        await system.post(f"/v1/cases/{run.case_id}/corrections", body, made=True)
        holders = ", ".join(self._name(each.receiver) for each in run.passed.values() if each.open)
        text = (
            f"{system.name} corrects {named(sections)}; the correction reaches {holders or 'nobody: nothing is open'}"
        )
        return self._everybody(run, act, "yellow", text)

    async def _retract(self, run: Run, act: Act, _: Step) -> Told:
        about, system = self._about(run, act), self._systems[act["from"]]
        version = (await system.get(about.path))["record_version"]
        await system.post(f"/v1/cases/{run.case_id}/record-versions/{version}/retract", {"reason": act["why"]})
        found = await self._systems[about.receiver].get(about.path)
        if found["record"] is not None:
            raise DemoError(f"{about.receiver}: it still reads what was retracted of {about.reference}")
        text = f"{system.name} takes the record version back: {act['why']}; nobody reads it any more"
        return self._everybody(run, act, "bold red", text)

    def _everybody(self, run: Run, act: Act, style: str, text: str) -> Told:
        """Tell of what concerns whoever has, or had, a part in the case, and may have changed every version."""
        for each in run.passed.values():
            each.stale = True
        concerned = frozenset(code for each in run.passed.values() for code in (each.sender, each.receiver))
        return dataclasses.replace(self._say(run, act["from"], style, text), concerns=concerned)
