"""What git knows of the user's repository, asked in ways that never write to it."""
