"""The agencies, as Organizations."""

from fhir.resources.R4B.organization import Organization

from schemas.exchange.common import AgencyRef
from schemas.mappings.fhir.parts import Source, text


def organization(source: Source, agency: AgencyRef) -> Organization:
    """Return an agency by its code in the directory. It has no address and no telephone: whom to call is in the directory."""
    return Organization.model_validate(
        {
            "id": source.agency_id(agency.code),
            "identifier": [{"system": f"{source.url}/v1/agencies", "value": agency.code}],
            "type": [source.concept("agency_kind", agency.kind)],
            "name": text(agency.name),
        }
    )
