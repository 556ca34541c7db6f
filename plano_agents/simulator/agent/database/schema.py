"""The shop's schema and its checkout, as the simulated agent delivers them."""

SQL_SCHEMA = """\
```sql
CREATE TABLE products (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku         text NOT NULL UNIQUE,
    kind        text NOT NULL,
    name        text NOT NULL,
    price_cents bigint NOT NULL CHECK (price_cents >= 0),
    currency    char(3) NOT NULL,
    stock       integer NOT NULL CHECK (stock >= 0),
    attributes  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(attributes) = 'object')
);
CREATE INDEX products_attributes ON products USING gin (attributes jsonb_path_ops);

CREATE TABLE orders (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id     bigint NOT NULL,
    idempotency_key uuid NOT NULL UNIQUE,
    status          text NOT NULL DEFAULT 'placed'
                    CHECK (status IN ('placed', 'paid', 'shipped', 'cancelled')),
    placed_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_by_customer ON orders (customer_id, placed_at DESC);

CREATE TABLE order_items (
    order_id    bigint NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    product_id  bigint NOT NULL REFERENCES products (id),
    quantity    integer NOT NULL CHECK (quantity > 0),
    price_cents bigint NOT NULL CHECK (price_cents >= 0),
    currency    char(3) NOT NULL,
    PRIMARY KEY (order_id, product_id)
);

CREATE TABLE payments (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id     bigint NOT NULL REFERENCES orders (id),
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    currency     char(3) NOT NULL,
    provider_ref text NOT NULL UNIQUE
);
```"""
"""The schema for a relational database."""

DOCUMENT_SCHEMA = """\
```javascript
db.createCollection("products", { validator: { $jsonSchema: {
  required: ["sku", "kind", "priceCents", "currency", "stock"],
  properties: { priceCents: { bsonType: "long", minimum: 0 }, stock: { bsonType: "int", minimum: 0 } } } } });
db.products.createIndex({ sku: 1 }, { unique: true });
db.products.createIndex({ "attributes.$**": 1 });

db.createCollection("orders", { validator: { $jsonSchema: {
  required: ["customerId", "idempotencyKey", "status", "items", "payment"],
  properties: {
    status: { enum: ["placed", "paid", "shipped", "cancelled"] },
    items: { bsonType: "array", minItems: 1, items: {
      required: ["productId", "quantity", "priceCents", "currency"] } } } } } });
db.orders.createIndex({ idempotencyKey: 1 }, { unique: true });
db.orders.createIndex({ customerId: 1, placedAt: -1 });
```"""
"""The schema for a document database: an order is one document, so that one write keeps it consistent."""

SQL_CHECKOUT = """\
```python
def place_order(connection, customer_id, key, lines):
    with connection.transaction():  # all of it, or nothing
        row = connection.execute(
            "INSERT INTO orders (customer_id, idempotency_key) VALUES (%s, %s)"
            " ON CONFLICT (idempotency_key) DO NOTHING RETURNING id",
            (customer_id, key),
        ).fetchone()
        if row is None:  # a retry: the order is there
            return connection.execute("SELECT id FROM orders WHERE idempotency_key = %s", (key,)).fetchone()[0]
        for product_id, quantity in sorted(lines):  # always in one order, so that no two checkouts wait for each other
            taken = connection.execute(
                "UPDATE products SET stock = stock - %s WHERE id = %s AND stock >= %s RETURNING price_cents, currency",
                (quantity, product_id, quantity),
            ).fetchone()
            if taken is None:
                raise OutOfStockError(product_id)
            connection.execute(
                "INSERT INTO order_items VALUES (%s, %s, %s, %s, %s)", (row[0], product_id, quantity, *taken)
            )
        return row[0]
```"""
"""The checkout on a relational database."""

DOCUMENT_CHECKOUT = """\
```python
def place_order(client, shop, customer_id, key, lines):
    def run(session):
        if found := shop.orders.find_one({"idempotencyKey": key}, session=session):  # a retry: the order is there
            return found["_id"]
        items = []
        for product_id, quantity in sorted(lines):
            product = shop.products.find_one_and_update(
                {"_id": product_id, "stock": {"$gte": quantity}}, {"$inc": {"stock": -quantity}}, session=session
            )
            if product is None:
                raise OutOfStockError(product_id)
            items.append({"productId": product_id, "quantity": quantity, "priceCents": product["priceCents"]})
        order = {"customerId": customer_id, "idempotencyKey": key, "status": "placed", "items": items}
        return shop.orders.insert_one(order, session=session).inserted_id

    with client.start_session() as session:
        return session.with_transaction(run)
```"""
"""The checkout on a document database."""
