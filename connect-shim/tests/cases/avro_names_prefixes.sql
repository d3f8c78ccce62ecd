-- @pre
create schema "my-schema"; create table "my-schema"."1 table"(id int primary key, "odd-name" text, "2nd" int, "a.b" text); insert into "my-schema"."1 table" values (1,'x',2,'y');
-- @stream
insert into "my-schema"."1 table" values (2,'x',2,'y'); select pg_logical_emit_message(true,'keep.me','a'); select pg_logical_emit_message(true,'drop.me','b'); select pg_logical_emit_message(false,'keep.too','c');
begin; update "my-schema"."1 table" set "2nd"=2 where id=2; select pg_logical_emit_message(true,'keep.me','in tx'); commit;
delete from "my-schema"."1 table" where id=2;
