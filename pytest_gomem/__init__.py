"""Owns the package's version; memory-regression testing of Go services in pytest."""

__version__ = "0.1.0"
