//! Numbers of bytes as people read them.

const DECIMAL: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
const BINARY: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// Powers of 1000 with `digits` significant digits, as Docker prints sizes: `1.98MB`, `0B`.
pub(crate) fn decimal(bytes: u64, digits: u32) -> String {
    shown(bytes, 1000, digits, &DECIMAL)
}

/// Powers of 1024 with four significant digits, as Docker prints memory: `23.54GiB`.
pub(crate) fn binary(bytes: u64) -> String {
    shown(bytes, 1024, 4, &BINARY)
}

fn shown(bytes: u64, base: u64, digits: u32, units: &[&str]) -> String {
    let mut scale = 1u64;
    let mut units = units.iter().peekable();
    let mut unit = units.next();
    while bytes / scale >= base && units.peek().is_some() {
        scale *= base;
        unit = units.next();
    }
    format!("{}{}", significant(bytes, scale, digits), unit.unwrap_or(&""))
}

/// `bytes / scale`, rounded to this many digits, without the zeros at the end.
fn significant(bytes: u64, scale: u64, digits: u32) -> String {
    let (bytes, scale) = (u128::from(bytes), u128::from(scale));
    let whole_digits = u32::try_from((bytes / scale).max(1).to_string().len()).unwrap_or(digits);
    let places = digits.saturating_sub(whole_digits);
    let shift = 10u128.pow(places);
    let rounded = (bytes * shift + scale / 2) / scale;
    if places == 0 {
        return rounded.to_string();
    }
    let fraction = format!("{:0width$}", rounded % shift, width = usize::try_from(places).unwrap_or(0));
    match fraction.trim_end_matches('0') {
        "" => (rounded / shift).to_string(),
        fraction => format!("{}.{fraction}", rounded / shift),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_as_docker_shows_them() {
        for (bytes, said) in [
            (0, "0B"),
            (999, "999B"),
            (1883, "1.88kB"),
            (1_980_000, "1.98MB"),
            (1_000_000, "1MB"),
            (77_812_345, "77.8MB"),
            (5_500_000_000, "5.5GB"),
        ] {
            assert_eq!(decimal(bytes, 3), said);
        }
        assert_eq!(binary(748 << 10), "748KiB");
        assert_eq!(binary(25_276_000_000), "23.54GiB");
        assert_eq!(binary(3 << 29), "1.5GiB");
    }
}
