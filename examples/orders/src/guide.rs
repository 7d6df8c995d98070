//! What to try, for whoever starts it by hand.

use std::io::{self, Write as _};
use std::net::TcpListener;

use url::Url;

/// Lines of curl that fit this process.
pub(crate) struct Guide {
    public: u16,
    admin: u16,
    /// The payment server that fails on demand, if that is the one.
    bundled: Option<Url>,
}

impl Guide {
    pub(crate) fn new(public: &TcpListener, admin: &TcpListener, bundled: Option<Url>) -> io::Result<Self> {
        Ok(Self { public: public.local_addr()?.port(), admin: admin.local_addr()?.port(), bundled })
    }

    /// To stderr, since stdout is the log's. Nobody has to read it.
    pub(crate) fn print(&self) {
        let (public, admin) = (format!("127.0.0.1:{}", self.public), format!("127.0.0.1:{}", self.admin));
        let mut lines = vec![
            (format!("curl {public}/orders -d '{{\"item\":\"anchor\",\"quantity\":2}}'"), "the worker fulfils it"),
            (format!("curl {public}/orders"), ""),
            (format!("curl {public}/signups -d '{{\"plan_type\":\"pro\"}}'"), ""),
            (format!("curl {public}/invoices -d '{{\"amount_cents\":4900}}'"), ""),
            (format!("curl {public}/payments -d '{{\"amount_cents\":1990}}'"), ""),
        ];
        if let Some(bundled) = &self.bundled {
            lines.push((format!("curl -X PUT {bundled}mode/fail"), "or hang, slow, ok: the bundled payment server"));
            lines.push((format!("curl -i {public}/payments -d '{{}}'"), "twice: the breaker opens"));
        }
        lines.extend([
            (format!("curl {admin}/health"), ""),
            (format!("curl -s {admin}/metrics | grep -E 'signups|revenue|breaker|queue|pool'"), ""),
            (format!("kill -TERM {}", std::process::id()), "HTTP, then worker, queue, database"),
        ]);
        let mut text = format!("orders on http://{public}, probes and metrics on http://{admin}. Try:\n\n");
        for (command, remark) in lines {
            let line =
                if remark.is_empty() { format!("  {command}\n") } else { format!("  {command:<76}  # {remark}\n") };
            text.push_str(&line);
        }
        let _ = writeln!(io::stderr(), "{text}");
    }
}
