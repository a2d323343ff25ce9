//! G.722 at 64 kbit/s: 16 kHz speech split in two bands, each coded by ADPCM (ITU-T G.722; RFC 3551 §4.5.2).
//!
//! A pair of samples becomes one byte: six bits for the lower band, two above them for the higher. Names in
//! capitals after a description (`LOGSCL`, `UPPOL2`) are the blocks of the Recommendation, clause 6.

/// Codes 16 kHz samples.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    analysis: Delay,
    low: Band<Low>,
    high: Band<High>,
}

impl Encoder {
    /// Codes pairs of samples until either slice ends; answers the bytes written. A last odd sample is left out,
    /// so frames have even lengths.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        let pairs = pcm.as_chunks::<2>().0;
        out.iter_mut().zip(pairs).map(|(byte, pair)| *byte = self.encode_pair(*pair)).count()
    }

    fn encode_pair(&mut self, [earlier, later]: [i16; 2]) -> u8 {
        self.analysis.push(i32::from(earlier), i32::from(later));
        let (even, odd) = self.analysis.filter();
        let low = quantise_low(clamp_15(((even + odd) >> 14) - self.low.prediction), self.low.step);
        let high = quantise_high(clamp_15(((even - odd) >> 14) - self.high.prediction), self.high.step);
        self.low.adapt(low >> 2);
        self.high.adapt(high);
        (high << 6) | low
    }
}

/// Decodes to 16 kHz samples.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    synthesis: Delay,
    low: Band<Low>,
    high: Band<High>,
}

impl Decoder {
    /// Decodes bytes to two samples each until either slice ends; answers the samples written. `out` is filled
    /// in pairs.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        let pairs = out.as_chunks_mut::<2>().0;
        2 * pairs.iter_mut().zip(payload).map(|(pair, byte)| *pair = self.decode_byte(*byte)).count()
    }

    fn decode_byte(&mut self, byte: u8) -> [i16; 2] {
        let (low_code, high_code) = (byte & 0x3F, byte >> 6);
        let low = self.low.prediction + scaled(self.low.step, SIX_BIT_LEVELS[usize::from(low_code)]);
        let high = self.high.prediction + scaled(self.high.step, TWO_BIT_LEVELS[usize::from(high_code)]);
        self.low.adapt(low_code >> 2);
        self.high.adapt(high_code);
        let (low, high) = (clamp_15(low), clamp_15(high));
        self.synthesis.push(low + high, low - high);
        let (even, odd) = self.synthesis.filter();
        [clamp_16(even >> 11), clamp_16(odd >> 11)]
    }
}

/// The delay line of the quadrature mirror filter, which splits and joins the two bands.
#[derive(Clone, Debug, Default)]
struct Delay {
    /// Newest last, in pairs, so that each half of the filter walks its own column.
    pairs: [[i32; 2]; 12],
}

impl Delay {
    fn push(&mut self, first: i32, second: i32) {
        self.pairs.copy_within(1.., 0);
        self.pairs[11] = [first, second];
    }

    /// The two halves of the filter; the second is the first reversed.
    fn filter(&self) -> (i32, i32) {
        let mut sums = (0, 0);
        for (index, [first, second]) in self.pairs.iter().enumerate() {
            sums.1 += first * MIRROR[index];
            sums.0 += second * MIRROR[11 - index];
        }
        sums
    }
}

/// What distinguishes the two bands.
trait Kind {
    /// The quantiser's step before the first sample.
    const FIRST_STEP: i32;
    /// The largest logarithmic step.
    const LARGEST_LOG: i32;
    /// The exponent of the step at logarithm zero.
    const SHIFT: i32;
    /// The level that a code (for the lower band its upper four bits) stands for.
    fn level(code: u8) -> i32;
    /// How a code moves the logarithmic step.
    fn weight(code: u8) -> i32;
}

/// 0 to 4 kHz, six bits. The predictor sees only four of them, so that two may be stolen for data.
#[derive(Clone, Debug)]
struct Low;

