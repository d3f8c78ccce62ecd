-- @pre
create table public.tz(id int primary key, ts timestamp default '2024-03-10 02:30:00', ts0 timestamp(0), ts3 timestamp(3), tz timestamptz, tz2 timestamptz(2) not null default '2020-01-01 00:00:00+00', d date, t time, tt timetz, tss timestamp[], v text);
alter table tz replica identity full;
insert into tz values (1, '2024-03-10 02:30:00.123456', '2024-11-03 01:30:00', '2024-11-03 01:30:00.123', '2024-03-10 07:00:00+00', '2024-07-01 00:00:00.12+00', '2024-03-10', '02:30', NULL, '{2024-03-10 02:30:00}', 'dst'), (2, null, null, null, null, default, null, null, null, null, 'nulls'),
 (3, '1969-12-31 23:59:59.999999', '1883-11-18 12:00:00', '1900-01-01 00:00:00.001', '1883-11-18 12:00:00.000001+00', '0001-01-01 00:00:00+00', '0001-01-01', '23:59:59.999999', NULL, '{}', 'old'),
 (4, '2500-07-01 00:00:00', '2038-01-19 03:14:08', '9999-12-31 23:59:59.999', '2500-07-01 00:00:00+00', '9999-12-31 23:59:59.99+00', '2500-07-01', '00:00', NULL, null, 'far');
create table public.other(id int primary key, ts timestamp, tz timestamptz, tt timetz); insert into other values (1, '2024-07-01 12:00:00', '2024-07-01 12:00:00+00', '23:30:15.5+02');
-- @stream
insert into tz values (5, '2024-11-03 00:30:00.5', '2024-03-31 02:30:00', '2024-10-27 02:30:00.5', '2024-11-03 05:30:00.000010+00', '2024-11-03 06:30:00+00', null, '24:00', null, null, 'again');
update tz set ts = ts + interval '6 months', tz = tz - interval '1 day' where id = 1; update tz set v = 'x' where id = 2; delete from tz where id = 3;
insert into other values (2, '2024-01-01 12:00:00.000001', '2024-01-01 12:00:00.000001+00', '00:00:00-03:30'); update other set ts = '2024-01-01' where id = 1;
