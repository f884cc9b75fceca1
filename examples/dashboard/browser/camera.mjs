// A network camera for the tests: Motion JPEG over HTTP, which can be switched off and on again.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";

const PIPELINE = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1 ! jpegenc ! multipartmux boundary=frame ! fdsink fd=1";

export class Camera {
  #server = null;
  #port = 0;
  #children = new Set();

  /** Where it is; the port stays the same when it is switched off and on. */
  get address() {
    return `http://127.0.0.1:${this.#port}/video.mjpg`;
  }

  async on() {
    this.#server = createServer((request, response) => {
      response.writeHead(200, { "content-type": "multipart/x-mixed-replace; boundary=frame" });
      const child = spawn("gst-launch-1.0", ["-q", ...PIPELINE.split(" ")], { stdio: ["ignore", "pipe", "ignore"] });
      this.#children.add(child);
      child.stdout.pipe(response);
      child.on("exit", () => this.#children.delete(child));
      response.on("close", () => child.kill("SIGKILL"));
    });
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = this.#server.address().port;
  }

  async off() {
    for (const child of this.#children) child.kill("SIGKILL");
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
