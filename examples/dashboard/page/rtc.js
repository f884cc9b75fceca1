// The picture over WebRTC: one offer with all its candidates by POST, as WHEP does it.

import { hangUp, offer } from "./wire.js";

/** Gathering on a machine with odd networks may take for ever; what has been found by then is sent. */
const GATHERING = 2000;
/** No picture by then is a failure that is told. */
const PATIENCE = 12_000;

export class Rtc {
  #video;
  #failed;
  #peer = null;
  #session = null;
  #timer = 0;

  /** `failed(sentence)`: no picture comes, or it has ended. */
  constructor(video, failed) {
    this.#video = video;
    this.#failed = failed;
  }

  async open(id) {
    const peer = new RTCPeerConnection();
    this.#peer = peer;
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.ontrack = ({ track }) => this.#play(track);
    peer.onconnectionstatechange = () => {
      if (peer.connectionState === "failed") this.#fail("The WebRTC connection broke.");
    };
    this.#timer = setTimeout(() => this.#fail("No picture came over WebRTC."), PATIENCE);
    try {
      await peer.setLocalDescription();
      await gathered(peer);
      const { sdp, session } = await offer(id, peer.localDescription.sdp);
      if (this.#peer !== peer) {
        hangUp(session);
        return;
      }
      this.#session = session;
      await peer.setRemoteDescription({ type: "answer", sdp });
    } catch (error) {
      if (this.#peer === peer) this.#fail(error.message);
    }
  }

  close() {
    clearTimeout(this.#timer);
    const [peer, session] = [this.#peer, this.#session];
    this.#peer = this.#session = null;
    peer?.close();
    if (session) hangUp(session);
    this.#video.srcObject = null;
  }

  #play(track) {
    const video = this.#video;
    video.srcObject = new MediaStream([track]);
    video.onplaying = () => clearTimeout(this.#timer);
    // Left again before it began: nothing to say.
    video.play().catch(() => {});
  }

  #fail(sentence) {
    this.close();
    this.#failed(sentence);
  }
}

function gathered(peer) {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((done) => {
    setTimeout(done, GATHERING);
    peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && done());
  });
}
