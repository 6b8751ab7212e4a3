"""Keys that everybody has: those of the raw exchange in `docs/oauth.md` and the OpenAPI document, and others that RFCs print with their private half.

Whoever takes one from a page instead of making one is a client that anybody can be. So none is registered, in any environment; and in
production no token is bound to one.
"""

from __future__ import annotations

from typing import Final

EXAMPLE_KEYS: Final = frozenset(
    {
        "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U",  # RFC 7515 appendix A.3
        "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",  # RFC 7517 appendix A.2
        "DOvxvJiAdIqVWIkFt5hDtCunXLF0BV4-JGv4f-ALSm0",  # RFC 6979 appendix A.2.5
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",  # RFC 7638 §3.1, its private half in RFC 7517 appendix A.2
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",  # RFC 8037 appendix A.3
        "Vy57XrArUrW0NbpI12tEzDHABxMwrTh6HHXRenSpnCo",  # RFC 7518 appendix C, Bob's: the example of docs/sealed.md
        "_GK0r6GCoJt9zcssg9lay4obIxgCq05ntiRymRHADSU",  # RFC 7518 appendix C, Alice's
    }
)
"""Their thumbprints (RFC 7638)."""
