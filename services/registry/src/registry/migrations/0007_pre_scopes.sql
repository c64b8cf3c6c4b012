-- Versions that were deleted. Others still name them (lineage, signatures, conversions), so they are never given again. What is
-- registered without a name is called by the digest of its content: registered again it is the same.
create table deleted_versions (
    workspace  text        not null,
    kind       text        not null,
    name       text        not null,
    version    text        not null,
    deleted_by text        not null,
    deleted_at timestamptz not null default now(),
    primary key (workspace, kind, name, version)
);
insert into deleted_versions (workspace, kind, name, version, deleted_by, deleted_at)
select distinct on (e.workspace, e.subject)
    e.workspace, split_part(e.subject, '/', 1), split_part(e.subject, '/', 2), split_part(e.subject, '/', 4), e.actor, e.time
from events e
where e.type in ('model.deleted', 'data.deleted', 'environment.deleted', 'component.deleted')
    and e.subject like '%/versions/_%' and e.subject not like '%/azureml_anonymous/%'
    and not exists (
        select from versions v where v.workspace = e.workspace and v.kind = split_part(e.subject, '/', 1)
            and v.name = split_part(e.subject, '/', 2) and v.version = split_part(e.subject, '/', 4)
    )
order by e.workspace, e.subject, e.sequence desc;

-- The workspaces that may share into a registry; that of the owners who make registries is always one of them.
alter table registries add column writers text[] not null default '{default}';
