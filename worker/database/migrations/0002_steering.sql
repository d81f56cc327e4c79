-- Steering: what people set at run time, and what a job needs so that it can be steered.

ALTER TABLE jobs
    ADD COLUMN progress_message text,
    ADD COLUMN traceparent text,
    ADD COLUMN lane text,
    ADD COLUMN lane_order bigint,
    ADD COLUMN cancel_requested_at timestamptz,
    ADD COLUMN cancel_reason text,
    ADD COLUMN sla_breached_at timestamptz,
    ADD CHECK (length(traceparent) = 55);
COMMENT ON COLUMN jobs.lane IS
    'Of the jobs in a lane only the one with the highest lane_order matters, such as scans of a branch.';
CREATE INDEX jobs_lane ON jobs (lane, lane_order)
    WHERE lane IS NOT NULL AND state IN ('queued', 'retrying', 'running');

CREATE INDEX jobs_to_cancel ON jobs (worker)
    WHERE state = 'running' AND cancel_requested_at IS NOT NULL;


CREATE INDEX jobs_unrung ON jobs (run_at)
    WHERE state IN ('queued', 'retrying') AND rung_at IS NULL;

ALTER TABLE webhook_events
    ADD COLUMN traceparent text,
    ADD COLUMN closed_at timestamptz;
COMMENT ON COLUMN webhook_events.closed_at IS
    'When its jobs were deleted, by retention or by hand: from then on they need not exist.';
-- What is not known to be done with, so that looking for what is lost need not read all the rest.
CREATE INDEX webhook_events_open ON webhook_events (received_at, delivery_id)
    WHERE NOT processed AND closed_at IS NULL AND ignored_reason IS NULL;

ALTER TABLE scans ADD COLUMN lane_order bigint;

ALTER TABLE workers ADD COLUMN kinds text[];
COMMENT ON COLUMN workers.kinds IS 'The kinds it knows; null: a version that did not tell.';

-- Which branches an artifact stands on, without which deleting one would look at all of them.
CREATE INDEX branch_artifacts_content ON branch_artifacts (project_id, path, blob_sha);

CREATE TABLE queue_controls (
    queue text PRIMARY KEY,
    paused_at timestamptz,
    paused_reason text,
    concurrency int CHECK (concurrency >= 1),
    per_key int CHECK (per_key >= 1),
    per_organisation int CHECK (per_organisation >= 1),
    rate_count int CHECK (rate_count >= 1),
    rate_seconds float8 CHECK (rate_seconds > 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((rate_count IS NULL) = (rate_seconds IS NULL)),
    CHECK (paused_reason IS NULL OR paused_at IS NOT NULL)
);
COMMENT ON TABLE queue_controls IS 'What operators set at run time; null: as the policy table says.';

CREATE TABLE schedules (
    name text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,99}$'),
    description text NOT NULL DEFAULT '',
    queue text NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}',
    cron text NOT NULL,
    timezone text NOT NULL DEFAULT 'UTC',
    missed text NOT NULL DEFAULT 'skip' CHECK (missed IN ('catch_up', 'skip')),
    enabled boolean NOT NULL DEFAULT true,
    next_tick timestamptz NOT NULL,
    edition int,
    enabled_by_default boolean,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((edition IS NULL) = (enabled_by_default IS NULL))
);
COMMENT ON COLUMN schedules.edition IS
    'Of the table of built-in schedules that this one comes from; null: somebody made it.';
CREATE INDEX schedules_due ON schedules (next_tick) WHERE enabled;

CREATE TABLE schedule_ticks (
    schedule text NOT NULL REFERENCES schedules ON DELETE CASCADE,
    tick timestamptz NOT NULL,
    job_id uuid NOT NULL,
    by_hand boolean NOT NULL DEFAULT false,
    fired_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (schedule, tick)
);
COMMENT ON TABLE schedule_ticks IS 'One row a tick, whoever fires it: that is what makes it fire once.';
