"""The thread that delivers updates to MLflow."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from tenacity import RetryCallState, RetryError, Retrying, wait_exponential, wait_random
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set

from mixfront.records.fence import Fence
from mixfront.tracking.client import brief_requests, short_reason
from mixfront.tracking.history import changes_page
from mixfront.tracking.run_update import RunUpdate
from mixfront.tracking.sender import MlflowSender
from mixfront.tracking.spool import DeliveryMark, Spool

logger = logging.getLogger(__name__)

BATCH_SIZE = 1000  # maximum number of updates delivered and marked at once
LINGER_S = 0.3  # updates that arrive within this time are delivered together
FIRST_WAIT_S, MAX_WAIT_S = 0.5, 15.0  # backoff between attempts while the server is unreachable
PAGE_EVERY_S = 30.0  # minimum interval, as the interactive front takes megabytes
LAST_GRACE_S = 1.0  # for a request in flight when delivery is abandoned
_NO_FENCE = Fence()


class Delivery:
    """A queue of updates and the thread that delivers them to MLflow.

    Args:
        spool: Stores the updates and the delivery mark.
        sender: Sends updates to MLflow.
        pending: Undelivered updates of earlier drivers.
        pages: Renders the artifacts that are replaced as a whole: path -> content.
        page_seq: The last update of earlier drivers that changed a page; 0 = none.
        fence: Once it is closed, nothing more is delivered.
    """

    def __init__(
        self,
        spool: Spool,
        sender: MlflowSender,
        pending: Iterable[RunUpdate],
        pages: Callable[[], Mapping[str, str]] | None,
        page_seq: int = 0,
        fence: Fence = _NO_FENCE,
    ) -> None:
        self._spool = spool
        self._sender = sender
        self._pending = list(pending)
        self._pages = pages
        self._page_seq = page_seq
        self._fence = fence
        self._mark = spool.delivered()
        self._page_time = time.monotonic()
        self._is_unreachable = False
        self._changed = threading.Condition()
        self._skip_linger = threading.Event()
        self._closing = False
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mlflow-delivery", daemon=True)
        self._thread.start()

    def put(self, update: RunUpdate) -> None:
        """Queue an update; returns at once."""
        with self._changed:
            self._pending.append(update)
            if changes_page(update, has_front=self._page_seq > 0):
                self._page_seq = update.seq
            self._changed.notify_all()

    @property
    def backlog(self) -> int:
        """Number of updates that wait to be delivered."""
        return len(self._pending)

    def flush(self, timeout: float) -> bool:
        """Wait until everything queued so far is delivered; False if that takes too long."""
        self._skip_linger.set()
        with self._changed:
            last = self._pending[-1].seq if self._pending else 0
            return self._changed.wait_for(lambda: self._mark.through >= last, timeout)

    def close(self, timeout: float) -> bool:
        """Deliver the queue and end the thread; False if updates are left in the spool."""
        self._skip_linger.set()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        self._abandoned.set()
        self._thread.join(LAST_GRACE_S)
        return not self._pending and not self._is_page_due()

    def _run(self) -> None:
        with brief_requests():
            while self._await_work():
                self._retry(self._deliver_batch)
                if self._is_page_time():
                    self._retry(self._refresh_pages)

    def _await_work(self) -> bool:
        """Wait for something to do; False when everything is done."""
        with self._changed:
            while not (self._pending or self._closing or self._is_page_time()):
                self._changed.wait(PAGE_EVERY_S if self._is_page_due() else None)
            is_left = bool(self._pending) or self._is_page_due()
        if not self._closing:
            self._skip_linger.wait(LINGER_S)
        return is_left and not self._abandoned.is_set()

    def _retry(self, action: Callable[[], None]) -> None:
        """Retry an action until it succeeds, or until delivery is abandoned."""
        attempts = Retrying(
            wait=wait_exponential(FIRST_WAIT_S, max=MAX_WAIT_S) + wait_random(0, FIRST_WAIT_S),
            stop=stop_when_event_set(self._abandoned),
            sleep=sleep_using_event(self._abandoned),
            before_sleep=self._on_failure,
        )
        try:
            attempts(action)
        except RetryError:
            return
        if self._is_unreachable:
            self._is_unreachable = False
            logger.warning("MLflow is reachable again")

    def _on_failure(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if not self._is_unreachable and error is not None:
            self._is_unreachable = True
            reason = short_reason(error)
            logger.warning(
                "MLflow is unreachable (%s); the search continues and updates wait in the spool",
                reason,
            )

    def _is_fenced(self) -> bool:
        """Whether the driver has lost its search; if so, delivery is abandoned."""
        if not self._fence.is_open:
            self._abandoned.set()
        return self._abandoned.is_set()

    def _deliver_batch(self) -> None:
        if self._is_fenced():
            return
        self._spool.sync()
        with self._changed:
            batch = list(islice(self._pending, BATCH_SIZE))
        if not batch:
            return
        self._sender.deliver(batch)
        self._set_mark(self._mark.model_copy(update={"through": batch[-1].seq}))
        with self._changed:
            del self._pending[: len(batch)]
            self._changed.notify_all()

    def _is_page_due(self) -> bool:
        return self._pages is not None and self._page_seq > self._mark.page

    def _is_page_time(self) -> bool:
        is_time = self._closing or time.monotonic() - self._page_time >= PAGE_EVERY_S
        return is_time and self._is_page_due()

    def _refresh_pages(self) -> None:
        if self._pages is None or self._is_fenced():
            return
        page_seq = self._page_seq
        try:
            pages = self._pages()
        except Exception:
            logger.exception("the interactive front could not be rendered")
        else:
            for path, content in pages.items():
                self._sender.show_page(path, content)
        self._page_time = time.monotonic()
        self._set_mark(self._mark.model_copy(update={"page": page_seq}))

    def _set_mark(self, mark: DeliveryMark) -> None:
        mark = mark.model_copy(update={"runs": dict(self._sender.runs)})
        self._spool.mark(mark)
        self._mark = mark
