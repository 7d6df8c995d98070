use super::Check;
use super::Level::{May, Should};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "resources.fds-return",
        level: Should,
        title: "Open files return to where they were",
        does: "Counts open files of all its processes, sends three rounds of 300 requests, and counts again after each: no steady growth.",
        why: "It stops accepting after some days, at the limit of open files.",
        source: "The Twelve-Factor App, IX; getrlimit(2) RLIMIT_NOFILE",
        mend: "Close what you open on every path; look at /proc/PID/fd for what grows.",
    },
    Check {
        id: "resources.memory-returns",
        level: Should,
        title: "Memory does not grow with every request",
        does: "Measures resident memory over four rounds of 300 requests after a warm-up: growth of more than 64 KiB a request in every round is a leak.",
        why: "It is killed for memory in the middle of work, again and again.",
        source: "Kubernetes: Managing Resources (OOMKilled)",
        mend: "Bound caches; look for lists, maps and listeners that only grow.",
    },
    Check {
        id: "resources.readonly-rootfs",
        level: May,
        title: "It runs where its directory is read-only",
        does: "Compares the files of its working directory before and after: none may be written.",
        why: "What is written into the image's files is lost, and a read-only root is refused.",
        source: "Kubernetes Pod Security Standards; OWASP Docker Security Cheat Sheet",
        mend: "Write to /tmp or to a volume that is declared.",
    },
    Check {
        id: "resources.non-root",
        level: May,
        title: "It does not need to be root",
        does: "Where the drill itself is not root, a service that serves is proof; else, where `setpriv` is there, starts it as nobody.",
        why: "A hole in the service is a hole in the machine.",
        source: "Kubernetes Pod Security Standards (restricted); OWASP Docker Security Cheat Sheet",
        mend: "Listen on a port above 1024, and set USER in the image.",
    },
];
