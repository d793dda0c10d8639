"""The message catalogue: one JSON file a language, ICU texts by name."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

_FALLBACK = "en"
_PLURAL = re.compile(r"\{(\w+), plural, ((?:=?\w+ \{[^{}]*(?:\{\w+\}[^{}]*)*\}\s*)+)\}")
_BRANCH = re.compile(r"(=?\w+) \{([^{}]*(?:\{\w+\}[^{}]*)*)\}")
_NAME = re.compile(r"\{(\w+)\}")
_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9-_]{1,32})?")


def render(text: str, params: Mapping[str, str | int]) -> str:
    """An ICU text of the catalogue's subset (names and plurals) with its values.

    Raises KeyError for a value that is missing.
    """

    def plural(match: re.Match[str]) -> str:
        number = params[match[1]]
        branches = dict(_BRANCH.findall(match[2]))
        chosen = branches.get(f"={number}") or branches["one" if number == 1 else "other"]
        return chosen.replace("#", str(number))

    return _NAME.sub(lambda match: str(params[match[1]]), _PLURAL.sub(plural, text))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every language that ships. Texts fall back to English, never to a raw key."""

    texts: Mapping[str, Mapping[str, str]]
    default: str

    @classmethod
    def load(cls, *, default: str = _FALLBACK) -> "Catalogue":
        """Read the packaged languages; raises ValueError for a default that is not one."""
        found: dict[str, Mapping[str, str]] = {}
        for entry in files("authsvc.platform.i18n").iterdir():
            name, _, suffix = entry.name.partition(".")
            if suffix == "json":
                found[name] = json.loads(entry.read_text(encoding="utf-8"))
        if default not in found:
            raise ValueError(f"locales.default: {default} is none of {', '.join(sorted(found))}")
        return cls({name: found[name] for name in sorted(found)}, default)

    @property
    def locales(self) -> tuple[str, ...]:
        """The languages, the default one first."""
        return (self.default, *(name for name in self.texts if name != self.default))

    def messages(self, locale: str) -> Mapping[str, str]:
        """All raw texts of one language."""
        return self.texts[locale]

    def text(self, key: str, locale: str, /, **params: str | int) -> str:
        """One text with its values; raises KeyError for a name no language has."""
        texts = self.texts.get(locale) or self.texts[self.default]
        return render(texts.get(key) or self.texts[_FALLBACK][key], params)

    def negotiate(
        self,
        *,
        ui_locales: str | None = None,
        saved: str | None = None,
        accept_language: str | None = None,
        default: str | None = None,
    ) -> str:
        """The language to speak: asked for, saved, the browser's, or the default.

        Spec: RFC 9110 §12.5.4 (lookup of the primary subtag).
        """
        asked = (
            *(ui_locales or "")[:256].split(),
            saved or "",
            *_ranked((accept_language or "")[:256]),
        )
        for tag in asked:
            match = _TAG.fullmatch(tag)
            if match and match[1].lower() in self.texts:
                return match[1].lower()
        return default or self.default


def _ranked(header: str) -> tuple[str, ...]:
    weighted: list[tuple[float, str]] = []
    for part in header.split(",")[:16]:
        tag, _, parameter = part.strip().partition(";")
        quality = parameter.strip().removeprefix("q=")
        try:
            weight = float(quality) if parameter else 1.0
        except ValueError:
            weight = 0.0
        if weight > 0:
            weighted.append((weight, tag.strip()))
    return tuple(tag for _, tag in sorted(weighted, key=lambda pair: -pair[0]))
