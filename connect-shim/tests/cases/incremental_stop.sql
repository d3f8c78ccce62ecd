-- @pre
create table public.debezium_signal(id varchar(64) primary key, type varchar(32) not null, data varchar(2048));
create table public.a(id int primary key, v text); create table public.b(id int primary key, v text); create table public.n(id int primary key, s text);
insert into a select g, 'a' || g from generate_series(1, 7) g; insert into b values (1, 'b'); insert into n values (1, 'x'), (2, null), (3, 'y'), (4, null), (5, 'z');
-- @stream
insert into a values (8, 'live');
-- @action quiet
begin;
insert into debezium_signal values ('x1','execute-snapshot','{"data-collections": ["public.a", "public.b", "public.nosuch"]}');
insert into debezium_signal values ('x2','stop-snapshot','{"data-collections": ["public.[ab]"]}');
insert into debezium_signal values ('x3','pause-snapshot','');
commit;
-- @action quiet
-- @action wait 1
insert into debezium_signal values ('x4','resume-snapshot','{}');
-- @action quiet
-- @action wait 1
insert into debezium_signal values ('x5','execute-snapshot','{"data-collections": ["public.n"], "surrogate-key": "s", "additional-conditions": [{"data-collection": "PUBLIC.N", "filter": "id < 5"}]}');
-- @action quiet
-- @action wait 2
insert into a values (9, 'end');
