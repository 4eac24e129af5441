"""The durable engine: DBOS with our workflows and queues. A workflow's arguments are ids; its work is idempotent."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSConfig
from dbos import DBOSPortableJSONSerializer as PortableJSON

from dsr import anchor, outgoing, receipts, retention, sweep
from dsr.desk import Desk
from dsr.errors import VendorError
from dsr.settings import Settings
from dsr.store.tables import workers
from dsr.tasks import APPLICATION, MESSAGES, REQUESTS
from intents import detect
from workflows import forwarding, message, request, returned, sending, standing
from workflows.context import Worker

log = structlog.get_logger()

POLL_MESSAGES = 0.1  # seconds; answers at a vendor in well under a quarter of a second
POLL_REQUESTS = 0.2
SWEEP_EVERY = 30.0
PURGE_EVERY = timedelta(hours=1)

_worker: Worker | None = None


def _running() -> Worker:
    assert _worker is not None, "the worker is not started"  # noqa: S101
    return _worker


@DBOS.workflow(name="handle_message")
def handle_message(message_id: int) -> None:
    worker = _running()
    try:
        message.handle(worker, message_id)
    except VendorError as error:
        log.warning("message waits for a vendor", message=message_id, problem=error.what)
        sweep.message_again(worker.desk, message_id, worker.desk.settings.retry_base)


@DBOS.workflow(name="deliver")
def deliver(lane: str) -> None:
    sending.deliver(_running(), lane)


@DBOS.workflow(name="advance")
def advance(reference: str) -> None:
    request.advance(_running(), reference)


@DBOS.workflow(name="look_again")
def look_again(reference: str) -> None:
    standing.look(_running(), reference)


@DBOS.workflow(name="forward")
def forward(reference_and_account: str) -> None:
    worker = _running()
    reference, _, account = reference_and_account.partition(" ")
    try:
        forwarding.by_hand(worker, reference, account)
    except VendorError as error:
        log.warning("a customer could not be looked up", reference=reference, problem=error.what)
        sweep.forward_again(worker.desk, reference, account, worker.desk.settings.retry_base)


def own_engine(settings: Settings) -> sa.Engine:
    """An engine for DBOS beside the desk's own: it wants autocommitted reads, we want whole transactions.

    Both write the same database with the same durability (DBOS sets neither WAL nor synchronous=FULL).
    """
    if not settings.sqlite:
        return sa.create_engine(settings.database_url, pool_size=20, max_overflow=10, pool_pre_ping=True)
    engine = sa.create_engine(settings.database_url, pool_size=20, max_overflow=50)

    @sa.event.listens_for(engine, "connect")
    def _on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "busy_timeout=30000",
            "foreign_keys=ON",
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def start(worker: Worker, engine: sa.Engine) -> None:
    """Launch the engine in this process; returns when it is polling.

    Args:
        engine: the desk's database; DBOS keeps its tables in it.
    """
    global _worker
    _worker = worker
    concurrency = worker.desk.settings.worker_concurrency
    config: DBOSConfig = {
        "name": APPLICATION,
        "system_database_engine": engine,
        "application_version": "1",  # our workflows hold no state between steps: any version can finish them
        "executor_id": worker.id,
        "serializer": PortableJSON(),
        "log_level": "WARNING",
        "max_executor_threads": 4 * concurrency,
        "use_listen_notify": False,
    }
    detect("warm up")  # the model is read now, not while the first customer waits
    outgoing.release(worker.desk, worker.id)
    receipts.release(worker.desk, worker.id)
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(MESSAGES, worker_concurrency=concurrency, polling_interval_sec=POLL_MESSAGES)
    DBOS.register_queue(REQUESTS, worker_concurrency=concurrency, polling_interval_sec=POLL_REQUESTS)
    sweep.once(worker.desk)


def run_forever(worker: Worker) -> None:
    """Sweep now and then, do what is due once a day, and show that this worker lives, until the process ends."""
    today, purged = None, None
    while True:
        heartbeat(worker.desk, worker.id)
        if purged is None or worker.desk.now() - purged >= PURGE_EVERY:
            purged = worker.desk.now()
            purge(worker.desk)
        if today != worker.desk.now().date():
            today = worker.desk.now().date()
            daily(worker)
        time.sleep(SWEEP_EVERY)
        sweep.once(worker.desk)
        retention.settle_due(worker.desk)
        _anchor(worker.desk)


def _anchor(desk: Desk) -> None:
    try:
        anchor.drop(desk)
    except OSError as error:  # a full disk must not end the worker; the next sweep tries again
        log.error("the audit could not be anchored", problem=error.strerror)


def daily(worker: Worker) -> None:
    """What each processor wants done once a day (lists to fetch), and the looks of a day."""
    for name, processor in worker.connections.processors.items():
        try:
            processor.daily()
        except VendorError as error:
            log.warning("daily work failed", processor=name, problem=error.what)
    returned.daily(worker)
    _anchor(worker.desk)
    anchor.post(worker.desk)


def purge(desk: Desk) -> None:
    """Remove what has outlived its retention, ours and the engine's."""
    retention.purge(desk)
    before = (desk.now() - retention.periods()["engine"]).isoformat()
    for _ in range(retention.ROUNDS):
        ended = DBOS.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
            completed_before=before,
            limit=retention.CHUNK,
            load_input=False,
            load_output=False,
        )
        DBOS.delete_workflows([workflow.workflow_id for workflow in ended])  # our own table knows duplicates
        if len(ended) < retention.CHUNK:
            return


def heartbeat(desk: Desk, id: str) -> None:
    with desk.db.write() as conn:
        now = desk.now()
        updated = conn.execute(workers.update().where(workers.c.executor_id == id).values(seen_at=now))
        if not updated.rowcount:
            conn.execute(workers.insert().values(executor_id=id, seen_at=now))


def stop() -> None:
    DBOS.destroy(workflow_completion_timeout_sec=5)
