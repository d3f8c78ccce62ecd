-- @pre
create table public.a(id int primary key, t text, l bigint, f float8, b boolean, d numeric(5,2), x bytea);
insert into a select g, 'text ' || repeat(chr(64 + g), g), g * 100000000000, g / 3.0, g % 2 = 0, g, convert_to(repeat('x', g), 'utf8') from generate_series(1, 40) g;
-- @stream
insert into a select g, repeat('é😀', g - 40), -g, -g, null, null, null from generate_series(41, 60) g; update a set t = 'other' where id = 1; delete from a where id = 2; update a set id = 100 where id = 3;
