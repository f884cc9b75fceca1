// A camera's pictures and numbers over its WebSocket: kept open while wanted, opened again when it breaks.

import { Retry } from "./retry.js";
import { liveAddress, parted } from "./wire.js";

/** A playing camera that is silent for so long is asked anew: the connection may be dead without having said so. */
const SILENCE = 10_000;
/** Widths that are asked for, so that viewers of about one size can share what is encoded. */
const WIDTHS = [160, 320, 480, 640, 960, 1280, 1920];

const stepped = (width) => WIDTHS.find((step) => step >= width) ?? WIDTHS.at(-1);

export class Live {
  #id;
  #hears;
  #socket = null;
  #timer = 0;
  #retry = new Retry();
  #wanted = false;
  #width = 0;
  #playing = false;

  /** `hears.message(head, picture)` for each message, `hears.link(up)` when the connection comes or goes. */
  constructor(id, hears) {
    this.#id = id;
    this.#hears = hears;
  }

  /** Opens, or where the width is another step opens anew. */
  open(width) {
    const step = stepped(width);
    if (this.#wanted && step === this.#width) return;
    this.#wanted = true;
    this.#width = step;
    this.#connect();
  }

  close() {
    this.#wanted = false;
    this.#drop();
  }

  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onclose = socket.onmessage = socket.onopen = null;
      socket.close();
    }
  }

  #connect() {
    this.#drop();
    const socket = new WebSocket(liveAddress(this.#id, this.#width));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#hears.link(true);
      this.#listen();
    };
    socket.onmessage = ({ data }) => this.#message(data);
    socket.onclose = () => this.#again();
    this.#socket = socket;
  }

  #message(data) {
    this.#retry.reset();
    const { head, picture } = parted(data);
    this.#playing = head.state === "playing";
    this.#listen();
    this.#hears.message(head, picture);
  }

  #listen() {
    clearTimeout(this.#timer);
    if (this.#playing) this.#timer = setTimeout(() => this.#again(), SILENCE);
  }

  #again() {
    this.#drop();
    this.#playing = false;
    this.#hears.link(false);
    if (this.#wanted) this.#timer = setTimeout(() => this.#connect(), this.#retry.next());
  }
}
