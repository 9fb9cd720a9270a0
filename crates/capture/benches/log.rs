//! Reads a generated container log of the size in `LOOPMEND_BENCH_MB` (default 256) as a stream and prints the rate.
//! First of all it reads a log of 100 lines, cold.
//! Of a thousand lines one begins a traceback; a second run has a traceback in every tenth line.

use std::io::{self, BufReader, Read, Write as _};
use std::time::Instant;

use loopmend_capture::{capture, capture_reader};

/// A reader of a text that repeats.
struct Repeat {
    text: Vec<u8>,
    at: usize,
    left: usize,
}

impl Read for Repeat {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = into.len().min(self.left).min(self.text.len() - self.at);
        into[..length].copy_from_slice(&self.text[self.at..self.at + length]);
        self.at = (self.at + length) % self.text.len();
        self.left -= length;
        Ok(length)
    }
}

const TRACEBACK: &str = r#"api-1  | Traceback (most recent call last):
api-1  |   File "/app/svc/main.py", line 42, in handler
api-1  |     await pool.fetch("select 1")
api-1  |   File "/usr/local/lib/python3.12/site-packages/asyncpg/pool.py", line 596, in fetch
api-1  |     async with self.acquire() as con:
api-1  |   File "/usr/local/lib/python3.12/asyncio/base_events.py", line 539, in _check_closed
api-1  |     raise RuntimeError('Event loop is closed')
api-1  | RuntimeError: Event loop is closed
"#;

fn text(ordinary: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for block in 0..(200_000 / (ordinary + 8)).max(1) {
        for line in 0..ordinary {
            let number = block * ordinary + line;
            writeln!(
                out,
                "api-1  | 2026-11-21T10:45:{:02}.{:03}Z INFO  access 10.0.{}.{} \"GET /items/{number} HTTP/1.1\" 200 {} {}ms",
                number % 60,
                number % 1000,
                number % 256,
                number % 251,
                number % 9000,
                number % 90
            )
            .expect("writing to memory");
        }
        out.extend_from_slice(TRACEBACK.as_bytes());
    }
    out
}

fn main() -> io::Result<()> {
    let short = TRACEBACK.repeat(13);
    let start = Instant::now();
    let found = capture(short.as_bytes());
    writeln!(io::stdout(), "cold: {} µs, {} incidents", start.elapsed().as_micros(), found.incidents.len())?;
    let megabytes: usize =
        std::env::var("LOOPMEND_BENCH_MB").ok().and_then(|value| value.parse().ok()).unwrap_or(256);
    let size = megabytes << 20;
    for (name, ordinary) in [("1 in 1000", 1000), ("1 in 10", 10)] {
        let source = Repeat { text: text(ordinary), at: 0, left: size };
        let start = Instant::now();
        let capture = capture_reader(BufReader::with_capacity(1 << 16, source))?;
        let milliseconds = start.elapsed().as_millis().max(1);
        writeln!(
            io::stdout(),
            "{name}: {} MB/s, {} lines, {} distinct, {} counted",
            size as u128 / 1000 / milliseconds,
            capture.lines,
            capture.incidents.len(),
            capture.incidents.iter().map(|incident| incident.count).sum::<usize>()
        )?;
    }
    Ok(())
}
