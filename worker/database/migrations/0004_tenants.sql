-- Tenants: organisations, what they did and used, what acts on that, and what is sent to them.

CREATE TABLE organisations (
    id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 200),
    name text NOT NULL CHECK (name <> ''),
    timezone text NOT NULL DEFAULT 'UTC',
    email text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN organisations.timezone IS 'An IANA name: usage periods end at its midnights.';
COMMENT ON COLUMN organisations.email IS 'Where its notifications go.';
INSERT INTO organisations (id, name)
SELECT DISTINCT org_id, org_id FROM projects
WHERE length(org_id) BETWEEN 1 AND 200;

CREATE TABLE feature_flags (
    org_id text NOT NULL REFERENCES organisations,
    key text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    description text NOT NULL DEFAULT '',
    disabled_reason text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, key),
    CHECK (disabled_reason IS NULL OR NOT enabled)
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    org_id text NOT NULL REFERENCES organisations,
    name text NOT NULL,
    prefix text NOT NULL,
    hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    blocked_at timestamptz,
    blocked_reason text,
    revoked_at timestamptz,
    CHECK (blocked_reason IS NULL OR blocked_at IS NOT NULL)
);
COMMENT ON COLUMN api_keys.hash IS 'SHA-256 of the key, which nobody has but its holder.';
CREATE INDEX api_keys_org ON api_keys (org_id, id);

CREATE FUNCTION api_key_state(key api_keys) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN key.revoked_at IS NOT NULL THEN 'revoked'
        WHEN key.blocked_at IS NOT NULL THEN 'blocked'
        WHEN key.expires_at <= now() THEN 'expired'
        ELSE 'active'
    END
$$;

CREATE TABLE audit_events (
    id uuid PRIMARY KEY,
    org_id text,
    event_id text NOT NULL,
    action text NOT NULL,
    actor_type text NOT NULL,
    actor_id text,
    target_type text,
    target_id text,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    context jsonb NOT NULL DEFAULT '{}',
    metadata jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE audit_events IS
    'Who did what. Only ever grows. No organisation: what concerns the whole installation.';
CREATE UNIQUE INDEX audit_events_once ON audit_events (coalesce(org_id, ''), event_id);
CREATE INDEX audit_events_time ON audit_events (coalesce(org_id, ''), occurred_at DESC, id DESC);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE usage_batches (
    org_id text NOT NULL,
    batch_id text NOT NULL,
    counted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, batch_id)
);
COMMENT ON TABLE usage_batches IS 'What was counted, so that it is counted once.';
CREATE INDEX usage_batches_counted ON usage_batches (counted_at);

CREATE TABLE usage_counters (
    org_id text NOT NULL REFERENCES organisations,
    metric text NOT NULL,
    period text NOT NULL CHECK (period IN ('hour', 'day', 'month')),
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    quantity bigint NOT NULL DEFAULT 0,
    events bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, metric, period, period_start),
    CHECK (period_end > period_start)
) WITH (fillfactor = 70);
COMMENT ON TABLE usage_counters IS
    'What is being counted; a roll-over moves what belongs to an ended period to usage_history.';
CREATE INDEX usage_counters_end ON usage_counters (period_end);

CREATE TABLE usage_history (
    org_id text NOT NULL REFERENCES organisations,
    metric text NOT NULL,
    period text NOT NULL CHECK (period IN ('hour', 'day', 'month')),
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    quantity bigint NOT NULL,
    events bigint NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, metric, period, period_start)
);
COMMENT ON TABLE usage_history IS
    'Ended periods. What arrives late is in usage_counters first: the sum of both is the truth.';
CREATE INDEX usage_history_org ON usage_history (org_id, period, period_start);
CREATE INDEX usage_history_hours ON usage_history (period_start) WHERE period = 'hour';

CREATE TABLE usage_periods (
    org_id text NOT NULL REFERENCES organisations,
    period text NOT NULL CHECK (period IN ('hour', 'day', 'month')),
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    PRIMARY KEY (org_id, period, period_start),
    CHECK (period_end > period_start)
);
CREATE INDEX usage_periods_open ON usage_periods (period_end) WHERE closed_at IS NULL;

