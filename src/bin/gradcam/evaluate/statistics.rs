//! Means with their 95 % confidence intervals.

/// A mean and where the true one lies, with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
    /// Values that it was taken over.
    pub count: usize,
}

impl Estimate {
    /// Half of the interval's width.
    pub fn margin(self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// The mean of values by Student's t; of fewer than two values nothing can be said.
pub fn mean(values: &[f64]) -> Option<Estimate> {
    let count = values.len();
    if count < 2 {
        return None;
    }
    let n = count as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let margin = student(count - 1) * (variance / n).sqrt();
    Some(Estimate { mean, low: mean - margin, high: mean + margin, count })
}

/// The share of ones among zeros and ones (Wilson, 1927): unlike Student's, right where all are ones.
pub fn share(values: &[f64]) -> Option<Estimate> {
    const Z: f64 = 1.959_964;
    let count = values.len();
    if count < 2 {
        return None;
    }
    let n = count as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = Z * (mean * (1.0 - mean) / n + Z * Z / (4.0 * n * n)).sqrt();
    let (middle, scale) = (mean + Z * Z / (2.0 * n), 1.0 + Z * Z / n);
    Some(Estimate {
        mean,
        low: ((middle - spread) / scale).min(mean),
        high: ((middle + spread) / scale).max(mean),
        count,
    })
}

/// The 97.5 % quantile of Student's t: a table where there are few degrees of freedom, then the expansion of Abramowitz and
/// Stegun, 26.7.5.
fn student(freedom: usize) -> f64 {
    const FEW: [f64; 10] = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281];
    const Z: f64 = 1.959_964;
    if let Some(quantile) = freedom.checked_sub(1).and_then(|i| FEW.get(i)) {
        return *quantile;
    }
    let v = freedom as f64;
    let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
    let third = (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0;
    Z + (Z.powi(3) + Z) / (4.0 * v) + second / v.powi(2) + third / v.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(have: f64, want: f64) {
        assert!((have - want).abs() < 1e-3, "{have} is not {want}");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, want) in [(1, 12.706), (10, 2.228), (11, 2.201), (20, 2.086), (30, 2.042), (120, 1.980)] {
            near(student(freedom), want);
        }
    }

    #[test]
    fn a_mean_of_four_values() {
        // 1, 2, 3, 4: standard error 0.6455, three degrees of freedom
        let seen = mean(&[1.0, 2.0, 3.0, 4.0]).expect("enough values");
        near(seen.mean, 2.5);
        near(seen.margin(), 3.1824 * 0.645_497);
        assert_eq!(mean(&[1.0]), None);
    }

    #[test]
    fn a_share_of_all_is_not_certain() {
        let seen = share(&[1.0; 22]).expect("enough values");
        near(seen.mean, 1.0);
        near(seen.low, 0.8513);
        near(seen.high, 1.0);
        // 8 of 10: Wilson's interval is 0.490 to 0.943
        let seen = share(&[1., 1., 1., 1., 1., 1., 1., 1., 0., 0.]).expect("enough values");
        near(seen.low, 0.4902);
        near(seen.high, 0.9433);
    }
}
