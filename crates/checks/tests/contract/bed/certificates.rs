//! An authority, and certificates of it: good ones, and some that are not.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An authority of our own, and what it has signed.
#[derive(Debug)]
pub(crate) struct Certificates(TempDir);

impl Certificates {
    /// `server` is for `localhost` and 127.0.0.1, `other` for another name, `old` was over a day after it began.
    pub(crate) fn make() -> Self {
        let certificates = Self(tempfile::Builder::new().prefix("seaworthy-").tempdir().unwrap());
        let directory = certificates.0.path();
        let authority =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
        let subject = ["-subj", "/CN=Test Authority", "-keyout", "ca.key", "-out", "ca.pem"];
        openssl(directory, &[&authority[..], &subject[..]].concat());
        certificates.sign("server", "DNS:localhost,IP:127.0.0.1", "30");
        certificates.sign("other", "DNS:elsewhere.test", "30");
        certificates.sign("brief", "DNS:localhost,IP:127.0.0.1", "2");
        certificates
    }

    fn sign(&self, name: &str, names: &str, days: &str) {
        let directory = self.0.path();
        let (key, request, pem) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let extensions = directory.join(format!("{name}.ext"));
        std::fs::write(&extensions, format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\n")).unwrap();
        let new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test"];
        openssl(directory, &[&new[..], &["-keyout", &key, "-out", &request]].concat());
        let sign = ["x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days];
        let files = ["-in", &request, "-out", &pem, "-extfile", extensions.to_str().unwrap()];
        openssl(directory, &[&sign[..], &files[..]].concat());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(directory).output().expect("openssl runs");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
