-- Jobs and their steps; what is to be done for them by workers: orders, environments, registrations; triggers and their firings.

create table jobs (
    position     bigint generated always as identity unique,
    workspace    text        not null,
    name         text        not null,
    kind         text        not null check (kind in ('command', 'pipeline')),
    status       text        not null default 'submitted'
                 check (status in ('submitted', 'running', 'finalizing', 'completed', 'failed', 'canceled')),
    plan         jsonb       not null,
    spec         jsonb       not null,
    git          jsonb,
    inputs       jsonb       not null,
    outputs      jsonb       not null default '{}',
    display_name text,
    experiment   text,
    description  text,
    tags         jsonb       not null default '{}',
    properties   jsonb       not null default '{}',
    trigger      text,
    detail       text,
    failed_step  text,
    cause        jsonb       not null,
    created_by   text        not null,
    created_at   timestamptz not null default now(),
    started_at   timestamptz,
    ended_at     timestamptz,
    primary key (workspace, name)
);
create index jobs_newest on jobs (workspace, position desc);
create index jobs_by_status on jobs (workspace, status, position desc);

create table steps (
    id              uuid        primary key,
    workspace       text        not null,
    job             text        not null,
    position        int         not null,
    name            text        not null,
    status          text        not null default 'waiting'
                    check (status in ('waiting', 'queued', 'running', 'completed', 'failed', 'canceled', 'reused')),
    attempt         int         not null default 0,
    plan            jsonb       not null,
    environment_key text,
    lock            text,
    cache_key       text,
    inputs          jsonb       not null default '{}',
    outputs         jsonb       not null default '{}',
    source          text,
    detail          text,
    exit_code       int,
    log             text,
    log_tail        text        not null default '',
    node            text,
    seconds         double precision,
    peak_rss_bytes  bigint,
    ended_event     uuid,
    created_at      timestamptz not null default now(),
    queued_at       timestamptz,
    started_at      timestamptz,
    ended_at        timestamptz,
    -- The work order of the current attempt: due (to be published), sent (the stream has it at order_sequence),
    -- recalled (the step was canceled while the stream had it), or over.
    order_state     text        not null default 'none' check (order_state in ('none', 'due', 'sent', 'recalled', 'over')),
    order_number    int         not null default 0,
    order_sequence  bigint,
    order_after     timestamptz not null default now(),
    foreign key (workspace, job) references jobs (workspace, name) on delete cascade,
    unique (workspace, job, name)
);
create index steps_by_cache_key on steps (workspace, cache_key, ended_at desc) where status = 'completed';
create index steps_due on steps (order_after) where order_state = 'due';
create index steps_ordered on steps (id) where order_state in ('sent', 'recalled');

-- Environments to be locked by the builder, one row for each distinct one of a job. A lease that has run out is taken up by another worker.
create table environments (
    workspace    text        not null,
    job          text        not null,
    key          text        not null,
    spec         jsonb       not null,
    attempts     int         not null default 0,
    leased_until timestamptz not null default now(),
    primary key (workspace, job, key),
    foreign key (workspace, job) references jobs (workspace, name) on delete cascade
);
create index environments_by_lease on environments (leased_until);

-- Outputs of completed jobs that become assets. The job completes when all of them are registered.
create table registrations (
    workspace    text        not null,
    job          text        not null,
    output       text        not null,
    plan         jsonb       not null,
    status       text        not null default 'waiting' check (status in ('waiting', 'registered', 'failed')),
    version      text,
    detail       text,
    attempts     int         not null default 0,
    leased_until timestamptz not null default now(),
    primary key (workspace, job, output),
    foreign key (workspace, job) references jobs (workspace, name) on delete cascade
);
create index registrations_waiting on registrations (leased_until) where status = 'waiting';

create table triggers (
    workspace     text        not null,
    name          text        not null,
    spec          jsonb       not null,
    event_type    text        not null,
    enabled       boolean     not null,
    since         timestamptz not null default now(),
    last_fired_at timestamptz,
    created_by    text        not null,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    primary key (workspace, name)
);
create index triggers_by_event on triggers (workspace, event_type) where enabled;

-- A trigger whose event has come, and the job that was submitted for it. Kept when the trigger is deleted.
create table firings (
    position       bigint generated always as identity unique,
    workspace      text        not null,
    trigger        text        not null,
    event_id       uuid        not null,
    event          jsonb       not null,
    correlation_id text        not null,
    status         text        not null default 'waiting' check (status in ('waiting', 'submitted', 'missed')),
    job            text,
    detail         text,
    attempts       int         not null default 0,
    leased_until   timestamptz not null default now(),
    created_at     timestamptz not null default now(),
    primary key (workspace, trigger, event_id)
);
create index firings_waiting on firings (leased_until) where status = 'waiting';
create index firings_by_story on firings (workspace, trigger, correlation_id);
