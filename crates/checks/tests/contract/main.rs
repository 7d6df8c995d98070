//! Every kind against the real server that it asks: one contract for all of them, and for each what is its own.

mod bed;
mod contract;
mod http;
mod postgres;
mod redis;
mod small;
mod tls;
