"""Every room's tables in one place, for migrations."""

from authsvc.accounts import tables as accounts
from authsvc.audit import tables as audit
from authsvc.guesses import tables as guesses
from authsvc.keys import tables as keys
from authsvc.notify import tables as notify
from authsvc.onetime import tables as onetime
from authsvc.platform.db.types import Base
from authsvc.sessions import tables as sessions

ROOMS = (accounts, audit, guesses, keys, notify, onetime, sessions)
metadata = Base.metadata
