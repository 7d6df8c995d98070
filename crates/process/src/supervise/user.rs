//! Who the program runs as: names from /etc/passwd and /etc/group.
//!
//! The files are read here because a statically linked glibc has no NSS, and an image made from scratch neither.
//! Users that only LDAP or SSSD know are given by number.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use rustix::process::{Gid, Uid};

use crate::config::{Account, User};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// A user with all that comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    uid: u32,
    gid: u32,
    /// The supplementary groups. None of ours are kept.
    groups: Vec<u32>,
    name: Option<String>,
    home: Option<PathBuf>,
}

/// Why nobody can be made out of an [`User`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UserError {
    #[error("app.user names the user {0:?}, which {PASSWD} does not know: write its number, as in \"10001:10001\"")]
    UnknownUser(String),
    #[error("app.user names the group {0:?}, which {GROUP} does not know: write its number")]
    UnknownGroup(String),
    #[error("app.user is {0}, which {PASSWD} does not know: write its group too, as in \"{0}:{0}\"")]
    NoGroup(u32),
}

impl Identity {
    pub(crate) fn of(user: &User) -> Result<Self, UserError> {
        // A file that is missing knows nobody; numbers do without it.
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        resolve(user, &read(PASSWD), &read(GROUP))
    }

    /// Whether we are that user already.
    pub(crate) fn is_ours(&self) -> bool {
        use rustix::process::{getegid, geteuid, getgid, getuid};
        let users = [getuid(), geteuid()].map(Uid::as_raw);
        let groups = [getgid(), getegid()].map(Gid::as_raw);
        users == [self.uid; 2] && groups == [self.gid; 2]
    }

    /// What a login would set.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let names = self.name.iter().flat_map(|name| [("USER", name), ("LOGNAME", name)]);
        let names = names.map(|(key, name)| (key.into(), name.into()));
        let home = self.home.clone().map_or_else(|| "/".into(), PathBuf::into_os_string);
        names.chain([("HOME".into(), home)])
    }

    /// Makes the calling thread, and no other, that user for good. What it starts then is that user too.
    ///
    /// `Command::uid` would do it for the child, but drops the supplementary groups, and what sets them takes unsafe code.
    pub(crate) fn become_in_this_thread(&self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<Gid> = self.groups.iter().copied().map(Gid::from_raw).collect();
        // The user last: without it the rest would not be allowed.
        rustix::thread::set_thread_groups(&groups)?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    }
}

/// passwd(5): name, password, uid, gid, comment, home, shell.
struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn entries(passwd: &str) -> impl Iterator<Item = Entry<'_>> {
    passwd.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
        Some(Entry { name, uid: uid.parse().ok()?, gid: gid.parse().ok()?, home })
    })
}

/// group(5): name, password, gid, members.
fn groups(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = fields[..] else { return None };
        Some((name, gid.parse().ok()?, members))
    })
}

