//! The program that we start, and every other child process.