impl Kind for Low {
    const FIRST_STEP: i32 = 32;
    const LARGEST_LOG: i32 = 18_432;
    const SHIFT: i32 = 8;

    fn level(code: u8) -> i32 {
        FOUR_BIT_LEVELS[usize::from(code & 15)]
    }

    fn weight(code: u8) -> i32 {
        LOW_WEIGHTS[usize::from(code & 15)]
    }
}

/// 4 to 8 kHz, two bits.
#[derive(Clone, Debug)]
struct High;

impl Kind for High {
    const FIRST_STEP: i32 = 8;
    const LARGEST_LOG: i32 = 22_528;
    const SHIFT: i32 = 10;

    fn level(code: u8) -> i32 {
        TWO_BIT_LEVELS[usize::from(code & 3)]
    }

    fn weight(code: u8) -> i32 {
        HIGH_WEIGHTS[usize::from(code & 3)]
    }
}

/// One band's adaptive predictor and step: the same arithmetic runs at both ends, so it must be exact.
#[derive(Clone, Debug)]
struct Band<K> {
    /// What the next sample is expected to be.
    prediction: i32,
    /// The step of the quantiser.
    step: i32,
    /// Its logarithm, which is what adapts.
    log_step: i32,
    /// The two latest reconstructed samples, newest first.
    reconstructed: [i32; 2],
    /// The two latest partial reconstructions, newest first; only their signs matter.
    partial: [i32; 2],
    /// The coefficients of the predictor's poles.
    poles: [i32; 2],
    /// The six latest quantised differences, newest first.
    differences: [i32; 6],
    /// The coefficients of the predictor's zeros.
    zeros: [i32; 6],
    /// The contribution of the zeros to `prediction`.
    zeros_prediction: i32,
    kind: std::marker::PhantomData<K>,
}

impl<K: Kind> Default for Band<K> {
    fn default() -> Self {
        Self {
            prediction: 0,
            step: K::FIRST_STEP,
            log_step: 0,
            reconstructed: [0; 2],
            partial: [0; 2],
            poles: [0; 2],
            differences: [0; 6],
            zeros: [0; 6],
            zeros_prediction: 0,
            kind: std::marker::PhantomData,
        }
    }
}

impl<K: Kind> Band<K> {
    /// Learns from one code, and predicts the sample after it.
    fn adapt(&mut self, code: u8) {
        let difference = scaled(self.step, K::level(code));
        self.log_step = (((self.log_step * 127) >> 7) + K::weight(code)).clamp(0, K::LARGEST_LOG);
        self.step = step_from_log(self.log_step, K::SHIFT);

        let partial = clamp_16_wide(self.zeros_prediction + difference);
        self.adapt_poles(partial);
        self.adapt_zeros(difference);
        self.partial = [partial, self.partial[0]];
        self.reconstructed = [clamp_16_wide(self.prediction + difference), self.reconstructed[0]];
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;

        self.zeros_prediction = self.predict_from_zeros();
        self.prediction = clamp_16_wide(self.predict_from_poles() + self.zeros_prediction);
    }

    /// `UPPOL2` then `UPPOL1`: the second coefficient first, because it bounds the first.
    fn adapt_poles(&mut self, partial: i32) {
        let agrees_with_last = same_sign(partial, self.partial[0]);
        let agrees_with_one_before = same_sign(partial, self.partial[1]);
        let quadruple = clamp_16_wide(self.poles[0] << 2);
        let towards = if agrees_with_last { (-quadruple).min(32_767) } else { quadruple };
        let bias = if agrees_with_one_before { 128 } else { -128 };
        let second = (bias + (towards >> 7) + ((self.poles[1] * 32_512) >> 15)).clamp(-12_288, 12_288);

        let bias = if agrees_with_last { 192 } else { -192 };
        let bound = 15_360 - second;
        let first = (bias + ((self.poles[0] * 32_640) >> 15)).clamp(-bound, bound);
        self.poles = [first, second];
    }

