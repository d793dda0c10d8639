"""Messages in words: subject, text and HTML from the catalogue, one layout for all."""

from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from authsvc.notify.messages import Message
from authsvc.platform.i18n.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as people read it."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders in the message's language, falling back to English."""

    catalogue: Catalogue
    app_name: str
    _templates: Environment

    @classmethod
    def of(cls, catalogue: Catalogue, *, app_name: str) -> "Renderer":
        """A renderer over the packaged layout; HTML is always escaped."""
        templates = Environment(
            loader=PackageLoader("authsvc.notify"),
            autoescape=select_autoescape(("html.j2",)),
            undefined=StrictUndefined,
        )
        return cls(catalogue, app_name, templates)

    def render(self, message: Message) -> Rendered:
        """Subject, text and HTML; raises KeyError for a text no language has."""
        words = self._words(message)
        return Rendered(
            subject=" ".join(words["subject"].split()),
            text=self._templates.get_template("message.txt.j2").render(words),
            html=self._templates.get_template("message.html.j2").render(words),
        )

    def _words(self, message: Message) -> dict[str, Any]:
        prefix, locale = f"mail.{message.template}", message.locale
        params = {"app": self.app_name, **message.params}

        def say(name: str) -> str:
            return self.catalogue.text(f"{prefix}.{name}", locale, **params)

        new_sign_in = message.template == "new_sign_in"
        body = "body_no_place" if new_sign_in else "body"
        button = "button_sessions" if new_sign_in else "button"
        code = message.code.reveal() if message.code else ""
        asked = message.template == "sign_in" and "time" in message.params
        return {
            "app": self.app_name,
            "locale": locale,
            "subject": say("subject"),
            "heading": say("heading"),
            "paragraphs": say(body).split("\n\n"),
            "link": message.link.reveal() if message.link else "",
            "button": say(button) if message.link else "",
            "code": f"{code[:3]} {code[3:]}" if code else "",
            "code_label": say("code_label") if code else "",
            "requested": say("requested") if asked else "",
            "note": say("note"),
            "footer": self.catalogue.text("mail.footer", locale),
        }
