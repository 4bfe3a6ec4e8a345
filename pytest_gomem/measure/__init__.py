"""From window records to metric values."""
