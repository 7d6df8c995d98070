//! Trails in real files, damaged as people and machines damage them.

use std::fs;
use std::io::BufReader;
use std::sync::Mutex;

use seaworthy_core::event::{Level, Nowhere};
use tempfile::TempDir;

use super::*;

const LONG: Duration = Duration::from_secs(20);

struct Bed {
    directory: TempDir,
    seal: Seal,
}

impl Bed {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), seal: Seal::plain() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("audit.jsonl")
    }

    fn open(&self) -> Audit {
        let settings = Settings::new(&self.path(), "orders").seal(self.seal.clone());
        Audit::open(settings, Arc::new(Nowhere)).unwrap()
    }

    /// A trail of `entries` entries, the first and the last of which are its opening and its end.
    fn written(entries: usize) -> Self {
        let bed = Self::new();
        bed.write(entries - 2);
        bed
    }

    fn write(&self, entries: usize) {
        let audit = self.open();
        for number in 0..entries {
            audit.trail().record(Entry::new("done", format!("number {number}")).by("uid 0 pid 1"));
        }
        assert!(audit.close(LONG));
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.path()).unwrap().lines().map(str::to_owned).collect()
    }

    fn put(&self, lines: &[String]) {
        fs::write(self.path(), lines.iter().flat_map(|line| [line, "\n"]).collect::<String>()).unwrap();
    }

    fn verify(&self) -> Verified {
        let file = BufReader::new(fs::File::open(self.path()).unwrap());
        verify(file, &self.seal, None, read_head(&head_path(&self.path())).unwrap()).unwrap()
    }

    fn findings(&self) -> Vec<String> {
        self.verify().findings.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn a_trail_that_nobody_touched_verifies_over_several_lives() {
    let bed = Bed::written(5);
    bed.write(3);
    let verified = bed.verify();
    assert_eq!((verified.entries, verified.first, verified.findings), (10, Some(1), vec![]));
    assert!(bed.lines()[1].contains("\"by\":\"uid 0 pid 1\""), "{:?}", bed.lines());
}

#[test]
fn an_edited_line_is_found() {
    let bed = Bed::written(6);
    let mut lines = bed.lines();
    lines[2] = lines[2].replace("number 1", "number 9");
    bed.put(&lines);
    assert_eq!(bed.findings(), ["line 3 was edited, or sealed with another key"]);
}

#[test]
fn a_line_that_was_edited_and_sealed_anew_is_found_by_the_next_one() {
    let bed = Bed::written(6);
    let mut lines = bed.lines();
    let cut = lines[2].len() - 75;
    let content = lines[2][..cut].replace("number 1", "number 9");
    lines[2] = format!("{content},\"hash\":\"{}\"}}", bed.seal.hash(content.as_bytes()));
    bed.put(&lines);
    assert_eq!(bed.findings(), ["line 4 does not follow the one before: one of them was replaced"]);
}

#[test]
fn missing_lines_are_found_at_the_beginning_in_the_middle_and_at_the_end() {
    let without = |range: std::ops::Range<usize>| {
        let bed = Bed::written(8);
        let mut lines = bed.lines();
        lines.drain(range);
        bed.put(&lines);
        bed.findings()
    };
    assert_eq!(without(3..4), ["entry 4 is missing before line 4"]);
    assert_eq!(without(3..6), ["entries 4 to 6 are missing before line 4"]);
    assert_eq!(without(6..8), ["entries 7 to 8 are missing after line 6, at the end"]);
    assert_eq!(without(0..8), ["entries 1 to 8 are missing after line 0, at the end"]);
    // What begins later may follow a file that was moved away: whoever looks is told the number.
    let bed = Bed::written(8);
    let lines = bed.lines();
    bed.put(&lines[2..]);
    assert_eq!(bed.verify().first, Some(3));
}

#[test]
fn lines_that_changed_places_or_are_none_are_found() {
    let bed = Bed::written(5);
    let mut lines = bed.lines();
    lines.swap(1, 2);
    lines.push("{\"seq\":6}".to_owned());
    bed.put(&lines);
    let found = bed.findings();
    assert_eq!(found[0], "entry 2 is missing before line 2");
    assert!(found.contains(&"line 3 is entry 2, which has no place there".to_owned()), "{found:?}");
    assert!(found.contains(&"line 6 is no entry".to_owned()), "{found:?}");
}

#[test]
fn a_line_that_is_cut_off_is_found_and_mended_by_the_next_life_without_a_loss() {
    let bed = Bed::written(4);
    let mut torn = fs::OpenOptions::new().append(true).open(bed.path()).unwrap();
    std::io::Write::write_all(&mut torn, b"{\"seq\":5,\"time\":\"20").unwrap();
    assert_eq!(bed.findings(), ["line 5 is cut off"]);
    bed.write(0);
    assert_eq!(bed.findings(), [""; 0]);
    assert!(bed.lines()[4].contains(r#""torn_line":"{\"seq\":5,\"time\":\"20""#), "{:?}", bed.lines());
}

#[test]
fn a_trail_that_was_shortened_between_two_lives_keeps_the_gap() {
    let bed = Bed::written(6);
    let lines = bed.lines();
    bed.put(&lines[..4]);
    bed.write(1);
    assert_eq!(bed.findings(), ["entries 5 to 6 are missing before line 5"]);
    assert!(bed.lines()[4].contains("entries 5 to 6 were written and are missing"), "{:?}", bed.lines());
}

#[test]
fn a_head_that_lags_behind_is_what_a_crash_leaves_and_no_damage() {
    let bed = Bed::written(6);
    let first = bed.lines().remove(3);
    let read = line::read(first.as_bytes(), &bed.seal).unwrap();
    head::Head::open(&head_path(&bed.path())).unwrap().remember(read.link).unwrap();
    assert_eq!(bed.findings(), [""; 0]);
    bed.write(1);
    assert_eq!((bed.findings(), bed.verify().entries), (vec![], 9));
}

#[test]
fn a_trail_that_is_moved_away_goes_on_in_a_new_file() {
    let bed = Bed::new();
    let audit = bed.open();
    let trail = audit.trail();
    trail.record(Entry::new("a", "before"));
    while trail.counts().written < 2 {
        std::thread::yield_now();
    }
    let moved = bed.directory.path().join("audit.jsonl.1");
    fs::rename(bed.path(), &moved).unwrap();
    trail.record(Entry::new("b", "after"));
    assert!(audit.close(LONG));
    let old = verify(BufReader::new(fs::File::open(moved).unwrap()), &bed.seal, None, None).unwrap();
    assert_eq!((old.entries, &old.findings), (2, &vec![]));
    let file = BufReader::new(fs::File::open(bed.path()).unwrap());
    let new = verify(file, &bed.seal, old.last, read_head(&head_path(&bed.path())).unwrap()).unwrap();
    assert_eq!((new.entries, new.first, new.findings), (3, Some(3), vec![]));
}

#[test]
fn two_processes_do_not_write_one_trail() {
    let bed = Bed::new();
    let first = bed.open();
    let refused = Audit::open(Settings::new(&bed.path(), "orders"), Arc::new(Nowhere)).unwrap_err();
    assert!(matches!(refused, OpenError::Taken(_)), "{refused}");
    assert!(first.close(LONG));
}

#[test]
fn a_key_is_needed_to_make_a_trail_and_to_check_it() {
    let bed = Bed { seal: Seal::keyed(b"a long key that nobody knows"), ..Bed::new() };
    bed.write(3);
    assert_eq!(bed.findings(), [""; 0]);
    let forged = Bed { seal: Seal::plain(), ..bed };
    assert_eq!(forged.findings().len(), 5);
}

#[derive(Default)]
struct Memory(Mutex<Vec<(Level, String)>>);

impl Sink for Memory {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap().push((event.level(), event.to_string()));
    }
}

#[test]
fn a_full_disk_is_reported_and_holds_nobody_up() {
    let memory = Arc::<Memory>::default();
    let audit = Audit::open(Settings::new(Path::new("/dev/full"), "orders"), memory.clone()).unwrap();
    let trail = audit.trail();
    for number in 0..5000 {
        trail.record(Entry::new("x", number.to_string()));
    }
    while trail.counts().failing == 0 {
        std::thread::yield_now();
    }
    assert!(!audit.close(LONG));
    let EntryCounts { written, lost, .. } = trail.counts();
    assert!(written == 0 && lost > 0, "{:?}", trail.counts());
    let said = memory.0.lock().unwrap();
    let failed = said.iter().filter(|(level, text)| *level == Level::Error && text.contains("/dev/full")).count();
    assert_eq!(failed, 1, "{said:?}");
}
