//! `stats`: what containers use.

use super::cli::list::{PsArgs, StatsArgs};
use super::context::Context;
use super::error::Error;
use super::exit::FAILED;
use super::output::{Column, Format, Row, complain, list, print, size};
use super::ps;
use super::route::{Route, container};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

/// How many containers are asked at once; each answer takes the engine a second.
const AT_ONCE: usize = 16;
/// To the terminal's upper left, everything cleared.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

const HEADINGS: [Column; 9] = [
    ("Container", "CONTAINER"),
    ("ID", "CONTAINER ID"),
    ("Name", "NAME"),
    ("CPUPerc", "CPU %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("MemPerc", "MEM %"),
    ("NetIO", "NET I/O"),
    ("BlockIO", "BLOCK I/O"),
    ("PIDs", "PIDS"),
];
const COLUMNS: [&str; 8] = ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sample {
    id: String,
    name: String,
    cpu_stats: Cpu,
    precpu_stats: Cpu,
    memory_stats: Memory,
    networks: Option<BTreeMap<String, Network>>,
    blkio_stats: Block,
    pids_stats: Pids,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cpu {
    cpu_usage: Usage,
    system_cpu_usage: u64,
    online_cpus: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Usage {
    total_usage: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Memory {
    usage: u64,
    limit: u64,
    stats: BTreeMap<String, u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    rx_bytes: u64,
    tx_bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block {
    io_service_bytes_recursive: Option<Vec<BlockEntry>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BlockEntry {
    op: String,
    value: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pids {
    current: u64,
}

pub(crate) async fn run(context: &Context, args: &StatsArgs) -> Result<ExitCode, Error> {
    let format = Format::parse(context.format.as_deref())?;
    let clear = !args.no_stream && io::stdout().is_terminal() && format.is_table();
    let mut code = ExitCode::SUCCESS;
    loop {
        let words =
            if args.containers.is_empty() { all(context, args).await? } else { args.containers.clone() };
        let mut rows = Vec::new();
        for sample in samples(context, &words).await {
            match sample {
                Ok((word, sample)) => rows.push(row(&word, &sample, !args.no_trunc)),
                // Gone since it was listed; one that was named is an error.
                Err(error) if error.is_not_found() && args.containers.is_empty() => {}
                Err(gone @ (Error::NoGateway(_) | Error::NotPermitted(_) | Error::Lost)) => return Err(gone),
                Err(error) => {
                    complain(&error, context.wants_json());
                    code = ExitCode::from(FAILED);
                }
            }
        }
        let table = list(&rows, &COLUMNS, &HEADINGS, &format)?;
        print(&if clear { format!("{CLEAR}{table}") } else { table })?;
        if args.no_stream || (rows.is_empty() && !args.containers.is_empty()) {
            return Ok(code);
        }
        if rows.is_empty() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
}

async fn all(context: &Context, args: &StatsArgs) -> Result<Vec<String>, Error> {
    let wanted = PsArgs { all: args.all, ..PsArgs::default() };
    let found = ps::fetch(&context.api, &wanted, "/containers/json", false).await?;
    Ok(found.into_iter().map(|one| one.id).collect())
}

async fn samples(context: &Context, words: &[String]) -> Vec<Result<(String, Sample), Error>> {
    let sample = async |word: &String| {
        let route = Route::container(&container(word)?, "stats").with("stream", "0");
        Ok((word.clone(), context.api.get_json(&route).await?))
    };
    stream::iter(words).map(sample).buffered(AT_ONCE).collect().await
}

fn row(word: &str, sample: &Sample, short: bool) -> Row {
    let mut row = Row::default();
    let cut = |id: &str| if short { id.chars().take(12).collect() } else { id.to_owned() };
    let used = sample.memory_stats.used();
    let limit = sample.memory_stats.limit;
    row.set("Container", if word == sample.id { cut(word) } else { word.to_owned() });
    row.set("ID", cut(&sample.id));
    row.set("Name", sample.name.trim_start_matches('/'));
    row.set("CPUPerc", percent(sample.cpu_share()));
    row.set("MemUsage", format!("{} / {}", size::binary(used), size::binary(limit)));
    row.set("MemPerc", percent(parts_of(used, limit, 10_000)));
    row.set("NetIO", pair(sample.network()));
    row.set("BlockIO", pair(sample.blkio_stats.totals()));
    row.set("PIDs", sample.pids_stats.current.to_string());
    row
}

fn pair((first, second): (u64, u64)) -> String {
    format!("{} / {}", size::decimal(first, 3), size::decimal(second, 3))
}

/// Hundredths of a per cent as people read them.
fn percent(hundredths: u128) -> String {
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// `scale` times `part / whole`, rounded; nothing of nothing is nothing.
fn parts_of(part: u64, whole: u64, scale: u128) -> u128 {
    let (part, whole) = (u128::from(part), u128::from(whole));
    (part * scale + whole / 2).checked_div(whole).unwrap_or_default()
}

impl Sample {
    /// The time of all processors between the two measurements that went to this container.
    fn cpu_share(&self) -> u128 {
        let (now, before) = (&self.cpu_stats, &self.precpu_stats);
        let used = now.cpu_usage.total_usage.saturating_sub(before.cpu_usage.total_usage);
        let passed = now.system_cpu_usage.saturating_sub(before.system_cpu_usage);
        if before.system_cpu_usage == 0 {
            return 0;
        }
        parts_of(used, passed, 10_000 * u128::from(now.online_cpus.max(1)))
    }

    fn network(&self) -> (u64, u64) {
        let networks = || self.networks.iter().flat_map(BTreeMap::values);
        (networks().map(|one| one.rx_bytes).sum(), networks().map(|one| one.tx_bytes).sum())
    }
}

impl Memory {
    /// Without the page cache that could be dropped at any time; cgroup v1 and v2 call it differently.
    fn used(&self) -> u64 {
        let cache = self.stats.get("total_inactive_file").or_else(|| self.stats.get("inactive_file"));
        let cache = cache.copied().filter(|cache| *cache < self.usage).unwrap_or_default();
        self.usage - cache
    }
}

impl Block {
    fn totals(&self) -> (u64, u64) {
        let sum = |op: &str| {
            let entries = self.io_service_bytes_recursive.iter().flatten();
            entries.filter(|entry| entry.op.eq_ignore_ascii_case(op)).map(|entry| entry.value).sum()
        };
        (sum("read"), sum("write"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_sample_becomes_docker_s_columns() {
        let sample: Sample = serde_json::from_value(json!({
            "id": "b0c3efabb5d01a80bfda4553112ccc5e", "name": "/web",
            "cpu_stats": {"cpu_usage": {"total_usage": 300}, "system_cpu_usage": 2000, "online_cpus": 2},
            "precpu_stats": {"cpu_usage": {"total_usage": 100}, "system_cpu_usage": 1000},
            "memory_stats": {"usage": 2048, "limit": 8192, "stats": {"inactive_file": 1024}},
            "networks": {"eth0": {"rx_bytes": 1500, "tx_bytes": 10}},
            "blkio_stats": {"io_service_bytes_recursive": [{"op": "Read", "value": 4096}]},
            "pids_stats": {"current": 3},
        }))
        .unwrap();
        let row = row("web", &sample, true);
        for (field, expected) in [
            ("ID", "b0c3efabb5d0"),
            ("Name", "web"),
            ("CPUPerc", "40.00%"),
            ("MemUsage", "1KiB / 8KiB"),
            ("MemPerc", "12.50%"),
            ("NetIO", "1.5kB / 10B"),
            ("BlockIO", "4.1kB / 0B"),
            ("PIDs", "3"),
        ] {
            assert_eq!(row.fields[field], json!(expected), "{field}");
        }
    }

    #[test]
    fn a_container_that_has_stopped_uses_nothing() {
        assert_eq!(row("web", &Sample::default(), true).fields["CPUPerc"], json!("0.00%"));
        assert_eq!(row("web", &Sample::default(), true).fields["MemPerc"], json!("0.00%"));
    }
}
