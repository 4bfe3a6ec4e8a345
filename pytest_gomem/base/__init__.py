"""What every other room stands on: errors, units, names, files, locks and commands."""
