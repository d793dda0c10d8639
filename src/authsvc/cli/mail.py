"""``authsvc mail``: does mail leave?"""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from authsvc.cli.running import Failure, run_app, settings, wait_for
from authsvc.kernel.clock import SystemClock
from authsvc.kernel.email import InvalidAddress, canon
from authsvc.kernel.ids import MESSAGE, new_id
from authsvc.notify.messages import probe
from authsvc.notify.render import Renderer
from authsvc.notify.smtp import Envelope, MailPermanent, MailTemporary, SmtpMailer
from authsvc.platform.i18n.catalogue import Catalogue

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Mail delivery.")


@app.callback()
def group() -> None:
    """Mail delivery."""


def run(arguments: Sequence[str]) -> int:
    """Run the group."""
    return run_app(app, arguments, name="mail")


@app.command("test")
def send_test(
    address: Annotated[str, typer.Argument(help="where to send it")],
    locale: Annotated[str, typer.Option(help="language of the message")] = "en",
) -> None:
    """Send a message right now and say what the mail server answered."""
    found = settings()
    if found.mail.smtp_url is None:
        raise Failure("mail.smtp_url is not set, so no mail can leave")
    try:
        to = canon(address)
    except InvalidAddress:
        raise Failure(f"{address!r} is no mail address that can be used") from None
    catalogue = Catalogue.load(default=found.locales.default)
    renderer = Renderer.of(catalogue, app_name=found.app_name)
    rendered = renderer.render(probe(to, locale=locale))
    mailer = SmtpMailer(found.mail.smtp_url.get_secret_value(), found.mail, SystemClock())
    started = time.perf_counter()
    try:
        wait_for(lambda: mailer.send(Envelope(new_id(MESSAGE), to, "test", rendered)))
    except MailPermanent as error:
        raise Failure(f"the server refuses the message ({error}); check mail.from") from error
    except MailTemporary as error:
        raise Failure(f"no delivery ({error}); check mail.smtp_url") from error
    typer.echo(f"The server took a message to {to} after {time.perf_counter() - started:.1f} s.")
