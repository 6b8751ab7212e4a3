"""Places as Addresses, with the Indonesian codes where SATUSEHAT looks for them."""

from schemas.mappings.fhir.parts import Json, compact, text
from schemas.mappings.fhir.systems import SATUSEHAT_PROFILES
from schemas.record.common import Place

_LEVELS = ("province", "city", "district", "village")
_REGENCY = 5
"""PP.KK, the first characters of a Kemendagri code."""


def address(place: Place, *, use: str | None, kind: str, when: Json | None) -> Json | None:
    """Return a place in full; nothing of one that has neither names nor a code, such as a vessel."""
    line = [text(part) for part in (place.name, place.street, _neighbourhood(place), place.village) if part]
    found = compact(
        extension=_administrative(place.region, rt=place.rt, rw=place.rw),
        line=line,
        city=text(place.regency) if place.regency else None,
        district=text(place.district) if place.district else None,
        state=text(place.province) if place.province else None,
        postalCode=place.postcode,
        country=place.country,
    )
    return found | compact(use=use, type=kind, period=when) if found else None


def whereabouts(country: str | None, region: str | None, place: Place | None = None) -> Json | None:
    """Return where the person is now, to the regency: what an address holds is copied onto letters and labels."""
    found = compact(
        extension=_administrative(region[:_REGENCY] if region else None),
        city=text(place.regency) if place and place.regency else None,
        state=text(place.province) if place and place.province else None,
        country=country,
    )
    return {"use": "temp", **found} if found else None


def _neighbourhood(place: Place) -> str | None:
    parts = [f"{name} {number}" for name, number in (("RT", place.rt), ("RW", place.rw)) if number]
    return " ".join(parts) or None


def _administrative(region: str | None, *, rt: str | None = None, rw: str | None = None) -> list[Json]:
    """Return SATUSEHAT's extension: codes without dots. It needs province and city, so a province alone is left out."""
    parts = region.split(".") if region else []
    if len(parts) < 2:
        return []
    codes = {level: "".join(parts[: place + 1]) for place, level in enumerate(_LEVELS) if place < len(parts)}
    codes |= compact(rt=rt, rw=rw)
    return [
        {
            "url": f"{SATUSEHAT_PROFILES}/administrativeCode",
            "extension": [{"url": name, "valueCode": code} for name, code in codes.items()],
        }
    ]
