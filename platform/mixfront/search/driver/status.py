"""Whether the driver of a search still runs; for people who look at a search from outside."""

from dataclasses import dataclass
from datetime import UTC, datetime

from mixfront.records import RecordStore, SearchRecord
from mixfront.records.credentials import with_credentials
from mixfront.records.own_records import own_search


@dataclass(frozen=True, kw_only=True)
class DriverStatus:
    """The last driver of a search that is running according to its record."""

    is_alive: bool
    holder: str  # "ann@gpu-3 pid 4711"
    since: float  # unix seconds

    def describe(self, name: str) -> str:
        """The state of the search `name` in one sentence."""
        since = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d %H:%M UTC")
        who = f"{self.holder}, since {since}"
        if self.is_alive:
            return f"running ({who})"
        return f"its driver is gone ({who}); resume it with: mixfront search resume {name}"


def driver_of(store: RecordStore, search: SearchRecord) -> DriverStatus | None:
    """The driver of a search; None if it is not running, or if its driver cannot be looked up.

    The database may be out of reach of this machine, its driver may not be installed, its
    password may not be set, and a search of version 0.1 has no lease.
    """
    if search.state != "running":
        return None
    try:
        from mixfront.search.driver.lease import LeaseTimes
        from mixfront.search.driver.lease_table import LeaseTable
        from mixfront.search.driver.process import has_ended

        table = LeaseTable(own_search(store, with_credentials(search)).optuna_storage)
        row = table.read(search.search_id)
    except Exception:  # every database driver has its own
        return None
    if row is None:
        return None
    is_gone = row.is_released or row.age >= LeaseTimes().to_live or has_ended(row.owner)
    return DriverStatus(is_alive=not is_gone, holder=row.holder, since=row.since)
