//! What to do about a check that does not hold: one line a kind and class.

use seaworthy::core::health::Class;

/// The first thing to look at.
pub(super) fn on(kind: &str, class: Class, warning: bool) -> &'static str {
    match (kind, class) {
        ("command", Class::Refused) => "does the program exist, and may it be executed?",
        ("disk", Class::Refused) => "does the path exist, and may we look at it, or write there?",
        ("dns", Class::Refused) => "ask the servers in /etc/resolv.conf for the name; does it exist?",
        (_, Class::Refused) => "is it running, and does it listen there? check the address, and what stands between",
        (_, Class::Timeout) => {
            "it does not answer in time: is it overloaded, or does a firewall drop packets? raise `timeout` if it may be slow"
        }
        ("redis", Class::Auth) => "check user and password in the URL (ACL LIST), and that the user may PING",
        ("mysql", Class::Auth) => {
            "check user and password in the URL, and SHOW GRANTS FOR the user as seen from this host"
        }
        ("amqp", Class::Auth) => "check user, password and virtual host in the URL, and `rabbitmqctl list_permissions`",
        ("postgres", Class::Auth) => "check user and password in the URL, and pg_hba.conf on the server",
        (_, Class::Auth) => "check the credentials",
        ("tls", Class::Tls) => {
            "is the certificate valid, for this name, and from a known authority? renew it, or set `ca-file`"
        }
        (_, Class::Tls) => {
            "check the name, the validity and the authority of the certificate; set `ca-file` for one of your own"
        }
        (_, Class::Protocol) => "something else may listen there: check host, port and scheme",
        ("postgres" | "mysql", Class::Condition) if warning => {
            "close idle connections, lower pool sizes, use a pooler, or raise max_connections"
        }
        ("amqp" | "nats" | "bullmq", Class::Condition) if warning => "are there enough consumers, and do they keep up?",
        ("redis", Class::Condition) if warning => "look at INFO memory and clients: raise maxmemory, or keep less",
        ("disk", Class::Condition) => "make room, or grow the volume",
        ("memory", Class::Condition) => "look for leaks, or raise the limit",
        ("http" | "tls", Class::Condition) if warning => "renew the certificate; why was it not renewed by itself?",
        ("command", Class::Condition) => "run it by hand, as the user that we run as",
        (_, Class::Condition) => "it answers, but not as demanded: look at its own logs",
        (_, Class::Stale) => "the process that runs checks is stuck: look at its log",
        // Classes may be added.
        (_, _) => "look at its own logs",
    }
}
