create table monitors (
    workspace   text        not null,
    name        text        not null,
    endpoint    text        not null,
    deployment  text        not null,
    spec        jsonb       not null,
    plan        jsonb       not null,
    created_by  text        not null,
    updated_at  timestamptz not null default now(),
    primary key (workspace, name)
);
create index monitors_by_deployment on monitors (workspace, endpoint, deployment);

-- Scored rows since the last window closed, as a sketch. An open window takes rows; a closed one waits to be compared.
create table windows (
    id         bigint generated always as identity primary key,
    workspace  text        not null,
    monitor    text        not null,
    number     bigint      not null,
    status     text        not null check (status in ('open', 'closed', 'evaluated', 'failed')),
    model      text,
    rows       bigint      not null default 0,
    first_row  timestamptz not null,
    last_row   timestamptz not null,
    opened_at  timestamptz not null default now(),
    profile    bytea       not null,
    detail     text,
    foreign key (workspace, monitor) references monitors (workspace, name) on delete cascade,
    unique (workspace, monitor, number)
);
create unique index one_open_window on windows (workspace, monitor) where status = 'open';
create index windows_closed on windows (id) where status = 'closed';

create table signals (
    workspace text        not null,
    monitor   text        not null,
    signal    text        not null,
    state     text        not null check (state in ('quiet', 'drifting')),
    since     timestamptz not null,
    primary key (workspace, monitor, signal),
    foreign key (workspace, monitor) references monitors (workspace, name) on delete cascade
);

create table evaluations (
    id        bigint generated always as identity primary key,
    workspace text        not null,
    monitor   text        not null,
    signal    text        not null,
    number    bigint      not null,
    model     text,
    rows      bigint      not null,
    drifted   boolean     not null,
    features  jsonb       not null,
    at        timestamptz not null default now(),
    foreign key (workspace, monitor) references monitors (workspace, name) on delete cascade
);
create index evaluations_newest on evaluations (workspace, monitor, id desc);
