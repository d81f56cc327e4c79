"""Random calls of the product's statements, of which most do something."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid5

import orjson

from tests.simulation.fake_postgres.record import Record, as_datetime, parsed
from tests.simulation.fake_postgres.server import STATEMENTS_SERVED
from tests.simulation.fake_postgres.starting import NEW_JOB
from tests.simulation.handlers import WRITE_EFFECT

SPACE = UUID(int=1)
WORKERS = ["w1", "w2", "w3"]
QUEUES = ["plain", "limited"]
KINDS = ["obey", "limited"]
LANES = ["main", "side"]
DELIVERIES = ["d1", "d2", "d3"]
SCHEDULES = ["hourly", "daily"]


class Calls:
    """Draws statements with arguments that fit what the record holds."""

    def __init__(self, random: Random) -> None:
        self.projects = [self._id("project 1"), self._id("project 2")]
        self.statements_called: set[str] = set()
        # The handlers' own statement is none of the product's.
        self.not_called = {WRITE_EFFECT}
        self._random = random
        self._drawn = 0
        self._by_name = {name: sql for sql, (name, _) in STATEMENTS_SERVED.items()}
        makers = {n.removeprefix("_call_"): getattr(self, n) for n in dir(self)
                  if n.startswith("_call_")}  # fmt: skip
        self._makers: dict[str, Callable[[Record], tuple[Any, ...]]] = makers
        often = ["add", "start", "start", "take_over", "finish", "finish", "finish", "cancel"]
        self._names = [*makers, *makers, *(often * 4)]

    def next(self, record: Record) -> tuple[str, tuple[Any, ...]]:
        """A statement and its arguments."""
        name = self._random.choice(self._names)
        sql = self._by_name[name]
        self.statements_called.add(sql)
        return sql, self._makers[name](record)

    def _id(self, name: str) -> UUID:
        return uuid5(SPACE, name)

    def _new_id(self) -> UUID:
        self._drawn += 1
        return self._id(f"drawn {self._drawn}")

    def _some(self, record: Record, *states: str) -> list[dict[str, Any]]:
        jobs = [j for j in record.jobs.values() if not states or j["state"] in states]
        return self._random.sample(jobs, min(len(jobs), self._random.randint(1, 3)))

    def _columns(self, rows: list[tuple[Any, ...]], width: int) -> tuple[list[Any], ...]:
        return tuple([r[i] for r in rows] for i in range(width))

    def _jobs(self, record: Record, delivery: str | None = None) -> list[tuple[Any, ...]]:
        draw = self._random.choice
        now = as_datetime(record.now)
        return [
            (
                self._new_id(), draw(QUEUES), draw([*KINDS, "novel"]),
                orjson.dumps({"n": [1, None, "x"]}).decode(), draw([1, 3]),
                draw([None, *self.projects]), draw([None, "t1"]), draw([0, 5]),
                draw([None, None, "k1", "k2"]), draw([None, now + timedelta(seconds=2.5)]),
                delivery or draw([None, *DELIVERIES]), draw([None, "c"]), draw([None, "key"]),
                None, draw([None, *LANES]), draw([None, self._random.getrandbits(40)]),
            )
            for _ in range(draw([1, 1, 2]))
        ]  # fmt: skip

    def _call_add(self, record: Record) -> tuple[Any, ...]:
        return self._columns(self._jobs(record), 16)

    def _call_accept(self, record: Record) -> tuple[Any, ...]:
        delivery = self._random.choice(DELIVERIES)
        project = self._random.choice([None, *self.projects])
        row = {
            "start": 1, "size": 2, "delivery_id": delivery, "event": "push", "action": None,
            "ref": "main",
            "repository": "acme/p", "repository_id": 7, "project_id": project, "headers": {},
            "jobs": [{"id": "x"}], "ignored_reason": None, "traceparent": None,
        }  # fmt: skip
        jobs = [dict(zip(NEW_JOB, values, strict=True)) for values in self._jobs(record, delivery)]
        # The jobs of a delivery have no dedupe keys: the delivery's own id is what is unique.
        documents = [j | {"payload": parsed(j["payload"]), "dedupe_key": None} for j in jobs]
        return [row], b"{}", documents

    def _call_known(self, record: Record) -> tuple[Any, ...]:
        return (["d1", "d9"],)

    def _claims(self, record: Record) -> tuple[list[UUID], list[str]]:
        jobs = self._some(record, "queued", "retrying", "running") + self._some(record)[:1]
        # Of two jobs of a delivery that end in one statement, Postgres marks it by either.
        unique = {j["id"]: j for j in {j["delivery_id"] or j["id"]: j for j in jobs}.values()}
        tokens = [j["claim"] if j["claim"] and self._random.random() < 0.3 else
                  f"token {self._new_id()}" for j in unique.values()]  # fmt: skip
        return [*unique], tokens

    def _call_start(self, record: Record) -> tuple[Any, ...]:
        return *self._claims(record), self._random.choice(WORKERS), KINDS

    def _call_take_over(self, record: Record) -> tuple[Any, ...]:
        return *self._claims(record), self._random.choice(WORKERS), KINDS, 3, 11.0

    def _call_finish(self, record: Record) -> tuple[Any, ...]:
        draw = self._random.choice
        jobs = self._some(record, "running", draw(["running", "queued", "dead"]))
        states = ["completed", "retrying", "dead", "queued", "cancelled"]
        ends, notes, events = [], [], []
        for job in jobs:
            state = draw(states)
            delay = draw([0.0, 2.25]) if state in ("retrying", "queued") else None
            result = draw([None, '{"success": true, "message": "m"}'])
            attempt = job["attempt"] - draw([0, 0, 0, 0, 1])
            failed = int(state == "dead" or (state == "retrying" and draw([True, False])))
            ends.append((job["id"], attempt, state, delay, failed, result, draw([None, "error"])))
            if draw([True, True, False]):
                outcome = draw(["failed", "timeout", "released", "snoozed", "cancelled"])
                notes.append((job["id"], draw(WORKERS), outcome, "E", "m", draw([None, "tb"])))
            if job["project_id"] and draw([True, False]):
                events.append((self._new_id(), job["project_id"], job["id"], "told", '{"a": 1}'))
        return *self._columns(ends, 7), *self._columns(notes, 6), *self._columns(events, 5)

    def _call_mark_processed(self, record: Record) -> tuple[Any, ...]:
        return (DELIVERIES,)

    def _call_retry(self, record: Record) -> tuple[Any, ...]:
        draw = self._random.choice
        return (
            [j["id"] for j in self._some(record, "dead", "queued")],
            draw([0.0, 5.0]),
            draw([0.0, 1.5]),
        )

    def _call_cancel(self, record: Record) -> tuple[Any, ...]:
        return [j["id"] for j in self._some(record)], self._random.choice(["why", "because"])

    def _call_supersede(self, record: Record) -> tuple[Any, ...]:
        return self._random.sample(LANES, self._random.randint(1, 2)), 500

    def _call_overtaken(self, record: Record) -> tuple[Any, ...]:
        return LANES, self._random.sample(QUEUES, 1)

    def _call_flag(self, record: Record) -> tuple[Any, ...]:
        jobs = self._some(record, "running", "retrying")
        attempts = [j["attempt"] - self._random.choice([0, 0, 1]) for j in jobs]
        told = [(self._new_id(), j["project_id"], j["id"], '{"late": 1}')
                for j in jobs if j["project_id"]]  # fmt: skip
        return [j["id"] for j in jobs], attempts, *self._columns(told, 4)

    def _call_save(self, record: Record) -> tuple[Any, ...]:
        draw = self._random.choice
        jobs = self._some(record, "running", "queued")
        values = [(j["id"], j["attempt"] - draw([0, 0, 1]), draw([0, 40, 100]), draw([None, "m"]))
                  for j in jobs]  # fmt: skip
        return self._columns(values, 4)

    def _call_beat(self, record: Record) -> tuple[Any, ...]:
        return self._random.choice(WORKERS), "host", 7, QUEUES, self._random.randint(0, 3), KINDS

    def _call_stamp_heartbeat(self, record: Record) -> tuple[Any, ...]:
        return (self._random.choice(WORKERS),)

    def _call_farewell(self, record: Record) -> tuple[Any, ...]:
        return (self._random.choice(WORKERS),)

    def _call_forget_silent_workers(self, record: Record) -> tuple[Any, ...]:
        return ()

    def _call_held(self, record: Record) -> tuple[Any, ...]:
        return (self._random.choice(WORKERS),)

    def _call_orders(self, record: Record) -> tuple[Any, ...]:
        return (self._random.choice(WORKERS),)

    def _call_pick_unrung(self, record: Record) -> tuple[Any, ...]:
        return (1000,)

    def _call_rang(self, record: Record) -> tuple[Any, ...]:
        return ([j["id"] for j in self._some(record)],)

    def _call_pick_abandoned(self, record: Record) -> tuple[Any, ...]:
        return 13.0, 1000

    def _call_forget_rings(self, record: Record) -> tuple[Any, ...]:
        return ()

    def _call_counts(self, record: Record) -> tuple[Any, ...]:
        return ()

    def _call_prune(self, record: Record) -> tuple[Any, ...]:
        states = self._random.choice([["dead"], ["completed", "superseded", "cancelled"]])
        return self._random.choice(QUEUES), states, 5, self._random.choice([None, 900.0])

    def _call_prune_events(self, record: Record) -> tuple[Any, ...]:
        return ()

    def _call_publishable(self, record: Record) -> tuple[Any, ...]:
        return 2.0, 1000

    def _call_mark_published(self, record: Record) -> tuple[Any, ...]:
        # Only those whose ids both sides know.
        ids = [i for i in record.events if i.version == 5]
        return (self._random.sample(ids, min(2, len(ids))),)

    def _call_pause(self, record: Record) -> tuple[Any, ...]:
        return self._random.choice(QUEUES), self._random.choice([None, "why"])

    def _call_resume(self, record: Record) -> tuple[Any, ...]:
        return (self._random.choice(QUEUES),)

    def _call_resize(self, record: Record) -> tuple[Any, ...]:
        names = self._random.choice([["concurrency"], ["per_key", "rate"], ["per_organisation"]])
        return self._random.choice(QUEUES), names, 4, 2, 3, 10, 1.5

    def _call_seconds_until_due(self, record: Record) -> tuple[Any, ...]:
        return QUEUES, self._random.choice([KINDS, ["none"]])

    def _call_let_go(self, record: Record) -> tuple[Any, ...]:
        return ("5s",)

    def _call_lock_due(self, record: Record) -> tuple[Any, ...]:
        return QUEUES, KINDS, self._random.choice([None, as_datetime(record.now)])

    def _call_advance(self, record: Record) -> tuple[Any, ...]:
        following = as_datetime(record.now) + timedelta(seconds=self._random.randint(1, 90))
        return self._random.choice(SCHEDULES), following

    def _call_disable(self, record: Record) -> tuple[Any, ...]:
        return (self._random.choice([*SCHEDULES[1:], "none"]),)

    def _call_record(self, record: Record) -> tuple[Any, ...]:
        minute = as_datetime(record.now).replace(second=0, microsecond=0)
        ticks = [minute, minute + timedelta(minutes=1)][: self._random.randint(1, 2)]
        ids = [self._new_id() for _ in ticks]
        return self._random.choice(SCHEDULES), ticks, ids, self._random.choice([True, False])
