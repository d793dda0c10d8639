"""The first tables, and events that nobody can change."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from authsvc.platform.db.types import Instant, PublicId, Words

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


_APPEND_ONLY: dict[str, tuple[str, ...]] = {
    "sqlite": (
        (
            "CREATE TRIGGER events_no_replace BEFORE INSERT ON events"
            " WHEN EXISTS (SELECT 1 FROM events WHERE id = NEW.id)"
            " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        ),
        (
            "CREATE TRIGGER events_no_update BEFORE UPDATE ON events"
            " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        ),
        (
            "CREATE TRIGGER events_no_delete BEFORE DELETE ON events"
            " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        ),
    ),
    "postgresql": (
        (
            "CREATE FUNCTION authsvc_append_only() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'events are append-only'; END $$"
        ),
        (
            "CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events"
            " FOR EACH STATEMENT EXECUTE FUNCTION authsvc_append_only()"
        ),
        (
            "CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events"
            " FOR EACH ROW EXECUTE FUNCTION authsvc_append_only()"
        ),
    ),
}


def upgrade() -> None:
    """Expand: what the release before does not know must not disturb it."""
    op.create_table(
        "events",
        sa.Column("id", PublicId("evt"), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("user_id", PublicId("usr"), nullable=True),
        sa.Column("session_id", PublicId("ses"), nullable=True),
        sa.Column("request_id", sa.String(length=30), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_events_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_events_user_id"), ["user_id"], unique=False)

    op.create_table(
        "guesses",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("window_start", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key"),
    )
    with op.batch_alter_table("guesses", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_guesses_window_start"), ["window_start"], unique=False)

    op.create_table(
        "onetime",
        sa.Column("id", PublicId("otl"), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("code_hmac", sa.LargeBinary(length=32), nullable=True),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("user_id", PublicId("usr"), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("flow_id", PublicId("flw"), nullable=True),
        sa.Column("address_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("address_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.Column("void_reason", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    with op.batch_alter_table("onetime", schema=None) as batch_op:
        batch_op.create_index("ix_onetime_address", ["address_key", "purpose"], unique=False)
        batch_op.create_index(batch_op.f("ix_onetime_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_onetime_flow_id"), ["flow_id"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", PublicId("msg"), nullable=False),
        sa.Column("template", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("next_attempt_at", Instant(), nullable=True),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("failed_at", Instant(), nullable=True),
        sa.Column("last_error", sa.String(length=64), nullable=True),
        sa.Column("idempotency_key", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("idempotency_key"),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_outbox_next_attempt_at"), ["next_attempt_at"], unique=False
        )

    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("alg", sa.String(length=8), nullable=False),
        sa.Column("public_jwk", sa.Text(), nullable=False),
        sa.Column("private_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("published_at", Instant(), nullable=False),
        sa.Column("activate_at", Instant(), nullable=True),
        sa.Column("activated_at", Instant(), nullable=True),
        sa.Column("retired_at", Instant(), nullable=True),
        sa.Column("remove_at", Instant(), nullable=True),
        sa.Column("retained", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("kid"),
    )
    with op.batch_alter_table("signing_keys", schema=None) as batch_op:
        batch_op.create_index(
            "uq_signing_keys_active",
            ["state"],
            unique=True,
            postgresql_where=sa.text("state = 'active'"),
            sqlite_where=sa.text("state = 'active'"),
        )
        batch_op.create_index(
            "uq_signing_keys_next",
            ["state"],
            unique=True,
            postgresql_where=sa.text("state = 'next'"),
            sqlite_where=sa.text("state = 'next'"),
        )

    op.create_table(
        "users",
        sa.Column("id", PublicId("usr"), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("auth_epoch", sa.Integer(), nullable=False),
        sa.Column("roles", Words(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=True),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "event_origins",
        sa.Column("event_id", PublicId("evt"), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("browser", sa.String(length=32), nullable=False),
        sa.Column("os", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
        ),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_table(
        "event_pending",
        sa.Column("event_id", PublicId("evt"), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
        ),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", PublicId("ses"), nullable=False),
        sa.Column("user_id", PublicId("usr"), nullable=False),
        sa.Column("flow_id", PublicId("flw"), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("grace_counter", sa.BigInteger(), nullable=False),
        sa.Column("rotated_at", Instant(), nullable=False),
        sa.Column("mac_key_id", sa.String(length=8), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("late_retries", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("idle_expires_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.Column("revoked_reason", sa.String(length=32), nullable=True),
        sa.Column("profile", sa.String(length=8), nullable=False),
        sa.Column("stay", sa.Boolean(), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("acr", sa.String(length=8), nullable=False),
        sa.Column("amr", Words(), nullable=False),
        sa.Column("auth_time", Instant(), nullable=False),
        sa.Column("mfa_time", Instant(), nullable=True),
        sa.Column("browser", sa.String(length=32), nullable=False),
        sa.Column("os", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("network", sa.String(length=43), nullable=False),
        sa.Column("masked_address", sa.String(length=43), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("flow_id"),
        postgresql_with={"fillfactor": 80},
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_user_id"), ["user_id"], unique=False)

    op.create_table(
        "user_emails",
        sa.Column(
            "address",
            sa.String(length=254).with_variant(sa.String(length=254, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("user_id", PublicId("usr"), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("verified_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("address"),
    )
    with op.batch_alter_table("user_emails", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_emails_user_id"), ["user_id"], unique=False)
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    """There is nothing before the first tables."""
    raise NotImplementedError("restore a backup instead")
