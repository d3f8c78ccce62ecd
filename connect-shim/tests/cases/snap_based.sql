-- @pre
create table public.a(id int primary key, v text); create table public.b(id int primary key, v text); create table public.empty(id int primary key); insert into a select g,'v'||g from generate_series(1,4) g; insert into b select g,'w'||g from generate_series(1,2) g;
-- @stream
insert into a values (10,'live'); insert into b values (10,'live');
-- @action restart
insert into a values (11,'after');
