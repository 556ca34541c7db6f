"""The shop's schema, as the simulated agent drafts and delivers it."""

SQL_DRAFT = """\
```sql
CREATE TABLE products (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku         text NOT NULL UNIQUE,
    price_cents bigint NOT NULL CHECK (price_cents >= 0),
    stock       integer NOT NULL CHECK (stock >= 0),
    attributes  jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX products_attributes ON products USING gin (attributes);

CREATE TABLE orders (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer   bigint NOT NULL,
    status     text NOT NULL DEFAULT 'placed',
    placed_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE order_items (
    order_id    bigint NOT NULL REFERENCES orders (id),
    product_id  bigint NOT NULL REFERENCES products (id),
    quantity    integer NOT NULL CHECK (quantity > 0),
    price_cents bigint NOT NULL,
    PRIMARY KEY (order_id, product_id)
);
```"""
"""The first draft: enough to see what it leans on."""

SQL_FINAL = """\
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
"""The delivery for a relational database."""

DOCUMENT_FINAL = """\
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
"""The delivery for a document database: an order is one document, so that one write keeps it consistent."""
