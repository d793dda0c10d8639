"""The people that dev mode starts with. Everybody here is made up. Pure."""

from dataclasses import dataclass

from authsvc.platform.db.subject import ADMIN

DOMAIN = "example.test"
FIXED_CODE = "000000"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to sign in as."""

    local: str
    name: str
    note: str
    roles: tuple[str, ...] = ()
    locale: str | None = None

    @property
    def email(self) -> str:
        return f"{self.local}@{DOMAIN}"


PEOPLE = (
    Person("ann", "Ann Moreau", "signs in every day"),
    Person("bob", "Bob Lindqvist", "works in support", roles=("support",)),
    Person("cy", "Cy Brandt", "reads German", locale="de"),
    Person("root", "Robin Root", "runs the place", roles=(ADMIN,)),
)


def fixed_code(address: str) -> str | None:
    """The code that an address always gets: ``000000`` under example.test, else none."""
    return FIXED_CODE if address.endswith(f"@{DOMAIN}") else None


def address_of(name: str) -> str:
    """The address that a local name such as ``ann`` stands for."""
    return f"{name}@{DOMAIN}"
