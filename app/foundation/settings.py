"""Every setting, once. Each is an environment variable `RUJUKAN_<NAME>`; `docs/settings.md` is made from this class."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_MOST_PROXIES = {4: 2**16, 6: 2**64}

_OWN = {
    4: tuple(ip_network(each) for each in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16")),
    6: tuple(ip_network(each) for each in ("::/127", "::ffff:0:0/96", "fe80::/10")),
}
"""This machine and its link: nothing that somebody else named is ever looked for there."""


_ATTACHMENT_TYPES = (
    "application/pdf",
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/heic",
    "image/tiff",
    "text/plain",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.oasis.opendocument.text",
    "audio/ogg",
    "audio/mpeg",
    "audio/mp4",
    "audio/wav",
)
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}"
)
"""The form HTML's `input type=email` takes, with a dot in the domain."""


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


@lru_cache(maxsize=16)
def _networks_of(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(each) for each in _listed(text) if each != "unix")


def _is_guessable(url: str) -> bool:
    """Whether a database URL has a password that is a word, or from an example. None is right where the server asks for none, or a certificate."""
    parts = urlsplit(url)
    if parts.password is None:
        return False
    password = unquote(parts.password)
    return len(password) < 16 or len(set(password)) < 6 or password == parts.username


def is_plain_address(text: str) -> bool:
    """Whether a text is one bare e-mail address that every mail server takes: visible ASCII, nothing that could begin another header."""
    return len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


