"""The subcommands of `gomem`. Each is a function that takes arguments and writers, and returns the exit status."""
