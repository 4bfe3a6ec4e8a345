"""What a pull request sees of a run: annotations, a summary, a comment, and files for GitLab."""
