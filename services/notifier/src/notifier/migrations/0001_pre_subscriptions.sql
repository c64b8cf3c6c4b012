-- Who wants to be told of what, and every event on its way to them.

create table subscriptions (
    workspace       text        not null,
    name            text        not null,
    type            text        not null check (type in ('webhook', 'chat')),
    url             text        not null,
    secret          text,
    events          text[]      not null,
    subjects        text[]      not null,
    format          text        not null check (format in ('cloudevents', 'eventgrid')),
    description     text        not null default '',
    enabled         boolean     not null,
    disabled_reason text,
    created_by      text        not null,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    primary key (workspace, name)
);

-- A delivery whose lease has run out was in the hands of a process that died: another takes it up.
create table deliveries (
    id              uuid        primary key,
    position        bigint      generated always as identity,
    workspace       text        not null,
    subscription    text        not null,
    event_id        uuid        not null,
    event_type      text        not null,
    event_subject   text        not null,
    envelope        text        not null,
    cause           jsonb       not null,
    status          text        not null default 'pending' check (status in ('pending', 'delivered', 'dead')),
    attempts        int         not null default 0,
    detail          text,
    next_attempt_at timestamptz not null default now(),
    leased_until    timestamptz not null default '-infinity',
    created_at      timestamptz not null default now(),
    finished_at     timestamptz,
    unique (workspace, subscription, event_id),
    foreign key (workspace, subscription) references subscriptions (workspace, name) on delete cascade
);
create index deliveries_due on deliveries (workspace, subscription, next_attempt_at) where status = 'pending';
create index deliveries_newest on deliveries (workspace, subscription, position desc);
create index deliveries_finished on deliveries (finished_at) where status <> 'pending';
