//! The commands that speak to a running Seaworthy, or look at its files.
