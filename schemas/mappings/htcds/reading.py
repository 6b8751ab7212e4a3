"""A row of HTCDS into the record and what the exchange knows. Total: every cell has its place, or a problem by column and reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from schemas.codes.services import StaffRole
from schemas.mappings.htcds import cells, names
from schemas.mappings.htcds.cells import Bad, Cell, DateOrder
from schemas.mappings.htcds.crosswalk import Read, fields, key
from schemas.mappings.htcds.exchange import REASONS, Imported
from schemas.mappings.htcds.fields import CARRIED, FIELDS
from schemas.record.identity import Document
from schemas.record.record import SCHEMA_VERSION
from schemas.text import Narrative

Row = Mapping[str, "Cell | tuple[Cell, ...]"]
"""A row by the standard's column names. A cell may hold several values."""

Path = tuple[str | int, ...]
T = TypeVar("T")

LEFT_OUT: Final = "left out"
IN_NARRATIVE: Final = "in the narrative"
KEPT: Final = "kept"


@dataclass(frozen=True)
class Problem:
    """What was wrong with a cell, and what was done. Never what stood in it."""

    row: int
    column: str
    code: str
    done: str


@dataclass(frozen=True)
class Manner:
    """How to read a sheet where the sheet itself does not say."""

    date_order: DateOrder = "dmy"
    language: str = "und"
    """The language of its texts, BCP 47."""
    author_role: StaffRole = StaffRole.OTHER
    """The role of whoever kept it."""
    survey: bool = False
    """Whether it comes from HTCDS's survey form, which asks for the second name where it stores the title."""


@dataclass(frozen=True)
class Outcome:
    """What became of a row."""

    document: Imported
    problems: tuple[Problem, ...]


_STORY: Final = frozenset(
    column
    for column in CARRIED
    if column.startswith(("hte_", "spl_"))
    or (column.startswith("vic_") and FIELDS[column].places and "Status" not in column)
)
"""Columns whose words may stand in the narrative where they fit nowhere else: what happened, and what is planned.

Not those that say who somebody is or how to reach them: the narrative is shown to others than they are.
"""

_SECTION_OF_DIVISION: Final = tuple(
    zip(
        (3, 9, 33, 35, 39, 43, 47, 53, 56, 63, 66, 68, 75, 82, 84, 85, 88, 93, 96, 98, 99),
        (
            "agriculture_forestry_fishing",
            "mining_quarrying",
            "manufacturing",
            "electricity_gas",
            "water_waste",
            "construction",
            "trade_repair",
            "transport_storage",
            "accommodation_food",
            "information_communication",
            "finance_insurance",
            "real_estate",
            "professional_scientific",
            "administrative_support",
            "public_administration",
            "education",
            "health_social_work",
            "arts_recreation",
            "other_services",
            "households",
            "extraterritorial",
        ),
        strict=True,
    )
)
"""The last division of each section of ISIC Rev. 4."""

_REASONS: Final = {key(word): ours for ours, their in REASONS.items() for word in (their, ours)}
_EPISODES: Final = 20
_NARRATIVE: Final[TypeAdapter[str]] = TypeAdapter(Narrative)
_ADDRESS: Final = (("Street", "street"), ("City", "regency"), ("State", "province"))


@lru_cache(maxsize=1)
def _labels() -> dict[str, str]:
    return {each.column: each.label for each in fields()}


@lru_cache(maxsize=1)
def _lists() -> dict[str, str]:
    return {each.column: each.code_list for each in fields()}


def import_row(row: Row, *, number: int = 1, manner: Manner = Manner()) -> Outcome:
    """Read one row. Whatever a model refuses is left out by column and reason; the row itself never is."""
    refused: dict[str, str] = {}
    while True:
        draft = _Draft(row, refused, number, manner)
        draft.read()
        try:
            document = Imported.model_validate(draft.tree())
        except ValidationError as error:
            refused |= draft.blame(error)
            continue
        return Outcome(document, tuple(draft.problems))


