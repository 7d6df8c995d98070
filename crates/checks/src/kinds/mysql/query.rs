//! A query as text, and its answer as text.

use super::packet::{Packets, nonsense};
use super::refusal;
use crate::cursor::Cursor;
use crate::probe::Failure;

const COM_QUERY: u8 = 3;
const OK: u8 = 0;
const LOCAL_INFILE: u8 = 0xfb;
const NULL: u8 = 0xfb;
const END: u8 = 0xfe;

/// What is asked of a server has few rows; of a query of somebody's own the first one counts.
const KEPT: usize = 64;

/// More columns than any table has.
const MOST_COLUMNS: u64 = 4096;

/// What a query gave: nothing where it was no question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Option<String>>>,
}

impl Answer {
    /// A value of the first row, by the name of its column.
    pub(super) fn value(&self, column: &str) -> Option<&str> {
        let place = self.columns.iter().position(|name| name == column)?;
        self.rows.first()?.get(place)?.as_deref()
    }
}

pub(super) async fn ask(packets: &mut Packets, sql: &str) -> Result<Answer, Failure> {
    packets.command(COM_QUERY, sql.as_bytes()).await?;
    let head = packets.read().await?;
    if let Some(failure) = refusal::read(&head) {
        return Err(failure);
    }
    let count = match head.first() {
        Some(&OK) => return Ok(Answer::default()),
        // Nobody gets a file from us.
        Some(&LOCAL_INFILE) => {
            return Err(Failure::condition("the query asks for a file of ours, which it does not get"));
        }
        _ => number(&mut Cursor(&head)).filter(|count| *count <= MOST_COLUMNS).ok_or_else(nonsense)?,
    };
    let mut answer = Answer::default();
    for _ in 0..count {
        answer.columns.push(column(&packets.read().await?).ok_or_else(nonsense)?);
    }
    if !is_end(&packets.read().await?) {
        return Err(nonsense());
    }
    loop {
        let packet = packets.read().await?;
        if is_end(&packet) {
            return Ok(answer);
        }
        // A statement that takes too long is ended amid its rows.
        if let Some(failure) = refusal::read(&packet) {
            return Err(failure);
        }
        if answer.rows.len() < KEPT {
            answer.rows.push(row(&packet, answer.columns.len()).ok_or_else(nonsense)?);
        }
    }
}

/// A longer packet that begins alike is a row with a very long value.
fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&END) && packet.len() < 9
}

/// The name stands behind catalog, schema, table and the table's own name.
fn column(packet: &[u8]) -> Option<String> {
    let mut cursor = Cursor(packet);
    for _ in 0..4 {
        text(&mut cursor)?;
    }
    text(&mut cursor).map(|name| String::from_utf8_lossy(name).into_owned())
}

fn row(packet: &[u8], columns: usize) -> Option<Vec<Option<String>>> {
    let mut cursor = Cursor(packet);
    let mut row = Vec::with_capacity(columns);
    for _ in 0..columns {
        if cursor.0.first() == Some(&NULL) {
            cursor.byte()?;
            row.push(None);
        } else {
            row.push(Some(String::from_utf8_lossy(text(&mut cursor)?).into_owned()));
        }
    }
    Some(row)
}

/// A number, in as many bytes as it needs.
pub(super) fn number(cursor: &mut Cursor<'_>) -> Option<u64> {
    Some(match cursor.byte()? {
        small @ 0..=0xfa => small.into(),
        0xfc => u16::from_le_bytes(cursor.array()?).into(),
        0xfd => {
            let [low, middle, high] = cursor.array()?;
            u32::from_le_bytes([low, middle, high, 0]).into()
        }
        0xfe => u64::from_le_bytes(cursor.array()?),
        _ => return None,
    })
}

fn text<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = number(cursor)?;
    cursor.take(usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_take_as_many_bytes_as_they_need() {
        let read = |bytes: &[u8]| number(&mut Cursor(bytes));
        assert_eq!(read(&[250]), Some(250));
        assert_eq!(read(&[0xfc, 1, 2]), Some(0x201));
        assert_eq!(read(&[0xfd, 1, 2, 3]), Some(0x3_0201));
        assert_eq!(read(&[0xfe, 1, 0, 0, 0, 0, 0, 0, 0]), Some(1));
        assert_eq!((read(&[0xfc, 1]), read(&[NULL]), read(&[])), (None, None, None));
    }

    #[test]
    fn a_row_may_hold_what_is_not_there() {
        assert_eq!(row(b"\x02ok\xfb\x00", 3), Some(vec![Some("ok".to_owned()), None, Some(String::new())]));
        assert_eq!(row(b"\x05ok", 1), None);
    }

    proptest! {
        #[test]
        fn garbage_is_nothing_and_never_a_panic(garbage in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = (row(&garbage, 3), column(&garbage), number(&mut Cursor(&garbage)));
        }
    }

    #[test]
    fn fuzz_any_answer_to_a_query_is_a_table_or_a_failure() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        seaworthy_fuzz::drive("mysql-answer", |said| {
            let (ours, mut theirs) = tokio::io::duplex(1 << 20);
            let answer = runtime.block_on(async {
                tokio::io::AsyncWriteExt::write_all(&mut theirs, said).await.unwrap();
                tokio::io::AsyncWriteExt::shutdown(&mut theirs).await.unwrap();
                ask(&mut Packets::new(Box::new(ours)), "SELECT 1").await
            });
            if let Ok(answer) = answer {
                assert!(answer.rows.iter().all(|row| row.len() == answer.columns.len()));
            }
        });
    }
}
