// node bench/sides/webtorrentPeer.mjs make FILE TORRENT | seed FILE TORRENT | get TORRENT FOLDER PORT
//
// The webtorrent side of `npm run bench`: one process per peer, JSON lines on stdout, as libtorrentPeer.py. One TCP connection, no
// rate limits, nothing that looks for other peers. `seconds` counts from the dial to the last verified block.
import { readFileSync, writeFileSync } from "node:fs";
import { register } from "node:module";
import { dirname } from "node:path";
import { promisify } from "node:util";

/** Streamlet's own choice for files of up to 4 GiB. */
const PIECE_BYTES = 1024 * 1024;

/** WebRTC needs a native addon, and is of no use here: its package is replaced by names that do nothing. */
const NO_WEBRTC = `
const stub = "export class RTCPeerConnection {}; export class RTCSessionDescription {}; export class RTCIceCandidate {}; export default {};";
export const resolve = (specifier, context, next) =>
  specifier === "webrtc-polyfill"
    ? { url: "data:text/javascript," + encodeURIComponent(stub), shortCircuit: true }
    : next(specifier, context);
`;
register(`data:text/javascript,${encodeURIComponent(NO_WEBRTC)}`);

const say = (event) => console.log(JSON.stringify(event));
const [role, ...args] = process.argv.slice(2);

async function client() {
  const { default: WebTorrent } = await import("webtorrent");
  const quiet = { dht: false, tracker: false, lsd: false, utPex: false, natUpnp: false, natPmp: false, utp: false };
  const made = new WebTorrent({ ...quiet, webSeeds: false });
  made.on("error", (error) => {
    console.error(error.message);
    process.exit(1);
  });
  return made;
}

async function make(file, torrent) {
  const { default: createTorrent } = await import("create-torrent");
  const bytes = await promisify(createTorrent)(file, { pieceLength: PIECE_BYTES, announceList: [] });
  writeFileSync(torrent, bytes);
}

async function seed(file, torrent) {
  const peer = await client();
  peer.add(readFileSync(torrent), { path: dirname(file), skipVerify: true }).once("ready", () => {
    if (peer.listening) say({ event: "ready", port: peer.torrentPort });
    else peer.once("listening", () => say({ event: "ready", port: peer.torrentPort }));
  });
}

async function get(torrent, folder, port) {
  const peer = await client();
  const download = peer.add(readFileSync(torrent), { path: folder });
  download.once("ready", () => {
    const dialled = performance.now();
    download.addPeer(`127.0.0.1:${port}`);
    download.once("done", () => say({ event: "done", seconds: (performance.now() - dialled) / 1000 }));
  });
}

if (role !== "make") process.stdin.resume().once("end", () => process.exit(0));
await { make, seed, get }[role](...args);
