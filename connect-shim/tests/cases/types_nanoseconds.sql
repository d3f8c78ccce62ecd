-- @pre
create extension hstore; create extension citext; create extension ltree;
create table public.modes(id int primary key, n numeric, n2 numeric(6,2), m money, b bytea, iv interval, d date, t time, t3 time(3), ttz timetz, ts timestamp, ts0 timestamp(0), tz timestamptz, an numeric(6,2)[], ab bytea[], at time[], atz timetz[], ats timestamp(3)[], ad date[], l ltree, al ltree[], ac citext[], ah hstore[], ax xml[], am money[], ai interval[], ab8 bool[][]);
insert into modes values
 (1,123.4500,1.5,'-$1,234.56','\xdeadbeef','1 year 2 mons 3 days 04:05:06.789','2024-02-29','13:14:15.123456','13:14:15.1','13:14:15.5+05:30','2024-02-29 13:14:15.5','2024-02-29 13:14:15','2024-02-29 13:14:15.123456+05:30','{1.5,NULL}','{"\\x01ff",NULL}','{10:00,24:00}','{10:00+01}','{2024-01-01 10:00:00.5}','{2024-01-01,1969-12-31}','Top.Science','{A.B,C}','{Ab,NULL}','{"a=>1"}','{<a/>}','{$1}','{1 day}','{{t,f},{f,t}}'),
 (2,0,0,'$0','\x','-1 mon +2 days -00:00:01.5','1900-01-01','00:00','00:00','00:00-12','1900-01-01 00:00:00.000001','1900-01-01','1900-01-01 00:00:00+00','{}','{}','{}','{}','{}','{}','','{}','{}','{}',null,null,null,null),
 (3,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null);
-- @stream
insert into modes select id+10,n,n2,m,b,iv,d,t,t3,ttz,ts,ts0,tz,an,ab,at,atz,ats,ad,l,al,ac,ah,ax,am,ai,ab8 from modes order by id;
update modes set n=99.10 where id=1; delete from modes where id=1;
