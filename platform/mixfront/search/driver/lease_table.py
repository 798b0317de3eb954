"""The table of driver leases, in the study's database next to Optuna's tables.

Optuna's user attributes are read and then written, so they cannot be a lock.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool

CONNECT_S = 5  # limit for a connection, and for another writer's lock on a SQLite file
RELEASED = ""  # owner of a lease that its driver gave back

LEASES = sa.Table(
    "mixfront_driver_leases",
    sa.MetaData(),
    sa.Column("search_id", sa.String(100), primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),  # increases by one with every new driver
    sa.Column("owner", sa.String(160), nullable=False),  # see `DriverProcess.owner`
    sa.Column("holder", sa.String(300), nullable=False),  # for people
    sa.Column("since", sa.Float(53), nullable=False),  # unix seconds, by the database's clock
    sa.Column("heartbeat", sa.Float(53), nullable=False),
)
# A SQLite file is on one machine, so all its drivers have the same clock without this.
_DATABASE_CLOCKS = {
    "postgresql": "EXTRACT(EPOCH FROM clock_timestamp())",
    "mysql": "UNIX_TIMESTAMP(SYSDATE(6))",
}


@dataclass(frozen=True, kw_only=True)
class LeaseRow:
    """The lease of one search, as stored."""

    epoch: int
    owner: str
    holder: str  # "ann@gpu-3 pid 4711"
    since: float  # unix seconds
    heartbeat: float  # unix seconds
    age: float  # seconds since the last heartbeat; wrong if the clock was set in between

    @property
    def is_released(self) -> bool:
        """Whether the last driver gave the lease back."""
        return self.owner == RELEASED


class LeaseTable:
    """Leases by search id. Every change is one statement, so that of several drivers one succeeds.

    Args:
        url: The study's database, as an SQLAlchemy URL.
        clock: Unix seconds; only used where the database is a file.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        backend = sa.make_url(url).get_backend_name()
        self._is_sqlite = backend == "sqlite"
        # A new connection each time: a server may restart during a search.
        self._engine = sa.create_engine(url, poolclass=NullPool, connect_args=_arguments(backend))
        self._clock = clock
        self._database_clock = _DATABASE_CLOCKS.get(backend)

    def create(self) -> None:
        """Create the table, unless it exists."""
        if self._exists():
            return
        try:
            with self._transaction() as connection:
                connection.execute(sa.schema.CreateTable(LEASES, if_not_exists=True))
        except DBAPIError:  # PostgreSQL: another driver creates it at the same time
            if not self._exists():
                raise

    def read(self, search_id: str) -> LeaseRow | None:
        """The lease of a search; None if no driver has ever run it."""
        columns = [column for column in LEASES.c if column is not LEASES.c.search_id]
        age = (self._now() - LEASES.c.heartbeat).label("age")
        with self._engine.connect() as connection:
            if not sa.inspect(connection).has_table(LEASES.name):
                return None
            query = sa.select(*columns, age).where(LEASES.c.search_id == search_id)
            row = connection.execute(query).one_or_none()
        return None if row is None else LeaseRow(**{**row._mapping, "age": float(row.age)})

    def insert(self, search_id: str, owner: str, holder: str) -> int | None:
        """Take the lease of a new search; returns its epoch, or None if another driver has it."""
        row = {"search_id": search_id, "epoch": 1, "owner": owner, "holder": holder}
        now = self._now()
        try:
            with self._transaction() as connection:
                connection.execute(sa.insert(LEASES).values(**row, since=now, heartbeat=now))
        except IntegrityError:
            return None
        return 1

    def take_over(self, search_id: str, row: LeaseRow, owner: str, holder: str) -> int | None:
        """Take a lease that was released, or whose driver is gone.

        Args:
            search_id: The search.
            row: The lease as read.
            owner: The new owner.
            holder: The new holder.

        Returns:
            The new epoch, or None if the lease has changed since it was read.
        """
        now, epoch = self._now(), row.epoch + 1
        values = {"epoch": epoch, "owner": owner, "holder": holder, "since": now}
        condition = LEASES.c.heartbeat == row.heartbeat
        return epoch if self._update(search_id, row.epoch, condition, values) else None

    def renew(self, search_id: str, epoch: int, owner: str) -> bool:
        """Set the heartbeat; False if the lease has another owner or epoch."""
        return self._update(search_id, epoch, LEASES.c.owner == owner, {})

    def release(self, search_id: str, epoch: int, owner: str) -> bool:
        """Give the lease back, so that the next driver does not wait."""
        return self._update(search_id, epoch, LEASES.c.owner == owner, {"owner": RELEASED})

    def _update(
        self, search_id: str, epoch: int, condition: sa.ColumnElement[bool], values: dict[str, Any]
    ) -> bool:
        is_same = (LEASES.c.search_id == search_id) & (LEASES.c.epoch == epoch)
        statement = sa.update(LEASES).where(is_same, condition)
        with self._transaction() as connection:
            result = connection.execute(statement.values(heartbeat=self._now(), **values))
            return result.rowcount == 1

    def _now(self) -> Any:
        """Unix seconds in a statement."""
        if self._database_clock is not None:
            return sa.literal_column(self._database_clock, sa.Float(53))
        return sa.literal(self._clock(), sa.Float(53))

    def _exists(self) -> bool:
        return bool(sa.inspect(self._engine).has_table(LEASES.name))

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with self._engine.connect() as connection:
            if self._is_sqlite:  # else SQLite locks at the first write, and may then refuse to
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()


def _arguments(backend: str) -> dict[str, Any]:
    if backend == "sqlite":
        return {"timeout": CONNECT_S, "isolation_level": None}  # None: we begin transactions
    return {"connect_timeout": CONNECT_S} if backend in _DATABASE_CLOCKS else {}
