"""A referral in FHIR R4 (4.0.1), for systems that speak it. docs/schema/fhir.md says what goes where, and what does not go.

The models of `fhir.resources` are those of R4B (4.3.0); the resources and elements used here are the same in R4.
"""

from schemas.mappings.fhir.bundle import bundle

__all__ = ["bundle"]
