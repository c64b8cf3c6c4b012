-- Delivery: what every service keeps so that an event is never lost and never handled twice.

create table outbox (
    position        bigint generated always as identity primary key,
    event_id        uuid        not null unique,
    workspace       text        not null,
    type            text        not null,
    subject         text        not null,
    sequence        bigint      not null,
    envelope        text        not null,
    created_at      timestamptz not null default now(),
    published_at    timestamptz,
    stream_sequence bigint,
    unique (workspace, subject, sequence)
);
create index outbox_unpublished on outbox (position) where published_at is null;

create table outbox_sequences (
    workspace text   not null,
    subject   text   not null,
    sequence  bigint not null,
    primary key (workspace, subject)
);

create table inbox (
    consumer   text        not null,
    event_id   uuid        not null,
    handled_at timestamptz not null default now(),
    primary key (consumer, event_id)
);

-- The stream as the relay last saw it: another creation time, or a shorter stream, means that events were lost.
create table relay_state (
    stream        text        primary key,
    created_at    timestamptz not null,
    last_sequence bigint      not null
);

-- What a request with an Idempotency-Key was answered, so that sending it again changes nothing.
create table idempotency (
    workspace  text        not null,
    key        text        not null,
    actor      text        not null,
    request    text        not null,
    response   jsonb       not null,
    created_at timestamptz not null default now(),
    primary key (workspace, key)
);
