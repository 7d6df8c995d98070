//! `seaworthy run`: all parts together.

mod built;
mod signals;
mod upstream;