@dataclass
class _Draft:
    row: Row
    refused: Mapping[str, str]
    number: int
    manner: Manner
    problems: list[Problem] = field(default_factory=list)
    aside: list[tuple[str, str]] = field(default_factory=list)
    placed: dict[Path, tuple[Any, tuple[str, ...]]] = field(default_factory=dict)

    # What the draft is made of.

    def put(self, path: Path, value: Any, *columns: str) -> None:
        self.placed[path] = (value, columns)

    def note(self, column: str, code: str, done: str) -> None:
        self.problems.append(Problem(self.number, column, code, done))

    def leave_out(self, column: str, code: str, word: str = "") -> None:
        """Report what has no place; what belongs to the story goes into the narrative."""
        if word and column in _STORY and _is_narrative(_told([*self.aside, (column, word)])):
            self.aside.append((column, word))
            self.note(column, code, IN_NARRATIVE)
        else:
            self.note(column, code, LEFT_OUT)

    def tree(self) -> dict[str, Any]:
        """The document as JSON has it."""
        root: dict[str, Any] = {"row": self.number, "record": {"schema_version": SCHEMA_VERSION}, "exchange": {}}
        for path, (value, _) in self.placed.items():
            node: Any = root
            for step, following in pairwise(path):
                fresh: Any = [] if isinstance(following, int) else {}
                if isinstance(step, int):
                    if step == len(node):
                        node.append(fresh)
                    node = node[step]
                else:
                    node = node.setdefault(step, fresh)
            if isinstance(path[-1], int):
                node.append(value)
            else:
                node[path[-1]] = value
        return root

    def blame(self, error: ValidationError) -> dict[str, str]:
        """The columns whose cells the models refuse, with the models' codes."""
        surely: dict[str, str] = {}
        perhaps: dict[str, str] = {}
        for fault in error.errors(include_input=False, include_url=False, include_context=False):
            at = fault["loc"]
            touched = [
                columns
                for path, (_, columns) in self.placed.items()
                if path[: len(at)] == at or at[: len(path)] == path
            ]
            for columns in touched:
                for column in columns:
                    (surely if len(touched) == 1 and len(columns) == 1 else perhaps).setdefault(column, fault["type"])
        found = {column: code for column, code in (surely or perhaps).items() if column not in self.refused}
        if not found:
            raise error
        return found

    # Reading cells.

    def cell(self, column: str) -> Cell | tuple[Cell, ...]:
        """The cell, or None if there is none or a model has refused it."""
        return None if column in self.refused else self.row.get(column)

    def of(self, column: str, reader: Callable[[Cell], T]) -> T | None:
        """What the reader makes of a cell with one value; None where it is empty or cannot be read."""
        given = self.cell(column)
        if given is None:
            return None
        if isinstance(given, tuple):
            if len(given) > 1:
                self.leave_out(column, "several_values", "; ".join(str(each) for each in given))
                return None
            given = given[0] if given else None
        try:
            if cells.text(given) == "":
                return None
            return reader(given)
        except Bad as bad:
            self.leave_out(column, bad.code, "" if bad.code == "excel_error" else cells.text(given))
            return None

    def place(self, path: Path, column: str, reader: Callable[[Cell], Any]) -> bool:
        """Read a cell into its place; say whether there was something."""
        value = self.of(column, reader)
        if value is None:
            return False
        self.put(path, value, column)
        return True

    def day(self, column: str) -> str | None:
        found = self.of(column, lambda cell: cells.day(cell, self.manner.date_order))
        if found is not None and len(found) == 4:
            self.note(column, "read_as_year", KEPT)
        given = self.cell(column)
        if found is not None and not isinstance(given, tuple) and cells.has_time(given):
            self.note(column, "time_left_out", KEPT)
        return found

    def codes(self, column: str, *, most: int | None = None) -> list[Read]:
        """What the words of a cell of codes mean."""
        if self.cell(column) is None:
            return []
        try:
            said = cells.coded(self.cell(column), _lists()[column])
        except Bad as bad:
            self.leave_out(column, bad.code)
            return []
        if most is not None and len({read.codes for _, read in said if read is not None}) > most:
            self.leave_out(column, "several_values", "; ".join(word for word, _ in said))
            return []
        found: list[Read] = []
        for word, read in said:
            if read is None:
                self.leave_out(column, "unknown_code", word)
            elif all(read.codes != other.codes for other in found):
                found.append(read)
                if read.narrowed:
                    self.note(column, "read_as_narrower", KEPT)
        return found

    def one(self, path: Path, column: str) -> None:
        """A code of a list where there can be one."""
        for read in self.codes(column, most=1)[:1]:
            self.put(path, read.codes[0][1], column)

    def many(self, path: Path, column: str) -> None:
        """Codes of a list where there can be several."""
        for at, code in enumerate(dict.fromkeys(read.codes[0][1] for read in self.codes(column))):
            self.put((*path, at), code, column)

    def country(self, column: str) -> str | None:
        def known(cell: Cell) -> str:
            found = names.country(cells.line(cell))
            if found is None:
                raise Bad("unknown_country")
            return found

        return self.of(column, known)

    # The sections.

    def read(self) -> None:
        for column, code in self.refused.items():
            given = self.row.get(column)
            word = "; ".join(str(each) for each in given) if isinstance(given, tuple) else cells.text(given)
            self.leave_out(column, code, word)
        self.person()
        self.ways_to_reach()
        self.trafficking()
        self.route()
        self.safety()
        self.plan()
        self.exchange()
        for column in ("prs_MailingLongitude", "prs_MailingLatitude", "org_ShippingLongitude", "org_ShippingLatitude"):
            if column in self.row and not isinstance(self.row[column], tuple) and not cells.is_empty(self.cell(column)):  # type: ignore[arg-type]
                self.note(column, "position_not_kept", LEFT_OUT)
        self.narrative()

    def person(self) -> None:
        identity: Path = ("record", "identity")
        self.name((*identity, "names", 0))
        if (born := self.day("prs_Birthdate")) is not None:
            self.put((*identity, "birth", "date"), born, "prs_Birthdate")
        self.one((*identity, "gender"), "prs_Gender")
        self.nationalities(identity)
        for at, tag in enumerate(self.languages()):
            self.put((*identity, "languages", at), *tag)
        self.one((*identity, "education"), "prs_HighestLevelOfEducation")
        self.identity_number((*identity, "documents", 0))
        self.place((*identity, "deceased"), "prs_Deceased", lambda cell: "yes" if cells.flag(cell) else "no")
        self.one(("record", "family", "marital_status"), "prs_MaritalStatus")
        self.place(("record", "family", "number_of_children"), "prs_NumberOfChildren", cells.whole)

    def name(self, path: Path) -> None:
        given = {
            part: (value, column)
            for part, column in (
                ("given", "prs_FirstName"),
                ("middle", "prs_MiddleName"),
                ("family", self.second_name_column()),
            )
            if (value := self.of(column, cells.line)) is not None
        }
        if given:
            columns = tuple(column for _, column in given.values())
            self.put((*path, "full"), " ".join(value for value, _ in given.values()), *columns)
            if list(given) != ["given"]:
                for part, (value, column) in given.items():
                    self.put((*path, part), value, column)
            self.place((*path, "prefix"), "prs_Salutation", cells.line)
        elif self.of("prs_Salutation", cells.line) is not None:
            self.note("prs_Salutation", "needs_a_name", LEFT_OUT)

    def second_name_column(self) -> str:
        """Where the second name stands: the survey form asks for it where it stores the title."""
        second, title = self.cell("prs_SecondName"), self.cell("prs_Title")
        moved = self.manner.survey and _empty(second) and not _empty(title)
        return "prs_Title" if moved else "prs_SecondName"

    def nationalities(self, identity: Path) -> None:
        column = "prs_Citizenship"

        def known(word: str) -> bool:
            return names.country(word) is not None or key(word) in names.STATELESS

        try:
            said = cells.parts(self.cell(column), known)
        except Bad as bad:
            self.leave_out(column, bad.code)
            return
        found: list[str] = []
        for word in said:
            code = names.country(word)
            if key(word) in names.STATELESS:
                self.put((*identity, "statelessness"), "stateless", column)
            elif code is None:
                self.leave_out(column, "unknown_country")
            elif code not in found:
                self.put((*identity, "nationalities", len(found)), code, column)
                found.append(code)

    def languages(self) -> list[tuple[str, str]]:
        def known(cell: Cell) -> str:
            tag = names.language(cells.line(cell))
            if tag is None:
                raise Bad("unknown_language")
            return tag

        columns = ("prs_PrimaryLanguage", "prs_SecondaryLanguage")
        found = [(tag, column) for column in columns if (tag := self.of(column, known)) is not None]
        if [column for _, column in found] == ["prs_SecondaryLanguage"]:
            self.note("prs_SecondaryLanguage", "only_second_language", KEPT)
        return found

    def identity_number(self, path: Path) -> None:
        column = "prs_IdentityNumber"
        number = self.of(column, cells.number_text)
        if number is None:
            return
        try:
            Document.model_validate({"kind": "nik", "number": number})
            kind = "nik"
        except ValidationError:
            nationalities = [value for place, (value, _) in self.placed.items() if place[2:3] == ("nationalities",)]
            kind = "foreign_identity_card" if nationalities and "ID" not in nationalities else "other"
            self.note(column, "not_a_nik", KEPT)
        self.put((*path, "kind"), kind, column)
        self.put((*path, "number"), number, column)

    def ways_to_reach(self) -> None:
        at = 0
        for column, kind, reader in (
            ("prs_MobilePhone", "mobile_phone", cells.phone),
            ("prs_HomePhone", "home_phone", cells.phone),
            ("prs_Email", "email", cells.line),
        ):
            value = self.of(column, reader)
            if value is not None:
                path: Path = ("record", "contact", "channels", at)
                self.put((*path, "kind"), kind, column)
                self.put((*path, "value"), value, column)
                # HTCDS has no word for it, and not asked is not yes.
                self.put((*path, "safe"), "not_asked", column)
                at += 1
        address: Path = ("record", "location", "addresses", 0)
        columns = self.address((*address, "place"), "prs_Mailing")
        if columns:
            self.put((*address, "kind"), "postal", *columns)

    def address(self, path: Path, prefix: str) -> list[str]:
        """The five columns of an address; which of them there are."""
        found = [prefix + part for part, name in _ADDRESS if self.place((*path, name), prefix + part, cells.line)]
        if self.place((*path, "postcode"), f"{prefix}PostalCode", cells.number_text):
            found.append(f"{prefix}PostalCode")
        if (country := self.country(f"{prefix}Country")) is not None:
            self.put((*path, "country"), country, f"{prefix}Country")
            found.append(f"{prefix}Country")
        return found

    def trafficking(self) -> None:
        identification: Path = ("record", "identification")
        self.one((*identification, "status"), "vic_TraffickingStatus")
        self.one((*identification, "decided_by_organisation"), "vic_TraffickingStatusDecisionMakingOrg")
        exploitation: Path = ("record", "exploitation")
        self.place((*exploitation, "age_at_entry"), "vic_AgeWhenTrafficked", cells.whole)
        recruitment: Path = (*exploitation, "recruitment")
        self.many((*recruitment, "methods"), "vic_MethodOfRecruitment")
        self.many((*recruitment, "platforms"), "vic_RecruitmentWebsitesAndApps")
        self.one((*recruitment, "recruiter", "relationship"), "vic_RelationshipToTrafficker")
        self.place((*recruitment, "place", "name"), "vic_LocationOfRecruitment", cells.line)
        episode: Path = (*exploitation, "episodes", 0)
        self.many((*episode, "means"), "vic_MethodsOfControl")
        self.many((*episode, "purposes"), "vic_TypeOfExploitation")
        self.many((*episode, "sexual_forms"), "vic_TypeOfSexExploitation")
        self.many((*episode, "platforms"), "vic_ExploitationWebsitesAndApps")
        self.place((*episode, "place", "name"), "vic_LocationOfExploitation", cells.line)
        self.industries((*exploitation, "episodes"))

    def industries(self, path: Path) -> None:
        """An industry is of one episode; where there are several, each has its own."""
        column = "vic_ForcedLabourIndustry"
        for at, read in enumerate(self.codes(column)):
            if at >= _EPISODES:
                self.leave_out(column, "too_many_values", read.theirs)
                continue
            name, code = read.codes[0]
            if name == "isic_class":
                self.put((*path, at, "isic_class"), code, column)
                code = next(section for last, section in _SECTION_OF_DIVISION if int(code[:2]) <= last)
            self.put((*path, at, "isic"), code, column)

    def route(self) -> None:
        stop: Path = ("record", "exploitation", "route", 0)
        columns = self.address((*stop, "place"), "hte_")
        if (started := self.day("hte_Date")) is not None:
            self.put((*stop, "started"), started, "hte_Date")
            columns.append("hte_Date")
        if self.place((*stop, "note"), "hte_Description", cells.text):
            columns.append("hte_Description")
        at = {name: self.of(f"hte_{name.title()}", cells.decimal) for name in ("latitude", "longitude")}
        if None not in at.values():
            for name, degrees in at.items():
                self.put((*stop, "position", name), degrees, f"hte_{name.title()}")
                columns.append(f"hte_{name.title()}")
        else:
            for name, degrees in at.items():
                if degrees is not None:
                    self.leave_out(f"hte_{name.title()}", "needs_both", str(degrees))
        act = self.codes("hte_Type", most=1)
        if act:
            self.put((*stop, "act"), act[0].codes[0][1], "hte_Type")
        elif columns:
            self.put((*stop, "act"), "unknown", *columns)

    def safety(self) -> None:
        person: Path = ("record", "safety", "persons_of_concern", 0)
        self.many((*person, "roles"), "per_RoleInProcess")
        said = any(path[:4] == person for path in self.placed)
        columns = [
            column
            for name, column in (("organisation", "per_Organisation"), ("note", "per_RoleDetails"))
            if self.place((*person, name), column, cells.line if name == "organisation" else cells.text)
        ]
        if columns and not said:
            self.put((*person, "roles", 0), "unknown", *columns)
        factors: Path = ("record", "safety", "risk_factors")
        kinds = list(dict.fromkeys(read.codes[0][1] for read in self.codes("vic_Vulnerabilities")))
        for at, kind in enumerate(kinds):
            self.put((*factors, at, "kind"), kind, "vic_Vulnerabilities")
        if self.place((*factors, 0, "note"), "vic_DetailsOfVulnerabilities", cells.text) and not kinds:
            self.put((*factors, 0, "kind"), "other", "vic_DetailsOfVulnerabilities")

    def plan(self) -> None:
        service: Path = ("record", "needs", "services", 0)
        columns = [
            column
            for name, column in (("aim", "spl_Objectives"), ("plan", "spl_ActionPlan"))
            if self.place((*service, name), column, cells.text)
        ]
        for name, column in (("until", "spl_PlannedEndDate"), ("ended", "spl_ActualEndDate")):
            if (day := self.day(column)) is not None:
                self.put((*service, name), day, column)
                columns.append(column)
        kind = self.codes("spl_Type", most=1)
        if kind:
            name, code = kind[0].codes[0]
            if name == "rehabilitation_focus":
                self.put((*service, "focus"), code, "spl_Type")
                code = "social_rehabilitation"
            self.put((*service, "need"), code, "spl_Type")
        elif columns:
            self.put((*service, "need"), "other", *columns)

    def exchange(self) -> None:
        case: Path = ("exchange", "case")
        for read in self.codes("cas_Status", most=1)[:1]:
            self.put((*case, "state"), read.codes[0][1], "cas_Status")
        self.place((*case, "closure"), "cas_ReasonForCaseClosure", cells.text)
        self.place((*case, "owner"), "cas_CaseOwner", cells.line)
        for way, whose, title in (("incoming", "Referring", "Incoming"), ("outgoing", "Referred", "Outgoing")):
            path: Path = ("exchange", way)
            self.place((*path, "organisation"), f"cas_{whose}Organisation", cells.line)
            self.place((*path, "worker"), f"cas_{whose}PrimaryCaseWorker", cells.line)
            if (day := self.day(f"cas_{title}ReferralDate")) is not None:
                self.put((*path, "on"), day, f"cas_{title}ReferralDate")
            self.reason(path, f"cas_ReasonFor{title}Referral")
            details = f"cas_{title}ReferralDetails"
            if ("exchange", way, "details") not in self.placed:
                self.place((*path, "details"), details, cells.text)
        for name, column in (("claimed", "con_Consent"), ("agreement", "vic_AgreementToManagePersonalData")):
            self.place(("exchange", "consent", name), column, cells.flag)
        self.organisation(("exchange", "organisation"))
        self.title()

    def reason(self, path: Path, column: str) -> None:
        """One of three reasons; the survey form lets people write what they like, which then goes before the details."""

        def known(cell: Cell) -> str:
            found = _REASONS.get(key(cells.text(cell)))
            if found is None:
                raise Bad("unknown_code")
            return found

        given = self.cell(column)
        self.place((*path, "reason"), column, known)
        if (
            self.problems
            and self.problems[-1] == Problem(self.number, column, "unknown_code", LEFT_OUT)
            and not isinstance(given, tuple)
        ):
            details = column.replace("ReasonFor", "") + "Details"
            more = self.of(details, cells.text)
            self.problems.remove(Problem(self.number, column, "unknown_code", LEFT_OUT))
            self.note(column, "unknown_code", "in the details")
            self.put((*path, "details"), "\n".join(part for part in (cells.text(given), more) if part), column)

    def organisation(self, path: Path) -> None:
        self.place((*path, "name"), "org_Name", cells.line)
        self.one((*path, "kind"), "org_Type")
        self.place((*path, "phone"), "org_Phone", cells.phone)
        self.address((*path, "address"), "org_Shipping")

    def title(self) -> None:
        column = "prs_Title"
        title = self.of(column, cells.line)
        if title is None:
            return
        if not self.manner.survey:
            self.put(("exchange", "staff_title"), title, column)
        elif self.second_name_column() == column:
            self.note(column, "mislabelled_in_survey", "read as the second name")
        elif title == self.of("prs_SecondName", cells.line):
            self.note(column, "mislabelled_in_survey", LEFT_OUT)
        else:
            self.put(("exchange", "staff_title"), title, column)
            self.note(column, "mislabelled_in_survey", KEPT)

    def narrative(self) -> None:
        entries: Path = ("record", "narrative", "entries")
        texts: list[tuple[str | None, tuple[str, ...]]] = [
            (self.of("cco_CaseComment", cells.text), ("cco_CaseComment",))
        ]
        if self.aside:
            texts.append((_told(self.aside), ()))
        for at, (text, columns) in enumerate((text, columns) for text, columns in texts if text is not None):
            self.put((*entries, at, "text"), text, *columns)
            self.put((*entries, at, "language"), self.manner.language, *columns)
            self.put((*entries, at, "author_role"), self.manner.author_role.value, *columns)


def _told(words: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"{_labels()[column]}: {word}" for column, word in words)


def _is_narrative(text: str) -> bool:
    """Whether a narrative can hold it: one word of a cell may have a character that no text may have."""
    try:
        _NARRATIVE.validate_python(text)
    except ValidationError:
        return False
    return True


def _empty(cell: Cell | Iterable[Cell]) -> bool:
    return cells.is_empty(cell) if not isinstance(cell, tuple) else not cell  # type: ignore[arg-type]
