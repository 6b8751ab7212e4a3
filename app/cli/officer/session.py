"""An officer's session: who acts, the exchange it is done at, and how its commands are made."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import uuid
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from types import TracebackType
from typing import Annotated, Any, Final, Self, TypeVar
from urllib.parse import urlencode

import httpx
import typer

from app.cli.api import find_credentials
from app.cli.common import Json, acting, clock_of, load_settings, say, show_json
from app.cli.failures import Code, Failure
from app.cli.officer.refusals import Refused, possible
from app.cli.officer.words import Language, language_of_the_terminal, plain, read_moment, to_look_at
from app.client import Credentials, ExchangeClient
from app.foundation.clock import Clock
from schemas.codes.referral import MoveChannel

WHO: Final = "Who acts"
HOW: Final = "How it happened"

Parameters = dict[str, inspect.Parameter]
Result = TypeVar("Result")

Reference = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="Its reference (R-…, T-…), as it was read out, or its id.")
]
Subject = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="Its reference (R-…, T-…, K-…), as it was read out, or its id.")
]
OccurredAt = Annotated[
    datetime | None,
    typer.Option(
        parser=read_moment, metavar="TIME", help="When it really happened, if earlier than now.", rich_help_panel=HOW
    ),
]
Channel = Annotated[
    MoveChannel | None,
    typer.Option(help="By what way it was done. Unset: by the system.", show_default=False, rich_help_panel=HOW),
]
Key = Annotated[
    str | None,
    typer.Option(
        help="Idempotency-Key, to repeat a command that got no answer. Unset: a new one.",
        show_default=False,
        rich_help_panel=HOW,
    ),
]


class Session:
    """The exchange, as one officer of one agency speaks to it."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        actor: str,
        acts_for: str | None,
        lang: Language,
        as_json: bool,
        clock: Clock,
    ) -> None:
        self.lang = lang
        self.as_json = as_json
        self.clock = clock
        self._actor = actor
        self._headers = {"Accept-Language": lang.value}
        if acts_for is not None:
            self._headers["Rujukan-Acts-For"] = acts_for
        self._exchange = ExchangeClient(credentials, clock=clock)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        """Connect to nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._runner.run(self._exchange.aclose())
        self._runner.close()

    def get(self, path: str, **query: Any) -> Any:
        """Return what stands at a path. Raises `Refused`."""
        return self._answer(self._fetched(path, query))

    def get_page(self, path: str, **query: Any) -> bytes:
        """Return a page that stands at a path, as it came. Raises `Refused`."""
        reply = self._fetched(path, query)
        if reply.status_code >= 400:
            self._answer(reply)
        return reply.content

    def _fetched(self, path: str, query: Mapping[str, Any]) -> httpx.Response:
        given = {name: value for name, value in query.items() if value is not None}
        return self._request("GET", f"{path}?{urlencode(given, doseq=True)}" if given else path)

    def run(self, work: Callable[[ExchangeClient, str, Mapping[str, str]], Coroutine[Any, Any, Result]]) -> Result:
        """Do what takes more than a request and its answer, with the exchange, who acts, and the headers each request has."""
        return self._runner.run(work(self._exchange, self._actor, self._headers))

    def post(self, path: str, body: Mapping[str, Any], *, key: str | None, if_match: int | None = None) -> Any:
        """Do something, under an idempotency key; what is None in the body was not given. Raises `Refused`."""
        key = key or str(uuid.uuid4())
        once = f"Repeat the command with --key {key}: then it happens once, whatever became of this try."
        try:
            reply = self._request("POST", path, json=_written(body), if_match=if_match, idempotency_key=key)
        except httpx.TransportError as error:
            raise Failure(
                f"the exchange does not answer: {type(error).__name__}", once, code=Code.unreachable
            ) from None
        if reply.status_code >= 500:
            raise Failure(f"the exchange failed (HTTP {reply.status_code})", once, code=Code.broken)
        return self._answer(reply)

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        """Say how something is, what can be repeated as it is. Raises `Refused`."""
        reply = self._request("PUT", path, json=_written(body))
        if reply.status_code >= 400:
            self._answer(reply)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            try:
                return await self._exchange.request(method, path, actor=self._actor, headers=self._headers, **options)
            except UnicodeError:
                raise Failure("a header cannot be sent as it is written") from None

        return self._runner.run(send())

    def _answer(self, reply: httpx.Response) -> Any:
        try:
            answer = reply.json()
        except ValueError:
            raise Failure(
                f"the exchange's answer cannot be read (HTTP {reply.status_code})", code=Code.broken
            ) from None
        if reply.status_code >= 400:
            raise Refused(reply.status_code, answer if isinstance(answer, dict) else {})
        return answer

    def show(self, answer: Any, in_words: Callable[[], None]) -> None:
        """Print an answer: as JSON if that is wanted, else in words."""
        if self.as_json:
            show_json(answer)
        else:
            in_words()

    def show_moved(self, answer: dict[str, Any]) -> None:
        """Print the answer to a move."""
        self.show(answer, lambda: say(_moved(answer, self.lang)))


def _moved(answer: dict[str, Any], lang: Language) -> str:
    state = f"{answer['reference']} is {plain(answer['state'])} (version {answer['version']})."
    return "\n".join([f"{state} {possible(answer['moves'])}", *to_look_at(answer["warnings"], lang)])


def _written(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in body.items()
        if value is not None
    }


def _shared(
    client: Annotated[
        str,
        typer.Option(
            "--as",
            envvar="RUJUKAN_CLIENT",
            show_envvar=True,
            help="Client id (its file is in the data folder), or a credentials file.",
            rich_help_panel=WHO,
        ),
    ],
    agency: Annotated[
        str | None,
        typer.Option(help="Code of the agency to act for, if the client has several.", rich_help_panel=WHO),
    ] = None,
    actor: Annotated[
        str | None,
        typer.Option(
            envvar="RUJUKAN_ACTOR",
            show_envvar=True,
            help="Your staff reference, never a name. Unset: the user's login.",
            show_default=False,
            rich_help_panel=WHO,
        ),
    ] = None,
    acts_for: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="CODE", help="Record it for another agency, under an agreement.", rich_help_panel=WHO
        ),
    ] = None,
    lang: Annotated[
        Language | None,
        typer.Option(
            envvar="RUJUKAN_LANG",
            show_envvar=True,
            help="Language of the codes' labels. Unset: that of the terminal.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> Session:
    settings = load_settings()
    credentials = find_credentials(settings, client)
    if agency is not None:
        credentials = dataclasses.replace(credentials, agency=agency)
    return Session(
        credentials,
        actor=acting(actor),
        acts_for=acts_for,
        lang=lang or language_of_the_terminal(),
        as_json=as_json,
        clock=clock_of(settings),
    )


def parameters_of(function: Callable[..., Any]) -> Parameters:
    """Return a function's parameters with their annotations evaluated."""
    return dict(inspect.signature(function, eval_str=True).parameters)


_SHARED: Final = parameters_of(_shared)


def add_command(
    app: typer.Typer, name: str, run: Callable[..., None], parameters: Parameters, *, about: str, panel: str
) -> None:
    """Add a command that opens a session and gives it, with the values of `parameters`, to `run`."""

    def command(**given: Any) -> None:
        own = {name: given[name] for name in parameters}
        with _shared(**{name: given[name] for name in _SHARED}) as session:
            try:
                run(session, **own)
            except Refused as refused:
                if session.as_json:
                    show_json(refused.problem)
                raise

    every = {**parameters, **_SHARED}
    signature = inspect.Signature(
        [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in every.values()]
    )
    command.__signature__ = signature  # type: ignore[attr-defined]  # Typer reads options from a function's signature
    command.__annotations__ = {name: parameter.annotation for name, parameter in every.items()}
    command.__doc__ = about
    app.command(name, rich_help_panel=panel)(command)


def officer_command(app: typer.Typer, name: str, *, panel: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function whose first parameter is the session a command with the options every officer's command has."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        _, *own = parameters_of(function).items()
        add_command(app, name, function, dict(own), about=inspect.cleandoc(function.__doc__ or ""), panel=panel)
        return function

    return register
