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
        certificates.sign_old();
        certificates
    }

    /// One that was over long ago, which takes the authority's own command: others sign from now on only.
    fn sign_old(&self) {
        let (directory, request, _) = self.request("old", "DNS:localhost,IP:127.0.0.1");
        let config = "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ncertificate=ca.pem\n\
                      private_key=ca.key\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n";
        std::fs::write(directory.join("ca.cnf"), config).unwrap();
        std::fs::write(directory.join("index.txt"), "").unwrap();
        std::fs::write(directory.join("serial"), "1000").unwrap();
        let usual = ["ca", "-batch", "-notext", "-config", "ca.cnf", "-extfile", "old.ext"];
        let dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"];
        openssl(directory, &[&usual[..], &dates, &["-in", &request, "-out", "old.pem"]].concat());
    }

    fn sign(&self, name: &str, names: &str, days: &str) {
        let (directory, request, extensions) = self.request(name, names);
        let sign = ["x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days];
        let files = ["-in", &request, "-out", &format!("{name}.pem"), "-extfile", &extensions];
        openssl(directory, &[&sign[..], &files[..]].concat());
    }

    /// Makes a key, asks for a certificate of it, and writes down the names that it is for.
    fn request(&self, name: &str, names: &str) -> (&Path, String, String) {
        let directory = self.0.path();
        let (key, request) = (format!("{name}.key"), format!("{name}.csr"));
        let extensions = directory.join(format!("{name}.ext"));
        std::fs::write(&extensions, format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\n")).unwrap();
        let new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test"];
        openssl(directory, &[&new[..], &["-keyout", &key, "-out", &request]].concat());
        (directory, request, format!("{name}.ext"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(directory).output().expect("openssl runs");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
