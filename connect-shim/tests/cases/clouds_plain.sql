-- @pre
create table public.o(id int primary key, item varchar(20) not null default 'none', price numeric(8,2), note text default 'dflt', at timestamptz, doc jsonb, b bytea, tags text[]);
insert into o values (1, 'ink', 12.50, null, '2024-02-29 13:14:15.5+02', '{"a": "\"x"}', '\x0102', '{a,NULL}'), (2, 'pen', null, 'x', null, null, null, null);
-- @stream
insert into o values (3, 'cap', 0.10, 'n', '1969-12-31 23:59:59.5+00', '[]', '\x', '{}');
begin; update o set price = 99.99, note = null where id = 1; update o set id = 30 where id = 3; commit;
delete from o where id = 2;
select pg_logical_emit_message(true, 'p', 'hello');
truncate o;
