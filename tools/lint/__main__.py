"""``python -m tools.lint src``: the house rules, over a source tree."""

import sys
from pathlib import Path

from tools.lint.check import PACKAGE, check_tree


def main(arguments: list[str]) -> int:
    """Print what breaks a rule; the exit code."""
    directory = Path(arguments[0] if arguments else "src")
    if not (directory / PACKAGE).is_dir():
        print(f"{directory} holds no package {PACKAGE}")
        return 2
    findings = list(check_tree(directory))
    for finding in findings:
        print(f"{directory / PACKAGE}/{finding}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
