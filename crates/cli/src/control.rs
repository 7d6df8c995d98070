//! The control socket: everything that changes a running Seaworthy.
