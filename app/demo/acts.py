"""What each step is over HTTP, and the sentence that tells of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from app.demo import bodies
from app.demo.plan import TRIALS, Step, opens_inline
from app.demo.runs import Passed, Run, Told
from app.demo.samples import Document, corrected
from app.demo.systems import DemoError, System
from app.demo.words import basis_in_words, codes, named
from app.foundation.clock import Clock

_NOT_SERVED = {
    "note": "notes",
    "status_change": "changes of status",
    "withdraw_consent": "withdrawal of consent",
    "withdrawal_answer": "answers to a withdrawal",
    "incident": "incidents",
}
_ENDED_UNACCEPTED = frozenset({"declined", "recalled", "expired"})

Act = Mapping[str, Any]


class Acts:
    """Does the steps. A method named for an event does that event, for one person's case."""

    def __init__(self, systems: Mapping[str, System], clock: Clock) -> None:
        self._systems = systems
        self._clock = clock
        self.left_out: Counter[str] = Counter()
        """What the samples ask for and the exchange does not serve yet."""

    async def do(self, run: Run, step: Step) -> Told:
        """Do one step."""
        act = TRIALS[step.act].act if step.event == "trial" else run.sample.acts[step.act]
        doing: Callable[[Run, Act, Step], Awaitable[Told]] = getattr(self, f"_{step.event}")
        return await doing(run, act, step)

    def _name(self, code: str) -> str:
        return self._systems[code].name

    def _say(self, run: Run, by: str, style: str, text: str, about: Passed | None = None, **more: Any) -> Told:
        concerns = frozenset({about.sender, about.receiver}) if about else frozenset()
        return Told(by, style, text, about.reference if about else run.reference, concerns, **more)

    async def _move(self, about: Passed, by: str, event: str, body: Document, *, versioned: bool = True) -> None:
        answer = await self._systems[by].post(
            f"{about.path}/{event}", body, version=about.version if versioned else None
        )
        about.version, about.state = answer["version"], answer["state"]

    # cases and consents

    async def _open(self, run: Run, act: Act, _: Step) -> Told:
        made = await self._systems[act["from"]].post("/v1/cases", bodies.opening(run.person.record), made=True)
        run.lead, run.case_id, run.reference = act["from"], made["id"], made["reference"]
        self.left_out["links between cases"] += len(run.sample.links)
        return self._say(run, act["from"], "bold", f"{self._name(act['from'])} opens the case and leads it")

    async def _consent(self, run: Run, act: Act, _: Step) -> Told:
        body = bodies.consent(act, self._clock.now())
        made = await self._systems[act["from"]].post(f"/v1/cases/{run.case_id}/consents", body, made=True)
        run.consents[act["id"]] = made["id"]
        told = ", ".join(self._name(code) for code in act["agencies"])
        text = f"{self._name(act['from'])} records a consent: {named(act['sections'])}, to {told}"
        return self._say(run, act["from"], "blue", text)

    # sending

    async def _send(self, run: Run, act: Act, step: Step) -> Told:
        system, kind = self._systems[act["from"]], act["act"]
        body = bodies.sending(act, run.consents)
        inline = kind == "referral" and not run.case_id and opens_inline(run.sample.acts)
        if inline:
            body["case"] = bodies.opening(run.person.record)
            body["consent"] = bodies.consent(run.sample.acts[1], self._clock.now())
        else:
            body["case_id"] = run.case_id
        again = None if inline else self._replaced(run, act)
        if again is not None:
            earlier = await system.get(again.path)
            body |= {"replaces": again.id, "record_version": earlier["record_version"]}
        else:
            body["record"] = run.person.record_for(act)
        self.left_out["sealed sections"] += len(act.get("sealed", ()))

        made = await system.post(f"/v1/{kind}s", body, made=True)
        if inline:
            run.lead, run.case_id = act["from"], made["case_id"]
            run.reference = (await system.get(f"/v1/cases/{run.case_id}"))["reference"]
            consents = await system.get(f"/v1/cases/{run.case_id}/consents")
            run.consents[run.sample.acts[1]["id"]] = consents["items"][0]["id"]
        run.passed[step.act] = sent = Passed(
            kind, act, made["id"], made["reference"], made["version"], made["state"], act["from"], act["to"]
        )
        return self._say(run, act["from"], "cyan", self._sent(act, inline=inline, again=again is not None), sent)

    def _sent(self, act: Act, *, inline: bool, again: bool) -> str:
        sender, receiver = self._name(act["from"]), self._name(act["to"])
        if act["act"] == "transfer":
            asks = f"{sender} offers the case to {receiver}"
        else:
            asks = f"{sender} asks {receiver} for {codes('need', act['needs'])}"
        if inline:
            asks = f"in one request, {sender} opens the case, records a consent and asks {receiver} for " + codes(
                "need", act["needs"]
            )
        how = f" ({act['urgency']})" + (", nothing typed again" if again else "")
        return f"{asks}{how}: {named(act['sections'])}, by {basis_in_words(act)}"

    def _replaced(self, run: Run, act: Act) -> Passed | None:
        """Return the ended referral this one follows: by the same sender, for the same needs, with the sections in it."""
        for each in reversed(run.passed.values()):
            if (
                each.kind == act["act"] == "referral"
                and each.state in _ENDED_UNACCEPTED
                and each.sender == act["from"]
                and set(each.act["needs"]) == set(act["needs"])
                and set(act["sections"]) <= set(each.act["sections"])
            ):
                return each
        return None

    async def _trial(self, run: Run, act: Act, _: Step) -> Told:
        body = bodies.sending(act, run.consents) | {"case_id": run.case_id, "record": run.person.record_for(act)}
        reply = await self._systems[act["from"]].attempt("POST", "/v1/referrals", body)
        refused = reply.json()
        if reply.status_code != 403 or not refused.get("refused"):
            raise DemoError(f"what the policy must refuse was answered {reply.status_code}")
        sender, receiver = self._name(act["from"]), self._name(act["to"])
        text = f"{sender} would send {named(act['sections'])} to {receiver}: refused"
        return self._say(run, act["from"], "bold red", text, refused=refused)

    # answering

    async def _receive(self, run: Run, act: Act, step: Step) -> Told:
        about, system = run.passed[step.act], self._systems[act["to"]]
        seen = await system.get(about.path)
        if seen["preview"] is None or seen["record"] is not None:
            raise DemoError(f"{act['to']}: before acceptance {about.reference} must show its preview and no more")
        await self._move(about, act["to"], "acknowledge", {}, versioned=False)
        text = f"{system.name} reads the preview and acknowledges"
        return self._say(run, act["to"], "dim", text, about, preview=seen["preview"])

    async def _accept(self, run: Run, act: Act, step: Step) -> Told:
        about, system = run.passed[step.act], self._systems[act["to"]]
        point = system.point_for(act)
        body = bodies.acceptance(self._clock.now(), point)
        if about.kind == "transfer":
            offered = await system.get(about.path)
            body["manifest_digest"] = _digest(offered["manifest"])
            if body["manifest_digest"] != offered["manifest_digest"]:
                raise DemoError(f"{about.reference}: the manifest's digest is not that of its canonical form")
        await self._move(about, act["to"], "accept", body)
        opened = await system.get(about.path)
        read = set(opened["record"] or ()) - {"schema_version"}
        if read != set(act["sections"]) or opened["withheld"]:
            raise DemoError(f"{act['to']} reads {sorted(read)} of {about.reference}, and should read {act['sections']}")
        where = "at a house whose address it keeps" if point and point["confidential"] else "at its office"
        text = f"{system.name} has seen the preview and accepts, {where}; it now reads {named(act['sections'])}"
        return self._say(run, act["to"], "green", text, about)

    async def _decline(self, run: Run, act: Act, step: Step) -> Told:
        about = run.passed[step.act]
        after = next(
            (other["to"] for other in run.sample.acts[step.act + 1 :] if other["act"] in ("referral", "transfer")), None
        )
        body = {"reason": act["decline_reason"], "suggested_receivers": [after] if after else []}
        await self._move(about, act["to"], "decline", body)
        suggests = f", and suggests {self._name(after)}" if after else ""
        text = f"{self._name(act['to'])} declines: {codes('decline_reason', [act['decline_reason']])}{suggests}"
        return self._say(run, act["to"], "red", text, about)

    async def _recall(self, run: Run, act: Act, step: Step) -> Told:
        about = run.passed[step.act]
        await self._move(about, act["from"], "recall", {"reason": "Tidak diperlukan lagi"})
        text = f"{self._name(act['from'])} takes it back before {self._name(act['to'])} has answered"
        return self._say(run, act["from"], "yellow", text, about)

    async def _expire(self, run: Run, act: Act, step: Step) -> Told:
        about = run.passed[step.act]
        about.state = (await self._systems[act["from"]].get(about.path))["state"]
        text = (
            f"{self._name(act['to'])} has not answered {self._name(act['from'])} in time: {about.state}, and both know"
        )
        for code in (act["from"], act["to"]):
            await self._systems[code].news()
            if not any(
                event["type"] == "referral.expired" and event["subject_id"] == about.id
                for event in self._systems[code].events
            ):
                raise DemoError(f"{code}: nothing told it that {about.reference} has expired")
        return self._say(run, act["from"], "yellow", text, about)

    # working and ending

    async def _start(self, run: Run, act: Act, step: Step) -> Told:
        about = run.passed[step.act]
        await self._move(about, act["to"], "start", {"by": "arrival"})
        return self._say(run, act["to"], "", f"{self._name(act['to'])} begins", about)

    async def _service(self, run: Run, act: Act, step: Step) -> Told:
        about, system = run.passed[step.act], self._systems[act["to"]]
        service = act["services"][step.item]["service"]
        today = self._clock.now().astimezone(system.zone).date()
        body = {"service": service, "on": today.isoformat(), "status": "given"}
        await self._move(about, act["to"], "services", body, versioned=False)
        return self._say(run, act["to"], "", f"{system.name} has given {codes('service', [service])}", about)

    async def _complete(self, run: Run, act: Act, step: Step) -> Told:
        about = run.passed[step.act]
        await self._move(about, act["to"], "complete", bodies.outcomes(act, run.person.instead))
        ends = ", ".join(
            f"{codes('need', [told['need']])} {codes('need_outcome', [told['outcome']])}" for told in act["outcomes"]
        )
        return self._say(run, act["to"], "green", f"{self._name(act['to'])} completes it: {ends}", about)

    async def _fail(self, run: Run, act: Act, step: Step) -> Told:
        about, reason = run.passed[step.act], act["not_completed"]["reason"]
        await self._move(about, act["to"], "fail", {"reason": reason})
        text = f"{self._name(act['to'])} ends it uncompleted: {codes('not_completed_reason', [reason])}"
        return self._say(run, act["to"], "red", text, about)

    async def _confirm_handover(self, run: Run, act: Act, step: Step) -> Told:
        about, system = run.passed[step.act], self._systems[act["to"]]
        today = self._clock.now().astimezone(system.zone).date()
        await self._move(about, act["to"], "confirm-handover", bodies.handover(act, today, run.place))
        paper = {"issued": "the BAST is issued", "pending": "the BAST follows", "not_used": "without a paper"}
        text = f"{system.name} confirms the handover ({paper[act['handover']['paper']]}) and leads the case now"
        absorbed = run.hand_over(about)
        if absorbed:
            text += f"; {', '.join(each.reference for each in absorbed)} becomes part of its own work"
        return self._say(run, act["to"], "bold green", text, about)

    async def _correct(self, run: Run, act: Act, _: Step) -> Told:
        run.person = dataclasses.replace(run.person, record=corrected(run.person.record, act["corrections"]))
        holders = [each for each in run.passed.values() if each.open and each.sender == act["from"]]
        for each in holders:
            body = {
                "record": run.person.record_for(each.act),
                "bases": bodies.bases(each.act, run.consents),
            }
            await self._move(each, act["from"], "amend", body)
        told = ", ".join(self._name(each.receiver) for each in holders) or "nobody: nothing is open"
        text = f"{self._name(act['from'])} corrects the record; a new version goes to {told}"
        return self._say(run, act["from"], "yellow", text, holders[0] if holders else None)

    async def _skip(self, run: Run, act: Act, _: Step) -> Told:
        what = _NOT_SERVED[act["kind"]]
        self.left_out[what] += 1
        return self._say(run, act["from"], "dim", f"not served yet: {what}")


def _digest(manifest: Document) -> str:
    """Return the SHA-256 of the manifest's canonical form (RFC 8785); its members are ASCII strings and lists of them."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
