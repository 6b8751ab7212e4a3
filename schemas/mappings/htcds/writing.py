"""The record, and what the exchange knows, into a row of HTCDS. Total: every value is in the row or among the losses.

Nothing is guessed and nothing near is passed off as the thing itself: a code that HTCDS has only a wider one for is written as that,
and is a loss all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.codes.answers import Answer, Missing
from schemas.codes.person import DocumentKind, NameKind
from schemas.codes.places import AddressKind, ChannelKind
from schemas.codes.safety import SafetyFlag
from schemas.mappings.htcds import cells, names
from schemas.mappings.htcds.crosswalk import SAME, Pair, outward
from schemas.mappings.htcds.exchange import REASONS, Exchange
from schemas.mappings.htcds.fields import WRITTEN
from schemas.record.common import Place
from schemas.record.contact import as_kept
from schemas.record.exploitation import ExploitationSection
from schemas.record.identity import IdentitySection, PersonName
from schemas.record.needs import NeededService
from schemas.record.record import Record, sealed_in

REASONS_OF_LOSS: Final[dict[str, str]] = {
    "sealed": "it is sealed: only the receiver can read it",
    "no_field": "HTCDS has no field for it",
    "no_code": "HTCDS has no code for it, so nothing is written",
    "wider_code": "HTCDS has only a wider code, which is written",
    "missing_answer": "HTCDS cannot say why an answer is missing; nothing is written, or its one code for unknown",
    "not_a_full_date": "HTCDS has full, certain dates only, and none is invented",
    "one_only": "a row has room for one, and another was written",
    "merged": "written in the union of all episodes, which does not say of which one",
    "not_safe": "only what is the person's own, marked safe to use and that without a condition, leaves in a row",
    "confidential": "an address that could lead to the person is not written",
    "position": "positions are not written",
    "deprecated": "the field is deprecated in HTCDS, and not written",
    "claim_only": "consent is written only where a valid one covers the disclosure",
    "alias": "another name is not written",
    "composed": "the row's parts do not say it exactly so",
    "reads_as_empty": "a stroke, or another word that sheets have for nothing",
    "not_a_nik": "only a NIK is a national identity number here",
    "not_in_own_name": "a number in another's name would find somebody else",
    "more_exact": "written without its finer part",
    "too_long": "longer than a cell of a workbook can be",
    "layout": "the layout that was asked for has no such column",
    "single": "the layout that was asked for has room for one value; the first was written",
}
"""Why something is not in the row, or not as it was."""

Value = str | tuple[str, ...]
Row = dict[str, Value]

_FULL_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OTHER_NAMES: Final = frozenset({NameKind.EARLIER, NameKind.OTHER_SPELLING, NameKind.GIVEN_BY_OTHERS, NameKind.OTHER})
_UNSAID: Final = frozenset(Missing)
_PHONE_COLUMNS: Final = (
    (ChannelKind.MOBILE_PHONE, "prs_MobilePhone"),
    (ChannelKind.HOME_PHONE, "prs_HomePhone"),
    (ChannelKind.EMAIL, "prs_Email"),
)
_ADDRESS: Final = (
    ("Street", "street"),
    ("City", "regency"),
    ("State", "province"),
    ("PostalCode", "postcode"),
    ("Country", "country"),
)


@dataclass(frozen=True)
class Loss:
    """A value of the document that the row does not hold, or not exactly."""

    pointer: str
    """JSON Pointer into the document: `/record/…` or `/exchange/…`."""
    reason: str
    """One of `REASONS_OF_LOSS`."""


@dataclass(frozen=True)
class Exported:
    """A row, and what it lost."""

    row: Row
    """By the standard's column names; only what there is."""
    losses: tuple[Loss, ...]
    carried: dict[str, tuple[str, str]]
    """Of each value of the document that the row holds, by pointer: the column, and what stands there for it."""


