-- Assets: one table for every kind, since models, data, environments and components are versioned, labelled, tagged and guarded alike.

create table assets (
    workspace     text        not null,
    kind          text        not null check (kind in ('models', 'data', 'environments', 'components')),
    name          text        not null,
    latest_number bigint      not null default 0,
    created_at    timestamptz not null default now(),
    primary key (workspace, kind, name)
);

create table versions (
    id            bigint generated always as identity primary key,
    workspace     text        not null,
    kind          text        not null,
    name          text        not null,
    version       text        not null,
    type          text,
    description   text        not null default '',
    tags          jsonb       not null default '{}',
    properties    jsonb       not null default '{}',
    stage         text,
    tree          text,
    size          bigint      not null default 0,
    spec          jsonb       not null,
    job           text,
    environment   text,
    sample        text,
    archived      boolean     not null default false,
    conversion    jsonb,
    profile       jsonb,
    created_by    text        not null,
    created_at    timestamptz not null default now(),
    foreign key (workspace, kind, name) references assets (workspace, kind, name),
    unique (workspace, kind, name, version)
);
create index versions_by_tag on versions using gin (tags jsonb_path_ops);
create index versions_newest on versions (workspace, kind, name, id desc);

create table aliases (
    workspace text not null,
    kind      text not null,
    name      text not null,
    alias     text not null,
    version   text not null,
    primary key (workspace, kind, name, alias),
    foreign key (workspace, kind, name, version) references versions (workspace, kind, name, version)
);

-- What stands on a version, so that it may not be deleted: learnt from deployment events.
create table uses (
    workspace text not null,
    kind      text not null,
    name      text not null,
    version   text not null,
    used_by   text not null,
    primary key (workspace, kind, name, version, used_by)
);
create index uses_by_user on uses (workspace, used_by);

-- Tables of data waiting for their profile. A lease that has run out is taken up by another worker.
create table profile_tasks (
    version_id   bigint      primary key references versions (id) on delete cascade,
    attempts     int         not null default 0,
    leased_until timestamptz not null default now(),
    cause        jsonb       not null
);

create table promotions (
    id         text        primary key,
    workspace  text        not null,
    model      text        not null,
    candidate  text        not null,
    champion   text,
    criterion  text        not null,
    evidence   jsonb       not null,
    status     text        not null check (status in ('approved', 'rejected')),
    detail     text        not null,
    decided_by text        not null,
    created_at timestamptz not null default now()
);

-- Every event of the platform, as the audit log and the lineage graph read it.
create table events (
    position       bigint generated always as identity primary key,
    event_id       uuid        not null unique,
    workspace      text        not null,
    type           text        not null,
    subject        text        not null,
    sequence       bigint      not null,
    time           timestamptz not null,
    actor          text        not null,
    reason         text,
    correlation_id text        not null,
    causation_id   text,
    data           jsonb       not null
);
create index events_by_subject on events (workspace, subject, type, sequence desc);
create index events_by_correlation on events (workspace, correlation_id);
create index events_by_type on events (workspace, type, position desc);

create table tokens (
    sha256     text        primary key,
    name       text        not null,
    role       text        not null check (role in ('reader', 'contributor', 'deployer', 'owner')),
    workspace  text        not null,
    created_by text        not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    unique (workspace, name)
);
