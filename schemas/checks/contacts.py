"""Ways to reach the person, and whom not to reach."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from phonenumbers import PhoneNumberType, is_valid_number, number_type, parse

from schemas.checks.collect import Parts
from schemas.checks.warning import RecordWarning
from schemas.codes.answers import Answer
from schemas.codes.safety import SafetyFlag
from schemas.codes.warnings import WarningCode
from schemas.record.contact import PHONES, Channel, ContactSection, as_kept
from schemas.record.record import Record

_KNOWN_MOBILE: Final = re.compile(r"\+628[1-35-9][0-9]{7,10}")
"""Indonesian mobiles, nearly all there are: not worth a look into the tables. A test holds it against them."""
_SATELLITE: Final = re.compile(r"\+(?:870|881|882(?:13|16|20))")
"""Inmarsat; the networks that share 881 (Iridium, Globalstar); those of 882 that are satellites (EMSAT, Thuraya, ACeS), by ITU-T E.164."""
_SPECIAL: Final = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
    }
)


def contacts(record: Record, parts: Parts, on: date) -> Iterator[RecordWarning]:
    """Check channels, the guardian, and safety flags against what may be told."""
    for at, channel in parts.of(Channel):
        if channel.kind in PHONES and (code := _of_number(channel.value)):
            yield RecordWarning(code=code, pointer=f"{at}/value", related=())
    if record.contact is not None:
        yield from _channels(record.contact)
    yield from _guardian(record)
    yield from _flags(record)


def _of_number(number: str) -> WarningCode | None:
    if _KNOWN_MOBILE.fullmatch(number):
        return None
    if _SATELLITE.match(number):
        return WarningCode.PHONE_SATELLITE
    parsed = parse(number)
    if not is_valid_number(parsed):
        return WarningCode.PHONE_UNASSIGNED
    return WarningCode.PHONE_SPECIAL_RATE if number_type(parsed) in _SPECIAL else None


def _channels(contact: ContactSection) -> Iterator[RecordWarning]:
    channels = contact.channels
    if channels and all(channel.safe is Answer.NO for channel in channels):
        yield RecordWarning(code=WarningCode.NO_SAFE_CHANNEL, pointer="/contact/channels", related=())
    barred = {as_kept(one.value): place for place, one in enumerate(contact.do_not_contact) if one.value is not None}
    if not barred:
        return
    for place, channel in enumerate(channels):
        other = barred.get(as_kept(channel.value))
        if other is not None and channel.safe is not Answer.NO:
            yield RecordWarning(
                code=WarningCode.CHANNEL_NOT_TO_USE,
                pointer=f"/contact/channels/{place}/value",
                related=(f"/contact/do_not_contact/{other}/value",),
            )


def _guardian(record: Record) -> Iterator[RecordWarning]:
    guardian = record.family.guardian if record.family else None
    if guardian is None or guardian.suspected is not Answer.YES:
        return
    for given, name in ((guardian.channels, "channels"), (guardian.informed is Answer.YES, "informed")):
        if given:
            yield RecordWarning(
                code=WarningCode.GUARDIAN_SUSPECTED_REACHABLE,
                pointer=f"/family/guardian/{name}",
                related=("/family/guardian/suspected",),
            )


def _flags(record: Record) -> Iterator[RecordWarning]:
    flags = record.safety.flags if record.safety else ()
    if SafetyFlag.MUST_NOT_TELL_FAMILY in flags and record.family and record.family.may_be_told is Answer.YES:
        yield RecordWarning(
            code=WarningCode.FLAG_CONTRADICTED, pointer="/family/may_be_told", related=("/safety/flags",)
        )
    home = record.migration.return_home if record.migration else None
    if home is not None and home.mission_may_be_told is Answer.YES:
        against = []
        if SafetyFlag.MUST_NOT_TELL_MISSION in flags:
            against.append("/safety/flags")
        if home.mission_safe is Answer.NO:
            against.append("/migration/return_home/mission_safe")
        if against:
            yield RecordWarning(
                code=WarningCode.FLAG_CONTRADICTED,
                pointer="/migration/return_home/mission_may_be_told",
                related=tuple(against),
            )
