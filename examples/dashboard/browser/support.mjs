// The dashboard's program and a browser for the tests, and the few questions that they all ask of a page.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PROGRAM = process.env.DASHBOARD ?? `${ROOT}target/release/gradcam-dashboard`;
const MODEL = process.env.MODEL ?? `${ROOT}models/efficientnet-lite0.onnx`;
/** Where the tests of the library look too. */
const runtime = () => `${ROOT}runtime/${readdirSync(`${ROOT}runtime`).find((name) => name.startsWith("libonnxruntime.so."))}`;
const ENVIRONMENT = { ...process.env, ORT_DYLIB_PATH: process.env.ORT_DYLIB_PATH ?? runtime() };
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const SHOTS = process.env.SHOTS ?? `${ROOT}out/dashboard`;
mkdirSync(SHOTS, { recursive: true });

/** A limit for what must happen at some time; none of the tests is about how soon. */
export const LIMIT = Number(process.env.LIMIT ?? 60_000);
/** What `make dashboard` shows. */
export const FOUR = ["cat", "coffee", "demo", "rocket"].map((name) => `${ROOT}media/${name}.mp4`);

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** The program with some sources; `stop` ends it, `start` starts it anew at the same address. */
export class Dashboard {
  #sources;
  #more;
  #port;
  #child = null;
  address;

  static async open(sources, more = []) {
    const dashboard = new Dashboard();
    dashboard.#sources = sources;
    dashboard.#more = more;
    dashboard.#port = await freePort();
    dashboard.address = `http://127.0.0.1:${dashboard.#port}/`;
    await dashboard.start();
    return dashboard;
  }

  async start() {
    const sources = this.#sources.flatMap((source) => ["--source", source]);
    const words = ["--bind", `127.0.0.1:${this.#port}`, "--model", MODEL, ...sources, ...this.#more];
    const child = spawn(PROGRAM, words, { env: ENVIRONMENT, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    let said = "";
    child.on("error", (error) => (said += `${error.message}; make check-dashboard builds it\n`));
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
    await until("the program answers", async () => {
      const answers = await fetch(`${this.address}api/cameras`).then((answer) => answer.ok, () => false);
      if (child.pid === undefined || child.exitCode !== null) throw new Error(`the program ended:\n${said}`);
      return answers;
    });
  }

  async stop(signal = "SIGTERM") {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  }

  async cameras() {
    return (await (await fetch(`${this.address}api/cameras`)).json()).cameras;
  }
}

/** Waits until `asked` gives something true, and gives it. */
export async function until(what, asked) {
  const end = Date.now() + LIMIT;
  for (;;) {
    const answer = await asked();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`not seen within ${LIMIT / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function openBrowser() {
  // Loopback candidates are hidden behind mDNS names otherwise, which nobody resolves here.
  const args = ["--no-sandbox", "--disable-features=WebRtcHideLocalIpsWithMdns"];
  return chromium.launch({ executablePath: CHROMIUM, args });
}

/** A page that fails its test where a script fails, or where something was to come from elsewhere. */
export async function openPage(browser, address, { width = 1440, height = 900, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...options });
  context.setDefaultTimeout(LIMIT);
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("console", (message) => message.text().includes("Content Security Policy") && wrong.push(message.text()));
  page.on("request", (request) => {
    if (!request.url().startsWith(new URL(address).origin) && !/^(blob|data):/.test(request.url())) wrong.push(`asked for ${request.url()}`);
  });
  await page.goto(address);
  const done = async () => {
    await context.close();
    if (wrong.length) throw new Error(`the page had errors:\n${wrong.join("\n")}`);
  };
  return { page, done };
}

/** Waits until a picture has been painted there, and has changed. */
export async function moves(canvas) {
  const picture = () => canvas.evaluate((node) => (node.width > 16 ? node.toDataURL() : null));
  const first = await until("a first picture", picture);
  await until("another picture", async () => (await picture()) !== first);
}

/** Waits until a camera's tile says this on its picture; "" where it says nothing. */
export async function says(tile, words) {
  const said = () => tile.locator(":is(.badge, .cover):visible").allInnerTexts();
  await until(`a tile says "${words}"`, async () => {
    const text = (await said()).join(" ");
    return words ? text.includes(words) : text === "";
  });
}
