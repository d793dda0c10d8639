"""The bare clause of the users table that any repo may read in a scalar sub-select.

Only ``accounts.repo`` writes it.
"""

from sqlalchemy import Integer, String, column, table

from authsvc.platform.db.types import PublicId, Words

ACTIVE = "active"
ADMIN = "admin"  # the built-in role

subject = table(
    "users",
    column("id", PublicId("usr")),
    column("status", String),
    column("auth_epoch", Integer),
    column("roles", Words),
)
