-- Verdicts: what documents contradict, what a repository's own checks say, and who was told.

CREATE INDEX artifacts_identifier ON artifacts (project_id, kind, identifier) WHERE kind IS NOT NULL;

CREATE TABLE artifact_history (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    branch text NOT NULL,
    path text NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    blob_sha text,
    commit_sha text NOT NULL,
    job_id uuid NOT NULL,
    scanned_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, branch, path, seq)
);
COMMENT ON TABLE artifact_history IS
    'At which scanned commit a document got which content; no blob: it was removed.';

CREATE TABLE conflict_checks (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    branch text NOT NULL,
    commit_sha text NOT NULL,
    tree_sha text NOT NULL,
    parser_version int NOT NULL,
    rules_version int NOT NULL,
    job_id uuid NOT NULL,
    checked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, branch)
);
COMMENT ON TABLE conflict_checks IS 'The tree that a branch''s conflicts stand for.';

CREATE TABLE checked_artifacts (
    project_id uuid NOT NULL,
    branch text NOT NULL,
    path text NOT NULL,
    blob_sha text NOT NULL,
    keys text[] NOT NULL,
    PRIMARY KEY (project_id, branch, path),
    FOREIGN KEY (project_id, branch) REFERENCES conflict_checks ON DELETE CASCADE
);
COMMENT ON TABLE checked_artifacts IS
    'The documents of that tree, and the groups in which each was compared.';

CREATE TABLE conflicts (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    branch text NOT NULL,
    fingerprint text NOT NULL,
    code text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('error', 'warning', 'info')),
    key text NOT NULL,
    finding jsonb NOT NULL,
    suppressed text,
    first_seen_commit text NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    found_by uuid NOT NULL,
    last_seen_commit text NOT NULL,
    resolved_commit text,
    resolved_at timestamptz,
    PRIMARY KEY (project_id, branch, fingerprint),
    CHECK ((resolved_commit IS NULL) = (resolved_at IS NULL))
);
CREATE INDEX conflicts_open ON conflicts (project_id, branch, key) WHERE resolved_at IS NULL;

CREATE TABLE gate_settings (
    project_id uuid PRIMARY KEY REFERENCES projects ON DELETE CASCADE,
    on_push text[] NOT NULL DEFAULT '{}',
    network boolean NOT NULL DEFAULT false,
    prepare boolean NOT NULL DEFAULT false,
    trusted_senders text[] NOT NULL DEFAULT '{}',
    seconds int CHECK (seconds BETWEEN 1 AND 3600),
    memory_mb int CHECK (memory_mb BETWEEN 64 AND 65536),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN gate_settings.trusted_senders IS
    'GitHub logins whose pushes are run without approval; * for everybody who can push.';

CREATE TABLE gate_evaluations (
    job_id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    gate_type text NOT NULL,
    story text,
    branch text,
    commit_sha text NOT NULL,
    sender text,
    approved_by text,
    state text NOT NULL CHECK (state IN ('running', 'awaiting_approval', 'done')),
    verdict text CHECK (verdict IN
        ('pass', 'fail', 'error', 'timeout', 'vacuous', 'not_configured')),
    evaluation jsonb,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CHECK ((state = 'done') = (verdict IS NOT NULL)),
    CHECK ((verdict IS NULL) = (finished_at IS NULL))
);
CREATE INDEX gate_evaluations_project ON gate_evaluations (project_id, job_id);
CREATE INDEX gate_evaluations_story ON gate_evaluations (project_id, story, gate_type, job_id)
    WHERE story IS NOT NULL;

CREATE TABLE github_reports (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    commit_sha text NOT NULL,
    name text NOT NULL,
    job_id uuid NOT NULL,
    check_run_id bigint,
    sent_state text,
    sent_digest text,
    problem text,
    round int NOT NULL DEFAULT 1,
    sender text,
    sending_until timestamptz,
    swept_with uuid,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, commit_sha, name)
);
COMMENT ON COLUMN github_reports.sender IS
    'The job and attempt that sends, or whose sending nobody knows the end of.';
CREATE INDEX github_reports_open ON github_reports (updated_at)
    WHERE sent_state IS NULL OR sent_state NOT IN ('completed', 'unconfigured', 'refused');

CREATE TABLE credentials (
    id uuid PRIMARY KEY,
    project_id uuid REFERENCES projects ON DELETE CASCADE,
    org_id text,
    kind text NOT NULL CHECK (kind IN ('git', 'github-token', 'github-app')),
    host text NOT NULL,
    sealed bytea NOT NULL,
    key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    rotated_at timestamptz,
    CHECK ((project_id IS NULL) <> (org_id IS NULL))
);
CREATE UNIQUE INDEX credentials_of_project ON credentials (project_id, kind, host)
    WHERE project_id IS NOT NULL;
CREATE UNIQUE INDEX credentials_of_organisation ON credentials (org_id, kind, host)
    WHERE org_id IS NOT NULL;
