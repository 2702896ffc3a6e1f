/** Peers that lie or stall: the engine's own code, with one thing wrong with each. They claim to have all of the video. */
import { BLOCK_BYTES, HASH_BYTES } from "../../src/wire/constants";
import { uncleCount } from "../../src/wire/merkle";
import type { Crowd } from "./crowd";
import type { Link } from "./network";
import type { SimPeer } from "./peer";

/** Bytes per second of those that send, and never get anywhere. */
const DRIP = 200;
const GARBAGE_EVERY_MS = 3_000;

type Add = (crowd: Crowd, link: Link) => SimPeer;

export const BAD_PEERS: Record<string, Add> = {
  "send wrong blocks": (crowd, link) =>
    crowd.add("liar", link, ({ disk }) => {
      disk.read = async (views) => views.forEach((view) => void view.set(crowd.random.bytes(64)));
    }),
  "send a wrong byte now and then": (crowd, link) =>
    crowd.add("liar", link, ({ disk }) => {
      const read = disk.read.bind(disk);
      disk.read = async (views, position) => {
        await read(views, position);
        if (Math.floor(position / BLOCK_BYTES) % 7 === 0) views[0]![11]! ^= 1;
      };
    }),
  "send wrong hashes": (crowd, link) =>
    crowd.add("liar", link, (_peer, swarm) => {
      swarm.onHashRequest = (_connection, { length, proofLayers }) =>
        crowd.random.bytes((length + uncleCount(length, proofLayers)) * HASH_BYTES);
    }),
  "claim pieces that they lack": (crowd, link) =>
    crowd.add("liar", link, ({ disk }) => {
      disk.hasPiece = () => false;
    }),
  "send garbage": (crowd, link) =>
    crowd.add("liar", link, ({ host }) => {
      crowd.clock.every(GARBAGE_EVERY_MS, () => {
        for (const socket of host.sockets) socket.write(crowd.random.bytes(100));
      });
    }),
  "never answer": (crowd, link) =>
    crowd.add("staller", link, ({ disk }) => {
      disk.read = () => new Promise(() => undefined);
    }),
  "answer drop by drop": (crowd, link) => crowd.add("staller", { ...link, up: DRIP }),
};
