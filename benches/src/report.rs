//! Budgets, the table, and `target/bench/e2e.json` with the field names of DESIGN §9.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::reference::Reference;

/// What was measured. A field that was not measured is `null`.
#[derive(Debug, Default, Serialize)]
pub struct Results {
    pub agent_cpu_s_per_gb: Option<f64>,
    pub agent_rss_mb: Option<f64>,
    pub agent_idle_cpu_percent: Option<f64>,
    pub agent_idle_rss_mb: Option<f64>,
    pub aggregator_cpu_s_per_gb: Option<f64>,
    pub aggregator_rss_mb: Option<f64>,
    pub disk_ratio: Option<f64>,
    pub txn_warm_ms: Option<f64>,
    pub txn_cold_ms: Option<f64>,
    pub word_ms: Option<f64>,
    pub phrase_ms: Option<f64>,
    pub histogram_ms: Option<f64>,
    pub scan_gb_per_s: Option<f64>,
    /// One transaction with its first 500 records: of 20, 1,000 and 100,000 records.
    pub txn_20_ms: Option<f64>,
    pub txn_1000_ms: Option<f64>,
    pub txn_100000_ms: Option<f64>,
    /// The newest 50 of five million transactions, and the summary of all; of those with errors; of the slow ones of a service.
    pub txn_list_ms: Option<f64>,
    pub txn_list_errors_ms: Option<f64>,
    pub txn_list_slow_ms: Option<f64>,
    pub visible_ms_p99: Option<f64>,
    pub lost: Option<f64>,
    pub twice: Option<f64>,

    // Beside the budgets.
    pub ship_mb_per_s: Option<f64>,
    pub agent_rss_anonymous_mb: Option<f64>,
    pub aggregator_rss_anonymous_mb: Option<f64>,
    pub disk_bytes: Option<u64>,
    pub txn_warm_ms_p99: Option<f64>,
    pub word_ms_p99: Option<f64>,
    pub phrase_ms_p99: Option<f64>,
    /// How long it takes to know that a number of fourteen digits is nowhere.
    pub number_ms: Option<f64>,
    /// The same scan for what may be hidden in a block; with a regex.
    pub scan_restored_gb_per_s: Option<f64>,
    pub scan_regex_gb_per_s: Option<f64>,
    pub visible_ms_p50: Option<f64>,
    pub txn_list_rss_mb: Option<f64>,
    /// On four hundred days: from the start of the program to its being ready, with cold caches; its memory then, and after some
    /// transactions; the first of these and the others; what it holds open.
    pub days_ready_ms: Option<f64>,
    pub days_rest_rss_mb: Option<f64>,
    pub days_rss_mb: Option<f64>,
    pub days_txn_cold_ms: Option<f64>,
    pub days_txn_warm_ms: Option<f64>,
    pub days_descriptors: Option<f64>,
    /// Of twenty who search at the same time while the corpus is shipped.
    pub search_p50_ms: Option<f64>,
    pub search_p99_ms: Option<f64>,
    /// Lines per second that are taken meanwhile: without them ÷ with them.
    pub search_ingest_slowdown: Option<f64>,
    pub searches_per_s: Option<f64>,
    pub search_aggregator_rss_mb: Option<f64>,
    pub kills: Option<u32>,
    pub kill_lines: Option<u64>,

    pub text: Option<ShapeResults>,
    pub cri: Option<ShapeResults>,
    pub backlog: Option<BacklogResults>,
    pub quiet: Option<QuietResults>,

    pub corpus_lines: u64,
    pub corpus_bytes: u64,
    pub reference: Option<Reference>,
    pub machine: Machine,
    /// Parts that failed, and why.
    pub errors: Vec<String>,
}

/// The corpus in another shape than JSON.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ShapeResults {
    pub agent_cpu_s_per_gb: f64,
    pub agent_rss_mb: f64,
    pub aggregator_cpu_s_per_gb: f64,
    pub aggregator_rss_mb: f64,
    pub disk_ratio: f64,
    pub mb_per_s: f64,
    pub records: u64,
    pub bytes: u64,
    /// Of so many transactions the records were counted.
    pub transactions: u64,
    pub lost: u64,
    pub twice: u64,
}

