-- What a model's files are (`inspection`), and the digest of the signed manifest of any version's files (`manifest`).

alter table versions add column manifest text;
alter table versions add column inspection jsonb;
create index versions_by_inspection on versions using gin (inspection jsonb_path_ops);

-- What is still to be done about a version: its manifest stored, its conversion signed, its files looked into. A lease that has run out
-- is taken up by another worker. `input` is a manifest not stored yet, or a conversion not signed yet.
create table version_tasks (
    id           bigint      generated always as identity primary key,
    version_id   bigint      not null references versions (id) on delete cascade,
    kind         text        not null check (kind in ('manifest', 'conversion', 'inspection')),
    input        jsonb,
    attempts     int         not null default 0,
    leased_until timestamptz not null default now(),
    cause        jsonb       not null,
    unique (version_id, kind)
);
create index version_tasks_due on version_tasks (kind, leased_until);

-- Versions from before manifests and inspections.
insert into version_tasks (version_id, kind, cause)
select v.id, t.kind, jsonb_build_object('workspace', v.workspace, 'actor', 'service:registry',
    'correlation_id', 'migration-0005', 'causation_id', null, 'reason', 'registered before this was done', 'traceparent', null)
from versions v cross join (values ('manifest'), ('inspection')) t (kind)
where v.tree is not null and (v.kind = 'models' or (v.kind = 'data' and t.kind = 'manifest'));

insert into version_tasks (version_id, kind, input, cause)
select v.id, 'conversion', v.conversion, jsonb_build_object('workspace', v.workspace, 'actor', 'service:registry',
    'correlation_id', 'migration-0005', 'causation_id', null, 'reason', 'converted before this was done', 'traceparent', null)
from versions v where v.conversion ->> 'status' = 'converted';
