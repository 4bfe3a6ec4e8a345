"""One run of the whole chain, and the objects that tests hold."""
