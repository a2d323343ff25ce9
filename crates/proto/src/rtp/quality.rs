//! How a stream sounds to a human: the E-model, ITU-T G.107, with G.113's codec figures.

use std::time::Duration;

/// Rating of a connection without any impairment, at G.107's default values.
const BEST_RATING: f32 = 93.2;

/// What a codec costs: G.113 Appendix I.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// `Ie`: impairment without loss.
    pub equipment: f32,
    /// `Bpl`: how well it stands loss; higher is better.
    pub loss_robustness: f32,
}

impl Impairment {
    /// PCMA and PCMU with packet loss concealment (G.113 Appendix I).
    pub const G711_CONCEALED: Impairment = Impairment { equipment: 0.0, loss_robustness: 25.1 };
    /// PCMA and PCMU where a lost packet is a hole.
    pub const G711_PLAIN: Impairment = Impairment { equipment: 0.0, loss_robustness: 4.3 };
}

/// `Ie-eff`, G.107 §7.5, for random loss; `loss` is a share from 0 to 1.
pub fn effective_impairment(codec: Impairment, loss: f32) -> f32 {
    let loss_percent = loss.clamp(0.0, 1.0) * 100.0;
    codec.equipment + (95.0 - codec.equipment) * loss_percent / (loss_percent + codec.loss_robustness)
}

/// `Id` for a one-way delay, as the usual straight lines through G.107's curve.
pub fn delay_impairment(one_way: Duration) -> f32 {
    let delay_ms = one_way.as_secs_f32() * 1_000.0;
    0.024 * delay_ms + 0.11 * (delay_ms - 177.3).max(0.0)
}

/// Listening quality (`MOS-LQ` of RFC 3611 §4.7.5): codec and loss, no delay. 1.0 to 4.5.
pub fn mos_listening(codec: Impairment, loss: f32) -> f32 {
    mos_of_rating(BEST_RATING - effective_impairment(codec, loss))
}

/// Conversational quality (`MOS-CQ`): codec, loss and delay. 1.0 to 4.5.
pub fn mos_conversation(codec: Impairment, loss: f32, one_way: Duration) -> f32 {
    mos_of_rating(BEST_RATING - effective_impairment(codec, loss) - delay_impairment(one_way))
}

/// From rating R to MOS, G.107 Annex B.
pub fn mos_of_rating(rating: f32) -> f32 {
    if rating <= 0.0 {
        return 1.0;
    }
    if rating >= 100.0 {
        return 4.5;
    }
    // The cubic dips below 1 for ratings under 6.5; the scale does not.
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mos: f32, expected: f32) {
        assert!((mos - expected).abs() < 0.02, "{mos} is not {expected}");
    }

    /// R to MOS as G.107 Annex B tabulates it.
    #[test]
    fn the_table_of_annex_b() {
        check(mos_of_rating(90.0), 4.34);
        check(mos_of_rating(80.0), 4.03);
        check(mos_of_rating(70.0), 3.60);
        check(mos_of_rating(60.0), 3.10);
        check(mos_of_rating(50.0), 2.58);
        check(mos_of_rating(-5.0), 1.0);
        check(mos_of_rating(120.0), 4.5);
    }

    #[test]
    fn loss_and_delay_cost_something() {
        check(mos_listening(Impairment::G711_CONCEALED, 0.0), 4.41);
        let at_five = mos_listening(Impairment::G711_CONCEALED, 0.05);
        assert!(at_five < 4.1 && at_five > mos_listening(Impairment::G711_PLAIN, 0.05));
        let far = mos_conversation(Impairment::G711_CONCEALED, 0.0, Duration::from_millis(400));
        assert!(far < 3.5, "{far}");
        assert!((1.0..=4.5).contains(&mos_listening(Impairment::G711_PLAIN, 1.0)));
    }
}
