//! What is asked of this machine.

use super::{Row, metric};

pub(super) const DISK: Row = Row {
    kind: "disk",
    proves: "there is room where the service writes",
    options: &["path", "min-free", "warn-percent", "write-test"],
    needs: 1,
    metrics: &[
        metric("health_disk_free_bytes", "Bytes that are free for users without privileges."),
        metric("health_disk_total_bytes", "Bytes that there are."),
        metric("health_disk_free_inodes", "Inodes that are free for users without privileges."),
    ],
    example: r#"[[check]]
name = "uploads"
kind = "disk"
path = "/var/lib"
min-free = "1GiB"
"#,
    failures: &[("condition", "524288000 bytes are free, fewer than 1073741824")],
};

pub(super) const MEMORY: Row = Row {
    kind: "memory",
    proves: "how much memory is in use; warns over 90% of the limit of the control group, or of the machine",
    options: &["warn-percent"],
    needs: 0,
    metrics: &[
        metric("health_memory_used_bytes", "Memory in use, without cache that can be given up."),
        metric("health_memory_total_bytes", "Memory that may be used."),
        metric("health_memory_used_percent", "The one in percent of the other."),
    ],
    example: r#"[[check]]
name = "memory"
kind = "memory"
"#,
    failures: &[("condition", "93% of the memory of the control group is in use")],
};

pub(super) const COMMAND: Row = Row {
    kind: "command",
    proves: "a program ends with the right exit code, and says what it should",
    options: &["command", "exit-code", "condition", "env"],
    needs: 1,
    metrics: &[],
    example: r#"[[check]]
name = "license"
kind = "command"
command = ["./check-license", "--quiet"]
interval = "1h"
timeout = "30s"
"#,
    failures: &[("condition", "it ended with exit code 1: the license is over")],
};

pub(super) const HEARTBEAT: Row = Row {
    kind: "heartbeat",
    proves: "somebody said in time that it still works: a cron job, a backup, a worker without HTTP",
    options: &["within", "schedule", "time-zone", "grace", "max-duration", "token"],
    needs: 0,
    metrics: &[
        metric("health_heartbeat_age_seconds", "How long ago the last sign of life came."),
        metric("health_heartbeat_duration_seconds", "How long the job took, as it said or as its start and end say."),
    ],
    example: r#"[[check]]
name = "backup"
kind = "heartbeat"
within = "1d"
grace = "1h"
"#,
    failures: &[
        ("condition", "the last sign of life came 90001s ago; one is due every 86400s"),
        ("condition", r#"the last sign of life came 97200s ago; one is due by "0 3 * * *" Europe/Berlin"#),
        ("condition", "it said 340s ago that it failed, with exit code 3"),
        ("condition", "it began 7201s ago and has not ended"),
    ],
};

pub(super) const ENCRYPTION: Row = Row {
    kind: "encryption",
    proves: "a key is set, has the length of AES-256, and decrypts what it encrypts",
    options: &["key"],
    needs: 1,
    metrics: &[
        metric("health_encryption_key_set", "Whether there is a key."),
        metric("health_encryption_key_valid", "Whether the key has the right length."),
        metric("health_encryption_test_passed", "Whether it decrypts what it encrypts."),
        metric("health_encryption_key_length", "Bytes of the key."),
    ],
    example: r#"[[check]]
name = "encryption"
kind = "encryption"
key = { env = "ENCRYPTION_KEY" }
"#,
    failures: &[(
        "condition",
        "the key is not one of 32 bytes in hexadecimal, base64 or as it is: it has 7 characters",
    )],
};
