"""Whether the user's gate rings when a service is made worse on purpose."""
