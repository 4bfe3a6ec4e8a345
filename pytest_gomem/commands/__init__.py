"""The subcommands of `gomem`: each is a function of arguments and writers that returns the exit status."""
