"""One world: servers, workers and clients on one clock, living through what its plan says."""

import asyncio
from random import Random
from typing import Any
from uuid import UUID

from tests.simulation.client import Client
from tests.simulation.company import SEEN_SECONDS, Company
from tests.simulation.fake_postgres.record import SECOND
from tests.simulation.fake_postgres.scheduling import new_schedule
from tests.simulation.fake_postgres.server import PostgresServer
from tests.simulation.fake_redis.server import RedisServer
from tests.simulation.faults import apply
from tests.simulation.handlers import Effects, Run, keep_effects
from tests.simulation.host import Calm, Surroundings, Worker
from tests.simulation.invariants import Invariants, unfinished
from tests.simulation.loop import Process, SimulatedLoop
from tests.simulation.network import Weather
from tests.simulation.plan import HEALED_AT, SCHEDULED, SCHEDULES, Plan, PlannedJob
from tests.simulation.trace import Trace
from worker.jobs.ids import new_id
from worker.jobs.model import StartedJob

# After healing: two leases, three silences, the retries and time-outs that are still to come.
SETTLED_WITHIN = 150.0
QUIET_WITHIN = 30.0
# Three times what the busiest of a thousand worlds asks.
MOST_A_SECOND = 1000
MINUTE = 60 * SECOND


