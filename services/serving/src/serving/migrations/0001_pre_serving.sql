-- Endpoints: stable addresses with keys. A name is an address, so it is there once in an installation.
create table endpoints (
    name                 text        primary key,
    workspace            text        not null,
    spec                 jsonb       not null,
    traffic              jsonb       not null default '{}',
    primary_generation   int         not null default 1,
    secondary_generation int         not null default 1,
    revision             bigint      not null default 1,
    deleting             boolean     not null default false,
    cause                jsonb       not null,
    created_by           text        not null,
    created_at           timestamptz not null
);
create index endpoints_by_workspace on endpoints (workspace, name);

-- Deployments: `target` is the newest generation of the spec, `live` the last one that became ready (both {number, spec, model, plan}).
create table deployments (
    endpoint    text        not null references endpoints (name),
    name        text        not null,
    workspace   text        not null,
    status      text        not null check (status in ('requested', 'building', 'starting', 'ready', 'degraded', 'failed', 'deleting')),
    detail      text        not null default '',
    target      jsonb       not null,
    live        jsonb,
    replicas    int         not null default 0,
    all_traffic boolean     not null default false,
    cause       jsonb       not null,
    created_at  timestamptz not null,
    changed_at  timestamptz not null,
    primary key (endpoint, name)
);
create index deployments_unsettled on deployments (changed_at) where status in ('requested', 'building', 'starting', 'deleting');
