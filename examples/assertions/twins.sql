-- What breaks each assertion of this directory, and no other. The name is that of the assertion.

-- money

-- every entry balances
update postings set amount = amount + 5 where id = 12;
update accounts set balance = balance + 5 where id = 2;
-- balances agree with the postings
update accounts set balance = balance - 100 where id = 3;
-- every invoice is the sum of its lines
insert into invoice_lines values (40, 1);
-- every day has an exchange rate
delete from exchange_rates where day = (select min(day) + 30 from exchange_rates);
-- payments are what finance reported
update payments set amount = 0 where id between 21 and 40;
-- no payment is booked twice
update payments set provider_reference = 'pay_7' where id = 8;
-- every iban is valid
update tenants set iban = 'DE89370400440532013001' where id = 1;

-- time

-- every month has its partition
do $$ begin
    execute 'drop table orders_' || to_char(now() + interval '1 month', 'YYYY_MM');
end $$;
-- no order lies in the default partition
insert into orders (tenant_id, customer_id, status, placed_at, deleted_at)
values (1, 3, 'paid', '2099-01-01', now());
-- the newest heartbeat is of the last minutes
update heartbeats set at = at - interval '3 hours';
-- prices of a product do not overlap
insert into prices values (4, 99, '[2025-06-01,2025-07-01)');

-- keys

-- no order line without its order
insert into order_lines (order_id, product_id, quantity, price) values (9999, 1, 1, 1);
-- every foreign key is validated
alter table invoice_lines drop constraint invoice_lines_invoice_id_fkey;
alter table invoice_lines add constraint invoice_lines_invoice_id_fkey
    foreign key (invoice_id) references invoices not valid;
-- an email belongs to one live customer of a tenant
update customers set email = 'C9@example.com' where id = 12;
-- sequences are ahead of their keys
select setval('customers_id_seq', 1);
-- an order has the states that the application knows
alter type order_status add value 'refunded';
-- no table is empty
truncate countries;

-- content

-- every event has its keys
update events set payload = payload - 'type' where id = 17;
-- events are of versions that we read
update events set payload = jsonb_set(payload, '{schema_version}', '99') where id = 18;
-- the settings are the deployed ones
update settings set document = jsonb_set(document, '{vat}', '19');
-- no text was decoded twice
update customers set name = 'ZoÃ« 5' where id = 5;
-- every invoice has its checksum
update invoices set pdf = 'another one' where id = 33;
-- the audit log is unbroken
update audit_log set action = 'nothing' where id = 8;
-- line amounts are quantity times price
alter table order_lines alter column amount drop expression;
update order_lines set amount = 0 where id = 77;
-- every export can be unpacked
update exports set packed = substring(packed for 10) where id = 1;

-- access

-- a tenant sees no other tenant
create policy everyone on customers using (true);
-- a tenant sees its orders
alter policy own on orders using (status = 'new');
-- row security is on wherever there is a tenant
alter table coupons disable row level security;
-- reports cannot read emails
grant select on customers to shop_report;
-- everything belongs to its owner
alter table payments owner to postgres;
-- every trigger is enabled
alter table orders disable trigger orders_touch;
-- the application can place an order
revoke usage on sequence order_number from shop_app;
-- every table has a comment
comment on table heartbeats is null;
-- what the application calls is there
drop function gross;

-- derived

-- a deleted customer has no live order
update customers set deleted_at = now() where id = 7;
-- every large object is in use
select lo_from_bytea(424242, '\x00');
-- the newest migration is the deployed one
insert into migrations values ('20260601_try');
-- coupons are those of before the release
update coupons set percent = 100 where code = 'SPRING';
-- the view of live customers hides deleted ones
create or replace view live_customers as select id, tenant_id, email, name from customers;
-- daily revenue agrees with the orders
update orders set total = total + 1 where id = 50;
