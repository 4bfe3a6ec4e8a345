"""The records that flow to reports, and the codec that carries them between processes and into files."""
