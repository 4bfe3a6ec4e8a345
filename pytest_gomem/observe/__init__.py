"""Reads what can be seen of a process: kernel, agent, pprof, gctrace and published pages."""
