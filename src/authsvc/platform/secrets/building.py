"""A frozen tree of settings from what was gathered, or sentences about what is wrong."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from authsvc.platform.secrets.sources import Gathered
from authsvc.platform.secrets.tree import Path, dotted, variable

Model = TypeVar("Model", bound=BaseModel)


class SettingsError(ValueError):
    """The settings cannot be used; ``problems`` are sentences that name them, without values."""

    def __init__(self, *problems: str) -> None:
        more = f" (and {len(problems) - 1} more: authsvc config check)" if problems[1:] else ""
        super().__init__(problems[0] + more)
        self.problems = problems


def build(model: type[Model], gathered: Gathered) -> Model:
    """The settings that were gathered; raises SettingsError with every problem."""
    problems = list(gathered.problems)
    try:
        settings = model.model_validate(gathered.nested())
    except ValidationError as error:
        for entry in error.errors(include_input=False, include_url=False):
            sentence = _sentence(entry["loc"], entry, gathered)
            if sentence not in problems:
                problems.append(sentence)
        raise SettingsError(*problems) from None
    if problems:
        raise SettingsError(*problems)
    return settings


def _sentence(loc: tuple[int | str, ...], entry: Any, gathered: Gathered) -> str:
    path: Path = tuple(str(part) for part in loc)
    message: str = entry["msg"].removeprefix("Value error, ")
    if not path:
        return message
    if entry["type"] == "missing":
        return f"{dotted(path)} is not set; put it into authsvc.toml or set {variable(path)}"
    full = dotted(path)
    while len(path) > 1 and path not in gathered.values:
        path = path[:-1]
    setting = gathered.values.get(path)
    name = full if setting is None else setting.source
    if setting is not None and not name.startswith("AUTHSVC_"):
        name = f"{dotted(path)} in {setting.source}"
    if entry["type"] in ("tuple_type", "list_type"):
        message = 'must be a list, in a variable written as JSON: ["…"]'
    return f"{name}: {message[:1].lower()}{message[1:]}"
