"""The rule for migrations: expand, then contract. Spec: security.md C62, docs/adr/0006."""

import io
import re
from collections.abc import Iterator, Sequence

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

# What is written is judged, not what was called: op.execute and both ways of op count alike.
_TYPE = r"[A-Z]+(?: PRECISION| VARYING| WITH(?:OUT)? TIME ZONE)?(?:\([\d, ]+\))?"
_CONSTANT = r"'(?:[^']|'')*'(?:::\w+)?|-?\d+(?:\.\d+)?|true|false|NULL"
_NEW_COLUMN = re.compile(
    rf'ALTER TABLE "?(?P<table>\w+)"? ADD COLUMN "?\w+"? {_TYPE}(?: COLLATE "\w+")?'
    rf"(?:(?P<default> DEFAULT (?:{_CONSTANT}|\((?:{_CONSTANT})\)))?(?P<required> NOT NULL)?)",
    re.IGNORECASE,
)
_NEW_INDEX = re.compile(
    r'CREATE (?P<unique>UNIQUE )?INDEX (?P<beside>CONCURRENTLY )?(?:IF NOT EXISTS )?"?\w+"?'
    r' ON "?(?P<table>\w+)"? .*',
    re.IGNORECASE | re.DOTALL,
)
_NEW_TABLE = re.compile(r'CREATE TABLE "?(\w+)"? \(.*', re.IGNORECASE | re.DOTALL)
_CHANGED = re.compile(
    r'(?:ALTER|DROP) TABLE (?:IF EXISTS )?"?(\w+)"?|(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)"?',
    re.IGNORECASE,
)
_FRAME = re.compile(r"BEGIN|COMMIT|SET lock_timeout = '\d+ms'", re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^']|'')*'")


class _Statements(io.StringIO):
    """Keeps each statement that Alembic writes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def write(self, written: str) -> int:
        statement = " ".join(written.split()).removesuffix(";").strip()
        if statement:
            self.found.append(statement)
        return len(written)


def statements(step: Script, dialect: str) -> list[str]:
    """What a step runs on one database; raises CommandError when it must look at tables first."""
    written = _Statements()
    options = {"as_sql": True, "output_buffer": written, "literal_binds": True}
    context = MigrationContext.configure(dialect_name=dialect, opts=options)
    context.impl.transactional_ddl = True
    with Operations.context(context):
        step.module.upgrade()
    return [found for found in written.found if not _FRAME.fullmatch(found)]


def faults(scripts: ScriptDirectory) -> list[str]:
    """What is wrong with the steps after the first, in order, one sentence each."""
    first, *line = reversed(list(scripts.walk_revisions()))
    found = list[str]()
    before = [first]
    for step in line:
        found += [f"{step.revision}: {fault}" for fault in dict.fromkeys(_faults(step, before))]
        before.append(step)
    return found


def _faults(step: Script, before: Sequence[Script]) -> Iterator[str]:
    release = _release(step)
    if release is None:
        yield "says in which version it ships: release = ..."
        return
    if release < max(_release(other) or () for other in before):
        yield "ships in an earlier version than the step before"
    follows = getattr(step.module, "contract", None)
    if follows is None:
        yield from _expansion_faults(step)
    else:
        yield from _contract_faults(release, follows, before)
        yield from _table_faults(statements(step, "postgresql"))


def _release(step: Script) -> tuple[int, ...] | None:
    named = str(getattr(step.module, "release", ""))
    if not re.fullmatch(r"\d+\.\d+\.\d+", named):
        return None
    return tuple(int(part) for part in named.split("."))


def _contract_faults(
    release: tuple[int, ...], follows: str, before: Sequence[Script]
) -> Iterator[str]:
    named = next((step for step in before[1:] if step.revision == follows), None)
    if named is None:
        yield f"contract: {follows} is no step after the first and before this one"
    elif getattr(named.module, "contract", None) is not None:
        yield f"contract: {follows} takes away itself"
    elif (_release(named) or release) >= release:
        yield f"contract: {follows} ships in no earlier version"


def _expansion_faults(step: Script) -> Iterator[str]:
    for dialect in ("sqlite", "postgresql"):
        try:
            written = statements(step, dialect)
        except (CommandError, NotImplementedError):
            yield f"copies a table on {dialect}"
        else:
            yield from _new_only(written, is_live=dialect == "postgresql")
            yield from _table_faults(written)
            beside = ["CONCURRENTLY" in statement for statement in written]
            if any(beside) and not all(beside):
                yield "does more than building an index, and cannot be repeated after half of it"


def _table_faults(written: Sequence[str]) -> Iterator[str]:
    made = {found[1] for found in map(_NEW_TABLE.fullmatch, written) if found}
    changed = {found[1] or found[2] for found in map(_CHANGED.match, written) if found}
    in_use = sorted(changed - made)
    if len(in_use) > 1:
        yield f"holds one table while it waits for another: {', '.join(in_use)}"


def _new_only(written: Sequence[str], *, is_live: bool) -> Iterator[str]:
    made = set[str]()
    for statement in written:
        if ";" in _QUOTED.sub("", statement):
            yield f"several statements in one: {statement}"
        elif table := _NEW_TABLE.fullmatch(statement):
            made.add(table[1])
        elif index := _NEW_INDEX.fullmatch(statement):
            if index["table"] not in made:
                yield from _index_faults(index, is_live=is_live)
        elif column := _NEW_COLUMN.fullmatch(statement):
            if column["required"] and not column["default"]:
                yield f"a new column that the version before cannot fill: {statement}"
        else:
            changed = _CHANGED.match(statement)
            if changed is None or (changed[1] or changed[2]) not in made:
                yield f"no expansion: {statement}"


def _index_faults(index: re.Match[str], *, is_live: bool) -> Iterator[str]:
    if index["unique"]:
        yield f"forbids what the version before may write: {index[0]}"
    if is_live and not index["beside"]:
        yield f"stops writers, use authsvc.platform.db.online.create_index: {index[0]}"
