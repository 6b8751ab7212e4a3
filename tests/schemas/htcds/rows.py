"""Rows of HTCDS as hypothesis makes them from the standard's own tables, each value in the standard's own spelling."""

from unicodedata import normalize

from hypothesis import strategies as st

from schemas.mappings.htcds.crosswalk import fields, their_codes
from schemas.mappings.htcds.fields import CARRIED
from schemas.mappings.htcds.names import iso_639_2, language
from tests.schemas.record_strategies import MARK, days, free_text

CODES = {}
for each in their_codes():
    CODES.setdefault(each.list, []).append(each.code)

LANGUAGES = ("ind", "jav", "min", "bug", "mya", "zho", "deu", "msa")
# A comma or a stroke of a cell is not a mark between values in a text; spaces at its ends are nobody's words.
words = free_text.map(lambda value: normalize("NFC", " ".join(f"{MARK} {value}".split())))
BY_HAND = {
    "prs_IdentityNumber": st.sampled_from(("9901010101900001", "9902014107950002")),
    "prs_Email": st.sampled_from(("hush@contoh.example", "a.b+c@contoh.example")),
    "prs_HomePhone": st.just("+62215550100"),
    "prs_MobilePhone": st.just("+628110000012"),
    "org_Phone": st.just("+62215550100"),
    "hte_Latitude": st.floats(-90, 90).map(repr),
    "hte_Longitude": st.floats(-180, 180).map(repr),
    "vic_AgeWhenTrafficked": st.integers(0, 130).map(str),
    "prs_NumberOfChildren": st.integers(0, 30).map(str),
    "prs_PrimaryLanguage": st.sampled_from(LANGUAGES),
    "prs_SecondaryLanguage": st.sampled_from(LANGUAGES),
}


def value(field):
    if field.column in BY_HAND:
        return BY_HAND[field.column]
    if field.column.endswith("PostalCode"):
        return st.from_regex(r"\A[A-Z1-9][A-Z0-9]{3,5}\Z")
    if field.type == "boolean":
        return st.sampled_from(("TRUE", "FALSE"))
    if field.type == "date":
        return days.map(str)
    if field.code_list.startswith("country") or field.column == "hte_Country":
        codes = st.sampled_from(CODES["country"])
    elif field.code_list:
        codes = st.sampled_from(CODES[field.code_list])
    else:
        return words
    # Industry is single in the standard, several in its survey and workbook (trap 3).
    if field.select == "multiple" or field.column == "vic_ForcedLabourIndustry":
        return st.lists(codes, min_size=1, max_size=4, unique=True).map(tuple)
    return codes


VALUES = {each.column: value(each) for each in fields() if each.column in CARRIED}


def whole(row):
    """Without what HTCDS allows and says nothing: half a position, a second language alone, a form of address for nobody."""
    if len({"hte_Latitude", "hte_Longitude"} & row.keys()) == 1:
        row = {column: value for column, value in row.items() if column not in ("hte_Latitude", "hte_Longitude")}
    if "prs_PrimaryLanguage" not in row:
        row.pop("prs_SecondaryLanguage", None)
    if not {"prs_FirstName", "prs_MiddleName", "prs_SecondName"} & row.keys():
        row.pop("prs_Salutation", None)
    return row


rows = st.fixed_dictionaries({}, optional=VALUES).map(whole)

assert all(iso_639_2(language(code)) == (code, True) for code in LANGUAGES)
