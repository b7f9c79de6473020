//! Kubernetes' quantities: `250m`, `64Mi`, `1.5`.

/// The value of a quantity in its base unit (cores, bytes); `None` when it is none.
pub fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    // `1e3` and `1E6` are exponents, a lone `E` is a suffix.
    if let Ok(value) = text.parse::<f64>() {
        return Some(value).filter(|value| value.is_finite());
    }
    let (number, suffix) = text.split_at(split);
    let factor = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        "Ei" => 1024.0_f64.powi(6),
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor).filter(|value| value.is_finite())
}

/// Cores as people write them: `250m`, `1.5`.
pub fn cores(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if value < 0.001 {
        return "<1m".into();
    }
    if value < 1.0 { format!("{:.0}m", value * 1000.0) } else { trimmed(value) }
}

/// Bytes in binary units: `48Mi`, `1.2Gi`.
pub fn bytes(value: f64) -> String {
    const GI: f64 = 1024.0 * 1024.0 * 1024.0;
    const MI: f64 = 1024.0 * 1024.0;
    if value >= GI {
        format!("{}Gi", trimmed(value / GI))
    } else if value >= MI {
        format!("{}Mi", if value >= 10.0 * MI { format!("{:.0}", value / MI) } else { trimmed(value / MI) })
    } else {
        format!("{:.0}Ki", value / 1024.0)
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_written() {
        let read = |text| parse(text).unwrap();
        assert_eq!((read("250m"), read("2"), read("1.5"), read("1e3")), (0.25, 2.0, 1.5, 1000.0));
        assert_eq!((read("48Mi"), read("128M"), read("2E")), (50_331_648.0, 128e6, 2e18));
        assert!((read("1234567n") - 0.001_234_567).abs() < 1e-12);
        assert!(["", "x", "1Zi", "Mi", "inf", "NaN"].into_iter().all(|bad| parse(bad).is_none()));
        assert_eq!([0.0, 0.0002, 0.25, 1.0, 1.55].map(cores), ["0", "<1m", "250m", "1", "1.6"]);
        assert_eq!(
            [512.0 * 1024.0, 5.5 * 1_048_576.0, 50_331_648.0, 1.25 * 1_073_741_824.0].map(bytes),
            ["512Ki", "5.5Mi", "48Mi", "1.2Gi"]
        );
    }
}