class UnsafeSettings(Exception):
    """Production refuses to start; `reasons` says everything that is wrong at once."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons = reasons
        super().__init__("; ".join(reasons))


class Settings(BaseSettings):
    """The process's settings, read once at start."""

    model_config = SettingsConfigDict(env_prefix="RUJUKAN_", frozen=True, extra="ignore")

    env: Literal["development", "production"] = Field(
        "development", description="`production` refuses everything unsafe at once, with a list."
    )
    public_url: str = Field(
        "http://127.0.0.1:8000",
        description="The exchange's address as callers write it, without a path: the OAuth issuer, the tokens' audience, the base of `htu`."
        " Unset in development: it follows host and port.",
    )
    host: str = Field("127.0.0.1", description="Address `rujukan serve` listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port `rujukan serve` listens on.")
    socket: Path | None = Field(
        None,
        description="Unix socket `rujukan serve` listens on instead of host and port, for a proxy on the same machine.",
    )
    tls_certificate: Path | None = Field(
        None,
        description="PEM file of the service's own certificate with its chain: TLS ends in `rujukan serve` itself.",
    )
    tls_key: Path | None = Field(None, description="PEM file of that certificate's private key, mode 0600.")
    tls_client_ca: Path | None = Field(
        None,
        description="PEM file of the authorities whose client certificates are taken (`tls_client_auth`, RFC 8705), read at start."
        " Each in it is trusted, an intermediate one without its root too.",
    )
    trusted_proxies: str = Field(
        "",
        description="The proxies that pass client certificates in `Client-Cert` (RFC 9440) and strip it from everyone else:"
        " addresses or CIDR networks separated by commas, or `unix` for whoever may connect to `RUJUKAN_SOCKET`.",
    )
    address_proxies: str = Field(
        "",
        description="Further proxies that say in `X-Forwarded-For` who calls, but pass no client certificates: addresses or CIDR networks"
        " separated by commas, or `unix`. Those of `RUJUKAN_TRUSTED_PROXIES` need not be repeated.",
    )
    mtls_url: str | None = Field(
        None,
        description="Address at which callers present client certificates, if another than `RUJUKAN_PUBLIC_URL`"
        " (`mtls_endpoint_aliases`, RFC 8705 §5).",
    )
    data_dir: Path = Field(
        Path("data"), description="Folder of the embedded database, the keyring and client key files in development."
    )
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL as the role `rujukan_app`. Unset: an embedded PostgreSQL 18 in the data folder."
    )
    database_worker_url: SecretStr | None = Field(
        None,
        description="The same database as the role `rujukan_worker`: for the worker, in its own process or in the service's.",
    )
    database_admin_url: SecretStr | None = Field(
        None,
        description="The same database as the role `rujukan_admin`: for the command line, and for processes that serve `/admin`.",
    )
    database_auditor_url: SecretStr | None = Field(
        None, description="The same database as the role `rujukan_auditor`: only `rujukan log export` needs it."
    )
    database_owner_url: SecretStr | None = Field(
        None, description="The same database as its owner: only `rujukan migrate` needs it."
    )
    database_pool_size: int = Field(16, ge=1, le=500, description="Connections each API process keeps at most.")
    keyring_file: Path | None = Field(
        None,
        description="File of the key-encryption keyset. Unset: `keyring.json` in the data folder, made at first start (development only).",
    )
    keyring_kms: str | None = Field(
        None,
        pattern=r"^aws-kms://arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$",
        description="The key of AWS KMS that encrypts the keyring's file, as `aws-kms://arn:aws:kms:…`; credentials come from AWS's own settings."
        " Unset: the file lies in clear, readable by its owner alone.",
    )
    backup_days: int = Field(
        35,
        ge=1,
        description="How long backups of the database are kept. A key-encryption key is destroyed no sooner than this after it wrapped nothing.",
    )
    worker_in_process: bool = Field(True, description="Run the worker's jobs inside `rujukan serve`.")
    clock_offset_seconds: int = Field(0, description="Shift the process's clock (development only).")
    access_token_seconds: int = Field(300, ge=30, le=600, description="Life of an access token.")
    dpop_nonces: Literal["off", "on"] = Field(
        "off",
        description="Whether DPoP proofs must carry a nonce of the exchange (RFC 9449 §8): a proof made ahead of time is then of no use."
        " The first request of a client costs one more round trip.",
    )
    max_body_bytes: int = Field(
        1_048_576, ge=65_536, description="Largest request body accepted; a larger one gets 413."
    )
    client_rate: float = Field(
        50,
        ge=0,
        description="Requests a second a client may make on the average, in all processes together; 0: no limit.",
    )
    client_burst: int = Field(500, ge=1, description="Requests a client may make at once, after a pause.")
    client_concurrency: int = Field(
        8,
        ge=0,
        description="Requests of one client that each process works on at once; further ones wait up to a second. 0: any number."
        " Less than `RUJUKAN_DATABASE_POOL_SIZE`, so that no client takes all connections.",
    )
    address_rate: float = Field(
        10,
        ge=0,
        description="Attempts to get in a second from one address (IPv6: /64), on the average; 0: no limit."
        " One that succeeds costs nothing, one that fails 10.",
    )
    address_burst: int = Field(200, ge=10, description="Attempts to get in at once from one address, after a pause.")
    failures_per_minute: float = Field(
        10, ge=0, description="Failures a minute of one claimed client from one address; 0: no limit."
    )
    failures_burst: int = Field(20, ge=1, description="Failures at once of one claimed client from one address.")
    refused_often: int = Field(
        100, ge=0, description="Refusals of a client within an hour at which its agencies are told; 0: never."
    )
    webhooks_at_once: int = Field(
        100,
        ge=2,
        description="Deliveries that each worker sends at once. Half of them are kept for webhooks that nothing is being sent to.",
    )
    webhooks_at_once_each: int = Field(
        8,
        ge=1,
        description="Deliveries that each worker sends to one webhook at once; to one that fails, a single one.",
    )
    webhook_pause_after: timedelta = Field(
        timedelta(days=3),
        gt=timedelta(0),
        description="How long nothing but failure lasts until a webhook is paused, its agency told, and the log.",
    )
    delivery_days: int = Field(
        30, ge=1, description="How long deliveries to webhooks and their attempts are kept after they have ended."
    )
    idempotency_days: int = Field(30, ge=1, description="How long the answer to an `Idempotency-Key` is kept.")
    event_days: int = Field(
        90,
        ge=1,
        description="How long events are kept in the feeds at least; whole months are dropped. No less than `RUJUKAN_IDEMPOTENCY_DAYS`: whoever may"
        " still repeat a request can still read what came of it. Systems that are away for longer read the lists anew.",
    )
    import_days: int = Field(
        14,
        ge=1,
        description="How long what became of an import's lines is kept after it has ended; the lines themselves are gone by then.",
    )
    import_unfinished_days: int = Field(
        3,
        ge=1,
        description="How long an import is kept whose upload was broken off and not gone on with; then its lines are destroyed.",
    )
    import_max_bytes: int = Field(
        1_073_741_824, ge=1_048_576, description="Largest import, all its lines together; what is more gets 413."
    )
    import_rate: float = Field(
        50,
        ge=0,
        description="Lines of imports a second that each worker handles at most, so that whoever waits at a screen goes first; 0: no limit.",
    )
    import_concurrency: int = Field(
        4,
        ge=1,
        le=50,
        description="Lines of imports that each worker has in hand at once, each on a connection as `rujukan_app`.",
    )
    two_people: Literal["off", "on"] = Field(
        "off",
        description="Whether what opens access (clients, agreements, roles) takes the yes of two signed-in people. `production` refuses off.",
    )
    administration: Literal["on", "off"] = Field(
        "on",
        description="Whether this process serves `/admin`. Off where it need not: then it needs no `RUJUKAN_DATABASE_ADMIN_URL`.",
    )
    admin_url: str | None = Field(
        None,
        description="Address at which administrators reach `/admin`, if another than `RUJUKAN_PUBLIC_URL`; passkeys belong to its host."
        " In development: `localhost`, since a passkey cannot belong to an IP address.",
    )
    oidc_issuer: str | None = Field(
        None,
        description="Issuer of the OpenID provider that administrators sign in at, exactly as its metadata writes it. Unset: by passkeys only.",
    )
    oidc_client_id: str | None = Field(None, description="The exchange's `client_id` at the OpenID provider.")
    oidc_client_secret: SecretStr | None = Field(
        None, description="Its secret there (`client_secret_basic` or `client_secret_post`), if it has no key."
    )
    oidc_key_file: Path | None = Field(
        None,
        description="File of the private JWK by which the exchange authenticates at the OpenID provider (`private_key_jwt`), mode 0600.",
    )
    registration: Literal["on", "off"] = Field(
        "on",
        description="Whether systems may register themselves (RFC 7591) with an initial access token; what they register waits for approval.",
    )
    outbound_networks: str = Field(
        "",
        description="Inner networks in which addresses that clients name (`jwks_uri`, webhooks) may lie, as CIDR networks separated by commas, where"
        " agencies publish their keys or take events on a government intranet. Everything else that is not on the public Internet is refused.",
    )
    outbound_ca: Path | None = Field(
        None, description="PEM file of authorities that are trusted for those addresses beside the public ones."
    )
    webhooks_per_client: int = Field(
        20, ge=0, le=1000, description="How many webhooks a client may have for one agency; 0: nobody adds any."
    )
    notices: Literal["off", "on"] = Field(
        "off",
        description="Whether agencies that have a notice address are told by e-mail that something waits for them (references, nothing else).",
    )
    notice_from: str | None = Field(None, description="Address that notices are from, such as rujukan@example.go.id.")
    notice_bounces_to: str | None = Field(
        None, description="Address that servers report undeliverable notices to. Unset: `RUJUKAN_NOTICE_FROM`."
    )
    notice_contact: str | None = Field(
        None,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="Whom a notice says to call: a function and a number. Unset: the exchange's operators.",
    )
    notice_interval: timedelta = Field(
        timedelta(minutes=10),
        ge=timedelta(minutes=1),
        le=timedelta(hours=6),
        description="At most one notice an agency in this time; what comes in between goes into the next. What is immediate waits a minute at most.",
    )
    smtp_host: str | None = Field(None, description="The mail server that takes notices.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="How the line to it is encrypted: `starttls`, without which nothing is sent; `tls` from the first byte (port 465);"
        " or `none`, which `production` refuses.",
    )
    smtp_ca: Path | None = Field(
        None, description="PEM file of authorities that are trusted for the mail server beside the public ones."
    )
    smtp_user: str | None = Field(None, description="The exchange's user at the mail server, if it asks for one.")
    smtp_password: SecretStr | None = Field(None, description="The user's password there.")
    signing_key_days: int = Field(90, ge=1, description="Age at which the exchange's signing key is rotated.")
    log_seal_seconds: float = Field(
        5,
        ge=0.05,
        le=300,
        description="How often the log's new entries are put into its tree and a checkpoint is signed.",
    )
    log_key_days: int = Field(
        365, ge=2, description="Age at which the key that signs the log's checkpoints and receipts is rotated."
    )
    attachment_bytes: int = Field(
        26_214_400, ge=1024, le=1_073_741_824, description="Largest file that may be uploaded, in bytes."
    )
    attachment_types: str = Field(
        ",".join(_ATTACHMENT_TYPES),
        description="Kinds of files that are taken, by their content, as media types separated by commas. `video/mp4` can be added.",
    )
    attachment_store: str = Field(
        "database",
        pattern=r"^(database|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]*)?(\?[^\s#]*)?)$",
        description="Where the encrypted files are kept: `database`, or `s3://bucket/prefix?endpoint=https://…&region=…`;"
        " credentials come from AWS's own settings.",
    )
    attachment_seconds: float = Field(
        1800, ge=1, description="How long an upload or a download of a file may take in all, in seconds."
    )
    attachment_quota_bytes: int = Field(
        1_073_741_824,
        ge=1024,
        description="How much an agency may have uploaded that goes with no record yet, in bytes.",
    )
    attachment_unbound_for: timedelta = Field(
        timedelta(days=7),
        ge=timedelta(hours=1),
        description="How long a file is kept that goes with no record.",
    )
    clamd: str | None = Field(
        None,
        pattern=r"^(/\S+|[^\s/:]+:[0-9]{1,5})$",
        description="The clamd that scans files for malware: the path of its socket, or `host:port`. Unset: files are not scanned.",
    )
    emergency_country: str = Field(
        "ID", description="Country within which a vital interest may open sections (ISO 3166-1 alpha-2)."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Level of the process's log on standard error."
    )
    metrics_address: str | None = Field(
        None,
        description="Address and port where Prometheus finds this process's metrics, such as 127.0.0.1:9101; never where callers come."
        " Production takes a loopback or private one only. Unset: off.",
    )

    respond_within_immediate: timedelta = Field(
        timedelta(hours=1), description="Deadline to answer an immediate referral."
    )
    respond_within_urgent: timedelta = Field(timedelta(hours=24), description="Deadline to answer an urgent referral.")
    respond_within_standard: timedelta = Field(timedelta(days=7), description="Deadline to answer a standard referral.")
    start_within_immediate: timedelta = Field(
        timedelta(hours=4), description="Deadline to start an accepted immediate referral."
    )
    start_within_urgent: timedelta = Field(
        timedelta(hours=48), description="Deadline to start an accepted urgent referral."
    )
    start_within_standard: timedelta = Field(
        timedelta(days=7), description="Deadline to start an accepted standard referral."
    )
    silence_in_progress: timedelta = Field(
        timedelta(days=30), description="Reminder when nothing was recorded on a referral in progress."
    )
    confirm_handover_within: timedelta = Field(
        timedelta(days=7), description="Deadline to confirm the handover of an accepted transfer."
    )
    answer_cancellation_within: timedelta = Field(
        timedelta(days=3), description="Deadline to answer a request to cancel."
    )
    hold_at_most: timedelta = Field(timedelta(days=30), description="Longest hold before its review.")
    paper_within: timedelta = Field(timedelta(days=7), description="Deadline to supply a pending handover paper.")
    info_pause_at_most: timedelta = Field(
        timedelta(hours=24),
        description="How long questions may pause the deadline to answer, in all; never that of an immediate referral.",
    )
    expire_after_escalation: timedelta = Field(
        timedelta(hours=24),
        description="How long a standard referral waits after its deadline was escalated, before it expires.",
    )
    answer_request_within: timedelta = Field(
        timedelta(hours=72),
        description="Deadline to answer a request about data, of a person or of another agency, and to the notice of an incident (3 × 24 hours).",
    )
    readable_after_withdrawal: timedelta = Field(
        timedelta(hours=24),
        description="How long `safety` and medicines stay readable, after their consent was withdrawn, to whoever has the person with them.",
    )
    review_vital_interest_within: timedelta = Field(
        timedelta(hours=72),
        gt=timedelta(0),
        le=timedelta(hours=72),
        description="How long a vital interest opens sections: until then it is reviewed, and its sender gives it another basis (3 × 24 hours).",
    )
    review_within: timedelta = Field(
        timedelta(days=30),
        gt=timedelta(0),
        description="Deadline to review what was disclosed on a law or a court's order.",
    )
    justified_at_most: timedelta = Field(
        timedelta(days=30),
        gt=timedelta(0),
        description="How far ahead the reviewers may let a vital interest last that they find justified.",
    )
    emergency_access_lasts: timedelta = Field(
        timedelta(hours=4),
        gt=timedelta(0),
        le=timedelta(hours=24),
        description="How long emergency access lasts where nobody says; at most 24 hours in any case.",
    )
    emergency_knocks_per_day: int = Field(
        5,
        ge=0,
        description="How often in 24 hours an agency may ask for emergency access to a case it takes no part in, by a reference.",
    )
    idle_case_reminder: timedelta = Field(
        timedelta(days=365),
        ge=timedelta(days=1),
        description="After how long without any act in an open case its lead is reminded to close it, and then again each time.",
    )
    retain_specific: timedelta = Field(
        timedelta(days=730),
        ge=timedelta(days=1),
        description="How long after a case is closed its sections of specific data (health, psychosocial, safety, legal and the like) are kept.",
    )
    retain_general: timedelta = Field(
        timedelta(days=1825),
        ge=timedelta(days=1),
        description="How long after a case is closed its other sections (identity, contact, location, family, identification, migration) are kept.",
    )
    retain_access: timedelta = Field(
        timedelta(days=365),
        ge=timedelta(days=1),
        description="How long after a case is closed agencies other than its lead may still read what they were sent.",
    )
    retain_words: timedelta = Field(
        timedelta(days=730),
        ge=timedelta(days=1),
        description="How long after a case is closed notes, reasons of moves and decisions are kept.",
    )
    retain_proof: timedelta = Field(
        timedelta(days=3650),
        ge=timedelta(days=1),
        description="How long after a case is closed the details of consents, corrections, requests, holds and reasons of disclosures are kept:"
        " the proof that it was lawful.",
    )
    erase_unanswered_after: timedelta = Field(
        timedelta(days=30),
        ge=timedelta(days=3),
        description="When the exchange erases what a person or a retraction asks, although a holder has not answered.",
    )
    review_hold_within: timedelta = Field(
        timedelta(days=366), ge=timedelta(days=1), description="Longest time until a legal hold is looked at again."
    )
    erasure_list: Path | None = Field(
        None,
        description="Folder of the erasure lists, kept and backed up apart from the database: after a restore they are replayed"
        " (`rujukan erasures replay`). Unset: `erasures` in the data folder (development only).",
    )
    next_contact_after_immediate: timedelta = Field(
        timedelta(minutes=15), description="When an escalation nobody takes goes to the next contact: immediate."
    )
    next_contact_after_urgent: timedelta = Field(
        timedelta(hours=4), description="When an escalation nobody takes goes to the next contact: urgent."
    )
    next_contact_after_standard: timedelta = Field(
        timedelta(hours=24), description="When an escalation nobody takes goes to the next contact: standard."
    )

    @field_validator("trusted_proxies", "address_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        try:
            _networks_of(value)
        except ValueError:
            raise ValueError("must be addresses or CIDR networks separated by commas, or unix") from None
        return value

    @field_validator("outbound_networks")
    @classmethod
    def _cidr_networks(cls, value: str) -> str:
        try:
            if "unix" in _listed(value):
                raise ValueError(value)
            _networks_of(value)
        except ValueError:
            raise ValueError("must be CIDR networks separated by commas") from None
        return value

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("RUJUKAN_TLS_CERTIFICATE and RUJUKAN_TLS_KEY must be set together")
        if self.trusts_socket and self.socket is None:
            raise ValueError("RUJUKAN_TRUSTED_PROXIES says unix, but RUJUKAN_SOCKET is not set")
        if self.trusts_socket_address and self.socket is None:
            raise ValueError("RUJUKAN_ADDRESS_PROXIES says unix, but RUJUKAN_SOCKET is not set")
        if self.event_days < self.idempotency_days:
            raise ValueError("RUJUKAN_EVENT_DAYS must not be less than RUJUKAN_IDEMPOTENCY_DAYS")
        return self

    @field_validator("metrics_address")
    @classmethod
    def _address_and_port(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                host, port = _host_and_port(value)
                if ip_address(host) is None or not 0 < port < 65_536:
                    raise ValueError(value)
            except ValueError:
                raise ValueError("must be an IP address and a port, such as 127.0.0.1:9101 or [::1]:9101") from None
        return value

    @field_validator("notice_from", "notice_bounces_to")
    @classmethod
    def _plain_address(cls, value: str | None) -> str | None:
        if value is not None and not is_plain_address(value):
            raise ValueError("must be an e-mail address in ASCII, without a name")
        return value

    @model_validator(mode="after")
    def _can_send_notices(self) -> Self:
        if self.notices == "on" and (self.smtp_host is None or self.notice_from is None):
            raise ValueError("RUJUKAN_NOTICES is on, but RUJUKAN_SMTP_HOST or RUJUKAN_NOTICE_FROM is not set")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("RUJUKAN_SMTP_USER and RUJUKAN_SMTP_PASSWORD must be set together")
        if self.smtp_user is not None and self.smtp_tls == "none":
            raise ValueError("RUJUKAN_SMTP_TLS is none: a password would go in clear")
        return self

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or "?" in value or "#" in value:
            raise ValueError("must be an issuer such as https://login.example.go.id/realms/staff")
        return value

    @model_validator(mode="after")
    def _whole_relying_party(self) -> Self:
        proofs = sum(each is not None for each in (self.oidc_client_secret, self.oidc_key_file))
        if self.oidc_issuer is None and (self.oidc_client_id is not None or proofs):
            raise ValueError("RUJUKAN_OIDC_ISSUER must be set with the other RUJUKAN_OIDC_* settings")
        if self.oidc_issuer is not None and (not self.oidc_client_id or proofs != 1):
            raise ValueError(
                "RUJUKAN_OIDC_ISSUER needs RUJUKAN_OIDC_CLIENT_ID and one of RUJUKAN_OIDC_KEY_FILE and RUJUKAN_OIDC_CLIENT_SECRET"
            )
        return self

    @field_validator("attachment_types")
    @classmethod
    def _told_apart(cls, value: str) -> str:
        known = {*_ATTACHMENT_TYPES, "video/mp4"}
        if unknown := set(_listed(value)) - known:
            raise ValueError(f"cannot be told by content: {', '.join(sorted(unknown))}")
        return value

    @field_validator("public_url", "mtls_url", "admin_url")
    @classmethod
    def _bare_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.path not in ("", "/")
            or parts.query
            or parts.fragment
        ):
            raise ValueError("must be an origin such as https://rujukan.example.go.id, without a path")
        return f"{parts.scheme}://{parts.netloc}".lower()

    @cached_property
    def keyring_path(self) -> Path:
        """Where the keyring lies."""
        return self.keyring_file or self.data_dir / "keyring.json"

    @cached_property
    def erasure_folder(self) -> Path:
        """Where the erasure lists lie."""
        return self.erasure_list or self.data_dir / "erasures"

    @cached_property
    def attachment_kinds(self) -> tuple[str, ...]:
        """The kinds of files that are taken."""
        return tuple(_listed(self.attachment_types))

    @property
    def metrics_host_and_port(self) -> tuple[str, int]:
        """Where metrics are served, if they are."""
        assert self.metrics_address is not None
        return _host_and_port(self.metrics_address)

    @property
    def reachable_host(self) -> str:
        """The host as a caller on this machine writes it in a URL."""
        if self.host in ("", "0.0.0.0", "::"):  # noqa: S104 -- compared, not listened on
            return "127.0.0.1"
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of the proxies that may pass client certificates."""
        return _networks_of(self.trusted_proxies)

    @property
    def outbound_allowed(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The inner networks that requests to addresses others have named may reach."""
        return _networks_of(self.outbound_networks)

    @property
    def trusts_socket(self) -> bool:
        """Whether who connects to the unix socket may pass client certificates."""
        return "unix" in _listed(self.trusted_proxies)

    @property
    def address_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of the proxies that say who calls."""
        return (*self.proxy_networks, *_networks_of(self.address_proxies))

    @property
    def trusts_socket_address(self) -> bool:
        """Whether who connects to the unix socket says who calls."""
        return self.trusts_socket or "unix" in _listed(self.address_proxies)

    @property
    def behind_proxy(self) -> bool:
        """Whether client certificates come from a proxy: then never from the connection itself."""
        return bool(self.proxy_networks) or self.trusts_socket

    @property
    def takes_client_certificates(self) -> bool:
        """Whether mutual TLS is switched on: certificates can reach the service, from a proxy or on its own TLS."""
        return self.behind_proxy or (self.tls_certificate is not None and self.tls_client_ca is not None)

    @property
    def needs_two_people(self) -> bool:
        """Whether what opens access takes two people's yes: in production always, whatever a command is told."""
        return self.two_people == "on" or self.env == "production"

    @property
    def admin_origin(self) -> str:
        """The origin administrators reach `/admin` at."""
        if self.admin_url is not None:
            return self.admin_url
        return self.public_url.replace("//127.0.0.1", "//localhost", 1)

    @property
    def embedded(self) -> bool:
        """Whether the database is the embedded one."""
        return self.database_url is None

    def unsafe(self) -> list[str]:
        """Say everything that production must not run with; empty in development."""
        if self.env != "production":
            return []
        reasons = []
        if not self.public_url.startswith("https://"):
            reasons.append("RUJUKAN_PUBLIC_URL must be https")
        reasons += self._unsafe_tls()
        if self.embedded:
            reasons.append("RUJUKAN_DATABASE_URL must name a PostgreSQL server: the embedded one is for development")
        if self.worker_in_process and self.database_worker_url is None and not self.embedded:
            reasons.append(
                "RUJUKAN_DATABASE_WORKER_URL must be set, or RUJUKAN_WORKER_IN_PROCESS be false where `rujukan worker` runs apart"
            )
        for name in ("database_url", "database_worker_url", "database_admin_url"):
            url = getattr(self, name)
            if url is not None and (urlsplit(url.get_secret_value()).username or "postgres") == "postgres":
                reasons.append(f"RUJUKAN_{name.upper()} must log in as a role of its own, not as a superuser")
        for name in (
            "database_url",
            "database_worker_url",
            "database_admin_url",
            "database_owner_url",
            "database_auditor_url",
        ):
            url = getattr(self, name)
            if url is not None and _is_guessable(url.get_secret_value()):
                reasons.append(
                    f"RUJUKAN_{name.upper()} must have a password of its own, made by a machine: 16 characters or more"
                )
        if self.keyring_file is None:
            reasons.append("RUJUKAN_KEYRING_FILE must name a keyset that is kept and backed up apart from the database")
        elif self.keyring_file.exists() and self.keyring_file.stat().st_mode & 0o077:
            reasons.append("RUJUKAN_KEYRING_FILE must be readable by its owner alone (mode 0600)")
        if self.erasure_list is None:
            reasons.append("RUJUKAN_ERASURE_LIST must name a folder that is kept and backed up apart from the database")
        if self.two_people != "on":
            reasons.append("RUJUKAN_TWO_PEOPLE must be on: nobody opens access alone")
        if self.administration == "on" and self.database_admin_url is None and not self.embedded:
            reasons.append("RUJUKAN_DATABASE_ADMIN_URL must be set, or RUJUKAN_ADMINISTRATION be off in this process")
        if not self.admin_origin.startswith("https://"):
            reasons.append("RUJUKAN_ADMIN_URL must be https")
        if self.oidc_issuer is not None and not self.oidc_issuer.startswith("https://"):
            reasons.append("RUJUKAN_OIDC_ISSUER must be https")
        if self.oidc_key_file is not None and self.oidc_key_file.exists() and self.oidc_key_file.stat().st_mode & 0o077:
            reasons.append("RUJUKAN_OIDC_KEY_FILE must be readable by its owner alone (mode 0600)")
        if any(network.overlaps(each) for network in self.outbound_allowed for each in _OWN[network.version]):
            reasons.append(
                "RUJUKAN_OUTBOUND_NETWORKS must not open this machine or its link: no loopback, no link-local, not every address"
            )
        if "endpoint=http:" in self.attachment_store:
            reasons.append("RUJUKAN_ATTACHMENT_STORE must name an https endpoint")
        if self.metrics_address is not None:
            address = ip_address(self.metrics_host_and_port[0])
            if address.is_unspecified or not (address.is_loopback or address.is_private):
                reasons.append(
                    "RUJUKAN_METRICS_ADDRESS must be a loopback or private address, not one the public reaches"
                )
        if self.notices == "on" and self.smtp_tls == "none":
            reasons.append("RUJUKAN_SMTP_TLS must be starttls or tls: references would go in clear")
        if self.clock_offset_seconds:
            reasons.append("RUJUKAN_CLOCK_OFFSET_SECONDS must be 0")
        if self.log_level == "DEBUG":
            reasons.append("RUJUKAN_LOG_LEVEL must not be DEBUG: libraries log tokens at that level")
        return reasons

    def _unsafe_tls(self) -> list[str]:
        reasons = []
        if self.mtls_url is not None and not self.mtls_url.startswith("https://"):
            reasons.append("RUJUKAN_MTLS_URL must be https")
        if self.mtls_url is not None and not self.takes_client_certificates:
            reasons.append("RUJUKAN_MTLS_URL must not be set where no client certificate can reach the service")
        if self.tls_client_ca is not None and not self.takes_client_certificates:
            reasons.append(
                "RUJUKAN_TLS_CLIENT_CA does nothing without RUJUKAN_TLS_CERTIFICATE or RUJUKAN_TRUSTED_PROXIES"
            )
        if self.tls_key is not None and self.tls_key.exists() and self.tls_key.stat().st_mode & 0o077:
            reasons.append("RUJUKAN_TLS_KEY must be readable by its owner alone (mode 0600)")
        for name, text in (("TRUSTED_PROXIES", self.trusted_proxies), ("ADDRESS_PROXIES", self.address_proxies)):
            if any(network.num_addresses > _MOST_PROXIES[network.version] for network in _networks_of(text)):
                # whoever is in there can be any client, or come from anywhere, by writing a header
                reasons.append(f"RUJUKAN_{name} must name the proxies, not networks wider than /16 (IPv6: /64)")
        if self.tls_certificate is None and not self.address_networks and not self.trusts_socket_address:
            # else all callers would have one address, the proxy's: one of them could use up what all may
            reasons.append("RUJUKAN_ADDRESS_PROXIES must name the proxy where TLS ends, which says who calls")
        return reasons

    def refuse_unsafe(self) -> None:
        """Raise `UnsafeSettings` with every reason, or return."""
        if reasons := self.unsafe():
            raise UnsafeSettings(reasons)