fn resolve(user: &User, passwd: &str, group: &str) -> Result<Identity, UserError> {
    let entry = match &user.user {
        Account::Id(id) => entries(passwd).find(|entry| entry.uid == *id),
        Account::Name(name) => entries(passwd).find(|entry| entry.name == name),
    };
    let uid = match (&user.user, &entry) {
        (Account::Id(id), _) => *id,
        (Account::Name(_), Some(entry)) => entry.uid,
        (Account::Name(name), None) => return Err(UserError::UnknownUser(name.clone())),
    };
    let gid = match (&user.group, &entry) {
        (Some(Account::Id(id)), _) => *id,
        (Some(Account::Name(name)), _) => {
            let known = groups(group).find(|(known, ..)| known == name);
            known.ok_or_else(|| UserError::UnknownGroup(name.clone()))?.1
        }
        (None, Some(entry)) => entry.gid,
        // Docker takes group 0 here; whoever leaves root behind does not want its group.
        (None, None) => return Err(UserError::NoGroup(uid)),
    };
    // Whoever names a group wants that one, as with Docker's `user` and with gosu.
    let member_of = entry.as_ref().filter(|_| user.group.is_none()).map_or_else(Vec::new, |entry| {
        let of = groups(group).filter(|(_, _, members)| members.split(',').any(|member| member == entry.name));
        of.map(|(_, gid, _)| gid).filter(|of| *of != gid).collect()
    });
    let home = entry.as_ref().map(|entry| entry.home).filter(|home| !home.is_empty());
    Ok(Identity {
        uid,
        gid,
        groups: std::iter::once(gid).chain(member_of).collect(),
        home: home.map(PathBuf::from),
        name: entry.map(|entry| entry.name.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::environment::Environment;
    use crate::supervise::reaper::Reaper;
    use crate::supervise::spawn::{Launch, Output};
    use seaworthy_core::event::{Ending, Nowhere};
    use std::sync::Arc;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\n# a comment\nbroken:x\napp:x:10001:10002::/srv/app:/usr/sbin/nologin\n";
    const GROUP: &str = "root:x:0:\napp:x:10002:\nssl-cert:x:110:www-data,app\nother:x:111:apple\n";

    fn user(user: &str, group: Option<&str>) -> User {
        let account = |text: &str| text.parse().map_or_else(|_| Account::Name(text.to_owned()), Account::Id);
        User { user: account(user), group: group.map(account) }
    }

    #[test]
    fn a_name_brings_its_group_its_home_and_the_groups_it_is_a_member_of() {
        let identity = resolve(&user("app", None), PASSWD, GROUP).unwrap();
        assert_eq!((identity.uid, identity.gid, &identity.groups[..]), (10001, 10002, &[10002, 110][..]));
        let environment: Vec<_> = identity.environment().collect();
        assert!(environment.contains(&("HOME".into(), "/srv/app".into())));
        assert!(environment.contains(&("USER".into(), "app".into())));
    }

    #[test]
    fn a_group_that_is_named_is_the_only_one() {
        let identity = resolve(&user("app", Some("ssl-cert")), PASSWD, GROUP).unwrap();
        assert_eq!((identity.gid, &identity.groups[..]), (110, &[110][..]));
    }

    #[test]
    fn numbers_do_without_the_files_and_a_lone_unknown_one_is_refused() {
        let identity = resolve(&user("5", Some("6")), "", "").unwrap();
        assert_eq!((identity.uid, identity.gid, &identity.groups[..]), (5, 6, &[6][..]));
        assert_eq!(resolve(&user("5", None), PASSWD, GROUP), Err(UserError::NoGroup(5)));
    }

    #[test]
    fn an_unknown_name_is_quoted() {
        let refused = resolve(&user("ap", None), PASSWD, GROUP).unwrap_err().to_string();
        assert!(refused.contains("\"ap\""), "{refused}");
        let refused = resolve(&user("app", Some("wheel")), PASSWD, GROUP).unwrap_err().to_string();
        assert!(refused.contains("\"wheel\""), "{refused}");
    }

    #[tokio::test]
    async fn what_is_started_is_that_user_with_all_its_groups_and_we_stay_who_we_are() {
        if !rustix::process::geteuid().is_root() {
            // Nobody else can become somebody; what they are told is tested with the supervisor.
            return;
        }
        let reaper = Reaper::for_own_children(Arc::new(Nowhere)).unwrap();
        let launch = Launch {
            command: ["sh", "-c", "test \"$(id -u) $(id -G)\" = '10001 10002 110'"].map(Into::into).to_vec(),
            environment: Environment::inherited(std::env::vars_os()),
            cwd: None,
            identity: Some(resolve(&user("app", None), PASSWD, GROUP).unwrap()),
            output: Output::Inherited,
        };
        let ending = launch.spawn(&reaper).unwrap().child.ended().await;
        assert_eq!(ending, Ending::Exited(0));
        assert!(rustix::process::geteuid().is_root() && rustix::process::getuid().is_root());
    }

    #[test]
    fn fuzz_no_passwd_and_no_group_file_gives_an_identity_that_nobody_asked_for() {
        seaworthy_fuzz::drive_text("passwd", |text| {
            // A blank line is between the two files.
            let (passwd, group) = text.split_once("\n\n").unwrap_or((text, ""));
            for wanted in [user("app", None), user("app", Some("app")), user("10001", None), user("7", Some("8"))] {
                if let Ok(identity) = resolve(&wanted, passwd, group) {
                    match &wanted.user {
                        Account::Id(id) => assert_eq!(identity.uid, *id),
                        Account::Name(name) => assert_eq!(identity.name.as_ref(), Some(name)),
                    }
                    assert_eq!(identity.groups.first(), Some(&identity.gid));
                }
            }
        });
    }
}