CREATE TABLE usage_summaries (
    period text NOT NULL CHECK (period IN ('hour', 'day')),
    period_start timestamptz NOT NULL,
    metric text NOT NULL,
    organisations int NOT NULL,
    quantity numeric NOT NULL,
    events bigint NOT NULL,
    summed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period, period_start, metric)
);
COMMENT ON TABLE usage_summaries IS 'Over all organisations, by hours and days of UTC.';

CREATE TABLE usage_limits (
    org_id text NOT NULL REFERENCES organisations,
    metric text NOT NULL,
    period text NOT NULL CHECK (period IN ('hour', 'day', 'month')),
    quantity bigint NOT NULL CHECK (quantity > 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, metric, period)
);

CREATE TABLE limit_rules (
    org_id text NOT NULL,
    metric text NOT NULL,
    period text NOT NULL,
    position int NOT NULL,
    percent int NOT NULL CHECK (percent BETWEEN 1 AND 1000),
    action text NOT NULL CHECK (action IN
        ('send_notification', 'disable_feature', 'block_api_key')),
    target_id text NOT NULL,
    restore text NOT NULL DEFAULT 'period_end' CHECK (restore IN ('period_end', 'manual')),
    PRIMARY KEY (org_id, metric, period, position),
    FOREIGN KEY (org_id, metric, period) REFERENCES usage_limits ON DELETE CASCADE
);
COMMENT ON COLUMN limit_rules.percent IS 'Of the limit: from when on the rule acts.';

CREATE TABLE usage_thresholds (
    org_id text NOT NULL REFERENCES organisations,
    metric text NOT NULL,
    period text NOT NULL,
    period_start timestamptz NOT NULL,
    percent int NOT NULL,
    quantity bigint NOT NULL,
    quantity_limit bigint NOT NULL,
    reached_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, metric, period, period_start, percent, quantity_limit)
);
COMMENT ON TABLE usage_thresholds IS
    'One row a threshold and period: what makes it tell once. A limit that is raised has new ones.';
CREATE INDEX usage_thresholds_org ON usage_thresholds (org_id, reached_at);

CREATE TABLE automatic_actions (
    id uuid PRIMARY KEY,
    org_id text NOT NULL REFERENCES organisations,
    job_id uuid NOT NULL UNIQUE,
    action text NOT NULL,
    target_id text NOT NULL,
    reason text NOT NULL,
    threshold jsonb,
    changed boolean NOT NULL,
    waits boolean NOT NULL DEFAULT false,
    restore_at timestamptz,
    applied_at timestamptz NOT NULL DEFAULT now(),
    reverted_at timestamptz,
    reverted_by text,
    CHECK ((reverted_at IS NULL) = (reverted_by IS NULL)),
    CHECK (NOT (changed AND waits))
);
COMMENT ON COLUMN automatic_actions.changed IS 'False: what it was to change was so already.';
COMMENT ON COLUMN automatic_actions.waits IS
    'Another action did the same before; this one takes its place when that is reverted.';
CREATE INDEX automatic_actions_org ON automatic_actions (org_id, id);
CREATE INDEX automatic_actions_active ON automatic_actions (org_id, action, target_id)
    WHERE reverted_at IS NULL AND (changed OR waits) AND action <> 'send_notification';
CREATE INDEX automatic_actions_to_restore ON automatic_actions (restore_at)
    WHERE reverted_at IS NULL AND restore_at IS NOT NULL;

CREATE TABLE notification_preferences (
    org_id text NOT NULL REFERENCES organisations,
    type text NOT NULL,
    channels text[] NOT NULL CHECK (channels <@ ARRAY['email', 'webhook']),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, type)
);
COMMENT ON COLUMN notification_preferences.channels IS 'Empty: off.';

CREATE TABLE notifications (
    id uuid PRIMARY KEY,
    org_id text NOT NULL REFERENCES organisations,
    type text NOT NULL,
    key text NOT NULL,
    data jsonb NOT NULL,
    channels text[] NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'sent', 'failed', 'off', 'unheard')),
    job_id uuid NOT NULL,
    email_to text,
    email_id text,
    problem text,
    repeats int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
    CHECK ((state = 'failed') = (problem IS NOT NULL)),
    UNIQUE (org_id, key)
);
COMMENT ON COLUMN notifications.state IS
    'off: the organisation wants none; unheard: it gave no address and no endpoint takes it.';
