-- @pre
create table public.shop(id int primary key, name varchar(20) not null default 'n', price numeric(8,2), ratio float8, big bigint default 5, ok boolean, ts timestamp, ts3 timestamp(3), tz timestamptz, d date, tm time, b bytea, tags text[], doc jsonb, region text, note text default 'dflt');
insert into shop values (1,'Ann',12.50,1.5,7,true,'2024-02-29 13:14:15.123456','2024-02-29 13:14:15.123','2024-02-29 13:14:15.5+02','2024-02-29','13:14:15.123456','\x0102','{a,NULL}','{"a":1}','eu',null),(2,'Bob',null,null,null,null,null,null,null,null,null,null,null,null,null,'x');
create table public.other(id int primary key, region text); insert into other values (1,'us');
-- @stream
insert into shop values (3,'Cy',0.10,-0.5,-7,false,'1969-12-31 23:59:59.999999','1969-12-31 23:59:59.999','1969-12-31 23:59:59.5+00','1969-12-31','00:00','\x','{}','[]','us','note');
update shop set price=99.99, region='ap' where id=1; update shop set id=30 where id=3; delete from shop where id=30; delete from shop where id=2;
insert into other values (2,null); update other set region='eu' where id=2; delete from other where id=1;
