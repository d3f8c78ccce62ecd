-- @pre
create table public.shapes(id int primary key, p point, b box, l lseg, pa path, pg polygon, c circle, li line, pr point not null default '(1,2)');
insert into shapes(id,p,b,l,pa,pg,c,li) values
 (1,'(1.5,-2)','(3,4),(1,2)','[(0,0),(1,1.5)]','((0,0),(1,1),(2,0))','((0,0),(4,0),(4,3))','<(1,2),3.5>','{1,-1,0}'),
 (2,'(0,0)','(1e10,1),(0,0)','[(1,1),(1,1)]','[(0,0),(5,5)]','((0,0),(0,1),(1,1),(0,0))','<(0,0),0>','{0,1,-2.5}'),
 (3,null,null,null,null,null,null,null);
create table public.nets(id int primary key, i inet, ci cidr, m macaddr, m8 macaddr8, r4 int4range, r8 int8range, nr numrange, tr tsrange, tzr tstzrange, dr daterange, tv tsvector, o oid, ch "char", n name, b1 bit, b5 bit(5), vb varbit, vb1 varbit(1), vb12 varbit(12), bd bit(3) default B'101', lsn pg_lsn, tq tsquery, j json, mr int4multirange);
insert into nets values
 (1,'192.168.0.1/24','10.0.0.0/8','08:00:2b:01:02:03','08:00:2b:01:02:03:04:05','[1,5)','(,10]','[1.5,2.5)','[2024-01-01,2024-02-01)','[2024-01-01 00:00+00,)','[2024-01-01,2024-01-31]','a fat cat',4294967295,'x','some_name',B'1',B'10101',B'1',B'1',B'000000000001',default,'16/B374D848','fat & cat','{"a":1}','{[1,2),[5,9)}'),
 (2,'::1',null,null,null,'empty',null,null,null,null,null,'',0,'',null,B'0',B'00000',B'',B'0',B'100000000000',B'000',null,null,null,null),
 (3,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null);
-- @stream
insert into shapes select id+10,p,b,l,pa,pg,c,li from shapes order by id;
insert into nets select id+10,i,ci,m,m8,r4,r8,nr,tr,tzr,dr,tv,o,ch,n,b1,b5,vb,vb1,vb12,bd,lsn,tq,j,mr from nets order by id;
delete from shapes where id=1; delete from nets where id=1;
