"""What each step is over HTTP, and the sentence that tells of it: cases, what is sent, how it is answered, how it ends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Final

from app.demo import bodies
from app.demo.doing import Act
from app.demo.events import MOVES, Events
from app.demo.plan import TRIALS, Step, opens_inline
from app.demo.runs import Passed, Run, Told
from app.demo.samples import Document
from app.demo.systems import DemoError
from app.demo.words import basis_in_words, codes, named

_ENDED_UNACCEPTED: Final = frozenset({"declined", "recalled", "expired"})


class Acts(Events):
    """Does the steps. A method named for an event does that event, for one person's case."""

    async def do(self, run: Run, step: Step) -> Told:
        """Do one step."""
        act = TRIALS[step.act].act if step.event == "trial" else run.sample.acts[step.act]
        if step.event in MOVES:
            return await self._moved(run, act, step)
        doing: Callable[[Run, Act, Step], Awaitable[Told]] = getattr(self, f"_{step.event}")
        return await doing(run, act, step)

    # cases and consents

    async def _open(self, run: Run, act: Act, _: Step) -> Told:
        made = await self._systems[act["from"]].post("/v1/cases", bodies.opening(run.person.record), made=True)
        run.lead, run.case_id, run.reference = act["from"], made["id"], made["reference"]
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
        body = bodies.sending(act, run.consents, self._clock.now())
        if "group" in act:
            body["offer_group"] = run.groups[act["group"]]
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

        made = await system.post(f"/v1/{kind}s", body, made=True)
        if inline:
            run.lead, run.case_id = act["from"], made["case_id"]
            run.reference = (await system.get(f"/v1/cases/{run.case_id}"))["reference"]
            consents = await system.get(f"/v1/cases/{run.case_id}/consents")
            run.consents[run.sample.acts[1]["id"]] = consents["items"][0]["id"]
        run.passed[step.act] = sent = Passed(
            kind, act, made["id"], made["reference"], made["version"], made["state"], act["from"], act["to"]
        )
        text = self._sent(act, inline=inline, again=again is not None)
        return self._say(run, act["from"], "cyan", text, sent, warnings=made["warnings"])

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
        how += ", as agreed by phone" if "agreed_with" in act else ""
        how += ", as one of several" if act.get("group") == "beds" else ""
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
        body = bodies.sending(act, run.consents, self._clock.now()) | {
            "case_id": run.case_id,
            "record": run.person.record_for(act),
        }
        reply = await self._systems[act["from"]].attempt("POST", "/v1/referrals", body)
        refused = reply.json()
        if reply.status_code != 403 or not refused.get("refused"):
            raise DemoError(f"what the policy must refuse was answered {reply.status_code}")
        sender, receiver = self._name(act["from"]), self._name(act["to"])
        text = f"{sender} would send {named(act['sections'])} to {receiver}: refused"
        return self._say(run, act["from"], "bold red", text, refused=refused)

    # answering

    async def _receive(self, run: Run, act: Act, step: Step) -> Told:
        about = run.passed[step.act]
        system = self._side(about, act["to"])
        seen = await system.get(about.path)
        if seen["preview"] is None or seen["record"] is not None:
            raise DemoError(f"{act['to']}: before acceptance {about.reference} must show its preview and no more")
        await self._move(about, act["to"], "acknowledge", {}, versioned=False)
        text = f"{system.name} reads the preview and acknowledges{self._by_phone(about)}"
        return self._say(run, act["to"], "dim", text, about, preview=seen["preview"])

    async def _accept(self, run: Run, act: Act, step: Step) -> Told:
        about = run.passed[step.act]
        system = self._side(about, act["to"])
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
        where = "at its other house" if act.get("elsewhere") else where
        late = ", late" if act.get("silent") else ""
        text = f"{system.name} has seen the preview and accepts{late}, {where}; it now reads {named(act['sections'])}"
        text += self._by_phone(about)
        recalled = [
            each for each in run.passed.values() if each is not about and each.open and each.group == about.group
        ]
        if about.group and recalled:
            for each in recalled:
                each.state = "recalled"
            text += f"; {', '.join(self._name(each.receiver) for each in recalled)} is not waited for any more"
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
        return self._say(run, act["to"], "", f"{self._name(act['to'])} begins{self._by_phone(about)}", about)

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


def _digest(manifest: Document) -> str:
    """Return the SHA-256 of the manifest's canonical form (RFC 8785); its members are ASCII strings and lists of them."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
