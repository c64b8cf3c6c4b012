-- What a workspace knows by name and what has no versions: compute, datastores, connections. What gives access to them is not kept.
create table resources (
    workspace  text        not null,
    kind       text        not null check (kind in ('computes', 'datastores', 'connections')),
    name       text        not null,
    spec       jsonb       not null,
    created_by text        not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (workspace, kind, name)
);
