//! Reading on one thread and decoding on another: rows are ferried over in blocks.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::chunk::Remark;
use super::error::NormaliseError;
use super::row::{Header, RawRow, Rows, Slot};
use crate::id::TableName;

/// Rows of a block at the most.
const BLOCK_ROWS: usize = 1024;
/// Bytes of a block before it is sent.
const BLOCK_BYTES: usize = 256 << 10;
/// Blocks on their way at the most.
const UNDER_WAY: usize = 4;

/// What a reader hands over.
enum Load {
    Header(Header),
    Rows(Block),
    Refused(Block, String, String),
    Remark(Remark),
    Ignored(u64),
}

/// A row of a block.
struct Placed {
    number: u64,
    last_line: Option<u64>,
    /// Where its bytes and its slots end; they begin where those of the row above end.
    bytes: usize,
    slots: usize,
}

/// Some rows that follow each other.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    rows: Vec<Placed>,
}

impl Block {
    fn push(&mut self, row: &RawRow<'_>) {
        self.bytes.extend_from_slice(row.bytes);
        self.slots.extend_from_slice(row.slots);
        let (bytes, slots) = (self.bytes.len(), self.slots.len());
        self.rows.push(Placed { number: row.number, last_line: row.last_line, bytes, slots });
    }

    /// Hands each row to `take`, as long as it goes well.
    fn each(&self, mut take: impl FnMut(&RawRow<'_>) -> Result<(), NormaliseError>) -> Result<(), NormaliseError> {
        let (mut bytes, mut slots) = (0, 0);
        for row in &self.rows {
            take(&RawRow {
                number: row.number,
                last_line: row.last_line,
                bytes: self.bytes.get(bytes..row.bytes).unwrap_or_default(),
                slots: self.slots.get(slots..row.slots).unwrap_or_default(),
            })?;
            (bytes, slots) = (row.bytes, row.slots);
        }
        Ok(())
    }
}

/// The reader's side.
struct Ferry<'a> {
    table: &'a TableName,
    loads: SyncSender<Load>,
    block: Block,
}

impl Ferry<'_> {
    fn send(&self, load: Load) -> Result<(), NormaliseError> {
        // What went wrong on the other side is told by it.
        let stopped = |_| NormaliseError::Sink { table: self.table.clone(), source: "no more rows are taken".into() };
        self.loads.send(load).map_err(stopped)
    }

    fn flush(&mut self) -> Result<(), NormaliseError> {
        let block = std::mem::take(&mut self.block);
        if block.rows.is_empty() { Ok(()) } else { self.send(Load::Rows(block)) }
    }

    fn after_rows(&mut self, load: Load) -> Result<(), NormaliseError> {
        self.flush().and_then(|()| self.send(load))
    }
}

impl Rows for Ferry<'_> {
    fn header(&mut self, header: Header) -> Result<(), NormaliseError> {
        self.after_rows(Load::Header(header))
    }

    fn row(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        self.block.push(row);
        let full = self.block.rows.len() >= BLOCK_ROWS || self.block.bytes.len() >= BLOCK_BYTES;
        if full { self.flush() } else { Ok(()) }
    }

    fn refuse(&mut self, row: &RawRow<'_>, reason: &str, detail: String) -> Result<(), NormaliseError> {
        let mut alone = Block::default();
        alone.push(row);
        self.after_rows(Load::Refused(alone, reason.to_owned(), detail))
    }

    fn remark(&mut self, remark: Remark) {
        // Where nobody takes it any more, the next row tells.
        drop(self.after_rows(Load::Remark(remark)));
    }

    fn ignore(&mut self, members: u64) {
        drop(self.after_rows(Load::Ignored(members)));
    }
}

/// The decoder's side.
fn unload(loads: &Receiver<Load>, rows: &mut dyn Rows) -> Result<(), NormaliseError> {
    for load in loads {
        match load {
            Load::Header(header) => rows.header(header)?,
            Load::Rows(block) => block.each(|row| rows.row(row))?,
            Load::Refused(block, reason, detail) => block.each(|row| rows.refuse(row, &reason, detail.clone()))?,
            Load::Remark(remark) => rows.remark(remark),
            Load::Ignored(members) => rows.ignore(members),
        }
    }
    Ok(())
}

/// Runs `read` on a thread of its own; what it hands over comes to `rows` on this one, in the same order.
pub(super) fn beside<T: Send>(
    table: &TableName,
    rows: &mut dyn Rows,
    read: impl FnOnce(&mut dyn Rows) -> Result<T, NormaliseError> + Send,
) -> Result<T, NormaliseError> {
    thread::scope(|scope| {
        let (loads, received) = sync_channel(UNDER_WAY);
        let reader = scope.spawn(move || {
            let mut ferry = Ferry { table, loads, block: Block::default() };
            let done = read(&mut ferry);
            // Rows before a fault come first.
            ferry.flush().and(done)
        });
        let unloaded = unload(&received, rows);
        drop(received);
        match reader.join() {
            Ok(done) => unloaded.and(done),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
