-- @pre
create table public.debezium_signal(id varchar(64) primary key, type varchar(32) not null, data varchar(2048));
create table public.a(id int primary key, v text); create table public.b(id int primary key, v text);
insert into a select g, 'a' || g from generate_series(1, 3) g; insert into b values (1, 'b');
-- @stream
insert into a values (8, 'live');
-- @action quiet
insert into debezium_signal values ('x1','execute-snapshot','{"data-collections": ["public.a", "public.b"], "type": "BLOCKING", "additional-conditions": [{"data-collection": "public.b", "filter": "select nosuch from b"}]}');
-- @action quiet
-- @action wait 2
insert into b values (2, 'goes on');
-- @action quiet
insert into debezium_signal values ('x2','execute-snapshot','{"data-collections": ["public.b"], "type": "blocking"}');
-- @action quiet
-- @action wait 2
insert into a values (9, 'end');
