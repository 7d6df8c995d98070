//! How the process ends.
