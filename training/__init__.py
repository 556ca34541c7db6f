"""Nothing here ships: how the embedded router's weights were made."""
