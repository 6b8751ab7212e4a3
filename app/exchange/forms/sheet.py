"""A referral or transfer as a sheet to print: what stands in which part, in which order. It knows nothing of HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from app.exchange.forms.discretion import Discretion
from app.exchange.forms.facts import Entries, Fact, Facts, Group, Node
from app.exchange.forms.values import Reading, Value
from app.exchange.forms.words import Words
from app.exchange.records.sealing import PREVIEW_DRAWN_FROM, in_order
from app.foundation.zones import zone_of
from auth.directory import AgencyEntry, Snapshot
from schemas.codes.answers import Answer
from schemas.codes.labels import Lang
from schemas.codes.person import AgeBand
from schemas.codes.referral import Urgency
from schemas.record.preview import Preview, PreviewNeed, preview_of
from schemas.record.record import SECTIONS, Record

Document = Mapping[str, Any]
_CHILDREN: Final = frozenset({AgeBand.AGE_0_5, AgeBand.AGE_6_11, AgeBand.AGE_12_17, AgeBand.CHILD})
_AT_A_GLANCE: Final = (
    "age_band",
    "age_disputed",
    "sex",
    "foreign_national",
    "languages",
    "interpreter",
    "dependants",
    "country",
    "region",
    "arrives_from",
    "arrives_until",
    "escort",
    "custody_or_investigation",
)
_OF_NEEDS: Final = frozenset(name for name, section in PREVIEW_DRAWN_FROM.items() if section == "needs")
"""What need not be said again below the needs themselves."""
_TIMES: Final = ("sent_at", "accepted_at", "started_at", "ended_at")


@dataclass(frozen=True, slots=True)
class Part:
    """A section with its facts; none of them where it is not printed."""

    title: str
    nodes: tuple[Node, ...]
    standing: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How sections stand that were sent on the same terms."""

    section: str
    basis: str
    until: str
    onward: str
    standing: str
    printed: bool


