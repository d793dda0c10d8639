"""The ``authsvc`` command: finds the module of a command and loads nothing else."""

import difflib
import importlib
import sys
from collections.abc import Mapping, Sequence

COMMANDS: Mapping[str, str] = {
    "dev": "start everything on this machine: SQLite, mailbox, demo people",
    "serve": "start the service for production",
    "worker": "send mail and sweep in a process of its own",
    "migrate": "show or bring up to date the database's tables",
    "config": "check, print and explain the settings",
    "keys": "list and rotate the signing keys",
    "secrets": "replace the secret key: what each is needed for, sealing anew",
    "users": "find, invite and support people",
    "mail": "send a test message",
    "version": "print the version",
}


def main() -> None:
    """The entry point of the installed command."""
    raise SystemExit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit status. 2 = wrong settings or arguments."""
    name, rest = (arguments[0], arguments[1:]) if arguments else ("--help", ())
    if name in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if name == "--version":
        name = "version"
    if name not in COMMANDS:
        similar = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {similar[0]}?" if similar else "authsvc --help lists the commands"
        print(f"authsvc: {name} is not a command; {hint}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"authsvc.cli.{name}")
    return module.run(rest)


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {what}" for name, what in COMMANDS.items()]
    return "\n".join(["Usage: authsvc COMMAND [--help]", "", "Commands:", *lines])


if __name__ == "__main__":
    main()
