-- What was refused, and by whom: said again only after a while.
create table refusals (
    workspace  text        not null,
    subject    text        not null,
    refused_by text        not null,
    refused_at timestamptz not null default now(),
    primary key (workspace, subject, refused_by)
);
create index refusals_by_time on refusals (refused_at);

-- A component's code and an environment's build context are its files from here on.
update versions set tree = substring(path from '[0-9a-f]{64}$')
from (select id, case kind when 'components' then spec ->> 'code' else spec #>> '{build,path}' end as path
    from versions where kind in ('components', 'environments') and tree is null) found
where found.id = versions.id and found.path ~ '^modelyard://trees/[0-9a-f]{64}$';

-- Manifests name the scope of their version from here on: what was signed before is signed again. A manifest not stored yet is made anew.
update versions v set manifest = null
from version_tasks t where t.version_id = v.id and t.kind = 'manifest' and t.input is not null;

insert into version_tasks (version_id, kind, cause)
select v.id, 'manifest', jsonb_build_object('workspace', v.workspace, 'actor', 'service:registry',
    'correlation_id', 'migration-0008', 'causation_id', null, 'reason', 'signed before manifests named a scope', 'traceparent', null)
from versions v
where v.tree is not null and (v.manifest is not null or v.kind in ('components', 'environments'))
on conflict do nothing;
update version_tasks set input = null, attempts = 0, leased_until = now() where kind = 'manifest';

insert into version_tasks (version_id, kind, input, cause)
select v.id, 'conversion', v.conversion, jsonb_build_object('workspace', v.workspace, 'actor', 'service:registry',
    'correlation_id', 'migration-0008', 'causation_id', null, 'reason', 'signed before manifests named a scope', 'traceparent', null)
from versions v where v.conversion ->> 'manifest' is not null
on conflict do nothing;
