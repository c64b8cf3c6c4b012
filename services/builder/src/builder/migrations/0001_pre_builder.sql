-- What was asked for, and the lock it became. A request in progress holds a lease: others of the same digest wait for it.

create table environment_locks (
    spec_digest  text        primary key,
    python       text        not null,
    requirements jsonb       not null,
    lock         text,
    packages     jsonb       not null default '[]',
    error        jsonb,
    attempts     int         not null default 0,
    leased_until timestamptz not null default '-infinity',
    created_at   timestamptz not null default now(),
    locked_at    timestamptz
);
create index environment_locks_by_lock on environment_locks (lock);

-- Registered environments to be locked and registered models to be converted. A lease that has run out is taken up by another worker.
create table tasks (
    kind            text        not null check (kind in ('environment', 'conversion')),
    workspace       text        not null,
    name            text        not null,
    version         text        not null,
    status          text        not null default 'pending' check (status in ('pending', 'done', 'failed', 'skipped')),
    detail          text,
    result          jsonb       not null default '{}',
    attempts        int         not null default 0,
    next_attempt_at timestamptz not null default now(),
    leased_until    timestamptz not null default '-infinity',
    cause           jsonb       not null,
    created_at      timestamptz not null default now(),
    finished_at     timestamptz,
    primary key (kind, workspace, name, version)
);
create index tasks_due on tasks (kind, next_attempt_at) where status = 'pending';
create index tasks_newest on tasks (kind, workspace, created_at desc);
