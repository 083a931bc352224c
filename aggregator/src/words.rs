//! Numbers as sentences for people have them.

/// `1.9 s`, `120 ms`; of nanoseconds.
pub fn duration(ns: u64) -> String {
    match ns {
        0..10_000 => format!("{:.1} µs", ns as f64 / 1e3),
        10_000..1_000_000 => format!("{} µs", ns / 1_000),
        1_000_000..10_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        10_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        1_000_000_000..120_000_000_000 => format!("{:.1} s", ns as f64 / 1e9),
        120_000_000_000..7_200_000_000_000 => format!("{} min", ns / 60_000_000_000),
        _ => format!("{:.1} h", ns as f64 / 3.6e12),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_they_are_told() {
        for (ns, text) in [
            (0, "0.0 µs"),
            (1_500_000, "1.5 ms"),
            (120_000_000, "120 ms"),
            (1_900_000_000, "1.9 s"),
            (180_000_000_000, "3 min"),
        ] {
            assert_eq!(duration(ns), text);
        }
    }
}
