"""The plain data of a report, there and back: each record's two ways stand beside each other."""
