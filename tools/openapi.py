"""Write ``openapi/authsvc.json``, or with ``--check`` say whether it tells the truth."""

import difflib
import json
import sys
from pathlib import Path

from authsvc.app import openapi_app

FILE = Path(__file__).resolve().parents[1] / "openapi" / "authsvc.json"
SHOWN = 60  # lines of a difference


def current() -> str:
    """The document as the code has it now, in a stable order."""
    return json.dumps(openapi_app().openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def drift() -> list[str]:
    """The lines in which the file and the code differ; empty when they agree."""
    written = FILE.read_text() if FILE.exists() else ""
    if written == (now := current()):
        return []
    return list(
        difflib.unified_diff(
            written.splitlines(), now.splitlines(), "openapi/authsvc.json", "the code", lineterm=""
        )
    )


def main(arguments: list[str]) -> int:
    """Write or check; the exit code."""
    if "--check" not in arguments:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(current())
        return 0
    lines = drift()
    if not lines:
        return 0
    print("\n".join(lines[:SHOWN]))
    if len(lines) > SHOWN:
        print(f"… and {len(lines) - SHOWN} more lines")
    print("openapi/authsvc.json is behind the code: run `make openapi` and commit the file.")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
