//! What `--help` says, word for word.