COMMENT ON COLUMN notifications.job_id IS 'The job that tells it.';
COMMENT ON COLUMN notifications.problem IS 'Why it failed.';
COMMENT ON COLUMN notifications.repeats IS 'How often the same was to be told again, and was not.';
CREATE INDEX notifications_org ON notifications (org_id, id);

CREATE TABLE notification_repeats (
    notification_id uuid NOT NULL REFERENCES notifications ON DELETE CASCADE,
    job_id uuid NOT NULL,
    PRIMARY KEY (notification_id, job_id)
);
COMMENT ON TABLE notification_repeats IS 'Which jobs were counted as repeats, so that each is once.';

CREATE TABLE outgoing_endpoints (
    id uuid PRIMARY KEY,
    org_id text NOT NULL REFERENCES organisations,
    url text NOT NULL,
    description text NOT NULL DEFAULT '',
    events text[] NOT NULL DEFAULT '{*}' CHECK (cardinality(events) > 0),
    schedule text NOT NULL DEFAULT 'short' CHECK (schedule IN ('short', 'long')),
    secret bytea NOT NULL,
    secret_key_id text NOT NULL,
    previous_secret bytea,
    previous_key_id text,
    previous_until timestamptz,
    state text NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled')),
    disabled_reason text CHECK (disabled_reason IN ('asked', 'gone', 'failing')),
    disabled_at timestamptz,
    failures int NOT NULL DEFAULT 0,
    failing_since timestamptz,
    open_until timestamptz,
    probing_until timestamptz,
    slow_until timestamptz,
    probe_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'disabled') = (disabled_reason IS NOT NULL)),
    CHECK ((state = 'disabled') = (disabled_at IS NOT NULL)),
    CHECK ((previous_secret IS NULL) = (previous_until IS NULL)),
    CHECK ((failures = 0) = (failing_since IS NULL))
);
COMMENT ON COLUMN outgoing_endpoints.failures IS 'Deliveries in a row that failed.';
COMMENT ON COLUMN outgoing_endpoints.open_until IS 'The breaker is open: nothing is sent until then.';
COMMENT ON COLUMN outgoing_endpoints.slow_until IS 'It asked for a rest.';
COMMENT ON COLUMN outgoing_endpoints.probe_at IS 'When to see whether one that failed works again.';
CREATE INDEX outgoing_endpoints_org ON outgoing_endpoints (org_id, id);
CREATE INDEX outgoing_endpoints_probe ON outgoing_endpoints (probe_at) WHERE probe_at IS NOT NULL;

CREATE TABLE outgoing_messages (
    id uuid PRIMARY KEY,
    org_id text NOT NULL REFERENCES organisations,
    event text NOT NULL,
    key text NOT NULL,
    project_id uuid,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (org_id, key)
);
COMMENT ON TABLE outgoing_messages IS 'What is sent, byte for byte; `key` makes each be sent once.';
CREATE INDEX outgoing_messages_created ON outgoing_messages (created_at);

CREATE TABLE outgoing_deliveries (
    endpoint_id uuid NOT NULL REFERENCES outgoing_endpoints ON DELETE CASCADE,
    message_id uuid NOT NULL REFERENCES outgoing_messages ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN
        ('pending', 'delivered', 'failed', 'skipped')),
    attempts int NOT NULL DEFAULT 0,
    job_id uuid,
    delivered_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (endpoint_id, message_id),
    CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
);
COMMENT ON COLUMN outgoing_deliveries.state IS 'skipped: the endpoint was disabled before any attempt.';
CREATE INDEX outgoing_deliveries_message ON outgoing_deliveries (message_id);
CREATE INDEX outgoing_deliveries_missed ON outgoing_deliveries (endpoint_id, message_id)
    WHERE state IN ('failed', 'skipped');

CREATE TABLE outgoing_attempts (
    id uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL,
    message_id uuid NOT NULL,
    job_id uuid NOT NULL,
    attempt int NOT NULL,
    started_at timestamptz NOT NULL,
    duration_ms int NOT NULL,
    status int,
    error_class text,
    error text,
    answer bytea CHECK (length(answer) <= 4096),
    FOREIGN KEY (endpoint_id, message_id) REFERENCES outgoing_deliveries ON DELETE CASCADE,
    UNIQUE (job_id, attempt)
);
CREATE INDEX outgoing_attempts_delivery ON outgoing_attempts (endpoint_id, message_id, id);

