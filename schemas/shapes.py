"""What a model is made of: of which type each field is once its wrappings are off, and which models stand inside it."""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

_UNIONS = (Union, types.UnionType)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a field holds: of which type, and whether several of it."""

    hint: Any
    """A named type (`PartialDate`) as it is named, so that it is told apart from the type it narrows."""
    many: bool

    @property
    def model(self) -> type[BaseModel] | None:
        """The model of what it holds, if it has one."""
        return self.hint if is_model(self.hint) else None


def is_model(kind: Any) -> TypeGuard[type[BaseModel]]:
    """Whether a type is a model."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def shape_of(hint: Any) -> Shape:
    """What a type hint means, whether optional, bounded or a list; of a choice of types, the first."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in _UNIONS:
        return shape_of(next(each for each in inner if each is not type(None)))
    if origin is tuple:
        return Shape(shape_of(inner[0]).hint, many=True)
    if origin is Annotated and get_origin(inner[0]) in (tuple, *_UNIONS):
        return shape_of(inner[0])
    return Shape(hint, many=False)


@cache
def shapes(model: type[BaseModel]) -> Mapping[str, Shape]:
    """The shape of each of a model's fields, in order."""
    hints = get_type_hints(model, include_extras=True)
    return {name: shape_of(hints[name]) for name in model.model_fields}


def parts_of(hint: Any) -> Iterator[Any]:
    """A type hint and all it is made of, the outermost first."""
    yield hint
    for part in get_args(hint):
        yield from parts_of(part)


def models_in(hint: Any) -> Iterator[type[BaseModel]]:
    """The models a field of this type may hold."""
    return (part for part in parts_of(hint) if is_model(part))


def every_model(model: type[BaseModel]) -> tuple[type[BaseModel], ...]:
    """A model and all that stand inside it, each once, as they are first met."""
    seen: dict[type[BaseModel], None] = {}

    def meet(kind: type[BaseModel]) -> None:
        seen.setdefault(kind)
        for field in kind.model_fields.values():
            for inner in models_in(field.annotation):
                if inner not in seen:
                    meet(inner)

    meet(model)
    return tuple(seen)
