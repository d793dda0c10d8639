"""The house rules that a machine can watch. Each has good and bad lines in its tests."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

from tools.lint.rule import Module, Node, Rule

CLIENTS = frozenset(
    {"aiohttp", "http.client", "httpx", "httpx2", "requests", "urllib.request", "urllib3"}
)
NAMELESS = frozenset({"base", "common", "helper", "helpers", "misc", "util", "utils"})
CLOCKS = frozenset(
    {"datetime.now", "datetime.today", "datetime.utcnow", "date.today", "time.time", "time.time_ns"}
)
SECRET = re.compile(r"(_hash|_h?mac|token)$")
SQL = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|MERGE INTO) ")


def _calls(module: Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))


def _dotted(node: ast.expr) -> str:
    """``datetime.now`` for both ``datetime.now`` and ``datetime.datetime.now``; "" for others."""
    if isinstance(node, ast.Attribute):
        owner = node.value
        name = owner.attr if isinstance(owner, ast.Attribute) else ""
        name = owner.id if isinstance(owner, ast.Name) else name
        return f"{name}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _imports(module: Module) -> Iterator[tuple[ast.stmt, set[str]]]:
    """Each import statement, with every module or name it brings in, in full."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield node, {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node, {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}


def http_client(module: Module) -> Iterator[Node]:
    """Imports of an HTTP client."""
    for statement, names in _imports(module):
        owners = names | {name.rpartition(".")[0] for name in names}
        if owners & CLIENTS:
            yield statement


def set_cookie(module: Module) -> Iterator[Node]:
    """Cookies set on a response, by method or by header."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="set_cookie" | "delete_cookie")):
                yield node
            case ast.Constant(value=str() | bytes() as value):
                word = value if isinstance(value, str) else value.decode("latin-1")
                if word.lower() == "set-cookie":
                    yield node
            case _:
                pass


def commit(module: Module) -> Iterator[Node]:
    """Transactions that somebody else ends."""
    return (
        call
        for call in _calls(module)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "commit"
    )


def secret_compared(module: Module) -> Iterator[Node]:
    """Secrets compared by ``==`` or ``!=``."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        for operator, pair in zip(node.ops, pairwise(sides), strict=True):
            if isinstance(operator, ast.Eq | ast.NotEq) and any(map(_is_secret, pair)):
                yield node
                break


def _is_secret(node: ast.expr) -> bool:
    return bool(SECRET.search(_dotted(node)))


def request_url(module: Module) -> Iterator[Node]:
    """Addresses taken from the request."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            of_request = _dotted(node).rpartition(".")[0].endswith("request")
            if node.attr == "url_for" or (node.attr == "base_url" and of_request):
                yield node
        elif isinstance(node, ast.Name) and node.id == "url_for":
            yield node


def formatted_sql(module: Module) -> Iterator[Node]:
    """SQL put together from strings."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            name = _dotted(node.func)
            is_sql = name in ("text", "sa.text", "sqlalchemy.text")
            if (is_sql or name.endswith(".exec_driver_sql")) and node.args:
                if _start_of_formatted(node.args[0]) is not None:
                    yield node
                continue
        if isinstance(node, ast.expr) and SQL.match(_start_of_formatted(node) or ""):
            yield node


def _start_of_formatted(node: ast.expr) -> str | None:
    """The first literal words of a string with values put in; None for any other expression."""
    match node:
        case ast.JoinedStr(values=parts) if any(not isinstance(p, ast.Constant) for p in parts):
            return _words(parts[0])
        case ast.BinOp(left=ast.Constant(value=str()) as start, op=ast.Mod() | ast.Add()):
            return _words(start)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            either = (_start_of_formatted(left), _start_of_formatted(right))
            return next((start for start in either if start is not None), None)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()) as start, attr="format")):
            return _words(start)
        case _:
            return None


def _words(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def machine_clock(module: Module) -> Iterator[Node]:
    """The machine asked for the time."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and _dotted(node) in CLOCKS:
            yield node
    for statement, names in _imports(module):
        if names & {"time.time", "time.time_ns"}:
            yield statement


def local_import(module: Module) -> Iterator[Node]:
    """Imports inside a function."""
    for function in ast.walk(module.tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in _own_lines(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield node


def _own_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """What stands in the function, without functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting.extend(ast.iter_child_nodes(node))


def type_checking(module: Module) -> Iterator[Node]:
    """Imports hidden from the running program."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name | ast.Attribute) and _dotted(node).endswith("TYPE_CHECKING"):
            yield node


def printing(module: Module) -> Iterator[Node]:
    """Words that go to standard output."""
    return (call for call in _calls(module) if _dotted(call.func) == "print")


def nameless(module: Module) -> Iterator[Node]:
    """A file or package whose name says nothing."""
    if NAMELESS & {module.path.stem, *module.path.parent.parts}:
        yield module.tree.body[0] if module.tree.body else ast.Pass(lineno=1, col_offset=0)


RULES = (
    Rule(
        "http-client",
        "go out through platform/outbound.py, which limits time, size and addresses",
        http_client,
        homes=("platform/outbound.py", "verify"),
    ),
    Rule(
        "set-cookie",
        "set cookies through platform/http/cookies.py, which knows names and flags",
        set_cookie,
        homes=("platform/http/cookies.py",),
    ),
    Rule(
        "commit",
        "take `tx` and let the journey's `async with uow()` commit",
        commit,
        # A migration has no journey: Alembic's connection is its own unit.
        homes=("platform/db/uow.py", "platform/db/migrate.py"),
    ),
    Rule(
        "secret-compared",
        "compare secrets with hmac.compare_digest, or look them up by hash in a repo",
        secret_compared,
        homes=("repo.py",),
    ),
    Rule(
        "request-url",
        "build addresses from settings.public_url: the Host header is the caller's",
        request_url,
    ),
    Rule(
        "formatted-sql",
        "write the statement out and bind its values as parameters",
        formatted_sql,
    ),
    Rule(
        "machine-clock",
        "use tx.now, or take a kernel.clock.Clock",
        machine_clock,
        homes=("kernel/clock.py", "verify"),
    ),
    Rule(
        "local-import",
        "import at the top; if that makes a circle, push the shared thing down a floor",
        local_import,
    ),
    Rule(
        "type-checking",
        "import it for real, or push it down a floor until that is possible",
        type_checking,
    ),
    Rule(
        "print",
        "log through structlog; only commands print",
        printing,
        homes=("cli", "dev", "verify/check.py", "verify/check"),
    ),
    Rule(
        "nameless",
        "name the file by what it holds, or put it into the room it serves",
        nameless,
    ),
)