class Sheet:
    """What is printed of one document, as its reader may read it, in one language."""

    def __init__(
        self,
        document: Document,
        lang: Lang,
        *,
        is_transfer: bool,
        reader: AgencyEntry,
        directory: Snapshot,
        at: datetime,
    ) -> None:
        self.document, self.lang, self.is_transfer = document, lang, is_transfer
        self.words = Words(lang)
        self._reader, self._directory, self._at = reader, directory, at
        agencies = directory.by_code
        self.reading = Reading(self.words, _zone(reader), {code: agency.name for code, agency in agencies.items()})
        self.discretion = Discretion(document, self.words)
        self._facts = Facts(self.reading, self.discretion)
        self._sender, self._receiver = (agencies[document[end]["code"]] for end in ("sender", "receiver"))
        self.is_preview = document["accepted_at"] is None
        """Until it is accepted a sheet has the preview alone, for its sender too: it may be handed over."""
        self._record: Document = {} if self.is_preview else document["record"] or {}

    @property
    def reference(self) -> str:
        """The reference, and all that a window or a file is called by."""
        return str(self.document["reference"])

    @property
    def title(self) -> str:
        """What the sheet is."""
        return self.words("form.transfer" if self.is_transfer else "form.referral")

    @property
    def printed(self) -> str:
        """Who printed it when: the agency, never its staff."""
        return self.words(
            "form.printed",
            agency=self._reader.name,
            moment=self.reading.moment(self._at),
            version=self.document["version"],
        )

    @property
    def is_urgent(self) -> bool:
        """Whether somebody waits tonight."""
        return bool(self.document["urgency"] == Urgency.IMMEDIATE)

    @property
    def urgency(self) -> str:
        """How urgent it is."""
        return self.reading.code("urgency", self.document["urgency"])

    @property
    def parties(self) -> list[tuple[str, str, str]]:
        """Sender and receiver: what they are, their names and kinds."""
        return [
            (
                self.words(f"envelope.{end}"),
                self.document[end]["name"],
                self.reading.code("agency_kind", self.document[end]["kind"]),
            )
            for end in ("sender", "receiver")
        ]

    @property
    def envelope(self) -> list[tuple[str, str]]:
        """How it stands."""
        state, purpose = self.document["state"], self.document["purpose"]
        found = [
            (self.words("envelope.purpose"), self.reading.code("purpose", purpose)),
            (
                self.words("envelope.state"),
                self.reading.code("transfer_state" if self.is_transfer else "referral_state", state),
            ),
        ]
        times = [name for name in _TIMES if self.document.get(name) is not None]
        return found + [(self.words(f"envelope.{name}"), self.reading.moment(self.document[name])) for name in times]

    @property
    def respond_by(self) -> list[str]:
        """Until when an answer is owed: by the receiver's clocks first, then by the sender's where they show another time."""
        at: datetime = self.document["respond_by"]
        zones = {zone.utcoffset(at): zone for zone in (_zone(self._receiver), _zone(self._sender))}
        return [self.reading.moment(at, zone) for zone in zones.values()]

    @property
    def warnings(self) -> Iterator[str]:
        """What whoever holds the sheet has to know before they read on."""
        document = self.document
        if document["state"] == "entered_in_error":
            yield self.words("envelope.in_error")
        elif document["error_reported_at"] is not None:
            yield self.words("envelope.error")
        if self._in_hand:
            yield self.words("envelope.after_withdrawal")
        corrected = in_order({name for each in document["corrections"] for name in each["sections"]}, SECTIONS)
        if corrected:
            names = ", ".join(self.reading.code("section", name) for name in corrected)
            yield self.words("envelope.corrected", sections=names)

    @property
    def acceptance(self) -> list[Fact]:
        """Where to and when. The name of a confidential service point stays in the system, for the receiver too."""
        said = self.document["acceptance"] or {}
        found = []
        for name in ("ready_to_receive_from", "service_point", "meeting_point", "contact"):
            if said.get(name) is None:
                continue
            if name == "ready_to_receive_from":
                value = Value(self.reading.moment(said[name]))
            elif name == "service_point" and said[name] in self._confidential_points:
                value = Value(self.words("withheld.service_point"), "withheld")
            else:
                value = Value(self.discretion.text(said[name]))
            found.append(Fact(self.words(f"acceptance.{name}"), (value,)))
        return found

    @property
    def _confidential_points(self) -> frozenset[str]:
        points = self._directory.service_points.values()
        return frozenset(point.name for point in points if point.confidential and point.agency_id == self._receiver.id)

    @cached_property
    def glance(self) -> Document:
        """The preview; once the record is open, made of what is open of it."""
        if self.document["preview"] is not None:
            return dict(self.document["preview"])
        if not self._record:
            return {}
        made = preview_of(Record.model_validate(self._record), on=self._at.date())
        return made.model_dump(mode="json", exclude_none=True)

    @property
    def glance_facts(self) -> list[Node]:
        """The person in a few codes."""
        told = _OF_NEEDS if "needs" in self._record else frozenset()
        known = {
            name: value for name in _AT_A_GLANCE if (value := self.glance.get(name)) is not None and name not in told
        }
        nodes = self._facts.of(Preview, known, "preview")
        return [inner for node in nodes for inner in (node.nodes if isinstance(node, Group) else (node,))]

    @property
    def care(self) -> list[Node]:
        """The care that is needed tonight."""
        known = {name: value for name, value in (self.glance.get("care_tonight") or {}).items() if value is not None}
        (group,) = self._facts.of(Preview, {"care_tonight": known}, "preview") or (Group("", ()),)
        return list(group.nodes) if isinstance(group, Group) else []

    @property
    def needs(self) -> list[Node]:
        """What is needed: the section once it is open, else the codes of the preview."""
        if "needs" in self._record:
            return self._facts.section("needs", self._record["needs"])
        given = {name: self.glance[name] for name in ("needs", "preferences") if self.glance.get(name)}
        found: list[Node] = []
        if "needs" in given:
            entries = (self._facts.of(PreviewNeed, each, "preview.needs") for each in given["needs"])
            found.append(Entries("", tuple(tuple(entry) for entry in entries)))
        if "preferences" in given:
            (group,) = self._facts.of(Preview, {"preferences": given["preferences"]}, "preview")
            found.append(group)
        return found

    @property
    def is_child(self) -> str | None:
        """Say that the person is to be treated as a child, and why; None if they are none."""
        if self.glance.get("age_disputed") == Answer.YES:
            return self.words("safety.child_disputed")
        return self.words("safety.child") if self.glance.get("age_band") in _CHILDREN else None

    @property
    def flags(self) -> list[str]:
        """The flags that bind everyone who deals with the person."""
        flags = [*(self._record.get("safety") or {}).get("flags", ()), *self.glance.get("safety_flags", ())]
        return [self.reading.code("safety_flag", flag) for flag in dict.fromkeys(flags)]

    @property
    def must_know(self) -> str | None:
        """What whoever takes the person in must know."""
        said = (self._record.get("safety") or {}).get("must_know")
        return None if said is None else self.discretion.text(said)

    @property
    def risk_now(self) -> Value | None:
        """How great the risk is now."""
        said = ((self._record.get("safety") or {}).get("risk") or {}).get("now")
        return None if said is None else Value(self.reading.code("risk_level", said))

    @property
    def safety_says_nothing(self) -> str | None:
        """Say, where there is no warning, that this is no promise."""
        if self.flags or self.must_know or self.is_child:
            return None
        closed = "safety" in self.document["withheld"] or (self.is_preview and not self.glance)
        return self.words("safety.not_open" if closed else "safety.none")

    @property
    def standings(self) -> list[Standing]:
        """Every section that was sent: on what it rests, and whether it is printed. What stands alike stands together."""
        alike: dict[Standing, list[str]] = {}
        for name in self._sent:
            found = self._standing(name)
            alike.setdefault(replace(found, section=""), []).append(found.section)
        return [replace(terms, section=", ".join(names)) for terms, names in alike.items()]

    @property
    def parts(self) -> list[Part]:
        """The sections after the needs, in order; of those that are not open, the name and why."""
        return [] if self.is_preview else [self._part(name) for name in self._sent if name != "needs"]

    @cached_property
    def _sent(self) -> list[str]:
        disclosed = {name for each in self.document["disclosures"] for name in each["sections"]}
        return in_order(
            {*disclosed, *(name for name in self._record if name in SECTIONS), *self.document["withheld"]}, SECTIONS
        )

    @property
    def _in_hand(self) -> frozenset[str]:
        """Sections that are locked and, for a day, in part still open to whoever has the person with them."""
        return frozenset(self.document["withheld"]) & frozenset(self._record)

    def _part(self, name: str) -> Part:
        standing = self._standing(name)
        nodes = self._facts.section(name, self._record[name]) if name in self._record else []
        return Part(standing.section, tuple(nodes), standing.standing)

    def _standing(self, name: str) -> Standing:
        disclosure = next((each for each in self.document["disclosures"] if name in each["sections"]), None)
        if name in self._in_hand:
            standing = "in_hand"
        elif name in self._record:
            standing = "printed"
        elif name in (self._record.get("sealed") or {}):
            standing = "sealed"
        elif disclosure is not None and disclosure["access"] in _SHUT:
            standing = disclosure["access"]
        else:
            standing = "preview" if self.is_preview else "withheld"
        return Standing(
            section=self.reading.code("section", name),
            basis=self._basis(disclosure) if disclosure else "",
            until=self.reading.moment(disclosure["until"]) if disclosure and disclosure["until"] else "",
            onward=self.words("answer.true" if disclosure["onward"] else "answer.false") if disclosure else "",
            standing=self.words(f"standing.{standing}"),
            printed=name in self._record,
        )

    def _basis(self, disclosure: Document) -> str:
        law = disclosure["legal_basis"]
        parts = [
            self.reading.code("disclosure_basis", disclosure["basis"]),
            self.reading.code("legal_basis", law) if law else "",
            disclosure["article"] or "",
        ]
        return ", ".join(part for part in parts if part)

    @property
    def handover(self) -> list[Node]:
        """What comes with a case: how much of it always, its words once they are open to the reader."""
        if not self.is_transfer:
            return []
        manifest, said = self.document["manifest"], self.document["handover"] or {}
        found: list[Node] = []
        for name in ("tasks", "protective_measures"):
            words = said.get(name) if not self.is_preview else None
            values = [Value(self.discretion.text(each)) for each in words or ()]
            counted = Value(self.reading.number(manifest[name]))
            found.append(Fact(self.words(f"manifest.{name}"), tuple(values or [counted]), apart=bool(values)))
        counts = ((f"manifest.{name}", len(manifest[name])) for name in ("consents", "open_referrals"))
        found += [self._said(name, Value(self.reading.number(count))) for name, count in counts]
        sections = [Value(self.reading.code("section", name)) for name in manifest["sections"]]
        found.append(self._said("manifest.sections", *sections))
        if self.document["paper"]:
            found.append(
                self._said("manifest.paper", Value(self.reading.code("handover_paper", self.document["paper"])))
            )
        for name, read in _PAPER.items():
            if self.document[name] is not None:
                found.append(self._said(f"manifest.{name}", Value(read(self.reading, self.document[name]))))
        found.append(self._said("manifest.digest", Value(self.document["manifest_digest"])))
        return found

    def _said(self, name: str, *values: Value) -> Fact:
        return Fact(self.words(name), values)


_SHUT: Final = frozenset({"locked", "ended", "closed"})
_PAPER: Final = {
    "paper_number": lambda _, value: str(value),
    "paper_date": Reading.day,
    "paper_due_at": Reading.moment,
}


def _zone(agency: AgencyEntry) -> Any:
    return zone_of({"country": agency.country, "region": agency.region})
