-- What a database under load does: transactions of all sizes, parts and whole of which are taken back.

-- Of this table an update tells the new row only, and not the large value that it leaves alone.
create table brief (id bigint primary key, n int not null, name text, large text);
-- Of this one it tells the old row too.
create table full_rows (id bigint primary key, n int not null, name text, large text);
alter table full_rows replica identity full;
-- Large values stand apart from their rows.
alter table brief alter large set storage external;
alter table full_rows alter large set storage external;

-- Counts the changes of a row, so that one that is lost or told twice shows.
create function change(writer int) returns void language plpgsql as $$
declare
    key bigint := writer + 8 * (random() * 300)::int;
    other bigint := writer + 8 * (random() * 300)::int;
    what float := random();
    word text := md5(random()::text);
    tab text := case when random() < 0.5 then 'brief' else 'full_rows' end;
begin
    if what < 0.4 then
        execute format('insert into %1$I values ($1, 0, $2, repeat($2, 100)) on conflict (id)
                        do update set n = %1$I.n + 1, name = $2', tab) using key, word;
    elsif what < 0.65 then
        execute format('update %I set n = n + 1, name = $2 where id = $1', tab) using key, word;
    elsif what < 0.75 then
        execute format('update %I set n = n + 1, large = repeat($2, 100) where id = $1', tab) using key, word;
    elsif what < 0.8 then
        update full_rows set id = other, n = n + 1
            where id = key and not exists (select from full_rows where id = other);
    else
        execute format('delete from %I where id = $1', tab) using key;
    end if;
end $$;

create procedure work(writer int, seed float) language plpgsql as $$
declare
    changes int;
begin
    perform setseed(seed);
    loop
        changes := case when random() < 0.004 then 1500 when random() < 0.2 then 30 else 1 + (random() * 4)::int end;
        for i in 1..changes loop
            perform change(writer);
            if random() < 0.05 then
                -- A savepoint, and back to it.
                begin
                    perform change(writer);
                    raise exception using errcode = 'P0099';
                exception when sqlstate 'P0099' then null;
                end;
            end if;
        end loop;
        if random() < 0.2 then rollback; else commit; end if;
        perform pg_sleep(random() * 0.05);
    end loop;
end $$;
