"""What can go wrong with a client's own keys."""

from __future__ import annotations

from app.foundation.problems import Problem


class KeyUnusable(Problem):
    """This key cannot be registered. `says` tells why: it is private, too short, of another kind, or lacks its certificate.

    A private key that you have sent is no secret any more: throw it away and make another.
    """

    type, status, title, title_id = ("key-unusable", 422, "The key cannot be used", "Kunci tidak dapat digunakan")
    log_as = "key_unusable"

    def __init__(self, says: str) -> None:
        super().__init__(says=says)


class KeyKnown(Problem):
    """The client has this key, or had it: the same `kid`, or the same key under another. A key that has ended does not come back; make a new one."""

    type, status, title, title_id = ("key-known", 409, "The key is known already", "Kunci sudah dikenal")
    log_as = "key_known"


class TooManyKeys(Problem):
    """The client has ten keys that have not ended. End those you do not use: `POST /v1/me/keys/{key_id}/end`."""

    type, status, title, title_id = ("too-many-keys", 409, "The client has too many keys", "Kunci terlalu banyak")
    log_as = "too_many_keys"


class LastKey(Problem):
    """No other key of the client works now, so ending this one would shut it out. Add another, wait until it has started, then end this one.

    If the key may be stolen, call the operators: they stop the client at once.
    """

    type, status, title, title_id = (
        "last-key",
        409,
        "This is the last key that works",
        "Ini kunci terakhir yang berlaku",
    )
    log_as = "last_key"


class KeysElsewhere(Problem):
    """The client's keys are not kept here: an authority certifies its name, or it publishes its keys at its `jwks_uri`.

    Renew the certificate, or publish the new key there.
    """

    type, status, title, title_id = (
        "keys-elsewhere",
        409,
        "The client's keys are not kept here",
        "Kunci klien tidak disimpan di sini",
    )
    log_as = "keys_elsewhere"
