-- @pre
create table public.debezium_signal(id varchar(64) primary key, type varchar(32) not null, data varchar(2048)); create table public.blk(id int primary key, v text); insert into blk select g,'v'||g from generate_series(1,4) g; create table public.other(id int primary key); insert into other values (1);
-- @stream
insert into blk values (5,'live');
-- @action quiet
insert into debezium_signal values ('b-1','execute-snapshot','{"data-collections": ["public.blk"], "type": "blocking", "additional-conditions": [{"data-collection": "public.blk", "filter": "select * from public.blk where id < 4"}]}');
-- @action quiet
-- @action wait 2
insert into blk values (6,'after');
