-- @pre
create table public.debezium_signal(id varchar(64) primary key, type varchar(32) not null, data varchar(2048));
create table public.a(id int primary key, v text); create table public.b(id int primary key, v text); create table public.c(id int primary key, v text); create table public."D x"(id int primary key, v text);
insert into a select g,'a'||g from generate_series(1,7) g; insert into b select g,'b'||g from generate_series(1,5) g; insert into c select g,'c'||g from generate_series(1,5) g; insert into "D x" select g,'d'||g from generate_series(1,3) g;
-- @stream
insert into a values (8,'live');
-- @action quiet
insert into b values (9,'x');
-- @action restart
insert into b values (10,'y');