    /// `UPZERO`: each coefficient leaks, and moves when the difference agrees in sign with the one it weighs.
    fn adapt_zeros(&mut self, difference: i32) {
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, past) in self.zeros.iter_mut().zip(self.differences) {
            let move_by = if same_sign(difference, past) { step } else { -step };
            *zero = clamp_16_wide(move_by + ((*zero * 32_640) >> 15));
        }
    }

    /// `FILTEP`.
    fn predict_from_poles(&self) -> i32 {
        let term = |sample: i32, pole: i32| (clamp_16_wide(sample + sample) * pole) >> 15;
        let [newest, older] = self.reconstructed;
        clamp_16_wide(term(newest, self.poles[0]) + term(older, self.poles[1]))
    }

    /// `FILTEZ`.
    fn predict_from_zeros(&self) -> i32 {
        let terms = self.differences.iter().zip(self.zeros);
        clamp_16_wide(terms.map(|(difference, zero)| (clamp_16_wide(difference * 2) * zero) >> 15).sum())
    }
}

/// `QUANTL`: the six bits for a difference in the lower band.
fn quantise_low(difference: i32, step: i32) -> u8 {
    let magnitude = if difference >= 0 { difference } else { !difference };
    let interval = LOW_DECISIONS.iter().take_while(|level| magnitude >= (**level * step) >> 12).count();
    // Zero decisions passed is interval 1 of the Recommendation, which is also the innermost code.
    let interval = interval as u8;
    match (difference < 0, interval) {
        (false, _) => 61 - interval,
        (true, 0 | 1) => 63 - interval,
        (true, _) => 33 - interval,
    }
}

/// `QUANTH`: the two bits for a difference in the higher band.
fn quantise_high(difference: i32, step: i32) -> u8 {
    let magnitude = if difference >= 0 { difference } else { !difference };
    let outer = magnitude >= (HIGH_DECISION * step) >> 12;
    match (difference < 0, outer) {
        (false, false) => 3,
        (false, true) => 2,
        (true, false) => 1,
        (true, true) => 0,
    }
}

/// `INVQAL`, `INVQBL`, `INVQAH`: a level of the quantiser at its present step.
const fn scaled(step: i32, level: i32) -> i32 {
    (step * level) >> 15
}

/// `SCALEL`, `SCALEH`: the step whose logarithm is given.
fn step_from_log(log_step: i32, shift: i32) -> i32 {
    let mantissa = INVERSE_LOG[((log_step >> 6) & 31) as usize];
    let right = shift - (log_step >> 11);
    let value = if right < 0 { mantissa << -right } else { mantissa >> right };
    value << 2
}

/// Zero counts as positive, as in the Recommendation.
const fn same_sign(left: i32, right: i32) -> bool {
    (left ^ right) >= 0
}

fn clamp_15(value: i32) -> i32 {
    value.clamp(-16_384, 16_383)
}

fn clamp_16_wide(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

fn clamp_16(value: i32) -> i16 {
    clamp_16_wide(value) as i16
}

/// Half of the 24-tap mirror filter (table 11 of the Recommendation); the other half is its reverse.
const MIRROR: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Decision levels of the lower band's quantiser, in 1/4096 of the step.
const LOW_DECISIONS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// The one decision level of the higher band's quantiser, in 1/4096 of the step.
const HIGH_DECISION: i32 = 564;

/// What each six-bit code of the lower band stands for; the first four are not sent at 64 kbit/s.
const SIX_BIT_LEVELS: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232,
    -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776,
    -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280,
    11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008, 3_576, 3_168,
    2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432, 136, -432, -136,
];

/// What the upper four bits of a lower-band code stand for.
const FOUR_BIT_LEVELS: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584,
    1_200, 0,
];

/// What each two-bit code of the higher band stands for.
const TWO_BIT_LEVELS: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];

/// How each four-bit code moves the lower band's logarithmic step: outer codes widen it.
const LOW_WEIGHTS: [i32; 16] =
    [-60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60];

/// How each two-bit code moves the higher band's logarithmic step.
const HIGH_WEIGHTS: [i32; 4] = [798, -214, 798, -214];

/// 2048 · 2^(n/32), rounded.
const INVERSE_LOG: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

#[cfg(test)]
mod tests;