/// A backlog, and a live file beside it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BacklogResults {
    pub bytes: u64,
    pub records: u64,
    pub mb_per_s: f64,
    pub live_lines: u64,
    pub visible_ms_p50: f64,
    pub visible_ms_p99: f64,
    pub visible_ms_max: f64,
    pub agent_cpu_s_per_gb: f64,
    pub agent_rss_mb: f64,
    pub aggregator_rss_mb: f64,
}

/// Many quiet files. To settle is to have everything acknowledged, and to have said so.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QuietResults {
    pub files: u32,
    pub bytes: u64,
    pub settle_s: f64,
    pub settle_cpu_s: f64,
    pub peak_rss_mb: f64,
    pub cpu_percent: f64,
    pub rss_mb: f64,
    pub descriptors: usize,
    pub restart_settle_s: f64,
    pub restart_settle_cpu_s: f64,
    pub restart_cpu_percent: f64,
    pub restart_rss_mb: f64,
    pub restart_descriptors: usize,
}

/// Where and of what the numbers are.
#[derive(Debug, Default, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_mb: u64,
    pub kernel: String,
    pub commit: String,
    pub date: String,
}

impl Machine {
    pub fn this() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let after_colon = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory = after_colon(&read("/proc/meminfo"), "MemTotal");
        let kibibytes: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        Self {
            cpu: after_colon(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mb: kibibytes * 1024 / 1_000_000,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            commit: commit(),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        }
    }
}

/// The commit that is checked out, with a `+` when the tree differs from it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
    let mark = if changed { "+" } else { "" };
    git(&["rev-parse", "--short=12", "HEAD"]).map_or_else(|| "unknown".to_owned(), |commit| commit + mark)
}

/// A line of the table.
struct Row {
    what: &'static str,
    value: Option<f64>,
    budget: Budget,
    others: &'static str,
}

enum Budget {
    AtMost(f64),
    AtLeast(f64),
}

impl Results {
    fn rows(&self) -> Vec<Row> {
        use Budget::{AtLeast, AtMost};
        let row = |what, value, budget, others| Row { what, value, budget, others };
        vec![
            row(
                "agent_cpu_s_per_gb",
                self.agent_cpu_s_per_gb,
                AtMost(3.0),
                "Fluent Bit 10.4, Vector 30.8, rsyslog 31; floor 1.8",
            ),
            row("agent_rss_mb", self.agent_rss_mb, AtMost(40.0), "Fluent Bit 133, Vector 182, rsyslog 225"),
            row(
                "agent_idle_cpu_percent",
                self.agent_idle_cpu_percent,
                AtMost(0.2),
                "Fluent Bit 0.4, Vector 2.4, rsyslog 0.0",
            ),
            row("agent_idle_rss_mb", self.agent_idle_rss_mb, AtMost(25.0), "Fluent Bit 37, Vector 58, rsyslog 18"),
            row(
                "aggregator_cpu_s_per_gb",
                self.aggregator_cpu_s_per_gb,
                AtMost(6.0),
                "VictoriaLogs 18.3, Loki 28.6, Quickwit 38.4",
            ),
            row(
                "aggregator_rss_mb",
                self.aggregator_rss_mb,
                AtMost(400.0),
                "VictoriaLogs 260, Loki 839, Quickwit 1571",
            ),
            row("disk_ratio", self.disk_ratio, AtLeast(8.0), "VictoriaLogs 10.9, Loki 5.4, Quickwit 4.5"),
            row("txn_warm_ms", self.txn_warm_ms, AtMost(1.0), "VictoriaLogs 3.8, Quickwit 9.5, Loki 1760"),
            row("txn_cold_ms", self.txn_cold_ms, AtMost(10.0), "VictoriaLogs 44, Quickwit 20"),
            row("word_ms", self.word_ms, AtMost(3.0), "VictoriaLogs 9, Quickwit 8"),
            row("phrase_ms", self.phrase_ms, AtMost(20.0), "VictoriaLogs 124, Quickwit 34"),
            row("histogram_ms", self.histogram_ms, AtMost(5.0), "VictoriaLogs 50, Quickwit 29"),
            row("scan_gb_per_s", self.scan_gb_per_s, AtLeast(2.0), "zstd alone decompresses 2.9"),
            row("txn_20_ms", self.txn_20_ms, AtMost(1.0), ""),
            row("txn_1000_ms", self.txn_1000_ms, AtMost(10.0), ""),
            row("txn_100000_ms", self.txn_100000_ms, AtMost(500.0), ""),
            row("txn_list_ms", self.txn_list_ms, AtMost(50.0), ""),
            row("txn_list_errors_ms", self.txn_list_errors_ms, AtMost(50.0), ""),
            row("txn_list_slow_ms", self.txn_list_slow_ms, AtMost(50.0), ""),
            row("visible_ms_p99", self.visible_ms_p99, AtMost(1000.0), ""),
            row("lost", self.lost, AtMost(0.0), "Fluent Bit 134004 after one kill in 1 M lines"),
            row("twice", self.twice, AtMost(0.0), "Vector 17600, Fluent Bit with file storage 320000"),
        ]
    }

