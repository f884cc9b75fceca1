//! What a viewer offers over WebRTC: read as far as must be right before it may reach webrtcbin.

use gst_sdp::{SDPMediaRef, SDPMessage};

use crate::Result;

/// Parts of an offer, of which one is what is sent.
const PARTS: u32 = 8;
/// Without these a part cannot be answered.
const NEEDED: [&str; 4] = ["ice-ufrag", "ice-pwd", "fingerprint", "setup"];

/// The offer, and the number that H.264 is to bear.
pub fn read(text: &[u8]) -> Result<(SDPMessage, u8)> {
    let not_sdp = "the offer is no SDP";
    if !text.starts_with(b"v=0") || std::str::from_utf8(text).is_err() || text.contains(&0) {
        return Err(not_sdp.into());
    }
    let offer = SDPMessage::parse_buffer(text).map_err(|_| not_sdp)?;
    if offer.medias_len() > PARTS {
        return Err(format!("the offer has more than {PARTS} parts"));
    }
    let mut videos = offer.medias().filter(|media| media.media() == Some("video"));
    let (Some(video), None) = (videos.next(), videos.next()) else {
        return Err("the offer is to have one video part".into());
    };
    for media in offer.medias() {
        let missing = NEEDED.iter().find(|name| media.attribute_val(name).or(offer.attribute_val(name)).is_none());
        if let Some(name) = missing.copied().or(media.attribute_val("mid").is_none().then_some("mid")) {
            return Err(format!("the offer has a part without a={name}"));
        }
    }
    if ["sendonly", "inactive"].iter().any(|direction| video.attribute_val(direction).is_some()) {
        return Err("the offer's video part does not want to receive".into());
    }
    let payload =
        h264(video).ok_or("the offer's video part has no H.264 of the baseline profile with packetization-mode=1")?;
    Ok((offer, payload))
}

/// The first payload type that is H.264 as the film is: constrained baseline, in fragments.
fn h264(video: &SDPMediaRef) -> Option<u8> {
    let values = |name: &'static str| (0..).map_while(move |nth| video.attribute_val_n(name, nth));
    let fits = |payload: &str| {
        values("fmtp").filter_map(|line| line.split_once(' ')).any(|(of, parameters)| {
            let has =
                |wanted: &str| parameters.split(';').any(|one| one.trim().to_ascii_lowercase().starts_with(wanted));
            of == payload && has("packetization-mode=1") && has("profile-level-id=42")
        })
    };
    let mut maps = values("rtpmap").filter_map(|line| line.split_once(' '));
    let (payload, _) = maps.find(|(payload, codec)| codec.eq_ignore_ascii_case("H264/90000") && fits(payload))?;
    payload.parse().ok().filter(|payload| (35..=127).contains(payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 102 103\r\n\
        c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 00\r\na=setup:actpass\r\n\
        a=mid:0\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:102 H264/90000\r\n\
        a=fmtp:102 packetization-mode=0;profile-level-id=42001f\r\na=rtpmap:103 H264/90000\r\n\
        a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n";

    fn said(text: &str) -> String {
        read(text.as_bytes()).map(|(_, payload)| payload.to_string()).unwrap_or_else(|why| why)
    }

    #[test]
    fn an_offer_of_h264_is_taken_by_its_number() {
        gst::init().unwrap();
        assert_eq!(said(OFFER), "103");
    }

    #[test]
    fn what_cannot_be_answered_is_refused_with_its_reason() {
        gst::init().unwrap();
        let without =
            |part: &str| OFFER.split_inclusive("\r\n").filter(|line| !line.contains(part)).collect::<String>();
        for (offer, reason) in [
            (String::new(), "no SDP"),
            ("v=0\0".into(), "no SDP"),
            ("{\"type\":\"offer\"}".into(), "no SDP"),
            (OFFER[..OFFER.find("m=").unwrap()].into(), "one video part"),
            (OFFER.replace("m=video", "m=audio"), "one video part"),
            (OFFER.repeat(2), "one video part"),
            (without("ice-pwd"), "a=ice-pwd"),
            (without("fingerprint"), "a=fingerprint"),
            (without("mid"), "a=mid"),
            (without("H264"), "H.264"),
            (without("fmtp:103"), "H.264"),
            (OFFER.replace("recvonly", "sendonly"), "receive"),
        ] {
            assert!(said(&offer).contains(reason), "{reason}: {}", said(&offer));
        }
    }
}
