//! SIP Account > Line N > Codec.

use super::rows;
use super::words::*;
use crate::settings::kind::Kind;
use crate::settings::row::Effect;

const PRIORITY: Kind = number(0, 20);
const NOT_HERE: Effect =
    kept("This codec is not here; PCMA, PCMU and G.722 are, and every SIP phone speaks one of them.");

rows! { ROWS:
[Template "SIP Account > Line > Codec"]
"account.X.codec.pcma.enable" "PCMA" BOOL "1" AtOnce ACTS "Whether PCMA (G.711 A-law) is offered and accepted.";
"account.X.codec.pcma.priority" "PCMA Priority" PRIORITY "1" AtOnce ACTS "The place of PCMA in an offer: 1 comes first.";
"account.X.codec.pcmu.enable" "PCMU" BOOL "1" AtOnce ACTS "Whether PCMU (G.711 mu-law) is offered and accepted.";
"account.X.codec.pcmu.priority" "PCMU Priority" PRIORITY "2" AtOnce ACTS "The place of PCMU in an offer: 1 comes first.";
"account.X.codec.g722.enable" "G.722" BOOL "0" AtOnce ACTS "Whether G.722 (wide band) is offered and accepted.";
"account.X.codec.g722.priority" "G.722 Priority" PRIORITY "3" AtOnce ACTS "The place of G.722 in an offer: 1 comes first.";
"account.X.codec.g729.enable" "G.729" BOOL "0" AtOnce NOT_HERE "Whether G.729 is offered.";
"account.X.codec.g729.priority" "G.729 Priority" PRIORITY "4" AtOnce NOT_HERE "The place of G.729 in an offer.";
"account.X.codec.g723_53.enable" "G.723 5.3k" BOOL "0" AtOnce NOT_HERE "Whether G.723.1 at 5.3 kbit/s is offered.";
"account.X.codec.g723_53.priority" "G.723 5.3k Priority" PRIORITY "5" AtOnce NOT_HERE "The place of G.723.1 at 5.3 kbit/s in an offer.";
"account.X.codec.g723_63.enable" "G.723 6.3k" BOOL "0" AtOnce NOT_HERE "Whether G.723.1 at 6.3 kbit/s is offered.";
"account.X.codec.g723_63.priority" "G.723 6.3k Priority" PRIORITY "6" AtOnce NOT_HERE "The place of G.723.1 at 6.3 kbit/s in an offer.";
"account.X.codec.ilbc_13_33kbps.enable" "iLBC 13.33k" BOOL "0" AtOnce NOT_HERE "Whether iLBC with 30 ms frames is offered.";
"account.X.codec.ilbc_13_33kbps.priority" "iLBC 13.33k Priority" PRIORITY "7" AtOnce NOT_HERE "The place of iLBC with 30 ms frames in an offer.";
"account.X.codec.ilbc_15_2kbps.enable" "iLBC 15.2k" BOOL "0" AtOnce NOT_HERE "Whether iLBC with 20 ms frames is offered.";
"account.X.codec.ilbc_15_2kbps.priority" "iLBC 15.2k Priority" PRIORITY "8" AtOnce NOT_HERE "The place of iLBC with 20 ms frames in an offer.";
"account.X.codec.g726_16.enable" "G.726 16k" BOOL "0" AtOnce NOT_HERE "Whether G.726 at 16 kbit/s is offered.";
"account.X.codec.g726_16.priority" "G.726 16k Priority" PRIORITY "9" AtOnce NOT_HERE "The place of G.726 at 16 kbit/s in an offer.";
"account.X.codec.g726_24.enable" "G.726 24k" BOOL "0" AtOnce NOT_HERE "Whether G.726 at 24 kbit/s is offered.";
"account.X.codec.g726_24.priority" "G.726 24k Priority" PRIORITY "10" AtOnce NOT_HERE "The place of G.726 at 24 kbit/s in an offer.";
"account.X.codec.g726_32.enable" "G.726 32k" BOOL "0" AtOnce NOT_HERE "Whether G.726 at 32 kbit/s is offered.";
"account.X.codec.g726_32.priority" "G.726 32k Priority" PRIORITY "11" AtOnce NOT_HERE "The place of G.726 at 32 kbit/s in an offer.";
"account.X.codec.g726_40.enable" "G.726 40k" BOOL "0" AtOnce NOT_HERE "Whether G.726 at 40 kbit/s is offered.";
"account.X.codec.g726_40.priority" "G.726 40k Priority" PRIORITY "12" AtOnce NOT_HERE "The place of G.726 at 40 kbit/s in an offer.";
"account.X.codec.opus.enable" "Opus" BOOL "0" AtOnce NOT_HERE "Whether Opus is offered.";
"account.X.codec.opus.priority" "Opus Priority" PRIORITY "13" AtOnce NOT_HERE "The place of Opus in an offer.";
"account.X.codec.opus.para" "Opus Parameters" TEXT "" AtOnce NOT_HERE "The fmtp parameters of Opus.";
}
