-- The record: who is enrolled, what arrived, what has to be done, and what came of it.

CREATE TABLE projects (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    repo_url text NOT NULL,
    repository text NOT NULL CHECK (repository ~ '^[^/]+/[^/]+$'),
    repository_id bigint,
    default_branch text,
    plan text NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'starter', 'pro', 'enterprise')),
    org_id text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX projects_repository ON projects (lower(repository));
CREATE UNIQUE INDEX projects_repository_id ON projects (repository_id)
    WHERE repository_id IS NOT NULL;

CREATE TABLE webhook_events (
    delivery_id text PRIMARY KEY CHECK (length(delivery_id) BETWEEN 1 AND 100),
    event text NOT NULL,
    action text,
    repository text,
    repository_id bigint,
    project_id uuid,
    ref text,
    body bytea NOT NULL,
    headers jsonb NOT NULL,
    jobs jsonb NOT NULL DEFAULT '[]',
    ignored_reason text,
    received_at timestamptz NOT NULL DEFAULT now(),
    processed boolean NOT NULL DEFAULT false,
    processed_at timestamptz,
    retry_count int NOT NULL DEFAULT 0,
    error_message text,
    CHECK (processed = (processed_at IS NOT NULL))
);
-- A push repeats the repository's description at length, but compressing it costs more than it saves.
ALTER TABLE webhook_events ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX webhook_events_received ON webhook_events (received_at);

CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    queue text NOT NULL,
    kind text NOT NULL,
    project_id uuid,
    org_id text,
    payload jsonb NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN
        ('queued', 'running', 'retrying', 'completed', 'dead', 'cancelled', 'superseded')),
    attempt int NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    failures int NOT NULL DEFAULT 0 CHECK (failures >= 0),
    crashes int NOT NULL DEFAULT 0 CHECK (crashes >= 0),
    max_attempts int NOT NULL CHECK (max_attempts >= 1),
    priority int NOT NULL DEFAULT 0,
    dedupe_key text,
    concurrency_key text,
    run_at timestamptz NOT NULL DEFAULT now(),
    rung_at timestamptz,
    progress smallint NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    result jsonb,
    error text,
    delivery_id text,
    correlation_id text,
    superseded_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    worker text,
    claim text,
    CHECK (failures + crashes <= attempt),
    CHECK ((state = 'running') = (worker IS NOT NULL)),
    CHECK ((state IN ('completed', 'dead', 'cancelled', 'superseded')) = (finished_at IS NOT NULL)),
    CHECK (state <> 'superseded' OR superseded_by IS NOT NULL)
);
CREATE UNIQUE INDEX jobs_dedupe ON jobs (dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE INDEX jobs_waiting ON jobs (run_at) WHERE state IN ('queued', 'retrying');
CREATE INDEX jobs_running ON jobs (worker) WHERE state = 'running';
CREATE INDEX jobs_finished ON jobs (queue, state, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_delivery ON jobs (delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX jobs_project ON jobs (project_id, id) WHERE project_id IS NOT NULL;

CREATE TABLE job_attempts (
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    attempt int NOT NULL,
    worker text,
    started_at timestamptz,
    finished_at timestamptz NOT NULL DEFAULT now(),
    outcome text NOT NULL CHECK (outcome IN
        ('failed', 'timeout', 'crashed', 'released', 'snoozed', 'cancelled')),
    error_type text,
    message text,
    traceback text,
    PRIMARY KEY (job_id, attempt)
);

CREATE TABLE events (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL,
    job_id uuid,
    event text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
CREATE INDEX events_unpublished ON events (id) WHERE published_at IS NULL;
CREATE INDEX events_published ON events (published_at) WHERE published_at IS NOT NULL;

CREATE TABLE workers (
    id text PRIMARY KEY,
    host text NOT NULL,
    pid int NOT NULL,
    queues text[] NOT NULL,
    running int NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now(),
    last_heartbeat timestamptz
);

CREATE TABLE artifacts (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    path text NOT NULL,
    blob_sha text NOT NULL,
    parser_version int NOT NULL,
    kind text,
    identifier text,
    title text,
    status text,
    record jsonb,
    parsed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, path, blob_sha),
    CHECK ((kind IS NULL) = (record IS NULL))
);
COMMENT ON TABLE artifacts IS
    'What was read from a document, for every content it ever had. No kind: not an artifact.';

CREATE TABLE branch_artifacts (
    project_id uuid NOT NULL,
    branch text NOT NULL,
    path text NOT NULL,
    blob_sha text NOT NULL,
    PRIMARY KEY (project_id, branch, path),
    FOREIGN KEY (project_id, path, blob_sha) REFERENCES artifacts ON DELETE CASCADE
);

CREATE TABLE scans (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    branch text NOT NULL,
    commit_sha text NOT NULL,
    tree_sha text NOT NULL,
    parser_version int NOT NULL,
    job_id uuid NOT NULL,
    scanned_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, branch)
);
COMMENT ON TABLE scans IS 'The last scanned tree of each branch: the base of the next scan.';
