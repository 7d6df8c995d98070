//! `seaworthy run`: all parts together.
