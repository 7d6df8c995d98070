//! Log lines: from facts to bytes on stdout.
