-- @pre
create table public.outbox(id uuid primary key, aggregatetype varchar(255) not null, aggregateid varchar(255) not null, type varchar(255) not null, payload jsonb, tenant text, prio int, created_at timestamptz, ts bigint, ver int, part int, amount numeric(6,2), tsm timestamp(3));
insert into outbox values ('00000000-0000-0000-0000-000000000001','order','1','OrderCreated','{"id": 1, "n": null, "x": 1.5}','t1',5,'2024-01-01 10:00:00.123+00',1700000000000,1,0,1.25,'2024-01-01 10:00:00.5');
-- @stream
insert into outbox values ('00000000-0000-0000-0000-000000000002','customer','2','Created','{"a": [], "b": {}, "c": [1, 2.5], "d": [{"x": 1}, {"y": "z"}], "e": [null], "f": 12345678901, "g": true}','t2',-1,'2024-01-01 10:00:01+00',1700000000001,2,1,null,null);
insert into outbox values ('00000000-0000-0000-0000-000000000003','customer','3','Empty','{}',null,null,null,1700000000002,null,0,null,null),('00000000-0000-0000-0000-000000000004','customer','4','Null',null,'t',0,'2024-01-01',1700000000003,1,0,0,null),('00000000-0000-0000-0000-000000000005','order','5','Str','"s"',null,null,null,1700000000004,1,0,0,null),('00000000-0000-0000-0000-000000000006','order','6','Num','5',null,null,null,1700000000005,1,1,0,null);
update outbox set prio=9 where aggregateid='2'; delete from outbox where aggregateid='2';