CREATE FUNCTION time_ordered_id() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    -- Version 7: the milliseconds, then 1/4096 of them, then the random end of a version 4.
    SELECT (lpad(to_hex((m / 1000) << 16 | 28672 | (m % 1000) * 4096 / 1000), 16, '0')
            || right(replace(gen_random_uuid()::text, '-', ''), 16))::uuid
    FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS m) now
$$;

CREATE FUNCTION send_messages(
    orgs text[], names text[], keys text[], projects uuid[], times timestamptz[], datas jsonb[],
    only_to uuid DEFAULT NULL, not_to uuid DEFAULT NULL
) RETURNS TABLE (message_id uuid, id uuid, queue text, priority int, org_id text, project_id uuid,
                 concurrency_key text)
LANGUAGE plpgsql SET enable_nestloop = off AS $$
#variable_conflict use_column
BEGIN
    -- The planner expects a few rows of an array, and would compare each of hundreds with each.
    RETURN QUERY WITH given AS MATERIALIZED (
        SELECT DISTINCT ON (g.org_id, g.key) g.*
        FROM unnest(orgs, names, keys, projects, times, datas)
          AS g(org_id, event, key, project_id, occurred_at, data)
    ), held AS MATERIALIZED (
        -- Held, so that none is deleted before its deliveries are there.
        SELECT e.id, e.org_id, e.events, e.state FROM outgoing_endpoints e
        WHERE e.org_id = ANY (orgs) AND (only_to IS NULL OR e.id = only_to)
          AND (not_to IS NULL OR e.id <> not_to)
        ORDER BY e.id FOR KEY SHARE
    ), wanted AS MATERIALIZED (
        SELECT g.org_id, g.key, h.id AS endpoint_id, h.state
        FROM given g JOIN held h ON h.org_id = g.org_id
         AND (only_to IS NOT NULL
              OR h.events && ARRAY['*', split_part(g.event, '.', 1) || '.*', g.event])
    ), recorded AS (
        INSERT INTO outgoing_messages (id, org_id, event, key, project_id, body, created_at)
        SELECT time_ordered_id(), g.org_id, g.event, g.key, g.project_id,
               convert_to(json_build_object(
                   'type', g.event,
                   'timestamp', to_char(g.occurred_at AT TIME ZONE 'UTC',
                                        'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
                   'data', g.data)::text, 'UTF8'),
               clock_timestamp()
        FROM (SELECT * FROM given ORDER BY org_id, key) g
        WHERE (g.org_id, g.key) IN (SELECT w.org_id, w.key FROM wanted w)
        ON CONFLICT (org_id, key) DO NOTHING
        RETURNING id, org_id, key
    ), addressed AS MATERIALIZED (
        SELECT time_ordered_id() AS job_id, r.id AS message_id, r.org_id, w.endpoint_id, w.state
        FROM recorded r JOIN wanted w ON w.org_id = r.org_id AND w.key = r.key
    ), due AS (
        INSERT INTO outgoing_deliveries (endpoint_id, message_id, state, job_id)
        SELECT a.endpoint_id, a.message_id, CASE a.state WHEN 'enabled' THEN 'pending'
                                                         ELSE 'skipped' END,
               CASE a.state WHEN 'enabled' THEN a.job_id END
        FROM addressed a
    ), added AS (
        INSERT INTO jobs (id, queue, kind, payload, max_attempts, org_id, dedupe_key,
                          concurrency_key)
        SELECT a.job_id, 'webhooks', 'webhook_delivery',
               jsonb_build_object('orgId', a.org_id, 'endpointId', a.endpoint_id,
                                  'messageId', a.message_id),
               6, a.org_id, 'delivery:' || a.endpoint_id || ':' || a.message_id,
               'endpoint:' || a.endpoint_id
        FROM addressed a WHERE a.state = 'enabled'
        RETURNING id, queue, priority, org_id, project_id, concurrency_key
    )
    SELECT a.message_id, j.id, j.queue, j.priority, j.org_id, j.project_id, j.concurrency_key
    FROM addressed a JOIN added j ON j.id = a.job_id;
END $$;
COMMENT ON FUNCTION send_messages IS
    'Records each message once that an endpoint wants, its deliveries, and their jobs: to be rung. '
    '`only_to` gets it whatever else it wants, and nobody else does.';
