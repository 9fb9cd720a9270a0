//! `explain` of logs of a gigabyte: how fast, and in how much memory.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Result;

use super::{at_least, cache, measure, verdict};

const BYTES: u64 = 1_000_000_000;
const LEAST_MEGABYTES_A_SECOND: f64 = 100.0;
const MOST_MIB: u64 = 100;

/// What a log is like.
struct Kind {
    name: &'static str,
    /// Ordinary lines before each traceback.
    ordinary: u64,
    /// Every traceback is another one.
    distinct: bool,
    coloured: bool,
}

const KINDS: [Kind; 3] = [
    Kind { name: "one traceback in 1000 lines", ordinary: 1000, distinct: false, coloured: false },
    Kind { name: "a million different tracebacks", ordinary: 4, distinct: true, coloured: false },
    Kind { name: "every line in colour", ordinary: 1000, distinct: false, coloured: true },
];

/// Explains each kind of log; gives whether all limits hold.
pub fn run(program: &Path) -> Result<bool> {
    let folder = cache();
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("long.log");
    let mut holds = true;
    for kind in &KINDS {
        write(&path, kind)?;
        let run = measure(program, &["explain".as_ref(), path.as_os_str()])?;
        anyhow::ensure!(run.status == 1, "explain failed on a long log");
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown with no decimals")]
        let rate = BYTES as f64 / 1e6 / run.time.as_secs_f64();
        holds &= at_least(
            &format!("explain of 1 GB, {}", kind.name),
            &format!("{rate:.0} MB/s"),
            "100 MB/s",
            rate >= LEAST_MEGABYTES_A_SECOND,
        );
        let mib = run.peak_bytes >> 20;
        holds &= verdict("its memory", &format!("{mib} MiB"), "100 MiB", mib <= MOST_MIB);
    }
    std::fs::remove_file(&path)?;
    Ok(holds)
}

fn write(path: &Path, kind: &Kind) -> io::Result<()> {
    let mut out = Counted { inner: BufWriter::with_capacity(1 << 20, File::create(path)?), bytes: 0 };
    // A service that dies in the middle of a traceback.
    out.write_all(b"worker-1  | Traceback (most recent call last):\nworker-1  |   File \"/app/worker.py\", line 3, in run\n")?;
    let mut number = 0;
    for block in 0.. {
        for _ in 0..kind.ordinary {
            ordinary(&mut out, number, kind.coloured)?;
            number += 1;
        }
        traceback(&mut out, if kind.distinct { block } else { 0 })?;
        if out.bytes >= BYTES {
            break;
        }
    }
    out.inner.flush()
}

fn ordinary(out: &mut impl Write, number: u64, coloured: bool) -> io::Result<()> {
    let (second, millisecond, host) = (number % 60, number % 1000, number % 251);
    if coloured {
        writeln!(
            out,
            "\u{1b}[32mINFO\u{1b}[0m:     10.0.0.{host}:{millisecond} - \"\u{1b}[1mGET /items/{number} HTTP/1.1\u{1b}[0m\" \u{1b}[32m200 OK\u{1b}[0m"
        )
    } else {
        writeln!(
            out,
            "api-1  | 2026-11-21T10:45:{second:02}.{millisecond:03}Z INFO  access 10.0.0.{host} \"GET /items/{number} HTTP/1.1\" 200 {millisecond}ms"
        )
    }
}

fn traceback(out: &mut impl Write, distinct: u64) -> io::Result<()> {
    let (line, kind) = (42 + distinct % 5000, distinct / 5000);
    writeln!(
        out,
        "api-1  | Traceback (most recent call last):\n\
         api-1  |   File \"/app/shop/handlers.py\", line {line}, in handler_{kind}\n\
         api-1  |     await pool.fetch(\"select 1\")\n\
         api-1  |   File \"/usr/local/lib/python3.12/site-packages/asyncpg/pool.py\", line 596, in fetch\n\
         api-1  |     async with self.acquire() as con:\n\
         api-1  |   File \"/usr/local/lib/python3.12/asyncio/base_events.py\", line 539, in _check_closed\n\
         api-1  |     raise RuntimeError('Event loop is closed')\n\
         api-1  | RuntimeError: Event loop is closed"
    )
}

/// Counts what is written.
struct Counted {
    inner: BufWriter<File>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
