"""What an officer is told when the exchange refuses."""

from __future__ import annotations

from app.cli.officer.refusals import Refused
from app.exchange.passing.problems import AgreementRequired


class TestWithoutAnAgreement:
    def test_an_officer_learns_who_would_have_to_agree_on_what_and_what_may_go_now(self) -> None:
        problem = AgreementRequired(
            sender="kbri-bangkok",
            receiver="kemensos",
            purpose="return",
            refused={"health": "agreement"},
            sendable=["identity", "needs"],
        )
        told = str(Refused(403, {"type": f"/problems/{problem.type}", "status": 403, **problem.members}))
        assert "health (agreement)" in told
        assert "lets kbri-bangkok send them to kemensos for return" in told
        assert "May go as they are: identity, needs." in told
