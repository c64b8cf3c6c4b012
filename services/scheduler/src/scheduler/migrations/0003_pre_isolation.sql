-- A logged model's metrics are those that runs of its own workspace have logged: its id may be known elsewhere.
create or replace function value_of(m logged_models, field text, key text) returns jsonb language sql stable as $$
    select case field
        when 'tag' then m.tags -> key
        when 'param' then m.params -> key
        when 'metric' then (
            select to_jsonb(nullif(p.value, 'NaN')) from metrics p join runs r on r.position = p.run and r.workspace = m.workspace
            where p.model = m.id and p.key = $3
            order by p.step desc, p.timestamp desc, p.value desc limit 1
        )
        when 'attribute' then case key
            when 'id' then to_jsonb(m.id)
            when 'name' then to_jsonb(m.name)
            when 'type' then to_jsonb(m.type)
            when 'status' then to_jsonb(m.status)
            when 'run' then to_jsonb(m.run)
            when 'created_at' then to_jsonb(milliseconds(m.created_at))
            when 'updated_at' then to_jsonb(milliseconds(m.updated_at))
        end
    end
$$;
