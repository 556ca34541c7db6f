"""Keys, health, pages and operators' endpoints."""
