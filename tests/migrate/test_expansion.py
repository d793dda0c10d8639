"""Expand, then contract, is kept by every migration, and each breach of it is seen."""

from pathlib import Path

import pytest

from tests.migrate.chains import Chain
from tests.migrate.expansion import faults, statements

COLUMN = 'op.add_column("users", sa.Column("nickname", sa.String(64), nullable=True))'


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    """The migrations that there are, to write more behind them."""
    return Chain(tmp_path / "migrations")


def test_our_migrations_keep_the_rule(chain: Chain) -> None:
    assert faults(chain.scripts) == []


@pytest.mark.parametrize(
    "calls",
    [
        (),
        (COLUMN,),
        ('op.add_column("users", sa.Column("n", sa.Integer(), server_default="0"))',),
        (
            'text = {"server_default": "it\'s;", "nullable": False}',
            'op.add_column("users", sa.Column("m", sa.String(8), **text))',
        ),
        (
            'number = {"server_default": sa.text("1.5"), "nullable": False}',
            'op.add_column("users", sa.Column("p", sa.Numeric(9, 2), **number))',
        ),
        (
            'with op.batch_alter_table("users") as users:',
            '    users.add_column(sa.Column("nickname", sa.Text(), nullable=True))',
        ),
        ('create_index("ix_users_created_at", "users", ["created_at"])',),
        (
            'create_index("ix_users_created_at", "users", ["created_at"])',
            'create_index("ix_users_locale", "users", ["locale"])',
        ),
        (
            'owner = sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id"), nullable=False)',
            'op.create_table("devices", sa.Column("id", sa.Integer(), primary_key=True), owner)',
            'op.create_index("uq_devices_user_id", "devices", ["user_id"], unique=True)',
            'op.execute("INSERT INTO devices (id) VALUES (1)")',
            'op.drop_column("devices", "user_id")',
            COLUMN,
        ),
    ],
)
def test_what_the_version_before_does_not_notice(chain: Chain, calls: tuple[str, ...]) -> None:
    chain.add(*calls)
    assert faults(chain.scripts) == []


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ('op.drop_table("guesses")', "no expansion: DROP TABLE guesses"),
        ('op.drop_column("users", "name")', "no expansion: ALTER TABLE users DROP COLUMN name"),
        ('op.drop_index("ix_sessions_user_id")', "no expansion: DROP INDEX"),
        ('op.rename_table("users", "people")', "no expansion: ALTER TABLE users RENAME"),
        ('op.alter_column("users", "name", new_column_name="n")', "no expansion: ALTER TABLE"),
        ('op.alter_column("users", "name", nullable=False)', "no expansion: ALTER TABLE users"),
        ('op.alter_column("users", "name", type_=sa.String(8))', "no expansion: ALTER TABLE"),
        ('op.create_unique_constraint("uq", "users", ["name"])', "no expansion: ALTER TABLE"),
        ('op.create_check_constraint("ck", "users", "name > 1")', "no expansion: ALTER TABLE"),
        (
            'op.create_foreign_key("fk", "events", "users", ["user_id"], ["id"])',
            "no expansion: ALTER TABLE",
        ),
        ('op.execute("UPDATE users SET name = NULL")', "no expansion: UPDATE users"),
        ('op.execute("TRUNCATE guesses")', "no expansion: TRUNCATE"),
        (
            'op.execute("ALTER TABLE users ADD COLUMN a INTEGER, DROP COLUMN name")',
            "no expansion: ALTER TABLE users ADD COLUMN a",
        ),
        (
            'op.execute("ALTER TABLE users ADD COLUMN a INTEGER; DROP TABLE guesses")',
            "several statements in one",
        ),
        (
            'op.add_column("users", sa.Column("n", sa.Integer(), nullable=False))',
            "a new column that the version before cannot fill",
        ),
        (
            'op.execute("ALTER TABLE users ADD COLUMN n UUID DEFAULT gen_random_uuid()")',
            "no expansion: ALTER TABLE users ADD COLUMN n",
        ),
        (
            'op.add_column("users", sa.Column("n", sa.Integer(), sa.ForeignKey("users.id")))',
            "no expansion: ALTER TABLE users ADD",
        ),
        ('op.create_index("ix", "users", ["name"])', "stops writers"),
        (
            'op.create_index("ix", "users", ["name"], unique=True, postgresql_concurrently=True)',
            "forbids what the version before may write",
        ),
        (
            f'create_index("ix", "users", ["name"])\n{COLUMN}',
            "does more than building an index",
        ),
        (
            f'{COLUMN}\nop.add_column("sessions", sa.Column("n", sa.Integer()))',
            "holds one table while it waits for another: sessions, users",
        ),
        (
            'with op.batch_alter_table("users", recreate="always") as it: it.drop_column("n")',
            "copies a table on sqlite",
        ),
        (
            'if op.get_context().dialect.name == "sqlite":\n    op.drop_table("guesses")',
            "no expansion: DROP TABLE guesses",
        ),
    ],
)
def test_what_the_version_before_would_notice(chain: Chain, call: str, fault: str) -> None:
    name = chain.add(call)
    found = faults(chain.scripts)
    assert any(said.startswith(f"{name}: {fault}") for said in found), found


def test_what_is_taken_away_names_the_step_since_which_nothing_needs_it(chain: Chain) -> None:
    unused = chain.add(release="100.0.0")
    chain.add('op.drop_column("users", "name")', release="100.1.0", contract=unused)
    assert faults(chain.scripts) == []


def test_a_contract_follows_an_expansion_of_an_earlier_version(chain: Chain) -> None:
    one = chain.add(release="100.0.0")
    same = chain.add('op.drop_column("users", "name")', release="100.0.0", contract=one)
    itself = chain.add('op.drop_column("users", "locale")', release="100.1.0", contract=same)
    base = chain.add('op.drop_table("guesses")', release="100.1.0", contract="0001")
    nothing = chain.add('op.drop_table("guesses")', release="100.1.0", contract="9999")
    assert faults(chain.scripts) == [
        f"{same}: contract: {one} ships in no earlier version",
        f"{itself}: contract: {same} takes away itself",
        f"{base}: contract: 0001 is no step after the first and before this one",
        f"{nothing}: contract: 9999 is no step after the first and before this one",
    ]


def test_a_contract_too_takes_one_table_at_a_time(chain: Chain) -> None:
    one = chain.add(release="100.0.0")
    drops = ['op.drop_column("users", "name")', 'op.drop_table("guesses")']
    both = chain.add(*drops, release="100.1.0", contract=one)
    assert faults(chain.scripts) == [
        f"{both}: holds one table while it waits for another: guesses, users"
    ]


@pytest.mark.parametrize("release", [None, "soon"])
def test_a_step_says_in_which_version_it_ships(chain: Chain, release: str | None) -> None:
    name = chain.add(release=release)
    assert faults(chain.scripts) == [f"{name}: says in which version it ships: release = ..."]


def test_versions_do_not_run_backwards(chain: Chain) -> None:
    chain.add(release="100.10.0")
    name = chain.add(release="100.9.0")
    assert faults(chain.scripts) == [f"{name}: ships in an earlier version than the step before"]


def test_the_first_tables_are_read_too(chain: Chain) -> None:
    step = chain.scripts.get_revision("0001")
    assert step is not None
    assert "CREATE TABLE users" in " ".join(statements(step, "postgresql"))
