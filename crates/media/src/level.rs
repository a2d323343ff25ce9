//! How loud a frame is, and making it louder or softer.
//!
//! Levels are in dBFS: 0 is a square wave of full scale, so a sine of full scale is at -3.01 (the dBov of
//! RFC 6465).

/// The level given to digital silence, as in the audio level of RFC 6464.
pub const FLOOR_DBFS: f32 = -127.0;

/// Below this a frame is called silent: quieter than any room, louder than the noise of G.711.
pub const SILENCE_DBFS: f32 = -60.0;

/// The root mean square of a frame in dBFS, [`FLOOR_DBFS`] at least. No samples are silent.
#[must_use]
pub fn rms_dbfs(pcm: &[i16]) -> f32 {
    if pcm.is_empty() {
        return FLOOR_DBFS;
    }
    let mean = energy(pcm) / pcm.len() as f64;
    decibels(mean / (FULL_SCALE * FULL_SCALE)).max(FLOOR_DBFS)
}

/// The largest magnitude in a frame.
#[must_use]
pub fn peak(pcm: &[i16]) -> u16 {
    pcm.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

/// Whether a frame is below [`SILENCE_DBFS`].
#[must_use]
pub fn is_silent(pcm: &[i16]) -> bool {
    rms_dbfs(pcm) < SILENCE_DBFS
}

/// The peak amplitude of a sine whose root mean square is at a level.
#[must_use]
pub fn sine_amplitude(level_dbfs: f32) -> f32 {
    FULL_SCALE as f32 * std::f32::consts::SQRT_2 * 10f32.powf(level_dbfs / 20.0)
}

/// A factor of amplitude: a volume key, or silence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// In 1/4096; bounded so that a product fits in 32 bits.
    factor: i32,
}

impl Gain {
    /// Nothing is heard.
    pub const MUTE: Self = Self { factor: 0 };

    /// Nothing is changed.
    pub const UNITY: Self = Self { factor: 4096 };

    /// A gain in decibels; beyond 24 dB it stays at 24.
    #[must_use]
    pub fn from_db(gain_db: f32) -> Self {
        Self { factor: (4096.0 * 10f32.powf(gain_db.min(24.0) / 20.0)).round() as i32 }
    }

    /// Scales a frame in place; what is too loud saturates.
    pub fn apply(self, pcm: &mut [i16]) {
        for sample in pcm {
            *sample = saturate((i32::from(*sample) * self.factor) >> 12);
        }
    }
}

/// The nearest sample: what is too loud is clipped and never wraps, which would click.
#[must_use]
pub fn saturate(value: i32) -> i16 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

/// The sum of squares.
pub(crate) fn energy(pcm: &[i16]) -> f64 {
    pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum()
}

/// A ratio of powers in decibels.
pub(crate) fn decibels(ratio: f64) -> f32 {
    (10.0 * ratio.log10()) as f32
}

const FULL_SCALE: f64 = 32_768.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_at_the_floor() {
        assert_eq!(rms_dbfs(&[]), FLOOR_DBFS);
        assert_eq!(rms_dbfs(&[0; 160]), FLOOR_DBFS);
        assert!(is_silent(&[8; 160]));
        assert!(!is_silent(&[400; 160]));
    }

    #[test]
    fn a_full_square_is_at_zero_and_half_of_it_six_below() {
        assert!(rms_dbfs(&[i16::MIN; 80]).abs() < 0.001);
        assert!((rms_dbfs(&[16_384; 80]) + 6.02).abs() < 0.01);
        assert_eq!(peak(&[3, i16::MIN, 9]), 32_768);
    }

    #[test]
    fn a_gain_scales_and_saturates() {
        let mut pcm = [1000, -1000, 30_000, -30_000];
        Gain::from_db(6.0206).apply(&mut pcm);
        assert_eq!(pcm, [2000, -2000, i16::MAX, i16::MIN]);
        Gain::UNITY.apply(&mut pcm);
        assert_eq!(pcm, [2000, -2000, i16::MAX, i16::MIN]);
        Gain::MUTE.apply(&mut pcm);
        assert_eq!(pcm, [0; 4]);
    }

    #[test]
    fn no_gain_overflows() {
        for gain_db in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1000.0] {
            let mut pcm = [i16::MIN, i16::MAX];
            Gain::from_db(gain_db).apply(&mut pcm);
            assert!(pcm[0] <= 0 && pcm[1] >= 0, "{gain_db} dB turned the signs");
        }
    }
}
