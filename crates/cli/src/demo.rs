//! `seaworthy demo`: the whole thing with a built-in sample service.

mod sample;
