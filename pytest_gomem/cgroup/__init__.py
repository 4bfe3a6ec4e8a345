"""Memory cgroups: one for each service that has a memory_limit, made, read and removed by the supervisor."""
