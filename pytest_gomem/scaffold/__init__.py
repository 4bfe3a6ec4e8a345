"""What `gomem init` finds in a repository, and writes: pure finding and text."""
