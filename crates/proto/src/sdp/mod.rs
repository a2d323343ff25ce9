//! Session descriptions: RFC 8866 and offer/answer.
