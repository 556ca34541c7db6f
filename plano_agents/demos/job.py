"""The demo's job: a database is chosen, and then worked with, piece by piece in one conversation.

The first piece is the question that an agent with the same tools answers in Plano's demo of model affinity; the others
follow from its answer. The program that runs the agent hands them over one after another, as programs that work by a
plan do.
"""

from typing import NamedTuple


class Piece(NamedTuple):
    """One piece of work."""

    title: str
    """Its name in a row of the report."""
    request: str
    """The message that asks for it."""


QUERY = (
    "Should we use PostgreSQL or MongoDB for our e-commerce platform? We need strong consistency for orders but flexible "
    "schemas for products. Use the tools to research both options, then give a recommendation."
)
"""What the user asks for first."""

PIECES = (
    Piece("recommendation", QUERY),
    Piece(
        "schema as DDL",
        "Write the schema for your recommendation as DDL: products, orders, order lines and payments, with keys, "
        "constraints and indexes.",
    ),
    Piece(
        "migration estimate",
        "Estimate the migration: 40 million orders move from the old shop. How long does it take, what is the downtime, "
        "and which way of moving is worth its risk?",
    ),
    Piece(
        "checkout in code",
        "Write the checkout in Python as a function that runs one transaction: take the stock, place the order, and make a "
        "retry harmless.",
    ),
    Piece(
        "risk review",
        "Review the risks of this design: what can still go wrong with stock and payments, how likely is it, and which "
        "risks do we accept?",
    ),
)
"""The whole job, in order."""