def export(record: Record, exchange: Exchange | None = None) -> Exported:
    """Write a record as a row, with what the exchange knows of its case and its referral."""
    writer = _Writer(record, exchange or Exchange())
    writer.write()
    row = {column: writer.row[column] for column in WRITTEN if column in writer.row}
    return Exported(row, tuple(writer.losses()), writer.kept)


def leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a JSON document that is no container, with its pointer."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{at}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{at}/{index}")
    else:
        yield at, value


@dataclass
class _Writer:
    record: Record
    exchange: Exchange
    row: Row = field(default_factory=dict)
    kept: dict[str, tuple[str, str]] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    def losses(self) -> Iterator[Loss]:
        document = {
            "record": self.record.model_dump(
                mode="json", exclude_none=True, exclude={"schema_version", "sealed", "sealed_preview"}
            ),
            "exchange": self.exchange.model_dump(mode="json", exclude_none=True),
        }
        for pointer, _ in leaves(document):
            if pointer not in self.kept:
                yield Loss(pointer, self.reason(pointer))
        for name in sealed_in(self.record):
            yield Loss(f"/record/sealed/{name}", "sealed")

    def reason(self, pointer: str) -> str:
        """The reason given for the value, or for what it is a part of."""
        at = pointer
        while at:
            if at in self.why:
                return self.why[at]
            at = at.rpartition("/")[0]
        return "no_field"

    # Ways to write.

    def keep(self, pointer: str, column: str, value: str) -> None:
        """The value is in the row, and can be read from it as it was."""
        self.kept[pointer] = (column, value)

    def write_text(self, column: str, value: Any, pointer: str) -> None:
        if value is None:
            return
        if cells.is_empty(str(value)) or cells.is_error(str(value)):
            self.why[pointer] = "reads_as_empty"
            return
        self.row[column] = str(value)
        self.keep(pointer, column, str(value))

    def write_date(self, column: str, value: Any, pointer: str) -> None:
        if value is None:
            return
        if _FULL_DATE.fullmatch(str(value)):
            self.write_text(column, value, pointer)
        else:
            self.why[pointer] = "not_a_full_date"

    def code(
        self, column: str, list_name: str, code: str, their_list: str, pointer: str, *, merged: bool = False
    ) -> str | None:
        """Their code for ours, after saying what it loses."""
        pair = outward(list_name, code, their_list)
        their = pair.their_code if pair is not None else ""
        if their and pair is not None and self.says_it(pair) and not merged:
            self.keep(pointer, column, their)
        elif not their:
            self.why[pointer] = "missing_answer" if code in _UNSAID else "no_code"
        elif pair is not None and not self.says_it(pair):
            self.why[pointer] = "missing_answer" if code in _UNSAID else "wider_code"
        else:
            self.why[pointer] = "merged"
        return their or None

    @staticmethod
    def says_it(pair: Pair) -> bool:
        """Whether reading their code gives ours again, with nothing lost on the way."""
        return pair.way == "both" and pair.relation in (*SAME, "narrower")

    def write_code(self, column: str, list_name: str, code: str | None, their_list: str, pointer: str) -> None:
        if code is not None and (their := self.code(column, list_name, code, their_list, pointer)) is not None:
            self.row[column] = their

    def add(self, column: str, their: str | None) -> None:
        """One more of several values, each once."""
        before = self.row.get(column, ())
        assert isinstance(before, tuple)
        if their is not None and their not in before:
            self.row[column] = (*before, their)

    def write_codes(
        self, column: str, list_name: str, codes: Sequence[str], their_list: str, pointer: str, *, merged: bool = False
    ) -> None:
        for at, code in enumerate(codes):
            self.add(column, self.code(column, list_name, code, their_list, f"{pointer}/{at}", merged=merged))

    def write_address(self, prefix: str, place: Place, pointer: str) -> None:
        for part, name in _ADDRESS:
            self.write_text(prefix + part, getattr(place, name), f"{pointer}/{name}")

    # The sections.

    def write(self) -> None:
        if self.record.identity is not None:
            self.person(self.record.identity)
        self.family()
        self.ways_to_reach()
        self.identification()
        if self.record.exploitation is not None:
            self.exploitation(self.record.exploitation)
        self.safety()
        self.plan()
        if self.record.narrative is not None:
            self.write_text(
                "cco_CaseComment", self.record.narrative.entries[0].text, "/record/narrative/entries/0/text"
            )
            for at in range(1, len(self.record.narrative.entries)):
                self.why[f"/record/narrative/entries/{at}/text"] = "one_only"
        self.known_to_the_exchange()

    def person(self, identity: IdentitySection) -> None:
        at = "/record/identity"
        self.name(identity.names, f"{at}/names")
        if identity.birth is not None:
            self.write_date("prs_Birthdate", identity.birth.date, f"{at}/birth/date")
        self.write_code("prs_Gender", "gender", identity.gender, "gender", f"{at}/gender")
        for index, country in enumerate(identity.nationalities):
            self.add("prs_Citizenship", country)
            self.keep(f"{at}/nationalities/{index}", "prs_Citizenship", country)
        self.languages(identity.languages, f"{at}/languages")
        self.write_code(
            "prs_HighestLevelOfEducation", "education", identity.education, "education_level", f"{at}/education"
        )
        for index, document in enumerate(identity.documents):
            pointer = f"{at}/documents/{index}/number"
            if document.kind is not DocumentKind.NIK:
                self.why[pointer] = "not_a_nik"
            elif document.in_own_name is Answer.NO:
                self.why[pointer] = "not_in_own_name"
            elif document.number is not None and "prs_IdentityNumber" not in self.row:
                self.write_text("prs_IdentityNumber", document.number, pointer)
                self.keep(f"{at}/documents/{index}/kind", "prs_IdentityNumber", document.number)
            else:
                self.why[pointer] = "one_only"
        match identity.deceased:
            case Answer.YES | Answer.NO:
                self.write_text("prs_Deceased", str(identity.deceased is Answer.YES).upper(), f"{at}/deceased")
            case Answer():
                self.why[f"{at}/deceased"] = "missing_answer"

    def name(self, told: Sequence[PersonName], pointer: str) -> None:
        """The name the person goes by."""
        self.why[pointer] = "alias"
        for at, name in enumerate(told):
            if name.kind in _OTHER_NAMES or "prs_FirstName" in self.row or "prs_SecondName" in self.row:
                continue
            own = f"{pointer}/{at}"
            self.why |= {own: "no_field", **dict.fromkeys((f"{own}/{part}" for part in _NAME_PARTS), "composed")}
            parts = {part: value for part in _NAME_PARTS if (value := getattr(name, part)) is not None}
            joined = " ".join(parts.values())
            self.write_text("prs_Salutation", name.prefix, f"{own}/prefix")
            if sorted(joined.split()) != sorted(name.full.split()) or list(parts) == ["given"]:
                self.write_text("prs_FirstName", name.full, f"{own}/full")
                continue
            self.why[f"{own}/full"] = "composed"
            for part, column in _NAME_PARTS.items():
                self.write_text(column, parts.get(part), f"{own}/{part}")
            if joined == name.full:
                first = next(iter(parts))
                self.keep(f"{own}/full", _NAME_PARTS[first], parts[first])

    def languages(self, tags: Sequence[str], pointer: str) -> None:
        columns = iter(("prs_PrimaryLanguage", "prs_SecondaryLanguage"))
        for at, tag in enumerate(tags):
            their, exact = names.iso_639_2(tag)
            if their is None:
                self.why[f"{pointer}/{at}"] = "no_code"
                continue
            column = next(columns, None)
            if column is None:
                self.why[f"{pointer}/{at}"] = "one_only"
                continue
            self.row[column] = their
            if exact:
                self.keep(f"{pointer}/{at}", column, their)
            else:
                self.why[f"{pointer}/{at}"] = "more_exact"

    def family(self) -> None:
        family = self.record.family
        if family is None:
            return
        at = "/record/family"
        self.write_code(
            "prs_MaritalStatus", "marital_status", family.marital_status, "marital_status", f"{at}/marital_status"
        )
        self.write_text("prs_NumberOfChildren", family.number_of_children, f"{at}/number_of_children")

    def ways_to_reach(self) -> None:
        contact, location = self.record.contact, self.record.location
        columns = dict(_PHONE_COLUMNS)
        barred = contact.barred if contact is not None else frozenset()
        for at, channel in enumerate(contact.channels if contact is not None else ()):
            pointer = f"/record/contact/channels/{at}"
            column = columns.get(channel.kind)
            if column is None:
                self.why[f"{pointer}/value"] = "no_field"
            elif not channel.is_free_to_use or channel.belongs_to is not None or as_kept(channel.value) in barred:
                self.why[f"{pointer}/value"] = self.why[f"{pointer}/kind"] = "not_safe"
            elif column in self.row:
                self.why[f"{pointer}/value"] = self.why[f"{pointer}/kind"] = "one_only"
            else:
                self.write_text(column, channel.value, f"{pointer}/value")
                self.keep(f"{pointer}/kind", column, channel.value)
        hidden = self.record.safety is not None and SafetyFlag.CONFIDENTIAL_PLACE in self.record.safety.flags
        if location is None:
            return
        self.why["/record/location/addresses"] = "confidential"
        for kind in (AddressKind.POSTAL, AddressKind.HOME):
            for at, address in enumerate(location.addresses):
                if address.kind is not kind or hidden:
                    continue
                if any(column.startswith("prs_Mailing") for column in self.row):
                    self.why[f"/record/location/addresses/{at}"] = "one_only"
                    continue
                pointer = f"/record/location/addresses/{at}"
                self.why[pointer] = "no_field"
                self.write_address("prs_Mailing", address.place, f"{pointer}/place")
                written = next((column for column in self.row if column.startswith("prs_Mailing")), None)
                if kind is AddressKind.POSTAL and written is not None:
                    self.keep(f"{pointer}/kind", written, str(self.row[written]))

    def identification(self) -> None:
        found = self.record.identification
        if found is None:
            return
        at, column = "/record/identification", "vic_TraffickingStatusDecisionMakingOrg"
        self.write_code(
            "vic_TraffickingStatus", "identification_status", found.status, "trafficking_status", f"{at}/status"
        )
        for name, list_name, code in (
            ("decided_by_organisation", "organisation_kind", found.decided_by_organisation),
            ("decided_by_kind", "agency_kind", found.decided_by_kind),
        ):
            if code is not None and column in self.row:
                self.why[f"{at}/{name}"] = "one_only"
            else:
                self.write_code(column, list_name, code, "decision_making_org", f"{at}/{name}")

    def exploitation(self, told: ExploitationSection) -> None:
        at = "/record/exploitation"
        self.write_text("vic_AgeWhenTrafficked", told.age_at_entry, f"{at}/age_at_entry")
        if told.recruitment is not None:
            begun, pointer = told.recruitment, f"{at}/recruitment"
            self.write_codes(
                "vic_MethodOfRecruitment",
                "recruitment_method",
                begun.methods,
                "method_of_recruitment",
                f"{pointer}/methods",
            )
            self.write_codes(
                "vic_RecruitmentWebsitesAndApps",
                "online_platform",
                begun.platforms,
                "websites_and_apps",
                f"{pointer}/platforms",
            )
            if begun.recruiter is not None:
                self.write_code(
                    "vic_RelationshipToTrafficker",
                    "relationship",
                    begun.recruiter.relationship,
                    "relationship_to_trafficker",
                    f"{pointer}/recruiter/relationship",
                )
            if begun.place is not None:
                self.write_text("vic_LocationOfRecruitment", begun.place.name, f"{pointer}/place/name")
        self.episodes(told, f"{at}/episodes")
        self.write_codes("vic_TypeOfExploitation", "exploitation", told.forms, "type_of_exploitation", f"{at}/forms")
        for form in told.forms:
            pair = outward("exploitation", form, "type_of_sex_exploitation")
            self.add("vic_TypeOfSexExploitation", pair.their_code if pair is not None else None)
        found = self.record.identification
        for index, finding in enumerate(found.screening if found is not None else ()):
            if finding.answer is Answer.YES:
                pointer = f"/record/identification/screening/{index}/point"
                self.add(
                    "vic_MethodsOfControl",
                    self.code("vic_MethodsOfControl", "screening_point", finding.point, "methods_of_control", pointer),
                )
        self.route(told, f"{at}/route")

    def episodes(self, told: ExploitationSection, pointer: str) -> None:
        """The union of all episodes."""
        for at, episode in enumerate(told.episodes):
            own = f"{pointer}/{at}"
            merged = at > 0
            for column, list_name, codes, their_list, name in (
                ("vic_MethodsOfControl", "exploitation_means", episode.means, "methods_of_control", "means"),
                (
                    "vic_TypeOfExploitation",
                    "exploitation_purpose",
                    episode.purposes,
                    "type_of_exploitation",
                    "purposes",
                ),
                (
                    "vic_TypeOfSexExploitation",
                    "sexual_form",
                    episode.sexual_forms,
                    "type_of_sex_exploitation",
                    "sexual_forms",
                ),
                (
                    "vic_ExploitationWebsitesAndApps",
                    "online_platform",
                    episode.platforms,
                    "websites_and_apps",
                    "platforms",
                ),
            ):
                self.write_codes(column, list_name, codes, their_list, f"{own}/{name}", merged=merged)
            their, industry = None, "vic_ForcedLabourIndustry"
            if episode.isic is not None:
                their = self.code(industry, "isic_section", episode.isic, "labour_industry", f"{own}/isic")
            if episode.sector is not None:
                rough = self.code(industry, "sector", episode.sector, "labour_industry", f"{own}/sector")
                their = their or rough
            self.add(industry, their)
            if episode.isic_class is not None:
                self.why[f"{own}/isic_class"] = "more_exact" if episode.isic is not None else "no_field"
            if episode.place is not None and episode.place.name is not None:
                if "vic_LocationOfExploitation" in self.row:
                    self.why[f"{own}/place/name"] = "one_only"
                elif merged:
                    self.row["vic_LocationOfExploitation"] = episode.place.name
                    self.why[f"{own}/place/name"] = "merged"
                else:
                    self.write_text("vic_LocationOfExploitation", episode.place.name, f"{own}/place/name")

    def route(self, told: ExploitationSection, pointer: str) -> None:
        self.why[pointer] = "one_only"
        if not told.route:
            return
        stop, own = told.route[0], f"{pointer}/0"
        self.why[own] = "no_field"
        if stop.place is not None:
            self.write_address("hte_", stop.place, f"{own}/place")
        if stop.position is not None:
            for column, name in (("hte_Latitude", "latitude"), ("hte_Longitude", "longitude")):
                self.row[column] = repr(getattr(stop.position, name))
                self.keep(f"{own}/position/{name}", column, repr(getattr(stop.position, name)))
        self.write_date("hte_Date", stop.started, f"{own}/started")
        self.write_text("hte_Description", stop.note, f"{own}/note")
        self.write_code("hte_Type", "exploitation_act", stop.act, "event_type", f"{own}/act")

    def safety(self) -> None:
        safety = self.record.safety
        if safety is None:
            return
        at = "/record/safety"
        self.why[f"{at}/risk_factors"] = "deprecated"
        self.why[f"{at}/persons_of_concern"] = "one_only"
        if safety.persons_of_concern:
            person, own = safety.persons_of_concern[0], f"{at}/persons_of_concern/0"
            self.why[own] = "no_field"
            self.write_codes("per_RoleInProcess", "concern_role", person.roles, "role_in_process", f"{own}/roles")
            self.write_text("per_RoleDetails", person.note, f"{own}/note")
            self.write_text("per_Organisation", person.organisation, f"{own}/organisation")

    def plan(self) -> None:
        needs = self.record.needs
        if needs is None:
            return
        at = "/record/needs/services"
        self.why[at] = "one_only"
        chosen = next((index for index, one in enumerate(needs.services) if self.plan_type(one) is not None), 0)
        service, own = needs.services[chosen], f"{at}/{chosen}"
        self.why[own] = "no_field"
        self.write_text("spl_Objectives", service.aim, f"{own}/aim")
        self.write_text("spl_ActionPlan", service.plan, f"{own}/plan")
        self.write_date("spl_PlannedEndDate", service.until, f"{own}/until")
        self.write_date("spl_ActualEndDate", service.ended, f"{own}/ended")
        pair = self.plan_type(service)
        if pair is None:
            self.why[f"{own}/need"] = "no_code"
            if service.focus is not None:
                self.why[f"{own}/focus"] = "no_code"
            return
        self.row["spl_Type"] = pair.their_code
        if pair.list == "rehabilitation_focus":
            for name in ("need", "focus"):
                self.keep(f"{own}/{name}", "spl_Type", pair.their_code)
        elif self.says_it(pair):
            self.keep(f"{own}/need", "spl_Type", pair.their_code)
        else:
            self.why[f"{own}/need"] = "wider_code"

    @staticmethod
    def plan_type(service: NeededService) -> Pair | None:
        """The pair whose code a service is written as: of rehabilitation its focus says which."""
        ways = [("need", service.need.value)]
        if service.focus is not None and service.need == "social_rehabilitation":
            ways.insert(0, ("rehabilitation_focus", service.focus.value))
        found = (outward(list_name, code, "support_plan_type") for list_name, code in ways)
        return next((pair for pair in found if pair is not None and pair.their_code), None)

    def known_to_the_exchange(self) -> None:
        at, exchange = "/exchange", self.exchange
        if exchange.case is not None:
            self.write_code("cas_Status", "case_state", exchange.case.state, "case_status", f"{at}/case/state")
            self.write_text("cas_ReasonForCaseClosure", exchange.case.closure, f"{at}/case/closure")
            self.write_text("cas_CaseOwner", exchange.case.owner, f"{at}/case/owner")
        for way, claim, whose, title in (
            ("incoming", exchange.incoming, "Referring", "Incoming"),
            ("outgoing", exchange.outgoing, "Referred", "Outgoing"),
        ):
            if claim is not None:
                self.write_text(f"cas_{whose}Organisation", claim.organisation, f"{at}/{way}/organisation")
                self.write_text(f"cas_{whose}PrimaryCaseWorker", claim.worker, f"{at}/{way}/worker")
                self.write_text(f"cas_{title}ReferralDate", claim.on, f"{at}/{way}/on")
                self.write_text(f"cas_{title}ReferralDetails", claim.details, f"{at}/{way}/details")
                if claim.reason is not None:
                    self.write_text(f"cas_ReasonFor{title}Referral", REASONS[claim.reason], f"{at}/{way}/reason")
        if exchange.consent is not None:
            self.why[f"{at}/consent"] = "claim_only"
            self.why[f"{at}/consent/agreement"] = "deprecated"
            if exchange.consent.covers:
                self.row["con_Consent"] = "TRUE"
        self.write_text("prs_Title", exchange.staff_title, f"{at}/staff_title")
        self.organisation()

    def organisation(self) -> None:
        body, at = self.exchange.organisation, "/exchange/organisation"
        if body is None:
            return
        self.write_text("org_Name", body.name, f"{at}/name")
        self.write_text("org_Phone", body.phone, f"{at}/phone")
        if body.address is not None:
            self.write_address("org_Shipping", body.address, f"{at}/address")
        for name, list_name, code in (
            ("kind", "organisation_kind", body.kind),
            ("agency_kind", "agency_kind", body.agency_kind),
        ):
            if code is not None and "org_Type" in self.row:
                self.why[f"{at}/{name}"] = "one_only"
            else:
                self.write_code("org_Type", list_name, code, "organisation_type", f"{at}/{name}")


_NAME_PARTS: Final = {"given": "prs_FirstName", "middle": "prs_MiddleName", "family": "prs_SecondName"}
