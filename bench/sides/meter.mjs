// What a transfer costs its two processes.
import { usage } from "../children.mjs";
import { GIB } from "../files.mjs";
import { short } from "../statistics.mjs";

/** To be called before the receiver starts; the result, called after the last block, says what the transfer cost. */
export function meter(sender) {
  const before = usage(sender.pid).cpu;
  return (receiver) => {
    const [took, gave] = [usage(receiver.pid), usage(sender.pid)];
    return { senderCpu: gave.cpu - before, receiverCpu: took.cpu, senderRss: gave.rss, receiverRss: took.rss };
  };
}

/** CPU seconds per GiB of a side's runs that moved `size` bytes each. */
export function perGib(runs, key, size) {
  return runs.map((run) => (run[key] * GIB) / size);
}

/** One run in one line. */
export function figures({ seconds, receiverCpu, senderCpu }, size) {
  const cpu = [receiverCpu, senderCpu].map((cpu) => short((cpu * GIB) / size)).join(" + ");
  return `${seconds.toFixed(2)} s, CPU ${cpu} s/GiB`;
}