    /// The budgets of the JSON corpus hold for its other shapes, and for a backlog.
    fn more_rows(&self) -> Vec<Row> {
        use Budget::AtMost;
        let mut rows = Vec::new();
        let mut row =
            |what, value: f64, limit| rows.push(Row { what, value: Some(value), budget: AtMost(limit), others: "" });
        if let Some(text) = self.text {
            row("text.agent_cpu_s_per_gb", text.agent_cpu_s_per_gb, 3.0);
            row("text.agent_rss_mb", text.agent_rss_mb, 40.0);
            row("text.lost", text.lost as f64, 0.0);
            row("text.twice", text.twice as f64, 0.0);
        }
        if let Some(cri) = self.cri {
            row("cri.agent_cpu_s_per_gb", cri.agent_cpu_s_per_gb, 3.0);
            row("cri.agent_rss_mb", cri.agent_rss_mb, 40.0);
            row("cri.lost", cri.lost as f64, 0.0);
            row("cri.twice", cri.twice as f64, 0.0);
        }
        if let Some(backlog) = self.backlog {
            row("backlog.visible_ms_p99", backlog.visible_ms_p99, 1000.0);
            row("backlog.agent_rss_mb", backlog.agent_rss_mb, 40.0);
        }
        rows
    }

    /// What has no budget.
    fn beside(&self) -> Vec<(&'static str, Option<f64>)> {
        let mut beside = vec![
            ("ship_mb_per_s", self.ship_mb_per_s),
            ("agent_rss_anonymous_mb", self.agent_rss_anonymous_mb),
            ("aggregator_rss_anonymous_mb", self.aggregator_rss_anonymous_mb),
            ("txn_warm_ms_p99", self.txn_warm_ms_p99),
            ("word_ms_p99", self.word_ms_p99),
            ("phrase_ms_p99", self.phrase_ms_p99),
            ("number_ms", self.number_ms),
            ("scan_restored_gb_per_s", self.scan_restored_gb_per_s),
            ("scan_regex_gb_per_s", self.scan_regex_gb_per_s),
            ("visible_ms_p50", self.visible_ms_p50),
            ("txn_list_rss_mb", self.txn_list_rss_mb),
            ("days_ready_ms", self.days_ready_ms),
            ("days_txn_cold_ms", self.days_txn_cold_ms),
            ("days_txn_warm_ms", self.days_txn_warm_ms),
            ("days_rest_rss_mb", self.days_rest_rss_mb),
            ("days_rss_mb", self.days_rss_mb),
            ("days_descriptors", self.days_descriptors),
            ("search_p50_ms", self.search_p50_ms),
            ("search_p99_ms", self.search_p99_ms),
            ("search_ingest_slowdown", self.search_ingest_slowdown),
            ("searches_per_s", self.searches_per_s),
            ("search_aggregator_rss_mb", self.search_aggregator_rss_mb),
            ("kills", self.kills.map(f64::from)),
            ("zstd1_cpu_s_per_gb", self.reference.map(|reference| reference.zstd1_cpu_s_per_gb)),
            ("unzstd_cpu_s_per_gb", self.reference.map(|reference| reference.unzstd_cpu_s_per_gb)),
            ("zstd3_ratio", self.reference.map(|reference| reference.zstd3_ratio)),
        ];
        let mut add = |values: &[(&'static str, f64)]| {
            beside.extend(values.iter().map(|(what, value)| (*what, Some(*value))));
        };
        if let Some(text) = self.text {
            add(&[
                ("text.records", text.records as f64),
                ("text.bytes", text.bytes as f64),
                ("text.mb_per_s", text.mb_per_s),
                ("text.aggregator_cpu_s_per_gb", text.aggregator_cpu_s_per_gb),
                ("text.aggregator_rss_mb", text.aggregator_rss_mb),
                ("text.disk_ratio", text.disk_ratio),
            ]);
        }
        if let Some(cri) = self.cri {
            add(&[
                ("cri.records", cri.records as f64),
                ("cri.bytes", cri.bytes as f64),
                ("cri.mb_per_s", cri.mb_per_s),
                ("cri.aggregator_cpu_s_per_gb", cri.aggregator_cpu_s_per_gb),
                ("cri.aggregator_rss_mb", cri.aggregator_rss_mb),
                ("cri.disk_ratio", cri.disk_ratio),
            ]);
        }
        if let Some(backlog) = self.backlog {
            add(&[
                ("backlog.bytes", backlog.bytes as f64),
                ("backlog.mb_per_s", backlog.mb_per_s),
                ("backlog.live_lines", backlog.live_lines as f64),
                ("backlog.visible_ms_p50", backlog.visible_ms_p50),
                ("backlog.visible_ms_max", backlog.visible_ms_max),
                ("backlog.agent_cpu_s_per_gb", backlog.agent_cpu_s_per_gb),
                ("backlog.aggregator_rss_mb", backlog.aggregator_rss_mb),
            ]);
        }
        if let Some(quiet) = self.quiet {
            add(&[
                ("quiet.files", f64::from(quiet.files)),
                ("quiet.settle_s", quiet.settle_s),
                ("quiet.settle_cpu_s", quiet.settle_cpu_s),
                ("quiet.peak_rss_mb", quiet.peak_rss_mb),
                ("quiet.cpu_percent", quiet.cpu_percent),
                ("quiet.rss_mb", quiet.rss_mb),
                ("quiet.descriptors", quiet.descriptors as f64),
                ("quiet.restart_settle_s", quiet.restart_settle_s),
                ("quiet.restart_settle_cpu_s", quiet.restart_settle_cpu_s),
                ("quiet.restart_cpu_percent", quiet.restart_cpu_percent),
                ("quiet.restart_rss_mb", quiet.restart_rss_mb),
                ("quiet.restart_descriptors", quiet.restart_descriptors as f64),
            ]);
        }
        beside
    }

    /// Prints the table.
    pub fn print(&self) {
        println!("\n{:<26}{:>12}{:>12}  {:<6}for comparison", "", "measured", "budget", "");
        for Row { what, value, budget, others } in self.rows().into_iter().chain(self.more_rows()) {
            let (limit, holds) = match budget {
                Budget::AtMost(limit) => (format!("<= {limit}"), value.map(|value| value <= limit)),
                Budget::AtLeast(limit) => (format!(">= {limit}"), value.map(|value| value >= limit)),
            };
            let verdict = holds.map_or("-", |holds| if holds { "ok" } else { "OVER" });
            println!("{what:<26}{:>12}{limit:>12}  {verdict:<6}{others}", show(value));
        }
        println!("\nbeside the budgets");
        for (what, value) in self.beside() {
            println!("{what:<30}{:>12}", show(value));
        }
        let Machine { cpu, cores, kernel, commit, date, .. } = &self.machine;
        println!(
            "\n{} lines, {} bytes; {cpu}, {cores} cores, Linux {kernel}; {commit}, {date}",
            self.corpus_lines, self.corpus_bytes
        );
        for error in &self.errors {
            println!("FAILED: {error}");
        }
    }

    /// Writes them as JSON.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
    }

    /// Whether everything ran, and no line was lost or stored twice.
    pub fn sound(&self) -> bool {
        let shapes = [self.text, self.cri].into_iter().flatten().all(|shape| shape.lost == 0 && shape.twice == 0);
        shapes && self.errors.is_empty() && self.lost.unwrap_or(0.0) == 0.0 && self.twice.unwrap_or(0.0) == 0.0
    }
}

pub fn show(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(value) if value == value.trunc() => format!("{value:.0}"),
        Some(value) if value.abs() < 10.0 => format!("{value:.3}"),
        Some(value) => format!("{value:.1}"),
    }
}
