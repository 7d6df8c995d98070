//! The ops listener: probes and metrics, read-only.
