//! Probes and the ops listener as a whole.
