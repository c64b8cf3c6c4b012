-- Names have metadata of their own; versions can be searched; uses know their users' state; workspaces and shared registries.

alter table assets
    add column description text        not null default '',
    add column tags        jsonb       not null default '{}',
    add column created_by  text        not null default '',
    add column updated_at  timestamptz not null default now(),
    -- A deleted name is kept, so that none of its numbers is ever given again.
    add column deleted     boolean     not null default false;

-- What is equal or not (tags, properties, type, stage, actor, job, flavours) is one set of terms, so that any number of such
-- conditions is one look into one index. Terms are hashed: they are short whatever a tag holds.
create function hash_terms(terms text[]) returns bigint[] language sql immutable strict parallel safe
    return (select coalesce(array_agg(hashtextextended(term, 0)), '{}') from unnest(terms) as term);

create function version_terms(
    type text, stage text, created_by text, job text, tags jsonb, properties jsonb, flavours jsonb
) returns bigint[] language sql immutable parallel safe
    return (
        select coalesce(array_agg(hashtextextended(term, 0)), '{}')
        from (
            select 'tag:' || key from jsonb_each_text(tags)
            union all select 'tag:' || key || '=' || coalesce(value, '') from jsonb_each_text(tags)
            union all select 'property:' || key || '=' || coalesce(value, '') from jsonb_each_text(properties)
            union all select 'flavour:' || key from jsonb_object_keys(
                case when jsonb_typeof(flavours) = 'object' then flavours else '{}' end
            ) as key
            union all select 'type:' || type where type is not null
            union all select 'stage:' || stage where stage is not null
            union all select 'by:' || created_by
            union all select 'by:' || split_part(created_by, ':', 2) where created_by like '%:%'
            union all select 'job:' || job where job is not null
        ) as known (term)
    );

-- Words as people see them: `flight-delay_v2` is three. What comes after 64 Ki characters is not looked at.
create function version_words(name text, description text, tags jsonb) returns tsvector language sql immutable parallel safe
    return to_tsvector('simple'::regconfig, translate(
        left(name || ' ' || description || ' ' || tags::text, 65536), '._-/:@+&%~=?#*{}[](),"''\<>|!', repeat(' ', 29)
    ));

-- Versions in the order people count in: 9 before 10, 1.9 before 1.10. Each number is preceded by how many digits it has.
create function natural_key(version text) returns text language sql immutable parallel safe
    return (
        select string_agg(
            case when part[1] ~ '^[0-9]' then to_char(length(ltrim(part[1], '0')), 'FM000') || ltrim(part[1], '0') else part[1] end,
            '' order by place
        )
        from regexp_matches(version, '([0-9]+|[^0-9]+)', 'g') with ordinality as parts (part, place)
    );

alter table versions
    add column terms    bigint[] not null generated always as
        (version_terms(type, stage, created_by, job, tags, properties, spec -> 'flavors')) stored,
    add column words    tsvector not null generated always as (version_words(name, description, tags)) stored,
    add column sort_key text collate "C" not null generated always as (natural_key(version)) stored;

drop index versions_by_tag;
-- Searches read the pending list from end to end: it stays short.
create index versions_search on versions using gin (terms, words) with (gin_pending_list_limit = 256);
create index versions_by_age on versions (workspace, kind, id);
-- How often a term occurs decides between the index and a walk in the order asked for: the usual 100 are too few.
alter table versions alter column terms set statistics 1000;

-- Who stands on a version: deployments (with their state), jobs while they run, other versions, triggers.
-- The user of a shared version lives in another workspace.
alter table uses
    add column user_workspace text,
    add column status         text;
update uses set user_workspace = workspace;
alter table uses
    alter column user_workspace set not null,
    drop constraint uses_pkey,
    add primary key (workspace, kind, name, version, user_workspace, used_by);
drop index uses_by_user;
create index uses_by_user on uses (user_workspace, used_by);

-- The newest event seen of each user, so that one that comes late changes nothing.
create table users_seen (
    workspace text   not null,
    used_by   text   not null,
    sequence  bigint not null,
    primary key (workspace, used_by)
);

create table workspaces (
    name        text        primary key,
    description text        not null default '',
    tags        jsonb       not null default '{}',
    created_by  text        not null,
    created_at  timestamptz not null default now()
);
insert into workspaces (name, description, created_by) values ('default', 'the first workspace', 'service:registry');

-- Shared registries: scopes beside the workspaces. Their assets' `workspace` is `registries/NAME`.
create table registries (
    name        text        primary key,
    description text        not null default '',
    tags        jsonb       not null default '{}',
    created_by  text        not null,
    created_at  timestamptz not null default now()
);
