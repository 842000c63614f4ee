"""A small shop: schema, data, trade, two accidents. Only the times of its rows differ by run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_pgrestore.demo.cluster import Cluster

DATABASE = "shop"
ROLE = "shop_app"

_SCHEMA = """
create table customers (
    id bigint generated always as identity primary key,
    name text not null,
    email text not null unique,
    created_at timestamptz not null default clock_timestamp()
);
create table orders (
    id bigint generated always as identity primary key,
    customer_id bigint not null references customers,
    status text not null check (status in ('open', 'paid', 'cancelled')),
    discount numeric(5, 2) not null default 0,
    created_at timestamptz not null default clock_timestamp()
);
create index orders_customer on orders (customer_id);
create table order_lines (
    order_id bigint not null references orders,
    line integer not null,
    article text not null,
    amount_cents bigint not null check (amount_cents > 0),
    primary key (order_id, line)
);
create table payments (
    id bigint generated always as identity primary key,
    order_id bigint not null,
    amount_cents bigint not null,
    paid_at timestamptz not null default clock_timestamp()
);
create sequence invoice_number start 10001;
create view revenue as
    select date_trunc('day', p.paid_at) as day, sum(p.amount_cents) as cents
    from payments p group by 1;
"""

_CUSTOMERS = """
insert into customers (name, email, created_at)
select 'Customer ' || n, 'customer' || n || '@shop.example',
       clock_timestamp() - (%(count)s - n) * interval '1 minute'
from generate_series(1, %(count)s) n
"""
_ORDERS = """
insert into orders (customer_id, status, discount, created_at)
select 1 + n %% %(customers)s, (array['paid', 'paid', 'open', 'cancelled'])[1 + n %% 4], n %% 20,
       clock_timestamp() - (%(count)s - n) * interval '1 second'
from generate_series(1, %(count)s) n
"""
_LINES = """
insert into order_lines (order_id, line, article, amount_cents)
select o.id, l, 'article ' || (o.id * 7 + l) %% 500, 100 + (o.id * 31 + l * 17) %% 9000
from orders o cross join generate_series(1, 3) l where o.id > %(after)s
"""
_PAYMENTS = """
insert into payments (order_id, amount_cents, paid_at)
select o.id, sum(l.amount_cents), o.created_at from orders o join order_lines l on l.order_id = o.id
where o.status = 'paid' and o.id > %(after)s group by o.id, o.created_at
"""
_INVOICES = "select count(nextval('invoice_number')) from payments"


def build_shop(cluster: Cluster, orders: int = 20_000) -> None:
    """Make the database `shop`, owned by the role `shop_app`, with about five rows per order."""
    cluster.sql(f"create role {ROLE} login")
    cluster.sql(f"create database {DATABASE} owner {ROLE}")
    customers = max(1, orders // 10)
    with cluster.connect(DATABASE, user=ROLE) as connection, connection.transaction():
        connection.execute(_SCHEMA)
        connection.execute(_CUSTOMERS, {"count": customers})
        connection.execute(_ORDERS, {"count": orders, "customers": customers})
        connection.execute(_LINES, {"after": 0})
        connection.execute(_PAYMENTS, {"after": 0})
        connection.execute(_INVOICES)


def trade(cluster: Cluster, orders: int = 100) -> None:
    """Commit `orders` more orders with their lines and payments, in one transaction."""
    with cluster.connect(DATABASE, user=ROLE) as connection, connection.transaction():
        row = connection.execute(
            "select max(id), (select count(*) from customers) from orders"
        ).fetchone()
        newest, customers = row or (0, 1)
        connection.execute(_ORDERS, {"count": orders, "customers": customers})
        connection.execute(_LINES, {"after": newest})
        connection.execute(_PAYMENTS, {"after": newest})


def bad_deployment(cluster: Cluster) -> None:
    """Drop a column that the application still reads."""
    cluster.sql("alter table orders drop column discount cascade", database=DATABASE)


def bug(cluster: Cluster) -> None:
    """Delete every third payment; no constraint forbids it."""
    cluster.sql("delete from payments where id % 3 = 0", database=DATABASE)
