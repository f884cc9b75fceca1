// What the server is asked by HTTP (docs/dashboard.md). Addresses are relative, so that the page works under any prefix.

/** The server said no, or did not answer; the message is a sentence for the reader. */
export class Refused extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

/** No answer within this is none: a connection that hangs must not hang the page. */
const PATIENCE = 10_000;

async function ask(path, { patience = PATIENCE, ...options } = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(patience), ...options });
  } catch {
    throw new Refused("The server does not answer.", 0);
  }
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  throw new Refused(sentence(body.error, answer.status), answer.status);
}

function sentence(said, status) {
  if (said) return said;
  if (status === 401) return "The server wants its token: open this page as /?token=TOKEN.";
  return `The server answered with status ${status}.`;
}

const camera = (id, rest = "") => `api/cameras/${id}${rest}`;
const json = async (path, options) => (await ask(path, options)).json();

export const cameras = async () => (await json("api/cameras")).cameras;
export const options = () => json("api/options");
export const timeline = async (id) => (await json(camera(id, "/timeline"))).points;

/** Changes some settings; the state as it is then. It comes once the camera plays with them, which a model may take a while for. */
export function change(id, settings) {
  const headers = { "content-type": "application/json" };
  return json(camera(id), { method: "PATCH", patience: 150_000, headers, body: JSON.stringify(settings) });
}

export const snapshot = async (id) => (await ask(camera(id, "/snapshot"))).blob();

/** A clip is encoded when it is asked for, which takes a while. */
export async function clip(id, seconds) {
  return (await ask(camera(id, `/clip?seconds=${seconds}`), { patience: 120_000 })).blob();
}

/** The address of a camera's pictures. */
export function liveAddress(id, width) {
  const address = new URL(camera(id, `/live?width=${width}`), document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  return address.href;
}

/** Sends an SDP offer; the answer, and the address of the session that it opened. */
export async function offer(id, sdp) {
  const headers = { "content-type": "application/sdp" };
  const answer = await ask(camera(id, "/whep"), { method: "POST", headers, body: sdp });
  return { sdp: await answer.text(), session: new URL(answer.headers.get("location") ?? "", answer.url).href };
}

/** Ends a session, also while the page goes away. */
export const hangUp = (session) => ask(session, { method: "DELETE", keepalive: true }).catch(() => {});

/** A live message: its text, and its picture, which is empty where the source is lost. */
export function parted(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const jpeg = new Uint8Array(buffer, 4 + length);
  return { head, picture: jpeg.length ? new Blob([jpeg], { type: "image/jpeg" }) : null };
}
