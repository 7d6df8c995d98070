use super::Check;
use super::Level::{May, Should};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "config.env-overrides",
        level: May,
        title: "The environment configures it",
        does: "Where `[config.overrides]` is declared, starts it with that variable and looks for the expected text at the path.",
        why: "Each environment needs an image of its own.",
        source: "The Twelve-Factor App, III Config",
        mend: "Read what differs between deploys from the environment.",
    },
    Check {
        id: "config.invalid-config-refused",
        level: Should,
        title: "An invalid configuration is refused at the start",
        does: "Where `[config.invalid]` is declared, starts it with the invalid value: it must exit with a code that is not 0, or never become ready.",
        why: "A typing error is found by the first user that needs the setting.",
        source: "The Twelve-Factor App, III Config; Mercari production-readiness checklist",
        mend: "Read and check the whole configuration before listening; name each bad value.",
    },
    Check {
        id: "config.secret-from-file",
        level: May,
        title: "Secrets can come from files",
        does: "Where `[config.secret-file]` is declared, gives the secret as a file by that variable, and expects it to start and be ready.",
        why: "Environment variables are shown by inspection, inherited by children and printed by crash reports.",
        source: "Docker and Kubernetes secrets; OWASP Secrets Management Cheat Sheet",
        mend: "Support NAME_FILE beside NAME.",
    },
];
