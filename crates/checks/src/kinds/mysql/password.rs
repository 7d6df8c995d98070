//! How a password is proved: by the method that the server names.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY as SHA1, SHA256};

use crate::probe::Failure;

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// `mysql_native_password`, of MariaDB and of MySQL before 8.
    Native,
    /// `caching_sha2_password`, of MySQL since 8.
    CachingSha2,
    /// `sha256_password`, its forerunner: the password itself, over what is encrypted.
    Sha256,
}

impl Method {
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"mysql_native_password" => Some(Self::Native),
            b"caching_sha2_password" => Some(Self::CachingSha2),
            b"sha256_password" => Some(Self::Sha256),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
            Self::Sha256 => "sha256_password",
        }
    }

    /// What to say to `challenge`. `private` says whether nobody else can read it.
    pub(super) fn prove(self, password: &str, challenge: &[u8], private: bool) -> Result<Vec<u8>, Failure> {
        if password.is_empty() {
            return Ok(Vec::new());
        }
        let password = password.as_bytes();
        match self {
            Self::Native => {
                let once = digest(&SHA1, &[password]);
                let twice = digest(&SHA1, &[&once]);
                Ok(masked(&once, &digest(&SHA1, &[challenge, &twice])))
            }
            Self::CachingSha2 => {
                let once = digest(&SHA256, &[password]);
                let twice = digest(&SHA256, &[&once]);
                Ok(masked(&once, &digest(&SHA256, &[&twice, challenge])))
            }
            Self::Sha256 => in_full(password, private),
        }
    }
}

/// The password itself, with the zero at its end.
///
/// Without TLS a server would take it encrypted by a key that it sends along, which whoever stands in between can replace
/// by his own. Clients of MySQL do that only when they are told to; we do not.
pub(super) fn in_full(password: &[u8], private: bool) -> Result<Vec<u8>, Failure> {
    if private {
        return Ok([password, b"\0"].concat());
    }
    Err(Failure::auth(
        "the server wants the password itself, which is sent over TLS or a socket only: use ssl-mode=REQUIRED",
    ))
}

fn digest(algorithm: &'static ring::digest::Algorithm, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

fn masked(text: &[u8], mask: &[u8]) -> Vec<u8> {
    text.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &[u8] = b"0123456789abcdefghij";

    /// What `PyMySQL` proves by for the same password and challenge.
    const NATIVE: &str = "91dbd90edc75e47da9a48a9defc85dcf99fa4fc4";
    const SHA2: &str = "5bfbc73796cdaa80adfd00eb26e332ac9861333244584e69dea530bbf4414abd";

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        let pair = |at: usize| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap();
        (0..hexadecimal.len()).step_by(2).map(pair).collect()
    }

    #[test]
    fn proofs_are_those_of_other_clients() {
        assert_eq!(Method::Native.prove("hunter2", CHALLENGE, false), Ok(bytes(NATIVE)));
        assert_eq!(Method::CachingSha2.prove("hunter2", CHALLENGE, false), Ok(bytes(SHA2)));
    }

    #[test]
    fn a_password_is_sent_in_full_only_where_nobody_else_reads_it() {
        assert_eq!(Method::Sha256.prove("hunter2", CHALLENGE, true), Ok(b"hunter2\0".to_vec()));
        let refused = Method::Sha256.prove("hunter2", CHALLENGE, false).unwrap_err();
        assert!(refused.message.ends_with("use ssl-mode=REQUIRED"), "{refused}");
        assert_eq!(Method::Native.prove("", CHALLENGE, false), Ok(Vec::new()));
    }
}
