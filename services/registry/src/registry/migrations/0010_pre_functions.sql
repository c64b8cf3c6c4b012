-- The same functions, in a language whose plans are kept with the session: as SQL functions they were planned anew for every row
-- that was written, which took a third of the time of a registration.
create or replace function version_terms(
    type text, stage text, created_by text, job text, tags jsonb, properties jsonb, flavours jsonb
) returns bigint[] language plpgsql immutable parallel safe as $$
begin
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
end $$;
create or replace function version_words(name text, description text, tags jsonb) returns tsvector language plpgsql immutable parallel safe as $$
begin
    return to_tsvector('simple'::regconfig, translate(
        left(name || ' ' || description || ' ' || tags::text, 65536), '._-/:@+&%~=?#*{}[](),"''\<>|!', repeat(' ', 29)
    ));
end $$;
create or replace function natural_key(version text) returns text language plpgsql immutable parallel safe as $$
begin
    return (
        select string_agg(
            case when part[1] ~ '^[0-9]' then to_char(length(ltrim(part[1], '0')), 'FM000') || ltrim(part[1], '0') else part[1] end,
            '' order by place
        )
        from regexp_matches(version, '([0-9]+|[^0-9]+)', 'g') with ordinality as parts (part, place)
    );
end $$;
