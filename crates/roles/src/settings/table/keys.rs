//! Phone > Line Key (the deck's "Dsskey" table) and the keys by soft position.

use super::rows;
use super::words::*;
use crate::settings::kind::Kind;
use crate::settings::row::Effect;

const TYPE: Kind = Kind::Choice(&[
    ("0", "N/A"),
    ("1", "Conference"),
    ("2", "Forward"),
    ("3", "Transfer"),
    ("4", "Hold"),
    ("5", "DND"),
    ("6", "Redial"),
    ("7", "Call Return"),
    ("8", "SMS"),
    ("9", "Pickup"),
    ("10", "Call Park"),
    ("11", "DTMF"),
    ("12", "Voice Mail"),
    ("13", "Speed Dial"),
    ("14", "Intercom"),
    ("15", "Line"),
    ("16", "BLF"),
    ("17", "URL"),
    ("18", "Group Listening"),
    ("19", "Public Hold"),
    ("20", "Private Hold"),
    ("21", "Shared Line"),
    ("22", "XML Group"),
    ("23", "Group Pickup"),
    ("24", "Multicast Paging"),
    ("25", "Record"),
    ("27", "XML Browser"),
    ("28", "History"),
    ("29", "Directory"),
    ("30", "Menu"),
    ("32", "New SMS"),
    ("33", "Status"),
    ("34", "Hot Desking"),
    ("35", "URL Record"),
    ("38", "LDAP"),
    ("39", "BLF List"),
    ("40", "Prefix"),
    ("41", "Zero Touch"),
    ("42", "ACD"),
    ("43", "Local Phonebook"),
    ("44", "Network Directory"),
    ("45", "Local Group"),
    ("46", "Network Group"),
    ("47", "XML Directory"),
    ("48", "Switch Account Up"),
    ("49", "Switch Account Down"),
    ("50", "Keypad Lock"),
    ("51", "Previous Account"),
    ("52", "Next Account"),
    ("55", "Meet-Me Conference"),
    ("56", "Retrieve Park"),
    ("57", "Hoteling"),
    ("58", "ACD Grace"),
    ("60", "Emergency"),
    ("61", "Phone Directory"),
    ("66", "Paging List"),
]);
const ACCOUNT: Kind = number(0, 16);
const SOFT: Effect = kept("The keys below the screen follow the state of the call and are not programmed.");
const NO_XML: Effect = kept("There is no XML phonebook to choose from.");

rows! { ROWS:
[Template "Phone > Line Key"]
"linekey.X.type" "Type" TYPE "0" AtOnce ACTS "What the key does; keys up to the number of accounts are line keys from the factory.";
"linekey.X.line" "Line" ACCOUNT "0" AtOnce ACTS "The account that the key uses; 0: the key's own for a line key, else the first.";
"linekey.X.value" "Value" TEXT "" AtOnce ACTS "The number that the key watches, dials or sends.";
"linekey.X.label" "Label" TEXT "" AtOnce ACTS "What stands beside the key.";
"linekey.X.extension" "Extension" DIALLED "" AtOnce ACTS "The pickup code of a BLF key.";
"linekey.X.pickup_value" "Pickup Code" DIALLED "" AtOnce ACTS "The pickup code of a BLF key; it wins over Extension.";
"linekey.X.shortlabel" "Short Label" TEXT "" AtOnce (kept("The screen shows the label in full.")) "A label for narrow key pages.";
"linekey.X.xml_phonebook" "XML Phonebook" (number(0, 5)) "0" AtOnce NO_XML "The phonebook that the key opens.";
[Template "Phone > Programmable Key"]
"programablekey.X.type" "Type" TEXT "" AtOnce SOFT "What the key does.";
"programablekey.X.line" "Line" ACCOUNT "0" AtOnce SOFT "The account that the key uses.";
"programablekey.X.value" "Value" TEXT "" AtOnce SOFT "The number that the key dials or sends.";
"programablekey.X.label" "Label" TEXT "" AtOnce SOFT "What stands above the key.";
"programablekey.X.extension" "Extension" TEXT "" AtOnce SOFT "The pickup code of the key.";
"programablekey.X.pickup_value" "Pickup Code" TEXT "" AtOnce SOFT "The pickup code of the key.";
"programablekey.X.xml_phonebook" "XML Phonebook" (number(0, 5)) "0" AtOnce SOFT "The phonebook that the key opens.";
"programablekey.X.history_type" "History Type" TEXT "" AtOnce SOFT "The list of calls that the key opens.";
}