class World:
    """Runs a plan from the first job to the quiet after the last one."""

    def __init__(self, loop: SimulatedLoop, random: Random, plan: Plan) -> None:
        self.loop = loop
        self.random = random
        self.plan = plan
        self.trace = Trace(loop.time)
        self.redis = RedisServer(loop)
        self.postgres = PostgresServer(loop, random)
        self.weather = Weather(lose_request=plan.lose / 2, lose_reply=plan.lose, slow=plan.slow)
        self.postgres.deadlocks = plan.deadlocks
        stormy = plan.lose or plan.slow or plan.deadlocks
        self.around = Surroundings(
            loop, self.redis, self.postgres, self.weather, random,
            Calm(float("inf") if stormy else float("-inf"), loop.time),
        )  # fmt: skip
        self.effects = Effects()
        self.runs: list[Run] = []
        self.workers: list[Worker] = []
        self.submitted: dict[UUID, PlannedJob] = {}
        self.project_id = self._enrol()
        if plan.scheduled:
            self._schedule()
        self.client = Client(self.around, self.trace, self.submitted, self.project_id)
        self.healed = False
        self.busiest = 0
        self.process = loop.new_process("observer")
        self._numbers = 0
        self._watch()
        self.client.on_cancel = self._cancelled

    async def live(self) -> None:
        """From the beginning to the end."""
        deadline = self.loop.time() + HEALED_AT
        self.workers = [self._new_worker(old=i == 2) for i in range(self.plan.workers)]
        for job in self.plan.jobs:
            self.loop.outside(job.at, self.client.submit, job)
        for fault in self.plan.faults:
            self.loop.outside(fault.at, apply, self, fault)
        for order in self.plan.orders:
            self.loop.outside(order.at, self.client.steer, order)
        self.process.begin(self._look_for_haste())
        while self.loop.time() < deadline and not self._all_done:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        self._heal()
        await self.client.let_all_go_on()
        await self._until_settled(self.loop.time() + SETTLED_WITHIN)

    @property
    def _all_done(self) -> bool:
        submitted = len(self.submitted) == len(self.plan.jobs)
        return submitted and not self.client.busy and not unfinished(self.postgres.record)

    def _enrol(self) -> UUID:
        project_id = new_id()
        self.postgres.record.projects[project_id] = {
            "id": project_id, "name": "p", "repo_url": "u", "repository": "acme/p",
            "repository_id": None, "default_branch": None, "plan": "free", "org_id": None,
            "created_at": self.postgres.record.now,
        }  # fmt: skip
        return project_id

    def _schedule(self) -> None:
        record = self.postgres.record
        last_minute = record.now // MINUTE * MINUTE
        for name, missed in SCHEDULES.items():
            new_schedule(
                record, name=name, queue=SCHEDULED.queue, kind=SCHEDULED.kind, missed=missed,
                cron="* * * * *", payload=SCHEDULED.payload, next_tick=last_minute,
            )  # fmt: skip

    def planned(self, job_id: UUID) -> PlannedJob:
        """What the plan says of a job."""
        return self.submitted.get(job_id, SCHEDULED)

    def replace(self, number: int) -> None:
        """Have a new worker in the place of one that is gone."""
        if not self.workers[number].process.alive:
            self.workers[number] = self._new_worker(old=False)

    def _new_worker(self, *, old: bool) -> Worker:
        self._numbers += 1
        name = f"worker-{self._numbers}"
        self.trace.note("world", "worker begins", worker=name)
        worker = Worker(name, self.around, self._began, knows_novel=not old or self.healed)
        worker.process.on_death.append(lambda: self._died(worker))
        return worker

    def _died(self, worker: Worker) -> None:
        self.trace.note("world", "worker is gone", worker=worker.process.name)
        # Its place is taken within four seconds.
        self.around.calm.disturb(self.loop.time() + 4.0)
        if worker in self.workers:
            number = self.workers.index(worker)
            self.loop.outside(self.random.uniform(0.0, 4.0), self.replace, number)

    def _heal(self) -> None:
        self.healed = True
        self.trace.note("world", "HEALED")
        self.around.calm.since = self.loop.time()
        self.weather.lose_request = self.weather.lose_reply = self.weather.slow = 0.0
        self.postgres.deadlocks = 0.0
        self.postgres.trouble = self.redis.trouble = ""
        self.postgres.come_up()
        self.redis.come_up()
        for machine in (*self.workers, self.client):
            machine.to_redis.set_silent(False)
            machine.to_postgres.set_silent(False)
            machine.resume()
            machine.well.since = self.loop.time()
        # At least one that knows every kind.
        self.workers.append(self._new_worker(old=False))

    async def _look_for_haste(self) -> None:
        """Nobody asks the servers again and again without a pause, least of all in an outage."""
        while True:
            before = self.redis.commands + self.postgres.statements
            await asyncio.sleep(1.0)
            asked = self.redis.commands + self.postgres.statements - before
            self.busiest = max(self.busiest, asked)
            self.trace.require(asked < MOST_A_SECOND, f"{asked} requests in a second")

    async def _until_settled(self, deadline: float) -> None:
        record = self.postgres.record
        while unfinished(record) or self.client.busy:
            if self.loop.time() > deadline:
                for job in unfinished(record):
                    self.trace.violated(f"not ended in time: {_described(job)}")
                self.trace.require(not self.client.busy, "a client did not get its answer")
                return
            await asyncio.sleep(0.5)
        await self._until_quiet(self.loop.time() + QUIET_WITHIN)

    async def _until_quiet(self, deadline: float) -> None:
        while (left := self._left()) and self.loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(1.0)
        self.trace.require(not left, f"left when all was done: {left}")

    def _left(self) -> list[str]:
        redis = self.redis.keys
        # What has an end is left to it.
        lasting = [k for k in redis.names() if redis.end_of(k) is None]
        keys = [k.decode() for k in lasting if k.startswith(b"arq:queue:")]
        events = [e for e in self.postgres.record.events.values() if e["published_at"] is None]
        return keys + [f"event {e['event']}" for e in events]

    def _began(self, job: StartedJob, process: Process) -> Run:
        run = Run(job, process, self.loop.time())
        self.trace.note(process.name, "handler begins", job=job.id, attempt=job.attempt)
        self.company.joined(run, self.planned(job.id), self.runs)
        self.runs.append(run)
        return run

    def _cancelled(self, job_id: UUID) -> None:
        self.loop.outside(
            SEEN_SECONDS, self.company.still_there, job_id, self.loop.time(), self.runs
        )

    def _watch(self) -> None:
        keep_effects(self.effects)
        invariants = Invariants(self.trace, self.postgres.record, self.redis.keys, self.around)
        self.company = Company(self.trace, self.postgres.record, self.around)
        self.postgres.watch = invariants.after_statement
        self.redis.around = invariants.around_script


def _described(job: dict[str, Any]) -> str:
    names = ("id", "kind", "state", "attempt", "failures", "crashes", "worker", "run_at", "rung_at")
    return " ".join(f"{n}={job[n]}" for n in names)
