"""What every other room builds on: errors, units, names, files, locks and commands."""
