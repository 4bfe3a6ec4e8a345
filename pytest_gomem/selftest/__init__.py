"""Tests the user's gate: does it fail when a service is made worse on purpose?"""
