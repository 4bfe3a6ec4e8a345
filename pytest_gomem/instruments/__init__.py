"""What is attached to a window besides its readings, one instrument per file.

To add one, write a subclass of `session.instrument.Instrument` that says when it opens and closes, and what it finds.
List it in `registry.py` for every window, or in a round's plan for the windows of that round. Its artifacts, figures,
notes and conditions then reach the record, the reports and the JSON by themselves.
"""
